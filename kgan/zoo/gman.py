"""GMAN: one generator against several discriminators, one of them slow to learn.

    python -m kgan.zoo.gman --dataset mnist

Durugkar, Gemp, Mahadevan 2016, "Generative Multi-Adversarial Networks", arXiv 1611.01673.
"""

import dataclasses
import sys

import keras

import kgan
from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper

PAPER = Paper(
    title="Generative Multi-Adversarial Networks",
    authors="Durugkar, Gemp, Mahadevan",
    year=2016,
    url="https://arxiv.org/abs/1611.01673",
)
PURPOSE = "A generator whose teachers differ: where one is certain, another still explains."
CONDITIONAL = "never"


@dataclasses.dataclass(frozen=True, kw_only=True)
class GMANRecipe(ConvolutionalRecipe):
    """DCGAN's networks, with several discriminators that differ in their dropout.

    Args:
        members: int >= 2, discriminators. Defaults to 5.
        least_dropout: float in [0, 1), of the first member's features. Defaults to 0.3.
        most_dropout: float in [0, 1), of the last's. Defaults to 0.7.
    """

    members: int = 5
    least_dropout: float = 0.3
    most_dropout: float = 0.7
    loss: str = "mixed:minimax,mixing=softmax,sharpness=1"  # GMAN-λ, "the original objective"
    dynamics: tuple = ("slow_member:0.1",)


# Where the paper gives no number, that of the authors' code (iDurugkar/GMAN).
DEFAULT = GMANRecipe(
    epochs=25,
    batch_size=100,
    generator_learning_rate=2e-4,
    discriminator_learning_rate=2e-4,
    beta_1=0.5,
    latent_dim=100,
    latent_distribution="uniform",
    generator_width=64,
    discriminator_width=64,
)
MNIST = DEFAULT.but(
    **networks.NARROW,
    epochs=8,
    members=3,
    generator_learning_rate=1e-3,
    discriminator_learning_rate=1e-3,
)
DIGITS = MNIST.but(epochs=100, image_size="16")
RECIPES = {"default": DEFAULT, "mnist": MNIST, "digits": DIGITS}


def build(recipe, task, **compile_options):
    """Returns the compiled GAN against a committee, whose last member is the slow one."""
    step = (recipe.most_dropout - recipe.least_dropout) / (recipe.members - 1)
    members = []
    for i in range(recipe.members):
        rate = recipe.least_dropout + i * step
        head = keras.Sequential(
            [keras.layers.Dropout(rate), keras.layers.Dense(1, dtype="float32")]
        )
        generator, member = networks.convolutional(recipe, task, head)
        member.name = f"member_{i}"
        members.append(member)
    return networks.compiled(
        kgan.GAN,
        (generator, kgan.backbones.Committee(members)),
        recipe,
        task,
        **compile_options,
    )


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
