"""Projection GAN: a label enters by an inner product with features, and by batch norm's scales.

    python -m kgan.zoo.projection_gan --dataset mnist

Miyato, Koyama 2018, "cGANs with Projection Discriminator", arXiv 1802.05637.
"""

from kgan.zoo import networks, runner
from kgan.zoo.recipe import Paper, ResidualRecipe, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "Conditional images whose label takes part in every block and in the score."
CONDITIONAL = "always"
# The training on ImageNet's 128x128 images is from pfnet-research/sngan_projection, the authors'
# code, whose rates fall to 0 in the last ninth, and whose generator sees twice as many fakes in an
# update, of labels drawn uniformly.
DEFAULT = ResidualRecipe(
    epochs=112,  # 450,000 generator updates of ImageNet
    batch_size=64,  # 16 on each of four GPUs
    **learning_rates(2e-4),  # alpha
    discriminator_steps=5,  # n_dis
    beta_1=0.0,
    beta_2=0.9,
    loss="hinge",
    updates="alternating",
    latent_dim=128,
    generator_width=64,
    discriminator_width=64,
    max_width=1024,
    discriminator_stages=5,
    flat_blocks=1,
)
MNIST = DEFAULT.but(**networks.NARROW_RESIDUAL, epochs=8)
DIGITS = MNIST.but(epochs=100, image_size="16")
RECIPES = {"default": DEFAULT, "mnist": MNIST, "digits": DIGITS}
build = networks.residual_gan

if __name__ == "__main__":
    runner.main()
