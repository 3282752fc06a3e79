"""The networks with which GANs learned to classify from few labels."""

import math

import keras

from kgan.backbones.backbone import Backbone, squashed
from kgan.layers.checks import check_positive_int, check_positive_number, check_sizes
from kgan.layers.weight_normalization import WeightNormalization

# The authors' code, openai/improved-gan: the standard deviation of the discriminator's initial
# kernels; that of the generator's last is Glorot's there, 0.04. The discriminator's are then scaled
# so that the features of a first batch have a standard deviation of 1; these gains do so, about,
# for MNIST's pixels in [0, 1] and for rectified features, each with the noise added.
INITIAL_STDDEV = 0.1
PIXEL_GAIN = 2.5
FEATURE_GAIN = 1.3
# Statistics of about the last ten batches, as in the authors' code.
BATCH_NORM_MOMENTUM = 0.9


def _normalized(width, gain, dtype, name, learn_gain=False):
    """Returns a dense layer of normalised weights."""
    dense = keras.layers.Dense(
        width,
        kernel_initializer=keras.initializers.RandomNormal(stddev=INITIAL_STDDEV),
        dtype=dtype,
        name=f"{name}_linear",
    )
    return WeightNormalization(dense, gain, learn_gain, dtype=dtype, name=name)


@keras.saving.register_keras_serializable(package="kgan")
class NoisyMLPDiscriminator(Backbone):
    """Classifier of images: dense layers with normalised weights, and noise before each.

    The defaults are those of the paper's MNIST experiment, with pixels in [0, 1] inside. Only the
    logits' gains are learned. Its layers `features_0`, `features_1`, … come before the noise; the
    last is the one whose mean a generator matches.

    Args:
        image_shape: tuple of int, of any rank. Shape of a sample. Defaults to `(28, 28, 1)`.
        num_classes: int, at least 1. Width of the output. Defaults to `10`.
        units: tuple of int. Widths of the hidden layers. Defaults to `(1000, 500, 250, 250, 250)`.
        pixel_noise: float above 0. Standard deviation of the noise that training adds to pixels in
            [0, 1]. Defaults to `0.3`.
        noise: float above 0. Standard deviation of that added to features. Defaults to `0.5`.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; the output is
            computed in float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Samples of shape `(batch, *image_shape)`, in [-1, 1].

    Output:
        Logits of shape `(batch, num_classes)`, float32.

    Raises:
        ValueError: if a size is not a positive integer, or a standard deviation not above 0.

    Example:
    >>> discriminator = kgan.backbones.NoisyMLPDiscriminator(units=(64, 64))
    >>> tuple(discriminator(np.zeros((2, 28, 28, 1), "float32")).shape)
    (2, 10)

    Reference:
        [Salimans et al., 2016, Improved Techniques for Training
        GANs](https://arxiv.org/abs/1606.03498), section 6.1
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        num_classes=10,
        units=(1000, 500, 250, 250, 250),
        pixel_noise=0.3,
        noise=0.5,
        dtype=None,
        **kwargs,
    ):
        image_shape = check_sizes("image_shape", image_shape)
        check_positive_int("num_classes", num_classes)
        units = check_sizes("units", units)
        check_positive_number("`pixel_noise`", pixel_noise)
        check_positive_number("`noise`", noise)

        # === Layers ===
        gains = [PIXEL_GAIN] + [FEATURE_GAIN] * (len(units) - 1)
        hidden = [
            _normalized(width, gain, dtype, f"dense_{i}")
            for i, (width, gain) in enumerate(zip(units, gains, strict=True))
        ]
        to_logits = _normalized(num_classes, FEATURE_GAIN, "float32", "logits", learn_gain=True)

        # === Functional Model ===
        image = keras.Input(image_shape, name="image")
        x = keras.layers.Flatten(dtype=dtype, name="flatten")(image)
        x = keras.layers.Rescaling(0.5, 0.5, dtype=dtype, name="to_unit_range")(x)
        x = keras.layers.GaussianNoise(pixel_noise, dtype=dtype, name="pixel_noise")(x)
        for i, dense in enumerate(hidden):
            x = keras.layers.ReLU(dtype=dtype, name=f"features_{i}")(dense(x))
            x = keras.layers.GaussianNoise(noise, dtype=dtype, name=f"noise_{i}")(x)
        super().__init__(inputs=image, outputs=to_logits(x), dtype=dtype, **kwargs)

        # === Config ===
        self.image_shape = image_shape
        self.num_classes = num_classes
        self.units = units
        self.pixel_noise = pixel_noise
        self.noise = noise

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "num_classes": self.num_classes,
            "units": self.units,
            "pixel_noise": self.pixel_noise,
            "noise": self.noise,
        }


@keras.saving.register_keras_serializable(package="kgan")
class BatchNormMLPGenerator(Backbone):
    """Generator of dense layers with batch norm and softplus, then one with a sigmoid.

    The defaults are those of the paper's MNIST experiment, whose sigmoid is stretched to [-1, 1].
    The last layer's weights are normalised, with learned gains.

    Args:
        image_shape: tuple of int, of any rank. Shape of a sample. Defaults to `(28, 28, 1)`.
        latent_dim: int, at least 1. Width of the latent. Defaults to `100`.
        units: tuple of int. Widths of the hidden layers. Defaults to `(500, 500)`.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; the sigmoid
            is float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Latents of shape `(batch, latent_dim)`.

    Output:
        Samples in [-1, 1] of shape `(batch, *image_shape)`, float32.

    Raises:
        ValueError: if a size is not a positive integer.

    Example:
    >>> generator = kgan.backbones.BatchNormMLPGenerator(units=(64, 64))
    >>> tuple(generator(keras.random.normal((2, 100))).shape)
    (2, 28, 28, 1)

    Reference:
        [Salimans et al., 2016, Improved Techniques for Training
        GANs](https://arxiv.org/abs/1606.03498), section 6.1
    """

    def __init__(
        self, image_shape=(28, 28, 1), latent_dim=100, units=(500, 500), dtype=None, **kwargs
    ):
        image_shape = check_sizes("image_shape", image_shape)
        check_positive_int("latent_dim", latent_dim)
        units = check_sizes("units", units)

        # === Functional Model ===
        latent = x = keras.Input((latent_dim,), name="latent")
        for i, width in enumerate(units):
            # No bias, which batch norm would take away again.
            x = keras.layers.Dense(width, use_bias=False, dtype=dtype, name=f"dense_{i}")(x)
            x = keras.layers.BatchNormalization(
                momentum=BATCH_NORM_MOMENTUM, dtype=dtype, name=f"batch_norm_{i}"
            )(x)
            x = keras.layers.Activation("softplus", dtype=dtype, name=f"softplus_{i}")(x)
        to_image = _normalized(math.prod(image_shape), 1.0, dtype, "to_image", learn_gain=True)
        x = squashed(to_image(x), "sigmoid")
        super().__init__(
            inputs=latent,
            outputs=keras.layers.Reshape(image_shape, dtype="float32", name="reshape")(x),
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.image_shape = image_shape
        self.latent_dim = latent_dim
        self.units = units

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "units": self.units,
        }
