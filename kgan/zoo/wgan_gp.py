"""WGAN-GP: a critic whose gradient is held to norm 1 between reals and fakes.

    python -m kgan.zoo.wgan_gp --dataset mnist

Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville 2017, "Improved Training of Wasserstein GANs",
arXiv 1704.00028.
"""

from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "Networks of your own that shall not fail; five critic updates for one."
# Algorithm 1, whose line "Require" gives the numbers.
DEFAULT = ConvolutionalRecipe(
    epochs=50,
    batch_size=64,  # m
    **learning_rates(1e-4),  # alpha
    discriminator_steps=5,  # n_critic
    beta_1=0.0,
    beta_2=0.9,
    loss="wasserstein",
    penalties=("gradient_penalty:10",),  # lambda
    updates="alternating",
    batch_norm=False,  # section 4: "No critic batch normalization"
    latent_dim=128,  # the authors' code
)
RECIPES = networks.narrow_recipes(DEFAULT, **learning_rates(1e-3), epochs=12)
build = networks.convolutional_gan

if __name__ == "__main__":
    runner.main()
