"""GAN: the first one, of dense layers; its discriminator has maxout units and dropout.

    python -m kgan.zoo.gan --dataset mnist

Goodfellow et al. 2014, "Generative Adversarial Networks", arXiv 1406.2661.
"""

import dataclasses

import keras

import kgan
from kgan.zoo import networks, runner
from kgan.zoo.recipe import MomentumRecipe, Paper, Published

PAPER = Paper.cited_in(__doc__)
PURPOSE = "Where it began; the least that draws digits."
CONDITIONAL = "never"
PUBLISHED = {"mnist": {"parzen_log_likelihood": Published(225, "table 1, 10,000 samples", 2)}}


@dataclasses.dataclass(frozen=True, kw_only=True)
class GANRecipe(MomentumRecipe):
    """Widths, dropout, and initial weights; those of None are the backbones', the paper's."""

    generator_units: tuple = (1200, 1200)
    discriminator_units: tuple = (240, 240)
    pieces: int = 5
    input_dropout: float = 0.2
    dropout: float = 0.5
    generator_initializer: str | None = None
    discriminator_initializer: str | None = None


# The paper leaves them to its code, mnist.yaml of goodfeli/adversarial. There, the generator also
# begins with biases that make the mean image.
DEFAULT = GANRecipe(
    epochs=250,  # until momentum stays; there it goes on until someone stops it
    batch_size=100,
    generator_learning_rate=0.1,
    discriminator_learning_rate=0.05,  # 0.1, of half the loss
    learning_rate_decay=1.000004,
    momentum_growth_steps=125_000,  # 250 epochs of 50,000 images
    latent_dim=100,
    latent_distribution="uniform",  # theirs has variance 1, and so reaches from -√3 to √3
)
# The paper's networks. By its gradient descent and dropout, with rates that fall ten times as fast,
# 75 epochs reach a Parzen log-likelihood of 112; this passes it in 8.
MNIST = DEFAULT.but(**networks.SMOOTH_DENSE, epochs=40, dropout=0.0, input_dropout=0.0)
# At the paper's width all of these few digits come out as one. Narrower networks need wider
# initial weights: of the paper's, little of the latent would be left in the image.
DIGITS = DEFAULT.but(
    epochs=600,
    learning_rate_decay=1.0002,
    momentum_growth_steps=5_000,
    generator_units=(200, 200),
    discriminator_units=(60, 60),
    pieces=4,
    generator_initializer="he_uniform",
    discriminator_initializer="glorot_uniform",
)
RECIPES = {"default": DEFAULT, "mnist": MNIST, "digits": DIGITS}


def build(recipe, task, **compile_options):
    """Returns the compiled GAN."""
    generator = kgan.backbones.MLPGenerator(
        task.image_shape,
        recipe.latent_dim,
        recipe.generator_units,
        kernel_initializer=recipe.generator_initializer,
        activation="sigmoid",
    )
    judge = kgan.backbones.MLPDiscriminator(
        task.image_shape,
        recipe.discriminator_units,
        recipe.pieces,
        recipe.input_dropout,
        recipe.dropout,
        kernel_initializer=recipe.discriminator_initializer,
    )
    image = keras.Input(task.image_shape, name="image")
    # The paper's pixels are in [0, 1], where those that dropout leaves out are black, not grey.
    on_black = keras.layers.Rescaling(0.5, offset=0.5)(image)
    players = generator, keras.Model(image, judge(on_black), name="discriminator")
    return networks.compiled(kgan.GAN, players, recipe, task, **compile_options)


if __name__ == "__main__":
    runner.main()
