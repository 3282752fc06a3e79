"""EBGAN: a discriminator that reconstructs images, and finds fakes by what it fails at.

    python -m kgan.zoo.ebgan --dataset mnist

Zhao, Mathieu, LeCun 2016, "Energy-based Generative Adversarial Network", arXiv 1609.03126.
"""

import dataclasses

import keras

import kgan
from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "Steady gradients: each pixel says what is wrong, not one score for the image."
CONDITIONAL = "never"


@dataclasses.dataclass(frozen=True, kw_only=True)
class EBGANRecipe(ConvolutionalRecipe):
    """DCGAN's networks, the discriminator's with a code and the way back; EBGAN-PT's term.

    Args:
        code_dim: int >= 1, width of the code. Defaults to 256.
    """

    code_dim: int = 256
    auxiliary_losses: tuple = ("pull_away:0.1,layers=code",)  # appendix F: "set to 0.1"


# The convolutional networks of section 4.3 (appendix D). Theirs keep a map as the code.
DEFAULT = EBGANRecipe(
    epochs=25,
    batch_size=128,
    **learning_rates(1e-3),  # section 4.1: "learning rate 0.001 and Adam"
    loss="energy_based:margin=20",  # appendix D: 80 for LSUN, 20 for CelebA
    kernel_size=4,
)
MNIST = DEFAULT.but(
    epochs=20,
    batch_size=64,
    loss="energy_based:margin=10",  # section 4.1, whose networks are dense
    generator_width=32,
    discriminator_width=16,
    code_dim=64,
    beta_1=0.5,
    cosine_decay=True,
)
DIGITS = MNIST.but(epochs=150, image_size="16", loss="energy_based:margin=5")
RECIPES = {"default": DEFAULT, "mnist": MNIST, "digits": DIGITS}


def build(recipe, task, **compile_options):
    """Returns the compiled GAN; the discriminator's two halves are networks of DCGAN."""
    to_code = keras.layers.Dense(recipe.code_dim)
    generator, encoder = networks.convolutional(recipe, task, head=to_code)
    sizes = (task.image_shape, recipe.code_dim, recipe.discriminator_width, recipe.kernel_size)
    decoder = kgan.backbones.DCGANGenerator(*sizes, name="decoder")
    discriminator = kgan.backbones.AutoencodingDiscriminator(encoder, decoder, error="norm")
    return networks.compiled(kgan.GAN, (generator, discriminator), recipe, task, **compile_options)


if __name__ == "__main__":
    runner.main()
