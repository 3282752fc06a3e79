"""The networks of the first conditional GAN, in which a label has a layer of its own."""

import math

import keras
from keras import ops

from kgan.backbones.backbone import Backbone, label_input, squashed

# The paper does not tell its initial weights: these are the first GAN's, which it builds upon.
from kgan.backbones.mlp import DISCRIMINATOR_INITIAL_RANGE, GENERATOR_INITIAL_RANGE, weights
from kgan.layers.checks import check_positive_int, check_rate, check_sizes
from kgan.layers.maxout import Maxout


@keras.saving.register_keras_serializable(package="kgan")
class CGANGenerator(Backbone):
    """Generator of the first conditional GAN: latent and label have a dense layer each, then one.

    The defaults are those of the paper's MNIST experiment (section 4.1), whose sigmoid is stretched
    to [-1, 1]. Hidden layers have ReLU and dropout; a label is one-hot.

    Args:
        image_shape: tuple of int, of any rank. Shape of a sample. Defaults to `(28, 28, 1)`.
        latent_dim: int, at least 1. Width of the latent. Defaults to `100`.
        num_classes: int, at least 1. Number of classes of the int32 labels. Defaults to `10`.
        units: tuple of three int. Widths of the layer of the latent, of that of the label, and of
            that of both. Defaults to `(200, 1000, 1200)`.
        dropout: float in [0, 1). Share of each hidden layer's units left out in training. Defaults
            to `0.5`.
        kernel_initializer: Keras initializer, its name, or `None`. Initial weights. Defaults to
            `None`, uniform up to 0.05.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; the sigmoid is
            float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        A list `[latent, label]` of shapes `(batch, latent_dim)` and `(batch,)`.

    Output:
        Samples in [-1, 1] of shape `(batch, *image_shape)`, float32.

    Raises:
        ValueError: if a size is not a positive integer, or `dropout` is not in [0, 1).

    Example:
    >>> generator = kgan.backbones.CGANGenerator((28, 28, 1), units=(20, 100, 120))
    >>> tuple(generator([np.zeros((2, 100), "float32"), np.array([3, 7])]).shape)
    (2, 28, 28, 1)

    Reference:
        [Mirza & Osindero, 2014, Conditional Generative Adversarial
        Nets](https://arxiv.org/abs/1411.1784)
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=100,
        num_classes=10,
        units=(200, 1000, 1200),
        dropout=0.5,
        kernel_initializer=None,
        dtype=None,
        **kwargs,
    ):
        image_shape = check_sizes("image_shape", image_shape)
        check_positive_int("latent_dim", latent_dim)
        units = check_sizes("units", units, rank=3)
        kernel_initializer = keras.initializers.get(kernel_initializer)

        # === Layers ===
        layers = [*((width, "relu") for width in units), (math.prod(image_shape), None)]
        *hidden, to_image = [
            keras.layers.Dense(
                width,
                activation,
                kernel_initializer=weights(kernel_initializer, GENERATOR_INITIAL_RANGE),
                dtype=dtype,
                name=f"dense_{i}",
            )
            for i, (width, activation) in enumerate(layers)
        ]

        # === Functional Model ===
        latent = keras.Input((latent_dim,), name="latent")
        label = label_input(num_classes, None)
        x = to_image(_meet(hidden, latent, label, num_classes, dropout, dtype))
        x = squashed(x, "sigmoid")
        super().__init__(
            inputs=[latent, label],
            outputs=keras.layers.Reshape(image_shape, dtype="float32", name="reshape")(x),
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.image_shape = image_shape
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.units = units
        self.dropout = dropout
        self.kernel_initializer = kernel_initializer

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "num_classes": self.num_classes,
            "units": self.units,
            "dropout": self.dropout,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable(package="kgan")
class CGANDiscriminator(Backbone):
    """Discriminator of the first conditional GAN: image and label have a maxout layer each.

    The defaults are those of the paper's MNIST experiment (section 4.1). A third maxout layer sees
    both; all have dropout. Pixels are shown in [0, 1], where those that are black are zero.

    Args:
        image_shape: tuple of int, of any rank. Shape of a sample. Defaults to `(28, 28, 1)`.
        num_classes: int, at least 1. Number of classes of the int32 labels. Defaults to `10`.
        units: tuple of three int. Widths of the layer of the image, of that of the label, and of
            that of both. Defaults to `(240, 50, 240)`.
        pieces: tuple of three int. Linear maps that a unit of each layer takes the maximum of.
            Defaults to `(5, 5, 4)`.
        dropout: float in [0, 1). Share of each hidden layer's units left out in training. Defaults
            to `0.5`.
        kernel_initializer: Keras initializer, its name, or `None`. Initial weights. Defaults to
            `None`, uniform up to 0.005.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; the score is
            computed in float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        A list `[image, label]` of shapes `(batch, *image_shape)` and `(batch,)`.

    Output:
        Scores of shape `(batch, 1)`, float32, unbounded.

    Raises:
        ValueError: if a size is not a positive integer, or `dropout` is not in [0, 1).

    Example:
    >>> discriminator = kgan.backbones.CGANDiscriminator((28, 28, 1), num_classes=10)
    >>> tuple(discriminator([np.zeros((2, 28, 28, 1), "float32"), np.array([3, 7])]).shape)
    (2, 1)

    Reference:
        [Mirza & Osindero, 2014, Conditional Generative Adversarial
        Nets](https://arxiv.org/abs/1411.1784)
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        num_classes=10,
        units=(240, 50, 240),
        pieces=(5, 5, 4),
        dropout=0.5,
        kernel_initializer=None,
        dtype=None,
        **kwargs,
    ):
        image_shape = check_sizes("image_shape", image_shape)
        units = check_sizes("units", units, rank=3)
        pieces = check_sizes("pieces", pieces, rank=3)
        kernel_initializer = keras.initializers.get(kernel_initializer)

        # === Layers ===
        hidden = [
            Maxout(
                width,
                maps,
                kernel_initializer=weights(kernel_initializer, DISCRIMINATOR_INITIAL_RANGE),
                dtype=dtype,
                name=f"maxout_{i}",
            )
            for i, (width, maps) in enumerate(zip(units, pieces, strict=True))
        ]
        to_score = keras.layers.Dense(
            1,
            kernel_initializer=weights(kernel_initializer, DISCRIMINATOR_INITIAL_RANGE),
            dtype="float32",
            name="score",
        )

        # === Functional Model ===
        image = keras.Input(image_shape, name="image")
        label = label_input(num_classes, None)
        pixels = keras.layers.Rescaling(0.5, offset=0.5, dtype=dtype, name="on_black")(image)
        pixels = keras.layers.Flatten(dtype=dtype, name="flatten")(pixels)
        super().__init__(
            inputs=[image, label],
            outputs=to_score(_meet(hidden, pixels, label, num_classes, dropout, dtype)),
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.image_shape = image_shape
        self.num_classes = num_classes
        self.units = units
        self.pieces = pieces
        self.dropout = dropout
        self.kernel_initializer = kernel_initializer

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "num_classes": self.num_classes,
            "units": self.units,
            "pieces": self.pieces,
            "dropout": self.dropout,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _meet(hidden, sample, label, num_classes, dropout, dtype):
    """Returns what the third of these layers makes of the first's sample and the second's label."""
    check_positive_int("num_classes", num_classes)
    check_rate("dropout", dropout)
    drop = [keras.layers.Dropout(dropout, dtype=dtype, name=f"drop_{i}") for i in range(3)]
    one_hot = ops.one_hot(label, num_classes, dtype="float32")
    apart = [drop[0](hidden[0](sample)), drop[1](hidden[1](one_hot))]
    joined = keras.layers.Concatenate(dtype=dtype, name="condition")(apart)
    return drop[2](hidden[2](joined))
