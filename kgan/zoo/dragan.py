"""DRAGAN: the usual game, with the discriminator's gradient around the reals held to norm 1.

    python -m kgan.zoo.dragan --dataset mnist

Kodali, Abernethy, Hays, Kira 2017, "On Convergence and Stability of GANs", arXiv 1705.07215.
"""

from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "A smooth discriminator around the data, at one update each."
# The numbers are from the authors' code.
DEFAULT = ConvolutionalRecipe(
    epochs=427,  # 200,000 updates
    batch_size=128,
    **learning_rates(1e-4),
    beta_1=0.5,
    beta_2=0.9,
    penalties=("dragan:10,noise=0.5",),
    updates="alternating",
    batch_norm=False,  # the gradient is that of each image alone
    latent_distribution="uniform",
)
RECIPES = networks.narrow_recipes(DEFAULT, **learning_rates(1e-3), epochs=10)
build = networks.convolutional_gan

if __name__ == "__main__":
    runner.main()
