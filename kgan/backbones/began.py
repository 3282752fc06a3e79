"""The networks of BEGAN."""

import keras

from kgan.backbones.backbone import Backbone
from kgan.backbones.dcgan import plan_stages
from kgan.layers.checks import check_positive_int, check_sizes
from kgan.layers.resampled_convolution import UpsampleConv2D


def _convolutions(filters, stage, dtype, double=False):
    """Returns two 3x3 convolutions and their ELUs; the first may double the sides before."""
    layers = []
    for i in range(2):
        kwargs = {"dtype": dtype, "name": f"convolution_{stage}_{i}"}
        if double and i == 0:
            layers.append(UpsampleConv2D(filters, 3, **kwargs))
        else:
            layers.append(keras.layers.Conv2D(filters, 3, padding="same", **kwargs))
        layers.append(keras.layers.ELU(dtype=dtype, name=f"elu_{stage}_{i}"))
    return layers


def _plan(image_shape, width):
    """Returns the image's shape, that of the smallest map, and how many stages lie between."""
    image_shape = check_sizes("image_shape", image_shape, rank=3)
    check_positive_int("width", width)
    base_shape, widths = plan_stages(image_shape, width, width)
    return image_shape, base_shape, len(widths)


@keras.saving.register_keras_serializable(package="kgan")
class BEGANGenerator(Backbone):
    """Generator of BEGAN, and the decoder of its discriminator: 3x3 convolutions and ELUs.

    The latent is projected to a small map; each stage has two convolutions with ELU and then
    doubles height and width by repeating pixels; two more convolutions, and one makes the image.
    All have the same number of channels, and none is normalised.

    Figure 1 of the paper ends at 8x8, which is the small map of images whose shorter side is 8
    times a power of two; here it is halved while at least 4 are left. Its output is linear, here it
    is tanh.

    Args:
        image_shape: tuple of int, (height, width, channels). Both sides are a small base times
            the same power of two: they can be halved as long as the shorter side stays at least 4.
            Defaults to `(64, 64, 3)`.
        latent_dim: int, at least 1. Width of the latent, or of a code. Defaults to `64`.
        width: int, at least 1. Channels of every convolution, n in the paper. Defaults to `64`.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; the final tanh
            is float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Latents of shape `(batch, latent_dim)`.

    Output:
        Images in [-1, 1] of shape `(batch, height, width, channels)`, float32.

    Raises:
        ValueError: if the sides do not fit (the nearest that do are named), or if a size is not a
            positive integer.

    Example:
    >>> generator = kgan.backbones.BEGANGenerator((28, 28, 1), width=16)
    >>> tuple(generator(keras.random.normal((2, 64))).shape)
    (2, 28, 28, 1)

    Reference:
        [Berthelot et al., 2017, BEGAN: Boundary Equilibrium Generative Adversarial
        Networks](https://arxiv.org/abs/1703.10717)
    """

    def __init__(self, image_shape=(64, 64, 3), latent_dim=64, width=64, dtype=None, **kwargs):
        image_shape, base_shape, stages = _plan(image_shape, width)
        check_positive_int("latent_dim", latent_dim)

        # === Layers ===
        layers = [
            keras.layers.Dense(base_shape[0] * base_shape[1] * width, dtype=dtype, name="project"),
            keras.layers.Reshape((*base_shape, width), dtype=dtype, name="reshape"),
        ]
        for stage in range(stages + 1):
            layers += _convolutions(width, stage, dtype, double=stage > 0)
        layers += [
            keras.layers.Conv2D(image_shape[-1], 3, padding="same", dtype=dtype, name="to_image"),
            keras.layers.Activation("tanh", dtype="float32", name="tanh"),
        ]

        # === Functional Model ===
        latent = x = keras.Input((latent_dim,), name="latent")
        for layer in layers:
            x = layer(x)
        super().__init__(inputs=latent, outputs=x, dtype=dtype, **kwargs)

        # === Config ===
        self.image_shape = image_shape
        self.latent_dim = latent_dim
        self.width = width

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "width": self.width,
        }


@keras.saving.register_keras_serializable(package="kgan")
class BEGANEncoder(Backbone):
    """Encoder of BEGAN's discriminator: 3x3 convolutions and ELUs, and a linear code.

    Each stage has two convolutions with ELU and a third of stride 2, which halves height and width
    and adds `width` channels: n, 2n, 3n, …. Two more convolutions, and a dense layer makes the
    code. None is normalised.

    Args:
        image_shape: tuple of int, (height, width, channels), as of `BEGANGenerator`. Defaults to
            `(64, 64, 3)`.
        code_dim: int, at least 1. Width of the code. Defaults to `64`.
        width: int, at least 1. Channels next to the image, n in the paper. Defaults to `64`.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; the code is
            computed in float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Images of shape `(batch, height, width, channels)`.

    Output:
        Codes of shape `(batch, code_dim)`, float32.

    Raises:
        ValueError: if the sides do not fit (the nearest that do are named), or if a size is not a
            positive integer.

    Example:
    >>> encoder = kgan.backbones.BEGANEncoder((28, 28, 1), code_dim=32, width=16)
    >>> tuple(encoder(np.zeros((2, 28, 28, 1), "float32")).shape)
    (2, 32)

    Reference:
        [Berthelot et al., 2017, BEGAN: Boundary Equilibrium Generative Adversarial
        Networks](https://arxiv.org/abs/1703.10717)
    """

    def __init__(self, image_shape=(64, 64, 3), code_dim=64, width=64, dtype=None, **kwargs):
        image_shape, _, stages = _plan(image_shape, width)
        check_positive_int("code_dim", code_dim)

        # === Layers ===
        layers = []
        for stage in range(stages + 1):
            layers += _convolutions(width * (stage + 1), stage, dtype)
            if stage < stages:
                subsampling = keras.layers.Conv2D(
                    width * (stage + 2),
                    3,
                    strides=2,
                    padding="same",
                    dtype=dtype,
                    name=f"subsampling_{stage}",
                )
                layers += [subsampling, keras.layers.ELU(dtype=dtype, name=f"elu_{stage}")]
        layers += [
            keras.layers.Flatten(dtype=dtype, name="features"),
            keras.layers.Dense(code_dim, dtype="float32", name="to_code"),
        ]

        # === Functional Model ===
        image = x = keras.Input(image_shape, name="image")
        for layer in layers:
            x = layer(x)
        super().__init__(inputs=image, outputs=x, dtype=dtype, **kwargs)

        # === Config ===
        self.image_shape = image_shape
        self.code_dim = code_dim
        self.width = width

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "code_dim": self.code_dim,
            "width": self.width,
        }
