"""DCGAN: a generator and a discriminator of strided convolutions.

    python -m kgan.zoo.dcgan --dataset mnist

Radford, Metz, Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks", arXiv 1511.06434.
"""

import dataclasses
import sys

import keras

import kgan
from kgan.zoo import runner
from kgan.zoo.recipe import Paper, Recipe

PAPER = Paper(
    title="Unsupervised Representation Learning with Deep Convolutional GANs",
    authors="Radford, Metz, Chintala",
    year=2015,
    url="https://arxiv.org/abs/1511.06434",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DCGANRecipe(Recipe):
    """The paper's settings (section 4 and figure 1)."""

    epochs: int = 25
    batch_size: int = 128  # "mini-batch size of 128"
    generator_learning_rate: float = 2e-4  # "0.001, to be too high, using 0.0002 instead"
    discriminator_learning_rate: float = 2e-4
    beta_1: float = 0.5  # "0.9 resulted in training oscillation […] reducing it to 0.5"
    latent_dim: int = 100  # figure 1: "a 100 dimensional uniform distribution Z"
    latent_distribution: str = "uniform"
    generator_width: int = 128  # figure 1: 128 channels before the image, doubled inwards
    discriminator_width: int = 128
    kernel_size: int = 5
    batch_norm: bool = True  # in the discriminator
    r1: float = 0.0  # the paper has no penalty


# What learns digits soonest on a processor: narrow networks, no batch norm in the discriminator.
MNIST = DCGANRecipe(
    epochs=15,
    batch_size=64,
    generator_learning_rate=1e-3,
    discriminator_learning_rate=1e-3,
    latent_distribution="normal",
    generator_width=64,
    discriminator_width=64,
    kernel_size=4,
    batch_norm=False,
    r1=1.0,
)
RECIPES = {
    "default": DCGANRecipe(),
    "mnist": MNIST,
    "fashion_mnist": MNIST,
    "digits": dataclasses.replace(MNIST, epochs=60, image_size="16"),
}


def build(recipe, task, **compile_options):
    """Returns the compiled GAN for this task."""
    shared = {
        "image_shape": task.image_shape,
        "num_classes": task.num_classes,
        "kernel_size": recipe.kernel_size,
    }
    gan = kgan.GAN(
        kgan.backbones.DCGANGenerator(
            latent_dim=recipe.latent_dim, width=recipe.generator_width, **shared
        ),
        kgan.backbones.DCGANDiscriminator(
            width=recipe.discriminator_width, batch_norm=recipe.batch_norm, **shared
        ),
        num_classes=task.num_classes,
        latent_distribution=recipe.latent_distribution,
    )
    gan.compile(
        generator_optimizer=keras.optimizers.Adam(recipe.generator_learning_rate, recipe.beta_1),
        discriminator_optimizer=keras.optimizers.Adam(
            recipe.discriminator_learning_rate, recipe.beta_1
        ),
        loss="non_saturating",
        penalties=[kgan.penalties.R1(recipe.r1)] if recipe.r1 else [],
        **compile_options,
    )
    return gan


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
