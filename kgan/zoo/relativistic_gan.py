"""Relativistic GAN: a score says how much more real than the average fake an image is.

    python -m kgan.zoo.relativistic_gan --dataset mnist

Jolicoeur-Martineau 2018, "The relativistic discriminator: a key element missing from standard GAN",
arXiv 1807.00734. This is RaSGAN; --loss gives the others: relativistic_paired (RSGAN),
relativistic_average_least_squares (RaLSGAN), relativistic_average_hinge (RaHingeGAN), and with
--penalty=gradient_penalty:10 those of the paper that end in -GP.
"""

from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "A loss in which the reals move the generator too."
# Section 5.2: the cats of 64x64, with DCGAN's networks; latents as in the authors' code.
DEFAULT = ConvolutionalRecipe(
    epochs=344,  # 100,000 updates of 9,304 cats
    batch_size=32,
    **learning_rates(2e-4),
    beta_1=0.5,
    loss="relativistic_average",
    latent_dim=128,
)
RECIPES = networks.narrow_recipes(DEFAULT, **learning_rates(1e-3), epochs=10)
build = networks.convolutional_gan

if __name__ == "__main__":
    runner.main()
