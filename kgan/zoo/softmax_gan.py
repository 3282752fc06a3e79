"""Softmax GAN: one softmax over the batch says how probable each real and each fake is.

    python -m kgan.zoo.softmax_gan --dataset mnist

Lin 2017, "Softmax GAN", arXiv 1704.06191.
"""

from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "One batch, one softmax: reals and fakes compete for a share."
# Section 4: DCGAN's networks, of which it trains also those without batch norm.
DEFAULT = ConvolutionalRecipe(
    epochs=25,
    batch_size=64,
    **learning_rates(2e-4),
    beta_1=0.5,
    loss="softmax_gan",
    latent_distribution="uniform",
)
RECIPES = networks.narrow_recipes(DEFAULT, **learning_rates(1e-3), epochs=10)
build = networks.convolutional_gan

if __name__ == "__main__":
    runner.main()
