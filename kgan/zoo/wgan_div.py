"""WGAN-div: a power of the critic's gradient in the place of a Lipschitz constraint.

    python -m kgan.zoo.wgan_div --dataset mnist

Wu, Huang, Thoma, Acharya, Van Gool 2017, "Wasserstein Divergence for GANs", arXiv 1712.01026.
"""

import sys

from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper

PAPER = Paper(
    title="Wasserstein Divergence for GANs",
    authors="Wu, Huang, Thoma, Acharya, Van Gool",
    year=2017,
    url="https://arxiv.org/abs/1712.01026",
)
PURPOSE = "A critic like WGAN-GP's without a slope to hit, for uneven data."
# The penalty is the paper's (k and p of its experiments); the others are from the authors' code.
DEFAULT = ConvolutionalRecipe(
    epochs=50,
    batch_size=64,
    generator_learning_rate=2e-4,
    discriminator_learning_rate=2e-4,
    discriminator_steps=4,
    beta_1=0.0,
    beta_2=0.9,
    loss="wasserstein",
    penalties=("wasserstein_divergence:2,power=6",),
    updates="alternating",
    batch_norm=False,  # the gradient is that of each image alone
    latent_dim=128,
)
MNIST = DEFAULT.but(
    **networks.NARROW,
    epochs=12,
    generator_learning_rate=1e-3,
    discriminator_learning_rate=1e-3,
)
DIGITS = MNIST.but(epochs=120, image_size="16")
RECIPES = {"default": DEFAULT, "mnist": MNIST, "digits": DIGITS}

build = networks.convolutional_gan


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
