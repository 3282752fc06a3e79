"""CoGAN: two generators that share layers draw an image and its edges, having seen no pairs.

    python -m kgan.zoo.cogan --dataset mnist

Liu, Tuzel 2016, "Coupled Generative Adversarial Networks", arXiv 1606.07536.
"""

import kgan
from kgan.data.edges import EdgePairs
from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "Two kinds of images of the same things, of which nobody has pairs."
CONDITIONAL = "never"
# Section 4, "Digits", whose discriminators are LeNets.
DEFAULT = ConvolutionalRecipe(
    epochs=53,  # "25,000 iterations" of 60,000 images
    batch_size=128,  # "minibatch size of 128"
    **learning_rates(2e-4),
    beta_1=0.5,
    latent_distribution="uniform",
    generator_width=128,
    batch_norm=False,
)
MNIST = DEFAULT.but(
    **networks.NARROW, **learning_rates(2e-3), epochs=7, penalties=("r1:1,every=2",)
)
DIGITS = MNIST.but(epochs=100, image_size="16", penalties=("r1:0.03,every=2",))
RECIPES = {"default": DEFAULT, "mnist": MNIST, "digits": DIGITS}


def prepare(source, recipe):
    """Returns the images with their edges beside them; the game takes the pairs apart."""
    return EdgePairs(source)


def build(recipe, task, **compile_options):
    """Returns the compiled game."""
    of_generator, of_discriminator = networks.sizes(recipe, task)
    generator = kgan.backbones.CoupledGenerator(**of_generator)
    discriminator = kgan.backbones.CoupledDiscriminator(**of_discriminator)
    players = generator, discriminator
    return networks.compiled(kgan.games.CoGAN, players, recipe, task, **compile_options)


if __name__ == "__main__":
    runner.main()
