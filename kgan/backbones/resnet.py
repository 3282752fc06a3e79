"""The residual networks of spectral normalization's paper, SNGAN."""

import functools

import keras
from keras import ops

from kgan.backbones.backbone import Backbone, head_config, label_input, packed
from kgan.backbones.dcgan import plan_stages, stage_widths
from kgan.layers.batch_normalization import BatchNormalization
from kgan.layers.checks import check_condition, check_positive_int, check_sizes
from kgan.layers.conditional_norm import ConditionalBatchNormalization
from kgan.layers.conditioning import ProjectionHead
from kgan.layers.reparametrization import SpectralNormalization
from kgan.layers.resampled_convolution import DownsampleConv2D, UpsampleConv2D

# As in the authors' code, pfnet-research/sngan_projection, but for an epsilon of 2e-5.
BATCH_NORM_MOMENTUM = 0.9
BATCH_NORM_EPSILON = 1e-5
# Table 4: a discriminator of 32x32 images halves them to 8x8.
SMALLEST_SIDE = 8

# The convolutions of a block that keeps its input's size, and of a discriminator's that halves it.
_keeping = functools.partial(keras.layers.Conv2D, padding="same")
_halving = functools.partial(DownsampleConv2D, convolve_first=True)


@keras.saving.register_keras_serializable(package="kgan")
class GlobalSumPooling2D(keras.layers.Layer):
    """Sums each channel over all positions.

    Args:
        **kwargs: `name` and `dtype`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, channels)`.

    Example:
    >>> layer = kgan.backbones.resnet.GlobalSumPooling2D()
    >>> layer(np.ones((1, 4, 4, 2), "float32")).numpy().tolist()
    [[16.0, 16.0]]

    Reference:
        [Miyato et al., 2018, Spectral Normalization for Generative Adversarial
        Networks](https://arxiv.org/abs/1802.05957), table 4
    """

    def call(self, inputs):
        """Returns the sums."""
        return ops.sum(inputs, axis=(1, 2))

    def compute_output_shape(self, input_shape):
        """Returns `(batch, channels)`."""
        return (input_shape[0], input_shape[-1])


def _check_arguments(image_shape, width, max_width, num_classes, condition_dim):
    """Checks what both networks are given; returns the image's shape and the most channels."""
    check_positive_int("width", width)
    if max_width is not None:
        check_positive_int("max_width", max_width)
        if max_width < width:
            raise ValueError(
                "`max_width` must be at least `width`, or None. "
                f"Received: width={width}, max_width={max_width}"
            )
    check_condition(num_classes, condition_dim)
    return check_sizes("image_shape", image_shape, rank=3), max_width or width


def _weights(kernel_initializer, gain=1.0):
    """The authors' initial weights, or a copy of what was given, so that layers start apart."""
    if kernel_initializer is None:
        # Glorot's uniform distribution, `gain` times as wide.
        return keras.initializers.VarianceScaling(gain**2, "fan_avg", "uniform")
    return kernel_initializer.clone()


class _Blocks:
    """Makes the layers of residual blocks, which share a dtype and initial weights.

    Args:
        kernel_initializer: Keras initializer or None, the authors'.
        dtype: `None`, `str` or `keras.DTypePolicy`.
        spectral_norm: bool, of every convolution. Defaults to False.
        use_bias: bool, of convolutions of 3x3. Defaults to False.
        condition: dict, the arguments of `ConditionalBatchNormalization` that say what labels are,
            or None for batch norm without labels. Defaults to None.
    """

    def __init__(
        self, kernel_initializer, dtype, spectral_norm=False, use_bias=False, condition=None
    ):
        self.kernel_initializer = kernel_initializer
        self.dtype = dtype
        self.spectral_norm = spectral_norm
        self.use_bias = use_bias
        self.condition = condition

    def normalized(self, layer):
        """Returns the layer, under spectral norm if it is to be."""
        if self.spectral_norm:
            return SpectralNormalization(layer, name=f"normalized_{layer.name}")
        return layer

    def convolution(self, filters, name, layer_class=_keeping):
        """Returns a 3x3 convolution before or after a rectifier."""
        return self.normalized(
            layer_class(
                filters,
                3,
                use_bias=self.use_bias,
                # Residual branches have rectifiers, which halve what passes, hence the gain.
                kernel_initializer=_weights(self.kernel_initializer, gain=2**0.5),
                dtype=self.dtype,
                name=name,
            )
        )

    def shortcut(self, filters, name, layer_class):
        """Returns a 1x1 convolution, whose bias would only repeat the other branch's."""
        return self.normalized(
            layer_class(
                filters,
                1,
                use_bias=False,
                kernel_initializer=_weights(self.kernel_initializer),
                dtype=self.dtype,
                name=name,
            )
        )

    def batch_norm(self, x, label, name):
        """Returns `x` after batch norm, whose scales are the label's if there are labels."""
        kwargs = {
            "momentum": BATCH_NORM_MOMENTUM,
            "epsilon": BATCH_NORM_EPSILON,
            "dtype": self.dtype,
            "name": name,
        }
        if label is None:
            return BatchNormalization(**kwargs)(x)
        return ConditionalBatchNormalization(**self.condition, **kwargs)([x, label])

    def relu(self, x, name):
        """Returns `x` where it is positive, else 0."""
        return keras.layers.ReLU(dtype=self.dtype, name=name)(x)

    def add(self, branches, name):
        """Returns what a block makes of its two branches."""
        return keras.layers.Add(dtype=self.dtype, name=name)(branches)

    def doubling(self, x, label, filters, name):
        """Returns a generator's block of `x`, which doubles the sides (Figure 3 of the paper)."""
        residual = self.relu(self.batch_norm(x, label, f"{name}_norm_1"), f"{name}_relu_1")
        residual = self.convolution(filters, f"{name}_convolution_1", UpsampleConv2D)(residual)
        residual = self.batch_norm(residual, label, f"{name}_norm_2")
        residual = self.relu(residual, f"{name}_relu_2")
        residual = self.convolution(filters, f"{name}_convolution_2")(residual)
        shortcut = self.shortcut(filters, f"{name}_shortcut", UpsampleConv2D)(x)
        return self.add([shortcut, residual], name)

    def judging(self, x, filters, name, halve, first):
        """Returns a discriminator's block of `x`, which may halve the sides, rounded up."""
        # The first block sees pixels, of which a rectifier would lose the dark half.
        residual = x if first else self.relu(x, f"{name}_relu_1")
        # The authors' first convolution has as many channels as the input, else as the output.
        hidden = filters if first else x.shape[-1]
        residual = self.convolution(hidden, f"{name}_convolution_1")(residual)
        residual = self.relu(residual, f"{name}_relu_2")
        layer_class = _halving if halve else _keeping
        residual = self.convolution(filters, f"{name}_convolution_2", layer_class)(residual)
        shortcut = x
        if halve or filters != x.shape[-1]:
            shortcut = self.shortcut(filters, f"{name}_shortcut", layer_class)(x)
        # Of layers that are as far from the output, the first branch's come first: this is the
        # order in which files have their weights.
        return self.add([residual, shortcut] if halve else [shortcut, residual], name)


@keras.saving.register_keras_serializable(package="kgan")
class ResNetGenerator(Backbone):
    """Generator of SNGAN: a dense layer, then residual blocks that each double the size.

    The latent is projected to a small map. Each block adds to the doubled map what batch norm,
    ReLU, doubling, a 3x3 convolution, batch norm, ReLU and another convolution make of it; the
    addition's own branch is a 1x1 convolution. Batch norm, ReLU, a 3x3 convolution and tanh make
    the image. A label sets the scales and offsets of the batch norms in the blocks
    (`kgan.layers.ConditionalBatchNormalization`), as in projection discriminator's paper.

    The defaults are table 4, for 32x32 images; `width=64, max_width=1024` makes the networks for
    48x48 (table 5), 64x64 and 128x128. Convolutions in blocks have no bias: it would pass through
    the shortcuts to the last batch norm, which removes it.

    Args:
        image_shape: tuple of int, (height, width, channels). Both sides are a small base times
            the same power of two: they can be halved as long as the shorter side stays at least 4.
            Defaults to `(32, 32, 3)`.
        latent_dim: int, at least 1. Width of the latent. Defaults to `128`.
        width: int, at least 1. Channels of the last block; each earlier one has twice as many, and
            the first map twice the first block's. Defaults to `256`.
        max_width: int, at least `width`, or `None`. The most channels of a block. Defaults to
            `None`, `width`: all blocks have as many.
        kernel_initializer: Keras initializer, its name, or `None`. Initial weights. Defaults to
            `None`, the authors' Glorot uniform, with a gain of sqrt(2) for 3x3 kernels in blocks.
        num_classes: int or `None`. Number of classes, where labels are int32 of shape `(batch,)`.
            Defaults to `None`.
        condition_dim: int or `None`. Width of labels that are float vectors of shape
            `(batch, condition_dim)`. Defaults to `None`.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; the final tanh
            is float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Latents of shape `(batch, latent_dim)`, or a list `[latent, label]` if conditional.

    Output:
        Images in [-1, 1] of shape `(batch, height, width, channels)`, float32.

    Raises:
        ValueError: if the sides do not fit (the nearest that do are named), if a size is not a
            positive integer, if `max_width` is less than `width`, or if both `num_classes` and
            `condition_dim` are given.

    Example:
    >>> generator = kgan.backbones.ResNetGenerator((28, 28, 1), width=16, num_classes=10)
    >>> latent = np.random.default_rng(0).normal(size=(2, 128))
    >>> tuple(generator([latent, np.array([3, 7])]).shape)
    (2, 28, 28, 1)

    Reference:
        [Miyato et al., 2018, Spectral Normalization for Generative Adversarial
        Networks](https://arxiv.org/abs/1802.05957), [Miyato & Koyama, 2018, cGANs with
        Projection Discriminator](https://arxiv.org/abs/1802.05637)
    """

    def __init__(
        self,
        image_shape=(32, 32, 3),
        latent_dim=128,
        width=256,
        max_width=None,
        kernel_initializer=None,
        num_classes=None,
        condition_dim=None,
        dtype=None,
        **kwargs,
    ):
        image_shape, most = _check_arguments(
            image_shape, width, max_width, num_classes, condition_dim
        )
        check_positive_int("latent_dim", latent_dim)
        kernel_initializer = keras.initializers.get(kernel_initializer)
        base, widths = plan_stages(image_shape, width, most)
        base_width = stage_widths(len(widths) + 1, width, most)[-1]

        # === Layers ===
        project = keras.layers.Dense(
            base[0] * base[1] * base_width,
            kernel_initializer=_weights(kernel_initializer),
            dtype=dtype,
            name="project",
        )
        reshape = keras.layers.Reshape((*base, base_width), dtype=dtype, name="reshape")
        blocks = _Blocks(
            kernel_initializer,
            dtype,
            condition={"num_classes": num_classes, "condition_dim": condition_dim},
        )
        to_image = keras.layers.Conv2D(
            image_shape[-1],
            3,
            padding="same",
            kernel_initializer=_weights(kernel_initializer),
            dtype=dtype,
            name="to_image",
        )

        # === Functional Model ===
        latent = keras.Input((latent_dim,), name="latent")
        label = label_input(num_classes, condition_dim)
        x = reshape(project(latent))
        for i, filters in enumerate(reversed(widths), start=1):
            x = blocks.doubling(x, label, filters, name=f"block_{i}")
        # The last batch norm is that of all labels, as in the authors' code.
        x = to_image(blocks.relu(blocks.batch_norm(x, None, "norm"), "relu"))
        super().__init__(
            inputs=latent if label is None else [latent, label],
            outputs=keras.layers.Activation("tanh", dtype="float32", name="tanh")(x),
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.image_shape = image_shape
        self.latent_dim = latent_dim
        self.width = width
        self.max_width = max_width
        self.kernel_initializer = kernel_initializer
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
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "num_classes": self.num_classes,
            "condition_dim": self.condition_dim,
        }


def _default_stages(height, width):
    """How often the shorter side can be halved, rounded up, while more than 8 is left."""
    stages, side = 1, -(-min(height, width) // 2)
    while side > SMALLEST_SIDE:
        stages, side = stages + 1, -(-side // 2)
    return stages


@keras.saving.register_keras_serializable(package="kgan")
class ResNetDiscriminator(Backbone):
    """Discriminator of SNGAN: residual blocks with spectral norm, a global sum, one linear score.

    Each block adds to its input what ReLU, a 3x3 convolution, ReLU and another make of it, without
    batch norm. The first blocks halve the sides by averages; a 1x1 convolution then fits the
    shortcut. ReLU and a sum over all positions give the features, which are scored without a
    sigmoid. A label adds the inner product of its vector and the features
    (`kgan.layers.ProjectionHead`). Every layer is under spectral norm, the label's vectors too.

    The defaults are table 4, for 32x32 images. For 48x48 images, table 5 has `width=64,
    max_width=1024, num_stages=4, num_flat_blocks=1`; the authors' 128x128 ones are halved 5 times.

    Args:
        image_shape: tuple of int, (height, width, channels), of any size. Defaults to
            `(32, 32, 3)`.
        width: int, at least 1. Channels of the first block; each later one has twice as many.
            Defaults to `128`.
        max_width: int, at least `width`, or `None`. The most channels of a block. Defaults to
            `None`, `width`: all blocks have as many.
        num_stages: int, at least 1, or `None`. How many blocks halve the sides, where an odd side
            is rounded up. Defaults to `None`, until the shorter side is at most 8.
        num_flat_blocks: int, at least 0. How many blocks follow that keep the size. Defaults
            to `2`.
        spectral_norm: bool. Whether layers are under spectral norm; a `head` is as it is given.
            Defaults to `True`.
        kernel_initializer: Keras initializer, its name, or `None`. Initial weights. Defaults to
            `None`, the authors' Glorot uniform, with a gain of sqrt(2) for 3x3 kernels.
        head: Keras layer, or `None`. What ends the network instead of a `ProjectionHead`: one of
            the heads of `kgan.layers`, which takes the features, or `[features, label]` if
            conditional, and returns a dict. It is computed in float32. Defaults to `None`.
        pack: int, at least 1. How many images of a batch are judged together (Lin et al. 2018,
            PacGAN, arXiv 1712.04086). Defaults to `1`.
        num_classes: int or `None`. Number of classes, where labels are int32 of shape `(batch,)`.
            Defaults to `None`.
        condition_dim: int or `None`. Width of labels that are float vectors of shape
            `(batch, condition_dim)`. Defaults to `None`.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; features and score
            are computed in float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Images of shape `(batch, height, width, channels)`, or a list `[image, label]` if
        conditional.

    Output:
        Scores of shape `(batch / pack, 1)`, float32, unbounded; or what `head` returns.

    Raises:
        ValueError: if a size is not a positive integer, if `max_width` is less than `width`, or if
            both `num_classes` and `condition_dim` are given.

    Example:
    >>> discriminator = kgan.backbones.ResNetDiscriminator((28, 28, 1), width=16)
    >>> tuple(discriminator(np.zeros((2, 28, 28, 1), "float32")).shape)
    (2, 1)

    Reference:
        [Miyato et al., 2018, Spectral Normalization for Generative Adversarial
        Networks](https://arxiv.org/abs/1802.05957), [Miyato & Koyama, 2018, cGANs with
        Projection Discriminator](https://arxiv.org/abs/1802.05637)
    """

    def __init__(
        self,
        image_shape=(32, 32, 3),
        width=128,
        max_width=None,
        num_stages=None,
        num_flat_blocks=2,
        spectral_norm=True,
        kernel_initializer=None,
        head=None,
        pack=1,
        num_classes=None,
        condition_dim=None,
        dtype=None,
        **kwargs,
    ):
        image_shape, most = _check_arguments(
            image_shape, width, max_width, num_classes, condition_dim
        )
        if num_stages is not None:
            check_positive_int("num_stages", num_stages)
        if num_flat_blocks != 0:
            check_positive_int("num_flat_blocks", num_flat_blocks)
        stages = num_stages or _default_stages(*image_shape[:2])
        kernel_initializer = keras.initializers.get(kernel_initializer)

        # === Layers ===
        blocks = _Blocks(kernel_initializer, dtype, spectral_norm, use_bias=True)
        head = head_config(head)
        to_score = keras.saving.deserialize_keras_object(head) or blocks.normalized(
            ProjectionHead(
                num_classes,
                condition_dim,
                kernel_initializer=_weights(kernel_initializer),
                dtype="float32",
                name="score",
            )
        )

        # === Functional Model ===
        image = keras.Input(image_shape, name="image")
        label = label_input(num_classes, condition_dim)
        x = packed(image, pack, label)
        for i, filters in enumerate(stage_widths(stages + num_flat_blocks, width, most)):
            x = blocks.judging(x, filters, f"block_{i}", halve=i < stages, first=i == 0)
        features = GlobalSumPooling2D(dtype="float32", name="features")(blocks.relu(x, "relu"))
        super().__init__(
            inputs=image if label is None else [image, label],
            outputs=to_score(features if label is None else [features, label]),
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.image_shape = image_shape
        self.width = width
        self.max_width = max_width
        self.num_stages = num_stages
        self.num_flat_blocks = num_flat_blocks
        self.spectral_norm = spectral_norm
        self.kernel_initializer = kernel_initializer
        self.head = head
        self.pack = pack
        self.num_classes = num_classes
        self.condition_dim = condition_dim

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "width": self.width,
            "max_width": self.max_width,
            "num_stages": self.num_stages,
            "num_flat_blocks": self.num_flat_blocks,
            "spectral_norm": self.spectral_norm,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "head": self.head,
            "pack": self.pack,
            "num_classes": self.num_classes,
            "condition_dim": self.condition_dim,
        }
