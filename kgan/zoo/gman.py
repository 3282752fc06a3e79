"""GMAN: one generator against several discriminators, one of them slow to learn.

    python -m kgan.zoo.gman --dataset mnist

Durugkar, Gemp, Mahadevan 2016, "Generative Multi-Adversarial Networks", arXiv 1611.01673.
"""

import dataclasses

import keras

import kgan
from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "A generator whose teachers differ: where one is certain, another still explains."
CONDITIONAL = "never"


@dataclasses.dataclass(frozen=True, kw_only=True)
class GMANRecipe(ConvolutionalRecipe):
    """DCGAN's networks, with a discriminator for each dropout.

    Args:
        dropouts: tuple of two or more float in [0, 1), shares of a discriminator's features that
            are left out in training.
    """

    dropouts: tuple = (0.56, 0.52, 0.48, 0.44, 0.4)


# The numbers are those of the authors' code (iDurugkar/GMAN), which has dropout after the first two
# convolutions, of 3x3, and 500 images a step, 100 for each discriminator. Its proxy is ours.
DEFAULT = GMANRecipe(
    epochs=25,
    batch_size=100,
    **learning_rates(2e-4),
    beta_1=0.5,
    loss="mixed:minimax,mixing=softmax,sharpness=1",  # the "original, untampered objective"
    dynamics=("slow_member:0.1",),
    latent_distribution="uniform",
    generator_width=128,
    discriminator_width=128,
    batch_norm=False,
)
MNIST = DEFAULT.but(**networks.NARROW, **learning_rates(1e-3), epochs=7, dropouts=(0.6, 0.5, 0.4))
DIGITS = MNIST.but(epochs=100, image_size="16")
RECIPES = {"default": DEFAULT, "mnist": MNIST, "digits": DIGITS}


def build(recipe, task, **compile_options):
    """Returns the compiled GAN against a committee, whose last member is the slow one."""
    members = []
    for i, rate in enumerate(recipe.dropouts):
        layers = [keras.layers.Dropout(rate), keras.layers.Dense(1, dtype="float32")]
        head = keras.Sequential(layers, name="score")
        generator, member = networks.convolutional(recipe, task, head)
        member.name = f"member_{i}"
        members.append(member)
    players = (generator, kgan.backbones.Committee(members))
    return networks.compiled(kgan.GAN, players, recipe, task, **compile_options)


if __name__ == "__main__":
    runner.main()
