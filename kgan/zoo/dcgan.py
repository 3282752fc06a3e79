"""DCGAN: a generator and a discriminator of strided convolutions.

    python -m kgan.zoo.dcgan --dataset mnist

Radford, Metz, Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks", arXiv 1511.06434.
"""

from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, Published, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "The plain start: small, fast, and good for images of up to 64x64."
# Section 4 and figure 1.
DEFAULT = ConvolutionalRecipe(
    epochs=25,
    batch_size=128,  # "mini-batch size of 128"
    **learning_rates(2e-4),  # "0.001, to be too high, using 0.0002 instead"
    beta_1=0.5,  # "0.9 resulted in training oscillation"
    latent_dim=100,  # figure 1: "a 100 dimensional uniform distribution Z"
    latent_distribution="uniform",
    generator_width=128,  # figure 1: 128 channels before the image, doubled inwards
    discriminator_width=128,
    kernel_size=5,
)
# Chosen among a dozen trials of one seed each, by Fréchet distance after ten minutes or less on two
# cores. They changed several settings at once, so they do not say which of them matters.
# Conditional, 8 epochs have a 1-NN error of 5.1 %, at a rate of 1e-3 too; in 18 the discriminator
# was flat for a third of the time, and the error 7.1 %. Of stacked MNIST, 7 epochs of packs of two
# missed one mode.
MNIST = DEFAULT.but(**networks.SMOOTH, **learning_rates(2.5e-3), epochs=14)
DIGITS = MNIST.but(
    **learning_rates(2e-3), epochs=120, image_size="16", penalties=("r1:0.03,every=2",)
)
RECIPES = {
    "default": DEFAULT,
    "mnist": MNIST,
    "fashion_mnist": MNIST,
    "digits": DIGITS,
    "stacked_mnist": MNIST,  # PacDCGAN2 of Lin et al. 2018, arXiv 1712.04086, with --set pack=2
}
PACGAN = "Lin et al. 2018, table 2"
# Modes and their KL by `--metrics modes --features stacked_mnist`, of 26,000 samples.
PUBLISHED = {
    "mnist --conditional=true": {
        "nearest_neighbor_error": Published(0.0298, "supplement, 50,000 samples", best="lowest"),
    },
    "stacked_mnist": {
        "modes_covered": Published(99, f"Srivastava et al. 2017; 78.9 in {PACGAN}"),
        "mode_kl": Published(3.4, f"Srivastava et al. 2017; 4.5 in {PACGAN}", best="lowest"),
    },
    "stacked_mnist --set=pack=2": {
        "modes_covered": Published(1000, PACGAN),
        "mode_kl": Published(0.06, PACGAN, best="lowest"),
    },
}
build = networks.convolutional_gan

if __name__ == "__main__":
    runner.main()
