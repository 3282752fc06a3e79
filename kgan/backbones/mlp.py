"""The networks of the first GAN."""

import math

import keras

from kgan.backbones.backbone import (
    Backbone,
    head_config,
    label_input,
    latent_inputs,
    packed,
    squashed,
)
from kgan.layers.checks import (
    check_condition,
    check_positive_int,
    check_rate,
    check_sizes,
)
from kgan.layers.conditioning import ConditionEmbedding
from kgan.layers.maxout import Maxout

# `irange` of the layers in mnist.yaml of the authors' code, goodfeli/adversarial.
GENERATOR_INITIAL_RANGE = 0.05
DISCRIMINATOR_INITIAL_RANGE = 0.005
# Mirza & Osindero, section 4.1: the label reaches the discriminator through 50 units.
LABEL_UNITS = 50


def weights(kernel_initializer, limit):
    """The paper's initial weights, or a copy of what was given, so that layers start apart."""
    if kernel_initializer is None:
        return keras.initializers.RandomUniform(-limit, limit)
    return kernel_initializer.clone()


@keras.saving.register_keras_serializable(package="kgan")
class MLPGenerator(Backbone):
    """Generator of the first GAN: dense layers with ReLU, then one with tanh or a sigmoid.

    The defaults are those of the paper's MNIST experiment, but for the output: theirs is
    `"sigmoid"`, and its biases begin with what makes the mean image. A label is embedded as wide as
    the latent and concatenated to it.

    Args:
        image_shape: tuple of int, of any rank. Shape of a sample, `(features,)` for vectors.
            Defaults to `(28, 28, 1)`.
        latent_dim: int, at least 1. Width of the latent. Defaults to `100`.
        units: tuple of int. Widths of the hidden layers. Defaults to `(1200, 1200)`.
        kernel_initializer: Keras initializer, its name, or `None`. Initial weights. Defaults to
            `None`, uniform within 0.05 as in the authors' code.
        activation: str, `"tanh"`, or `"sigmoid"` for a sigmoid stretched to [-1, 1], tanh of half
            the value: with `"tanh"` gradient descent moves the last layer four times as fast.
            Defaults to `"tanh"`.
        num_classes: int or `None`. Number of classes, where labels are int32 of shape `(batch,)`.
            Defaults to `None`.
        condition_dim: int or `None`. Width of labels that are float vectors of shape
            `(batch, condition_dim)`. Defaults to `None`.
        dtype: `None`, `str` or `keras.DTypePolicy`. What the layers compute in; the activation at
            the end is float32 under every policy. Defaults to `None`, the global policy.
        **kwargs: `name` and `trainable`, as for every `keras.Model`.

    Input:
        Latents of shape `(batch, latent_dim)`, or a list `[latent, label]` if conditional.

    Output:
        Samples in [-1, 1] of shape `(batch, *image_shape)`, float32.

    Raises:
        ValueError: if a size is not a positive integer, the activation is another, or both
            `num_classes` and `condition_dim` are given.

    Example:
    >>> generator = kgan.backbones.MLPGenerator((28, 28, 1), units=(64, 64))
    >>> tuple(generator(keras.random.normal((2, 100))).shape)
    (2, 28, 28, 1)

    Reference:
        [Goodfellow et al., 2014, Generative Adversarial Networks](https://arxiv.org/abs/1406.2661)
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=100,
        units=(1200, 1200),
        kernel_initializer=None,
        activation="tanh",
        num_classes=None,
        condition_dim=None,
        dtype=None,
        **kwargs,
    ):
        image_shape = check_sizes("image_shape", image_shape)
        check_positive_int("latent_dim", latent_dim)
        units = check_sizes("units", units)
        check_condition(num_classes, condition_dim)
        kernel_initializer = keras.initializers.get(kernel_initializer)

        # === Layers ===
        widths = [*units, math.prod(image_shape)]
        *hidden, to_image = [
            keras.layers.Dense(
                width,
                kernel_initializer=weights(kernel_initializer, GENERATOR_INITIAL_RANGE),
                dtype=dtype,
                name=f"dense_{i}",
            )
            for i, width in enumerate(widths)
        ]

        # === Functional Model ===
        inputs, x = latent_inputs(latent_dim, num_classes, condition_dim, dtype)
        for i, dense in enumerate(hidden):
            x = keras.layers.ReLU(dtype=dtype, name=f"relu_{i}")(dense(x))
        x = squashed(to_image(x), activation)
        super().__init__(
            inputs=inputs,
            outputs=keras.layers.Reshape(image_shape, dtype="float32", name="reshape")(x),
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.image_shape = image_shape
        self.latent_dim = latent_dim
        self.units = units
        self.kernel_initializer = kernel_initializer
        self.activation = activation
        self.num_classes = num_classes
        self.condition_dim = condition_dim

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "activation": self.activation,
            "num_classes": self.num_classes,
            "condition_dim": self.condition_dim,
        }


@keras.saving.register_keras_serializable(package="kgan")
class MLPDiscriminator(Backbone):
    """Discriminator of the first GAN: maxout layers with dropout, then one linear score.

    The defaults are those of the paper's MNIST experiment. A label is embedded in 50 numbers and
    concatenated to the flattened image, which alone goes through the input's dropout.

    Args:
        image_shape: tuple of int, of any rank. Shape of a sample, `(features,)` for vectors.
            Defaults to `(28, 28, 1)`.
        units: tuple of int. Widths of the maxout layers. Defaults to `(240, 240)`.
        pieces: int, at least 1. Linear maps that each maxout unit takes the maximum of. Defaults
            to `5`.
        input_dropout: float in [0, 1). Share of pixels left out in training. Defaults to `0.2`.
        dropout: float in [0, 1). Share of each maxout layer's units left out in training.
            Defaults to `0.5`.
        kernel_initializer: Keras initializer, its name, or `None`. Initial weights. Defaults to
            `None`, uniform within 0.005 as in the authors' code.
        head: Keras layer, or `None`. What ends the network instead of one linear score: one of
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
        Samples of shape `(batch, *image_shape)`, or a list `[image, label]` if conditional.

    Output:
        Scores of shape `(batch / pack, 1)`, float32, unbounded; or what `head` returns.

    Raises:
        ValueError: if a size is not a positive integer, if a share is not in [0, 1), or if both
            `num_classes` and `condition_dim` are given.

    Example:
    >>> discriminator = kgan.backbones.MLPDiscriminator((28, 28, 1), num_classes=10)
    >>> tuple(discriminator([np.zeros((2, 28, 28, 1), "float32"), np.array([3, 7])]).shape)
    (2, 1)

    Reference:
        [Goodfellow et al., 2014, Generative Adversarial Networks](https://arxiv.org/abs/1406.2661)
        and, for labels, [Mirza & Osindero, 2014, Conditional Generative Adversarial
        Nets](https://arxiv.org/abs/1411.1784)
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        units=(240, 240),
        pieces=5,
        input_dropout=0.2,
        dropout=0.5,
        kernel_initializer=None,
        head=None,
        pack=1,
        num_classes=None,
        condition_dim=None,
        dtype=None,
        **kwargs,
    ):
        image_shape = check_sizes("image_shape", image_shape)
        units = check_sizes("units", units)
        check_rate("input_dropout", input_dropout)
        check_rate("dropout", dropout)
        check_condition(num_classes, condition_dim)
        kernel_initializer = keras.initializers.get(kernel_initializer)

        # === Layers ===
        drop_pixels = keras.layers.Dropout(input_dropout, dtype=dtype, name="drop_pixels")
        hidden = [
            Maxout(
                width,
                pieces,
                kernel_initializer=weights(kernel_initializer, DISCRIMINATOR_INITIAL_RANGE),
                dtype=dtype,
                name=f"maxout_{i}",
            )
            for i, width in enumerate(units)
        ]
        head = head_config(head)
        to_score = keras.saving.deserialize_keras_object(head) or keras.layers.Dense(
            1,
            kernel_initializer=weights(kernel_initializer, DISCRIMINATOR_INITIAL_RANGE),
            dtype="float32",
            name="score",
        )

        # === Functional Model ===
        image = keras.Input(image_shape, name="image")
        label = label_input(num_classes, condition_dim)
        seen = packed(image, pack, label)
        x = drop_pixels(keras.layers.Flatten(dtype=dtype, name="flatten")(seen))
        if label is not None:
            embed = ConditionEmbedding(
                LABEL_UNITS, num_classes, condition_dim, dtype=dtype, name="embed_label"
            )
            x = keras.layers.Concatenate(dtype=dtype, name="condition")([x, embed(label)])
        for i, maxout in enumerate(hidden):
            x = keras.layers.Dropout(dropout, dtype=dtype, name=f"drop_{i}")(maxout(x))
        super().__init__(
            inputs=image if label is None else [image, label],
            outputs=to_score(x if head is None or label is None else [x, label]),
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.image_shape = image_shape
        self.units = units
        self.pieces = pieces
        self.input_dropout = input_dropout
        self.dropout = dropout
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
            "units": self.units,
            "pieces": self.pieces,
            "input_dropout": self.input_dropout,
            "dropout": self.dropout,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "head": self.head,
            "pack": self.pack,
            "num_classes": self.num_classes,
            "condition_dim": self.condition_dim,
        }
