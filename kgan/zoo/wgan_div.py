"""WGAN-div: a power of the critic's gradient in the place of a Lipschitz constraint.

    python -m kgan.zoo.wgan_div --dataset mnist

Wu, Huang, Thoma, Acharya, Van Gool 2017, "Wasserstein Divergence for GANs", arXiv 1712.01026.
"""

from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "A critic like WGAN-GP's without a slope to hit, for uneven data."
# The penalty is the paper's (k and p of its experiments; the authors' code has k = 10, and layer
# norm in the critic); the others are from that code.
DEFAULT = ConvolutionalRecipe(
    epochs=253,  # 200,000 updates, of CelebA
    batch_size=64,
    **learning_rates(2e-4),
    discriminator_steps=4,
    beta_1=0.0,
    beta_2=0.9,
    loss="wasserstein",
    penalties=("wasserstein_divergence:2,power=6",),
    updates="alternating",
    batch_norm=False,  # the gradient is that of each image alone
    latent_dim=128,
)
RECIPES = networks.narrow_recipes(DEFAULT, **learning_rates(1e-3), epochs=12)
build = networks.convolutional_gan

if __name__ == "__main__":
    runner.main()
