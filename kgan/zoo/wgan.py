"""WGAN: a critic whose weights are clipped estimates the Earth mover's distance.

    python -m kgan.zoo.wgan --dataset mnist

Arjovsky, Chintala, Bottou 2017, "Wasserstein GAN", arXiv 1701.07875.
"""

from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "The first critic: a loss that falls as samples get better, slowly."
# Algorithm 1, with "the convolutional DCGAN architecture" of section 4.2.
DEFAULT = ConvolutionalRecipe(
    epochs=25,
    batch_size=64,  # m
    optimizer="rms_prop",  # Adam's momentum made it unstable (4.3)
    **learning_rates(5e-5),  # alpha
    discriminator_steps=5,  # n_critic
    loss="wasserstein",
    penalties=("weight_clipping:0.01",),  # c
    updates="alternating",
)
RECIPES = networks.narrow_recipes(DEFAULT, **learning_rates(2e-3, 1e-3), epochs=12)
build = networks.convolutional_gan

if __name__ == "__main__":
    runner.main()
