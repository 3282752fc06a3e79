"""BGAN: the generator seeks the discriminator's decision boundary.

    python -m kgan.zoo.bgan --dataset mnist

Hjelm, Jacob, Che, Trischler, Cho, Bengio 2017, "Boundary-Seeking Generative Adversarial Networks",
arXiv 1702.08431.
"""

from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "A generator that aims at the discriminator's boundary instead of running past it."
# The numbers are from the authors' code for continuous data, which trains DCGAN's networks.
DEFAULT = ConvolutionalRecipe(
    epochs=50,
    batch_size=64,
    **learning_rates(1e-4),
    beta_1=0.5,
    loss="boundary_seeking",
    generator_width=128,
    discriminator_width=128,
    latent_dim=128,
)
RECIPES = networks.narrow_recipes(DEFAULT, **learning_rates(1e-3), epochs=10)
build = networks.convolutional_gan

if __name__ == "__main__":
    runner.main()
