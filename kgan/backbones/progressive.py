"""The networks of progressive growing, which compute only the stages that have begun."""

import functools

import keras
from keras import ops

from kgan.backbones.backbone import Backbone, label_input, latent_inputs
from kgan.backbones.dcgan import plan_stages
from kgan.layers.checks import check_condition, check_positive_int, check_sizes
from kgan.layers.minibatch import MinibatchStandardDeviation
from kgan.layers.normalization import PixelNormalization
from kgan.layers.reparametrization import EqualizedLearningRate, shared_weights
from kgan.layers.resampled_convolution import UpsampleConv2D
from kgan.layers.resampling import NearestUpsample2D

# Table 2: "LReLU" with leakiness 0.2.
LEAK = 0.2
# In how many parts a stage's coming is counted. The count is an integer so that an average of the
# generator takes it over as it is, and a power of two so that half precision has each share.
PARTS = 1024


def _convolution(filters, kernel_size=3, gain=2**0.5, dtype=None, name=None):
    convolution = keras.layers.Conv2D(
        filters, kernel_size, padding="same", dtype=dtype, name="convolution"
    )
    return EqualizedLearningRate(convolution, gain=gain, name=name)


def _doubling_convolution(filters, dtype):
    return EqualizedLearningRate(UpsampleConv2D(filters, 3, dtype=dtype, name="convolution"))


class Growing(keras.layers.Layer):
    """Base of layers whose stages begin one after the other, each faded in.

    Stage 0 is always on. `progress` is a weight that no optimizer moves: at `PARTS * k` stages 0 to
    k are on, and from there to `PARTS * (k + 1)` the next fades in. It begins with all stages on.

    Args:
        widths: tuple of int. Channels of each stage, from the smallest maps to the image.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Raises:
        ValueError: if `widths` is no tuple of positive integers.
    """

    def __init__(self, widths, **kwargs):
        super().__init__(**kwargs)
        self.widths = check_sizes("widths", widths)
        self.num_stages = len(self.widths)

    def build(self, input_shape):
        """Creates the weight that says how far the layer has grown."""
        self.progress = self.add_weight(
            name="progress",
            shape=(),
            # TensorFlow keeps variables of 32-bit integers on the host, where XLA for a GPU
            # cannot read them.
            dtype="int",
            initializer=keras.initializers.Constant(self.max_progress),
            trainable=False,
            aggregation="only_first_replica",
        )

    @property
    def max_progress(self):
        """Int. What `progress` is when all stages are on."""
        return PARTS * (self.num_stages - 1)

    def latest(self):
        """Returns the number of the latest stage that has begun, an integer scalar."""
        return (self.progress + PARTS - 1) // PARTS

    def share(self, stage):
        """Returns how far a stage is faded in, a scalar in [0, 1]; the paper's alpha."""
        parts = ops.clip(self.progress - PARTS * (stage - 1), 0, PARTS)
        return ops.cast(parts, "float32") / PARTS

    def up_to_latest(self, compute):
        """Returns what a function of the latest stage computes; no other branch is computed."""
        # Branches side by side repeat the stages they have in common. Nested ones, and one branch a
        # stage, would not, but TensorFlow takes 4 to 8 times as long to trace their derivatives.
        branches = [functools.partial(_branch, compute, stage) for stage in range(self.num_stages)]
        return ops.switch(self.latest(), branches)

    def fade(self, before, after, stage):
        """Returns a mixture that is `after` alone, to the bit, once the stage is on."""
        share = ops.cast(self.share(stage), after.dtype)
        return (1 - share) * before + share * after

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "widths": self.widths}


def _branch(compute, stage):
    with shared_weights():
        return compute(stage)


@keras.saving.register_keras_serializable(package="kgan")
class GrowingSynthesis(Growing):
    r"""Makes images from small maps, through stages that each double the size.

    A stage is: nearest up-sampling, then twice a 3x3 convolution, LeakyReLU of slope 0.2 and
    pixel norm. A 1x1 convolution makes its maps an image. While stage k fades in, the image is
    `(1 - alpha) up(image of stage k - 1) + alpha (image of stage k)` (Figure 2 of the paper); it is
    then up-sampled to full size. Stages that have not begun are not computed.

    Args:
        widths: tuple of int. Channels of each stage's maps. Those of stage 0 are the input.
        channels: int, at least 1. Channels of the image.
        block_dtype: `None`, `str` or `keras.DTypePolicy`. What the stages compute in, where images
            are made in `dtype`. Defaults to `None`, `dtype`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, widths[0])`.

    Output shape:
        `(batch, height * 2**n, width * 2**n, channels)` for n + 1 stages.

    Raises:
        ValueError: if `widths` or `channels` are no positive integers, or the input has other
            channels than stage 0.

    Example:
    >>> layer = kgan.backbones.progressive.GrowingSynthesis(widths=(8, 4, 2), channels=3)
    >>> tuple(layer(np.ones((5, 4, 4, 8), "float32")).shape)
    (5, 16, 16, 3)

    Reference:
        [Karras et al., 2018, Progressive Growing of GANs for Improved Quality, Stability, and
        Variation](https://arxiv.org/abs/1710.10196), section 2 and table 2
    """

    def __init__(self, widths, channels, block_dtype=None, **kwargs):
        super().__init__(widths, **kwargs)
        check_positive_int("channels", channels)
        inner = self.dtype_policy if block_dtype is None else keras.dtype_policies.get(block_dtype)
        self.activation = keras.layers.LeakyReLU(LEAK, dtype=inner)
        self.normalization = PixelNormalization(dtype=inner)
        # Stage 0 has no block of its own: its maps are the input.
        self.first = [_doubling_convolution(filters, dtype=inner) for filters in self.widths[1:]]
        self.second = [_convolution(filters, dtype=inner) for filters in self.widths[1:]]
        self.to_image = [
            _convolution(channels, kernel_size=1, dtype=self.dtype_policy, gain=1.0)
            for _ in self.widths
        ]
        self.enlarge = [
            NearestUpsample2D(2**times, dtype=self.dtype_policy) for times in range(self.num_stages)
        ]

        # === Config ===
        self.channels = channels
        self.block_dtype = block_dtype

    def build(self, input_shape):
        """Creates the weights of all stages."""
        super().build(input_shape)
        for layer in (self.activation, self.normalization, *self.enlarge):
            layer.build(input_shape)
        batch, height, width, channels = input_shape
        if channels != self.widths[0]:
            raise ValueError(
                f"The input must have the {self.widths[0]} channels of stage 0. "
                f"Received: {channels}, widths={self.widths}"
            )
        for stage, filters in enumerate(self.widths):
            size = (height * 2**stage, width * 2**stage)
            self.to_image[stage].build((batch, *size, filters))
            if stage > 0:
                below = (size[0] // 2, size[1] // 2)
                self.first[stage - 1].build((batch, *below, self.widths[stage - 1]))
                self.second[stage - 1].build((batch, *size, filters))

    def call(self, inputs):
        """Returns the images, made by as many stages as have begun."""
        return self.up_to_latest(lambda latest: self._images(inputs, latest))

    def _images(self, maps, latest):
        earlier = maps
        for stage in range(1, latest + 1):
            earlier, maps = maps, self._grown(maps, stage)
        images = self.to_image[latest](maps)
        if latest > 0:
            before = self.enlarge[1](self.to_image[latest - 1](earlier))
            images = self.fade(before, images, latest)
        return self.enlarge[self.num_stages - 1 - latest](images)

    def _grown(self, maps, stage):
        for convolution in (self.first[stage - 1], self.second[stage - 1]):
            maps = self.normalization(self.activation(convolution(maps)))
        return maps

    def compute_output_shape(self, input_shape):
        """Returns `(batch, height * 2**n, width * 2**n, channels)`."""
        batch, height, width, _ = input_shape
        factor = 2 ** (self.num_stages - 1)
        return (batch, height * factor, width * factor, self.channels)

    def get_config(self):
        """Returns the constructor's arguments."""
        own = self.block_dtype
        if own is not None:
            own = keras.dtype_policies.serialize(keras.dtype_policies.get(own))
        return {**super().get_config(), "channels": self.channels, "block_dtype": own}


@keras.saving.register_keras_serializable(package="kgan")
class GrowingAnalysis(Growing):
    r"""Turns images into small maps, through stages that each halve the size.

    It mirrors `GrowingSynthesis`. A 1x1 convolution and LeakyReLU of slope 0.2 read the image,
    averaged down to the latest stage's size. A stage is: twice a 3x3 convolution and LeakyReLU,
    then 2x2 averages. While stage k fades in, the next sees `(1 - alpha) (what it reads from the
    image itself) + alpha (output of stage k)`. Stages that have not begun are not computed.

    Args:
        widths: tuple of int. Channels of each stage's maps, from the smallest to the image's.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, both sides divisible by `2**n` for n + 1 stages.

    Output shape:
        `(batch, height / 2**n, width / 2**n, widths[0])`.

    Raises:
        ValueError: if `widths` is no tuple of positive integers, or the sides are not divisible.

    Example:
    >>> layer = kgan.backbones.progressive.GrowingAnalysis(widths=(8, 4, 2))
    >>> tuple(layer(np.ones((5, 16, 16, 3), "float32")).shape)
    (5, 4, 4, 8)

    Reference:
        [Karras et al., 2018, Progressive Growing of GANs for Improved Quality, Stability, and
        Variation](https://arxiv.org/abs/1710.10196), section 2 and table 2
    """

    def __init__(self, widths, **kwargs):
        super().__init__(widths, **kwargs)
        self.activation = keras.layers.LeakyReLU(LEAK, dtype=self.dtype_policy)
        later = list(zip(self.widths[1:], self.widths[:-1], strict=True))
        self.first = [_convolution(own, dtype=self.dtype_policy) for own, _ in later]
        self.second = [_convolution(below, dtype=self.dtype_policy) for _, below in later]
        self.from_image = [
            _convolution(filters, kernel_size=1, dtype=self.dtype_policy) for filters in self.widths
        ]

    def build(self, input_shape):
        """Creates the weights of all stages."""
        super().build(input_shape)
        self.activation.build(input_shape)
        batch, height, width, channels = input_shape
        factor = 2 ** (self.num_stages - 1)
        if height % factor or width % factor:
            raise ValueError(
                f"Both sides must be divisible by {factor}, for {self.num_stages} stages. "
                f"Received: images of shape {tuple(input_shape[1:])}"
            )
        for stage, filters in enumerate(self.widths):
            size = (height * 2**stage // factor, width * 2**stage // factor)
            self.from_image[stage].build((batch, *size, channels))
            if stage > 0:
                self.first[stage - 1].build((batch, *size, filters))
                self.second[stage - 1].build((batch, *size, filters))

    def call(self, inputs):
        """Returns the smallest maps, from as many stages as have begun."""
        return self.up_to_latest(lambda latest: self._maps(inputs, latest))

    def _maps(self, images, latest):
        maps = self._read(images, latest)
        for stage in range(latest, 0, -1):
            maps = self._shrunk(maps, stage)
            if stage == latest:
                maps = self.fade(self._read(images, stage - 1), maps, stage)
        return maps

    def _read(self, images, stage):
        # In float32: the sum of many pixels is too large for half precision.
        averages = _averages(ops.cast(images, "float32"), 2 ** (self.num_stages - 1 - stage))
        return self.activation(self.from_image[stage](averages))

    def _shrunk(self, maps, stage):
        for convolution in (self.first[stage - 1], self.second[stage - 1]):
            maps = self.activation(convolution(maps))
        return _averages(maps, 2)

    def compute_output_shape(self, input_shape):
        """Returns `(batch, height / 2**n, width / 2**n, widths[0])`."""
        batch, height, width, _ = input_shape
        factor = 2 ** (self.num_stages - 1)
        return (batch, height // factor, width // factor, self.widths[0])


def _averages(x, size):
    if size == 1:
        return x
    return ops.average_pool(x, size, size, data_format="channels_last")


def _plan(image_shape, width, max_width, num_classes, condition_dim):
    """Checks what both networks are given; returns the image's shape, the base and the widths."""
    check_positive_int("width", width)
    check_positive_int("max_width", max_width)
    if max_width < width:
        raise ValueError(
            f"`max_width` must be at least `width`. Received: width={width}, max_width={max_width}"
        )
    check_condition(num_classes, condition_dim)
    image_shape = check_sizes("image_shape", image_shape, rank=3)
    base, widths = plan_stages(image_shape, width, max_width)
    return image_shape, base, (min(2 * widths[-1], max_width), *reversed(widths))


@keras.saving.register_keras_serializable(package="kgan")
class ProgressiveGenerator(Backbone):
    """Generator of progressive growing, whose resolution `kgan.dynamics.Growth` raises in `fit`.

    The latent is scaled to unit mean square and projected to a small map, then a 3x3 convolution
    follows; each later stage doubles the size and has two convolutions (`GrowingSynthesis`). All
    have equalised learning rates, LeakyReLU of slope 0.2 and pixel norm (table 2 of the paper). A
    label is embedded as wide as the latent and concatenated to it.

    Images have the full size at every stage: those of earlier stages are up-sampled, by repeating
    pixels. Without `Growth` all stages are on.

    Args:
        image_shape: tuple of int, (height, width, channels). Both sides are a small base times
            the same power of two: they can be halved as long as the shorter side stays at least 4,
            and each halving is a stage. Defaults to `(128, 128, 3)`.
        latent_dim: int, at least 1. Width of the latent. Defaults to `512`.
        width: int, at least 1. Channels of the last stage; each earlier one has twice as many. The
            paper has 16 at 1024x1024, 32 at 512x512, and so on. Defaults to `128`.
        max_width: int, at least `width`. The most channels of a stage. Defaults to `512`.
        num_classes: int or `None`. Number of classes, where labels are int32 of shape `(batch,)`.
            Defaults to `None`.
        condition_dim: int or `None`. Width of labels that are float vectors of shape
            `(batch, condition_dim)`. Defaults to `None`.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; images are made
            in float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Latents of shape `(batch, latent_dim)`, or a list `[latent, label]` if conditional.

    Output:
        Images of shape `(batch, height, width, channels)`, float32. They are linear, as in the
        paper: trained on images in [-1, 1], they leave this range a little.

    Raises:
        ValueError: if the sides do not fit (the nearest that do are named), if a size is not a
            positive integer, if `max_width` is less than `width`, or if both `num_classes` and
            `condition_dim` are given.

    Example:
    >>> generator = kgan.backbones.ProgressiveGenerator((16, 16, 3), latent_dim=64, width=8)
    >>> tuple(generator(np.ones((2, 64), "float32")).shape)
    (2, 16, 16, 3)

    Reference:
        [Karras et al., 2018, Progressive Growing of GANs for Improved Quality, Stability, and
        Variation](https://arxiv.org/abs/1710.10196)
    """

    def __init__(
        self,
        image_shape=(128, 128, 3),
        latent_dim=512,
        width=128,
        max_width=512,
        num_classes=None,
        condition_dim=None,
        dtype=None,
        **kwargs,
    ):
        image_shape, base, widths = _plan(image_shape, width, max_width, num_classes, condition_dim)
        check_positive_int("latent_dim", latent_dim)

        # === Layers ===
        layers = [
            PixelNormalization(dtype=dtype, name="normalize_latent"),
            EqualizedLearningRate(
                keras.layers.Dense(base[0] * base[1] * widths[0], dtype=dtype, name="dense"),
                name="project",
            ),
            keras.layers.Reshape((*base, widths[0]), dtype=dtype, name="reshape"),
            keras.layers.LeakyReLU(LEAK, dtype=dtype, name="leaky_relu_0"),
            PixelNormalization(dtype=dtype, name="norm_0"),
            _convolution(widths[0], dtype=dtype, name="convolution"),
            keras.layers.LeakyReLU(LEAK, dtype=dtype, name="leaky_relu_1"),
            PixelNormalization(dtype=dtype, name="norm_1"),
            GrowingSynthesis(
                widths,
                image_shape[-1],
                block_dtype=keras.dtype_policies.get(dtype),
                dtype="float32",
                name="stages",
            ),
        ]

        # === Functional Model ===
        inputs, x = latent_inputs(latent_dim, num_classes, condition_dim, dtype)
        for layer in layers:
            x = layer(x)
        super().__init__(inputs=inputs, outputs=x, dtype=dtype, **kwargs)

        # === Config ===
        self.image_shape = image_shape
        self.latent_dim = latent_dim
        self.width = width
        self.max_width = max_width
        self.num_classes = num_classes
        self.condition_dim = condition_dim

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "width": self.width,
            "max_width": self.max_width,
            "num_classes": self.num_classes,
            "condition_dim": self.condition_dim,
        }


@keras.saving.register_keras_serializable(package="kgan")
class ProgressiveDiscriminator(Backbone):
    """Discriminator of progressive growing, whose resolution `kgan.dynamics.Growth` raises.

    It mirrors `ProgressiveGenerator`: the stages that are on each halve the size
    (`GrowingAnalysis`), then the mean standard deviation over a group of examples is appended, and
    a 3x3 convolution, a dense layer and a linear score follow. All have equalised learning rates
    and LeakyReLU of slope 0.2 (table 2 of the paper). A label adds the inner product of its vector
    and the dense layer's features, divided by the root of their number.

    Images have the full size at every stage: earlier stages see their averages.

    Args:
        image_shape: tuple of int, (height, width, channels). Both sides are a small base times
            the same power of two: they can be halved as long as the shorter side stays at least 4,
            and each halving is a stage. Defaults to `(128, 128, 3)`.
        width: int, at least 1. Channels of the stage next to the image; each smaller one has twice
            as many. The paper has 16 at 1024x1024, 32 at 512x512, and so on. Defaults to `128`.
        max_width: int, at least `width`. The most channels of a stage. Defaults to `512`.
        group_size: int, at least 1. The most examples of which a standard deviation is taken; 1
            is for none, so that no score depends on other images. Groups are made of one replica's
            examples (`kgan.layers.MinibatchStandardDeviation`). Defaults to `4`.
        num_classes: int or `None`. Number of classes, where labels are int32 of shape `(batch,)`.
            Defaults to `None`.
        condition_dim: int or `None`. Width of labels that are float vectors of shape
            `(batch, condition_dim)`. Defaults to `None`.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; the score is
            computed in float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Images of shape `(batch, height, width, channels)`, or a list `[image, label]` if
        conditional.

    Output:
        Scores of shape `(batch, 1)`, float32, unbounded.

    Raises:
        ValueError: if the sides do not fit (the nearest that do are named), if a size is not a
            positive integer, if `max_width` is less than `width`, or if both `num_classes` and
            `condition_dim` are given.

    Example:
    >>> discriminator = kgan.backbones.ProgressiveDiscriminator((16, 16, 3), width=8)
    >>> tuple(discriminator(np.zeros((2, 16, 16, 3), "float32")).shape)
    (2, 1)

    Reference:
        [Karras et al., 2018, Progressive Growing of GANs for Improved Quality, Stability, and
        Variation](https://arxiv.org/abs/1710.10196)
    """

    def __init__(
        self,
        image_shape=(128, 128, 3),
        width=128,
        max_width=512,
        group_size=4,
        num_classes=None,
        condition_dim=None,
        dtype=None,
        **kwargs,
    ):
        image_shape, _, widths = _plan(image_shape, width, max_width, num_classes, condition_dim)

        # === Layers ===
        layers = [
            GrowingAnalysis(widths, dtype=dtype, name="stages"),
            MinibatchStandardDeviation(group_size, dtype=dtype, name="deviation"),
            _convolution(widths[0], dtype=dtype, name="convolution"),
            keras.layers.LeakyReLU(LEAK, dtype=dtype, name="leaky_relu_0"),
            keras.layers.Flatten(dtype=dtype, name="flatten"),
            EqualizedLearningRate(
                keras.layers.Dense(widths[0], dtype=dtype, name="dense"), name="dense"
            ),
            keras.layers.LeakyReLU(LEAK, dtype=dtype, name="features"),
        ]
        score = EqualizedLearningRate(
            keras.layers.Dense(1, dtype="float32", name="dense"), gain=1.0, name="score"
        )

        # === Functional Model ===
        image = keras.Input(image_shape, name="image")
        label = label_input(num_classes, condition_dim)
        x = image
        for layer in layers:
            x = layer(x)
        outputs = score(x)
        if label is not None:
            agreement = _label_agreement(x, label, num_classes, widths[0])
            outputs = keras.layers.Add(dtype="float32", name="sum")([outputs, agreement])
        inputs = image if label is None else [image, label]
        super().__init__(inputs=inputs, outputs=outputs, dtype=dtype, **kwargs)

        # === Config ===
        self.image_shape = image_shape
        self.width = width
        self.max_width = max_width
        self.group_size = group_size
        self.num_classes = num_classes
        self.condition_dim = condition_dim

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "width": self.width,
            "max_width": self.max_width,
            "group_size": self.group_size,
            "num_classes": self.num_classes,
            "condition_dim": self.condition_dim,
        }


def _label_agreement(features, label, num_classes, dim):
    """Inner products of features and labels' vectors, of about unit variance at the start."""
    if num_classes is None:
        layer = keras.layers.Dense(dim, use_bias=False, dtype="float32", name="vectors")
    else:
        layer = keras.layers.Embedding(num_classes, dim, dtype="float32", name="vectors")
    vectors = EqualizedLearningRate(layer, gain=dim**-0.5, name="embed_label")(label)
    return keras.layers.Dot(axes=-1, dtype="float32", name="agreement")([features, vectors])
