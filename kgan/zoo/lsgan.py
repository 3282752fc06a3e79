"""LSGAN: scores regressed on numbers for real and fake, which also pulls at fakes that convince.

    python -m kgan.zoo.lsgan --dataset mnist

Mao, Li, Xie, Lau, Wang, Smolley 2016, "Least Squares Generative Adversarial Networks", arXiv
1611.04076. --loss=least_squares:a=-1,b=1,c=0 gives its other choice of numbers, equation 8.
"""

from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "DCGAN with gradients also from fakes that already convince."
# Section 4 has deeper networks for 112x112 scenes; these are DCGAN's, which they build upon.
DEFAULT = ConvolutionalRecipe(
    epochs=25,
    batch_size=64,  # the authors' code, as the learning rate and the latents
    **learning_rates(1e-3),
    beta_1=0.5,  # section 4.1
    loss="least_squares:a=0,b=1,c=1",  # section 3.3.3, equation 9: "0-1 binary coding scheme"
    latent_dim=1024,
    latent_distribution="uniform",
)
RECIPES = networks.narrow_recipes(DEFAULT, epochs=10, latent_dim=100)
build = networks.convolutional_gan

if __name__ == "__main__":
    runner.main()
