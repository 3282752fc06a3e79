"""The networks of DCGAN."""

import keras

from kgan.backbones.backbone import (
    Backbone,
    head_config,
    label_input,
    latent_inputs,
    packed,
)
from kgan.layers.batch_normalization import BatchNormalization
from kgan.layers.checks import check_condition, check_positive_int, check_sizes
from kgan.layers.conditioning import ProjectionHead

# Section 4: "slope of the leak was set to 0.2", weights from a "Normal distribution with standard
# deviation 0.02". Scales of batch norm come from N(1, 0.02) in the authors' code, Newmu/dcgan_code.
LEAK = 0.2
INITIAL_STDDEV = 0.02
# The authors sample with the statistics of the batch, so they have no moving ones to set. A
# generator that changes at every step needs recent statistics: about the last ten batches.
BATCH_NORM_MOMENTUM = 0.9
BATCH_NORM_EPSILON = 1e-5


def _weights(kernel_initializer):
    """The paper's initial weights, or a copy of what was given, so that layers start apart."""
    if kernel_initializer is None:
        return keras.initializers.RandomNormal(mean=0.0, stddev=INITIAL_STDDEV)
    return kernel_initializer.clone()


def _stride_2_convolution(layer_class, filters, kernel_size, kernel_initializer, **kwargs):
    return layer_class(
        filters,
        kernel_size,
        strides=2,
        padding="same",
        kernel_initializer=_weights(kernel_initializer),
        **kwargs,
    )


def _batch_norm(**kwargs):
    return BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM,
        epsilon=BATCH_NORM_EPSILON,
        gamma_initializer=keras.initializers.RandomNormal(mean=1.0, stddev=INITIAL_STDDEV),
        **kwargs,
    )


def _num_stages(height, width):
    """How often sides can be halved while the shorter one stays at least 4, but once at least."""
    return max(1, (min(height, width) // 4).bit_length() - 1)


def _nearest_sizes(height, width):
    """The nearest (height, width) that stages can make, below and above, where there is one."""
    step = 2 ** _num_stages(height, width)
    below = (height // step * step, width // step * step)
    above = (-(-height // step) * step, -(-width // step) * step)
    # Rounding up may reach a size that has one stage more.
    step = 2 ** _num_stages(*above)
    above = tuple(-(-side // step) * step for side in above)
    return [size for size in (below, above) if min(size) > 0]


def plan_stages(image_shape, width, max_width):
    """Lays out the stages between an image and the small map that a Dense layer reads or writes.

    Args:
        image_shape: tuple, (height, width, channels).
        width: int. Channels of the stage next to the image.
        max_width: int. The most channels of a stage.

    Returns:
        `(base_shape, widths)`: (height, width) of the smallest map, and the channels at the end
        of each stage, from the image inwards. Each doubles the last, up to `max_width`.

    Raises:
        ValueError: if the sides cannot be halved that often, with the nearest that can.
    """
    height, image_width, _ = image_shape
    stages = _num_stages(height, image_width)
    step = 2**stages
    if height % step or image_width % step:
        nearest = ", ".join(f"{h}x{w}" for h, w in _nearest_sizes(height, image_width))
        raise ValueError(
            f"Height and width of `image_shape` must be divisible by {step}, 2 to the power of the "
            f"{stages} stages. Received: image_shape={image_shape}. Nearest: {nearest}"
        )
    return (height // step, image_width // step), stage_widths(stages, width, max_width)


def stage_widths(stages, width, max_width):
    """Channels at the end of each stage, from the image inwards: doubled up to `max_width`."""
    return [min(width * 2**stage, max_width) for stage in range(stages)]


def _check_arguments(image_shape, width, kernel_size, max_width, num_classes, condition_dim):
    """Checks what both networks are given, and returns `image_shape` as a tuple."""
    check_positive_int("width", width)
    check_positive_int("kernel_size", kernel_size)
    check_positive_int("max_width", max_width)
    if max_width < width:
        raise ValueError(
            f"`max_width` must be at least `width`. Received: width={width}, max_width={max_width}"
        )
    check_condition(num_classes, condition_dim)
    return check_sizes("image_shape", image_shape, rank=3)


@keras.saving.register_keras_serializable(package="kgan")
class DCGANGenerator(Backbone):
    """Generator of DCGAN: a dense layer, then transposed convolutions that each double the size.

    The latent is projected to a small map of many channels, with batch norm and ReLU; each of the
    stages doubles height and width, with batch norm and ReLU again; the last makes the image, with
    tanh and no batch norm. A 64x64 image goes through 1024, 512, 256 and 128 channels, as in
    Figure 1 of the paper. A label is embedded as wide as the latent and concatenated to it.

    Batch norm uses one scale for each channel, moving statistics with momentum 0.9, and epsilon
    1e-5. Only the last layer has a bias, since batch norm shifts the others.

    Args:
        image_shape: tuple of int, (height, width, channels). Both sides are a small base times
            the same power of two: they can be halved as long as the shorter side stays at least 4.
            Defaults to `(64, 64, 3)`.
        latent_dim: int, at least 1. Width of the latent. Defaults to `100`.
        width: int, at least 1. Channels before the image; each earlier stage has twice as many.
            Defaults to `128`.
        kernel_size: int, at least 1. Side of the kernels. Defaults to `5`.
        max_width: int, at least `width`. The most channels of a stage, without which 256x256
            images would start from 4096. Defaults to `1024`, the paper's widest.
        kernel_initializer: Keras initializer, its name, or `None`. Initial weights. Defaults to
            `None`, the paper's normal distribution with standard deviation 0.02.
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
    >>> generator = kgan.backbones.DCGANGenerator((28, 28, 1), width=64, num_classes=10)
    >>> latent = np.random.default_rng(0).normal(size=(2, 100))
    >>> tuple(generator([latent, np.array([3, 7])]).shape)
    (2, 28, 28, 1)

    Reference:
        [Radford et al., 2015, Unsupervised Representation Learning with Deep Convolutional
        Generative Adversarial Networks](https://arxiv.org/abs/1511.06434)
    """

    def __init__(
        self,
        image_shape=(64, 64, 3),
        latent_dim=100,
        width=128,
        kernel_size=5,
        max_width=1024,
        kernel_initializer=None,
        num_classes=None,
        condition_dim=None,
        dtype=None,
        **kwargs,
    ):
        image_shape = _check_arguments(
            image_shape, width, kernel_size, max_width, num_classes, condition_dim
        )
        check_positive_int("latent_dim", latent_dim)
        kernel_initializer = keras.initializers.get(kernel_initializer)
        (base_height, base_width), widths = plan_stages(image_shape, width, max_width)

        # === Layers ===
        # Batch norm shifts what precedes it, so that only the image needs a bias.
        base_shape = (base_height, base_width, widths[-1])
        project = keras.layers.Dense(
            base_height * base_width * widths[-1],
            use_bias=False,
            kernel_initializer=_weights(kernel_initializer),
            dtype=dtype,
            name="project",
        )
        reshape = keras.layers.Reshape(base_shape, dtype=dtype, name="reshape")
        norms = [_batch_norm(dtype=dtype, name=f"norm_{i}") for i in range(len(widths))]
        upsamplings = [
            _stride_2_convolution(
                keras.layers.Conv2DTranspose,
                filters,
                kernel_size,
                kernel_initializer,
                use_bias=i == len(widths),
                dtype=dtype,
                name=f"upsampling_{i}",
            )
            for i, filters in enumerate([*reversed(widths[:-1]), image_shape[-1]], start=1)
        ]

        # === Functional Model ===
        inputs, x = latent_inputs(latent_dim, num_classes, condition_dim, dtype)
        x = reshape(project(x))
        for i, (norm, upsampling) in enumerate(zip(norms, upsamplings, strict=True)):
            x = upsampling(keras.layers.ReLU(dtype=dtype, name=f"relu_{i}")(norm(x)))
        super().__init__(
            inputs=inputs,
            outputs=keras.layers.Activation("tanh", dtype="float32", name="tanh")(x),
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.image_shape = image_shape
        self.latent_dim = latent_dim
        self.width = width
        self.kernel_size = kernel_size
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
            "kernel_size": self.kernel_size,
            "max_width": self.max_width,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "num_classes": self.num_classes,
            "condition_dim": self.condition_dim,
        }


@keras.saving.register_keras_serializable(package="kgan")
class DCGANDiscriminator(Backbone):
    """Discriminator of DCGAN: convolutions that each halve the size, then one linear score.

    It mirrors `DCGANGenerator`: each stage halves height and width and doubles the channels, with
    batch norm (except in the first, as in the paper) and LeakyReLU of slope 0.2. The last map is
    flattened and scored without a sigmoid. A label adds the inner product of its vector and the
    flattened map (`kgan.layers.ProjectionHead`).

    Batch norm has momentum 0.9 and epsilon 1e-5. Convolutions with batch norm have no bias.

    Args:
        image_shape: tuple of int, (height, width, channels). Without `num_stages`, both sides are
            a small base times the same power of two: they can be halved as long as the shorter
            side stays at least 4. Defaults to `(64, 64, 3)`.
        width: int, at least 1. Channels of the first stage; each later one has twice as many.
            Defaults to `128`.
        kernel_size: int, at least 1. Side of the kernels. Defaults to `5`.
        max_width: int, at least `width`. The most channels of a stage. Defaults to `1024`, the
            paper's widest.
        batch_norm: bool. Whether stages after the first have batch norm. It ties the scores of a
            batch together, so penalties on each image's gradient need `False`. Defaults to `True`.
        num_stages: int, at least 1, or `None`. How often to halve the sides, where an odd side is
            rounded up: 3 takes 28x28 to 4x4. Any size will do then. Defaults to `None`, as often as
            `DCGANGenerator` doubles them.
        kernel_initializer: Keras initializer, its name, or `None`. Initial weights. Defaults to
            `None`, the paper's normal distribution with standard deviation 0.02.
        head: Keras layer, or `None`. What ends the network instead of a `ProjectionHead`: one of
            the heads of `kgan.layers`, which takes the features, or `[features, label]` if
            conditional, and returns a dict. It is computed in float32. Defaults to `None`.
        pack: int, at least 1. How many images of a batch are judged together (Lin et al. 2018,
            PacGAN, arXiv 1712.04086). Defaults to `1`.
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
        Scores of shape `(batch / pack, 1)`, float32, unbounded; or what `head` returns.

    Raises:
        ValueError: if the sides do not fit (the nearest that do are named), if a size is not a
            positive integer, if `max_width` is less than `width`, or if both `num_classes` and
            `condition_dim` are given.

    Example:
    >>> discriminator = kgan.backbones.DCGANDiscriminator((28, 28, 1), width=64)
    >>> tuple(discriminator(np.zeros((2, 28, 28, 1), "float32")).shape)
    (2, 1)

    Reference:
        [Radford et al., 2015, Unsupervised Representation Learning with Deep Convolutional
        Generative Adversarial Networks](https://arxiv.org/abs/1511.06434)
    """

    def __init__(
        self,
        image_shape=(64, 64, 3),
        width=128,
        kernel_size=5,
        max_width=1024,
        batch_norm=True,
        num_stages=None,
        kernel_initializer=None,
        head=None,
        pack=1,
        num_classes=None,
        condition_dim=None,
        dtype=None,
        **kwargs,
    ):
        image_shape = _check_arguments(
            image_shape, width, kernel_size, max_width, num_classes, condition_dim
        )
        if num_stages is None:
            _, widths = plan_stages(image_shape, width, max_width)
        else:
            check_positive_int("num_stages", num_stages)
            widths = stage_widths(num_stages, width, max_width)
        kernel_initializer = keras.initializers.get(kernel_initializer)

        # === Layers ===
        # The first stage sees pixels, whose mean and scale are part of what it must judge.
        norms = [
            _batch_norm(dtype=dtype, name=f"norm_{i}") if batch_norm and i > 0 else None
            for i in range(len(widths))
        ]
        downsamplings = [
            _stride_2_convolution(
                keras.layers.Conv2D,
                filters,
                kernel_size,
                kernel_initializer,
                use_bias=norm is None,
                dtype=dtype,
                name=f"downsampling_{i}",
            )
            for i, (filters, norm) in enumerate(zip(widths, norms, strict=True))
        ]
        head = head_config(head)
        to_score = keras.saving.deserialize_keras_object(head) or ProjectionHead(
            num_classes,
            condition_dim,
            kernel_initializer=_weights(kernel_initializer),
            dtype="float32",
            name="score",
        )

        # === Functional Model ===
        image = keras.Input(image_shape, name="image")
        label = label_input(num_classes, condition_dim)
        x = packed(image, pack, label)
        for i, (downsampling, norm) in enumerate(zip(downsamplings, norms, strict=True)):
            x = downsampling(x)
            x = x if norm is None else norm(x)
            x = keras.layers.LeakyReLU(LEAK, dtype=dtype, name=f"leaky_relu_{i}")(x)
        features = keras.layers.Flatten(dtype=dtype, name="features")(x)
        super().__init__(
            inputs=image if label is None else [image, label],
            outputs=to_score(features if label is None else [features, label]),
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.image_shape = image_shape
        self.width = width
        self.kernel_size = kernel_size
        self.max_width = max_width
        self.batch_norm = batch_norm
        self.num_stages = num_stages
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
            "kernel_size": self.kernel_size,
            "max_width": self.max_width,
            "batch_norm": self.batch_norm,
            "num_stages": self.num_stages,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "head": self.head,
            "pack": self.pack,
            "num_classes": self.num_classes,
            "condition_dim": self.condition_dim,
        }
