"""The networks of CoGAN: a couple of generators, and one of discriminators, that share layers.

A sample is a pair of images, one a domain, side by side: `(height, 2 * width, channels)`.
"""

import keras

from kgan.backbones.backbone import Backbone
from kgan.backbones.dcgan import LEAK, DCGANDiscriminator, DCGANGenerator, _weights
from kgan.layers.checks import check_positive_int, check_sizes

DOMAINS = ("first", "second")


def _check_pair(image_shape):
    """Returns the shape of a pair, and that of one of its images."""
    height, width, channels = check_sizes("image_shape", image_shape, rank=3)
    if width % 2:
        raise ValueError(
            "`image_shape` must be that of two images side by side, of an even width. "
            f"Received: image_shape={image_shape}"
        )
    return (height, width, channels), (height, width // 2, channels)


@keras.saving.register_keras_serializable(package="kgan")
class CoupledGenerator(Backbone):
    """A couple of DCGAN's generators that share all layers but the last.

    From one latent both make an image, and what they share makes the same of it: high-level
    meaning, which each draws in its own way (section 3, "generative models"). It is one
    `DCGANGenerator` whose last layer has the channels of both images: each channel has weights of
    its own there, and no other layer knows the domains.

    Args:
        image_shape: tuple of int, (height, 2 * width, channels), of a pair side by side, where
            (height, width, channels) is as of `DCGANGenerator`. Defaults to `(64, 128, 3)`.
        latent_dim: int, at least 1. Width of the latent. Defaults to `100`.
        width: int, at least 1. Channels before the image, as of `DCGANGenerator`. Defaults to
            `128`.
        kernel_size: int, at least 1. Side of the kernels. Defaults to `5`.
        kernel_initializer: Keras initializer, its name, or `None`, as of `DCGANGenerator`. Defaults
            to `None`.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; the final tanh
            is float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Latents of shape `(batch, latent_dim)`.

    Output:
        Pairs of images in [-1, 1] of shape `(batch, height, 2 * width, channels)`, float32.

    Raises:
        ValueError: if the sides do not fit, or if a size is not a positive integer.

    Example:
    >>> generator = kgan.backbones.CoupledGenerator((28, 56, 1), width=16)
    >>> tuple(generator(keras.random.normal((2, 100))).shape)
    (2, 28, 56, 1)

    Reference:
        [Liu and Tuzel, 2016, Coupled Generative Adversarial
        Networks](https://arxiv.org/abs/1606.07536)
    """

    def __init__(
        self,
        image_shape=(64, 128, 3),
        latent_dim=100,
        width=128,
        kernel_size=5,
        kernel_initializer=None,
        dtype=None,
        **kwargs,
    ):
        image_shape, (height, one_width, channels) = _check_pair(image_shape)
        kernel_initializer = keras.initializers.get(kernel_initializer)

        # === Layers ===
        both = DCGANGenerator(
            (height, one_width, 2 * channels),
            latent_dim,
            width,
            kernel_size,
            kernel_initializer=kernel_initializer,
            dtype=dtype,
            name="both",
        )
        domains = (height, one_width, 2, channels)
        split = keras.layers.Reshape(domains, dtype="float32", name="split")
        permute = keras.layers.Permute((1, 3, 2, 4), dtype="float32", name="permute")
        beside = keras.layers.Reshape(image_shape, dtype="float32", name="side_by_side")

        # === Functional Model ===
        latent = keras.Input((latent_dim,), name="latent")
        super().__init__(
            inputs=latent, outputs=beside(permute(split(both(latent)))), dtype=dtype, **kwargs
        )

        # === Config ===
        self.image_shape = image_shape
        self.latent_dim = latent_dim
        self.width = width
        self.kernel_size = kernel_size
        self.kernel_initializer = kernel_initializer

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "width": self.width,
            "kernel_size": self.kernel_size,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable(package="kgan")
class CoupledDiscriminator(Backbone):
    """A couple of DCGAN's discriminators that share all layers but the first.

    Each scores the images of its domain alone, so neither can see which images belong together.
    The first stage, a convolution of stride 2 with LeakyReLU, is each one's own; the others are
    those of one `DCGANDiscriminator` without batch norm (section 3, "discriminative models").

    Args:
        image_shape: tuple of int, (height, 2 * width, channels), of a pair side by side. Defaults
            to `(64, 128, 3)`.
        width: int, at least 1. Channels of the first stage; each later one has twice as many.
            Defaults to `128`.
        kernel_size: int, at least 1. Side of the kernels. Defaults to `5`.
        num_stages: int, at least 2, or `None`. How often to halve the sides, the first stage
            included, where an odd side is rounded up. Defaults to `None`, while at least 4 are
            left.
        kernel_initializer: Keras initializer, its name, or `None`, as of `DCGANDiscriminator`.
            Defaults to `None`.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; the scores are
            computed in float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Pairs of images of shape `(batch, height, 2 * width, channels)`.

    Output:
        Scores of shape `(batch, 2)`, float32 and unbounded: the first domain's, the second's.

    Raises:
        ValueError: if the sides do not fit, or if a size is not a positive integer.

    Example:
    >>> discriminator = kgan.backbones.CoupledDiscriminator((28, 56, 1), width=16, num_stages=3)
    >>> tuple(discriminator(np.zeros((2, 28, 56, 1), "float32")).shape)
    (2, 2)

    Reference:
        [Liu and Tuzel, 2016, Coupled Generative Adversarial
        Networks](https://arxiv.org/abs/1606.07536)
    """

    def __init__(
        self,
        image_shape=(64, 128, 3),
        width=128,
        kernel_size=5,
        num_stages=None,
        kernel_initializer=None,
        dtype=None,
        **kwargs,
    ):
        image_shape, (height, one_width, _) = _check_pair(image_shape)
        check_positive_int("width", width)
        check_positive_int("kernel_size", kernel_size)
        if num_stages is not None and not (isinstance(num_stages, int) and num_stages >= 2):
            raise ValueError(
                "`num_stages` must be an integer of 2 or more, or None. "
                f"Received: num_stages={num_stages!r}"
            )
        kernel_initializer = keras.initializers.get(kernel_initializer)

        # === Layers ===
        shared = DCGANDiscriminator(
            (-(-height // 2), -(-one_width // 2), width),
            2 * width,
            kernel_size,
            max_width=max(1024, 2 * width),
            batch_norm=False,
            num_stages=num_stages and num_stages - 1,
            kernel_initializer=kernel_initializer,
            dtype=dtype,
            name="shared",
        )
        own = [
            keras.layers.Conv2D(
                width,
                kernel_size,
                strides=2,
                padding="same",
                kernel_initializer=_weights(kernel_initializer),
                dtype=dtype,
                name=name,
            )
            for name in DOMAINS
        ]

        # === Functional Model ===
        pair = keras.Input(image_shape, name="image")
        unused = {"first": (0, one_width), "second": (one_width, 0)}
        scores = []
        for name, convolution in zip(DOMAINS, own, strict=True):
            crop = keras.layers.Cropping2D((0, unused[name]), dtype=dtype, name=f"{name}_image")
            leak = keras.layers.LeakyReLU(LEAK, dtype=dtype, name=f"{name}_leaky_relu")
            scores.append(shared(leak(convolution(crop(pair)))))
        super().__init__(
            inputs=pair,
            outputs=keras.layers.Concatenate(dtype="float32", name="scores")(scores),
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.image_shape = image_shape
        self.width = width
        self.kernel_size = kernel_size
        self.num_stages = num_stages
        self.kernel_initializer = kernel_initializer

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "width": self.width,
            "kernel_size": self.kernel_size,
            "num_stages": self.num_stages,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
