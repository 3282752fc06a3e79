"""CGAN: the first conditional GAN; a label enters both networks, through a layer of its own.

    python -m kgan.zoo.cgan --dataset mnist

Mirza, Osindero 2014, "Conditional Generative Adversarial Nets", arXiv 1411.1784.
"""

import dataclasses
import math

import keras
from keras import ops

import kgan
from kgan.zoo import networks, runner
from kgan.zoo.recipe import MomentumRecipe, Paper, Published

PAPER = Paper.cited_in(__doc__)
PURPOSE = "How a label enters a GAN, in two small networks; dcgan --conditional draws better."
CONDITIONAL = "always"
PUBLISHED = {"mnist": {"parzen_log_likelihood": Published(132, "table 1, 10,000 samples", 1.8)}}


@dataclasses.dataclass(frozen=True, kw_only=True)
class CGANRecipe(MomentumRecipe):
    """Widths are of the layers that see the latent or image, the label, and what both make."""

    generator_units: tuple = (200, 1000, 1200)
    discriminator_units: tuple = (240, 50, 240)
    pieces: tuple = (5, 5, 4)
    dropout: float = 0.5  # "applied to both the generator and discriminator"
    generator_initializer: str | None = None
    discriminator_initializer: str | None = None


# Section 4.1.
DEFAULT = CGANRecipe(
    epochs=100,
    batch_size=100,
    generator_learning_rate=0.1,
    discriminator_learning_rate=0.05,  # 0.1, of half the loss, as in the code that it builds upon
    learning_rate_decay=1.00004,
    latent_dim=100,
    latent_distribution="uniform",
)
# With less dropout the generator draws more kinds of a digit, and sooner.
MNIST = DEFAULT.but(
    epochs=40, dropout=0.25, learning_rate_decay=1.00006, momentum_growth_steps=20_000
)
# Narrow networks need wider initial weights, as in `kgan.zoo.gan`.
DIGITS = DEFAULT.but(
    epochs=500,
    dropout=0.1,
    learning_rate_decay=1.0002,
    momentum_growth_steps=5_000,
    generator_units=(100, 100, 200),
    discriminator_units=(60, 20, 60),
    generator_initializer="he_uniform",
    discriminator_initializer="glorot_uniform",
)
RECIPES = {"default": DEFAULT, "mnist": MNIST, "digits": DIGITS}


def build(recipe, task, **compile_options):
    """Returns the compiled GAN."""
    players = generator(recipe, task), discriminator(recipe, task)
    return networks.compiled(
        kgan.GAN, players, recipe, task, networks.momentum_sgd, **compile_options
    )


def generator(recipe, task):
    """Returns a generator of layers with ReLU and dropout."""

    def weights():
        return keras.initializers.get(recipe.generator_initializer) or uniform(0.05)

    def hidden(units, x):
        x = keras.layers.Dense(units, "relu", kernel_initializer=weights())(x)
        return keras.layers.Dropout(recipe.dropout)(x)

    of_latent, of_label, of_both = recipe.generator_units
    latent, label, digit = inputs("latent", (recipe.latent_dim,), task)
    x = ops.concatenate([hidden(of_latent, latent), hidden(of_label, digit)], axis=-1)
    to_image = keras.layers.Dense(math.prod(task.image_shape), kernel_initializer=weights())
    x = ops.reshape(to_image(hidden(of_both, x)), (-1, *task.image_shape))
    image = keras.layers.Activation("tanh", dtype="float32")(x)
    return keras.Model([latent, label], image, name="generator")


def discriminator(recipe, task):
    """Returns a discriminator of maxout layers with dropout."""
    image, label, digit = inputs("image", task.image_shape, task)
    pixels = keras.layers.Flatten()(networks.on_black(image))

    def weights():
        return keras.initializers.get(recipe.discriminator_initializer) or uniform(0.005)

    def hidden(i, x):
        units, pieces = recipe.discriminator_units[i], recipe.pieces[i]
        x = kgan.layers.Maxout(units, pieces, kernel_initializer=weights())(x)
        return keras.layers.Dropout(recipe.dropout)(x)

    x = hidden(2, ops.concatenate([hidden(0, pixels), hidden(1, digit)], axis=-1))
    to_score = keras.layers.Dense(1, kernel_initializer=weights(), dtype="float32")
    return keras.Model([image, label], to_score(x), name="discriminator")


def inputs(name, shape, task):
    """Returns the inputs of a network, and the label's as one number a class."""
    label = keras.Input((), dtype="int32", name="label")
    return keras.Input(shape, name=name), label, ops.one_hot(label, task.num_classes)


def uniform(limit):
    """Returns initial weights as of the first GAN, since this paper does not tell its own."""
    return keras.initializers.RandomUniform(-limit, limit)


if __name__ == "__main__":
    runner.main()
