"""CGAN: the first conditional GAN; a label enters both networks, through a layer of its own.

    python -m kgan.zoo.cgan --dataset mnist

Mirza, Osindero 2014, "Conditional Generative Adversarial Nets", arXiv 1411.1784.
"""

import dataclasses

import kgan
from kgan.zoo import networks, runner
from kgan.zoo.recipe import MomentumRecipe, Paper, Published, learning_rates

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


# Section 4.1, which does not tell the length. Its latents are in [0, 1], not from -1 to 1.
DEFAULT = CGANRecipe(
    epochs=100,
    batch_size=100,
    generator_learning_rate=0.1,
    discriminator_learning_rate=0.05,  # 0.1, of half the loss, as in the code that it builds upon
    learning_rate_decay=1.00004,
    momentum_growth_steps=50_000,
    latent_dim=100,
    latent_distribution="uniform",
)
# By the paper's gradient descent the images did not follow their labels after 40 epochs. They do
# without dropout, which hides labels, and with steps and initial weights that reach the label's
# layers; a strong R1 then holds the discriminator, which wins with a tenth of it.
MNIST = DEFAULT.but(**networks.SMOOTH_DENSE, epochs=30, dropout=0.0)
DIGITS = MNIST.but(epochs=200, **learning_rates(1e-3), penalties=("r1:0.3",)).but(
    generator_units=(100, 100, 200), discriminator_units=(60, 20, 60)
)
RECIPES = {"default": DEFAULT, "mnist": MNIST, "digits": DIGITS}


def build(recipe, task, **compile_options):
    """Returns the compiled GAN."""
    shared = {"num_classes": task.num_classes, "dropout": recipe.dropout}
    generator = kgan.backbones.CGANGenerator(
        task.image_shape,
        recipe.latent_dim,
        units=recipe.generator_units,
        kernel_initializer=recipe.generator_initializer,
        **shared,
    )
    discriminator = kgan.backbones.CGANDiscriminator(
        task.image_shape,
        units=recipe.discriminator_units,
        pieces=recipe.pieces,
        kernel_initializer=recipe.discriminator_initializer,
        **shared,
    )
    players = generator, discriminator
    return networks.compiled(kgan.GAN, players, recipe, task, **compile_options)


if __name__ == "__main__":
    runner.main()
