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
    """The paper's settings (section 4 and figure 1), and what others may add to them."""

    epochs: int = 25
    batch_size: int = 128  # "mini-batch size of 128"
    generator_learning_rate: float = 2e-4  # "0.001, to be too high, using 0.0002 instead"
    discriminator_learning_rate: float = 2e-4
    beta_1: float = 0.5  # "0.9 resulted in training oscillation"
    beta_2: float = 0.999
    latent_dim: int = 100  # figure 1: "a 100 dimensional uniform distribution Z"
    latent_distribution: str = "uniform"
    generator_width: int = 128  # figure 1: 128 channels before the image, doubled inwards
    discriminator_width: int = 128
    kernel_size: int = 5
    batch_norm: bool = True  # in the discriminator too
    # Not in the paper.
    discriminator_stages: int | None = None  # as many as the generator's
    generator_initializer: str | None = None  # N(0, 0.02), as section 4 says
    discriminator_initializer: str | None = None
    r1: float = 0.0  # weight of the penalty
    r1_every: int = 1
    cosine_decay: bool = False  # of both learning rates, to 0 at the end


# Chosen among a dozen trials of one seed each, by Fréchet distance after ten minutes or less on two
# cores: narrow networks, a discriminator that looks at the whole image (down to 4x4), R1 instead of
# batch norm, and high learning rates. The trials changed several of these at once, so they do not
# say which of them matters.
MNIST = DCGANRecipe(
    epochs=14,
    batch_size=64,
    generator_learning_rate=2.5e-3,
    discriminator_learning_rate=2.5e-3,
    beta_2=0.99,
    latent_distribution="normal",
    generator_width=64,
    discriminator_width=32,
    kernel_size=4,
    batch_norm=False,
    discriminator_stages=3,
    generator_initializer="glorot_uniform",
    discriminator_initializer="he_normal",
    r1=1.0,
    r1_every=2,
    cosine_decay=True,
)
RECIPES = {
    "default": DCGANRecipe(),
    "mnist": MNIST,
    "fashion_mnist": MNIST,
    "digits": dataclasses.replace(
        MNIST,
        epochs=120,
        image_size="16",
        generator_learning_rate=2e-3,
        discriminator_learning_rate=2e-3,
        r1=0.03,
    ),
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
            latent_dim=recipe.latent_dim,
            width=recipe.generator_width,
            kernel_initializer=recipe.generator_initializer,
            **shared,
        ),
        kgan.backbones.DCGANDiscriminator(
            width=recipe.discriminator_width,
            num_stages=recipe.discriminator_stages,
            kernel_initializer=recipe.discriminator_initializer,
            batch_norm=recipe.batch_norm,
            **shared,
        ),
        num_classes=task.num_classes,
        latent_distribution=recipe.latent_distribution,
    )
    gan.compile(
        generator_optimizer=_adam(recipe, recipe.generator_learning_rate, task.steps),
        discriminator_optimizer=_adam(recipe, recipe.discriminator_learning_rate, task.steps),
        loss="non_saturating",
        penalties=[kgan.penalties.R1(recipe.r1, every=recipe.r1_every)] if recipe.r1 else [],
        **compile_options,
    )
    return gan


def _adam(recipe, learning_rate, steps):
    if recipe.cosine_decay:
        learning_rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return keras.optimizers.Adam(learning_rate, beta_1=recipe.beta_1, beta_2=recipe.beta_2)


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
