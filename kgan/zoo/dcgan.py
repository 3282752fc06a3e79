"""DCGAN: a generator and a discriminator of strided convolutions.

    python -m kgan.zoo.dcgan --dataset mnist

Radford, Metz, Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks", arXiv 1511.06434.
"""

import sys

from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, Published

PAPER = Paper(
    title="Unsupervised Representation Learning with Deep Convolutional GANs",
    authors="Radford, Metz, Chintala",
    year=2015,
    url="https://arxiv.org/abs/1511.06434",
)
PURPOSE = "The plain start: small, fast, and good for images of up to 64x64."
# Section 4 and figure 1.
DEFAULT = ConvolutionalRecipe(
    epochs=25,
    batch_size=128,  # "mini-batch size of 128"
    generator_learning_rate=2e-4,  # "0.001, to be too high, using 0.0002 instead"
    discriminator_learning_rate=2e-4,
    beta_1=0.5,  # "0.9 resulted in training oscillation"
    latent_dim=100,  # figure 1: "a 100 dimensional uniform distribution Z"
    latent_distribution="uniform",
    generator_width=128,  # figure 1: 128 channels before the image, doubled inwards
    discriminator_width=128,
    kernel_size=5,
)
# Chosen among a dozen trials of one seed each, by Fréchet distance after ten minutes or less on two
# cores: narrow networks, a discriminator that looks at the whole image (down to 4x4), R1 instead of
# batch norm, and high learning rates. The trials changed several of these at once, so they do not
# say which of them matters.
MNIST = DEFAULT.but(
    epochs=14,
    batch_size=64,
    generator_learning_rate=2.5e-3,
    discriminator_learning_rate=2.5e-3,
    beta_2=0.99,
    latent_distribution="normal",
    generator_width=64,
    discriminator_width=32,
    kernel_size=4,
    batch_norm=False,
    discriminator_stages=3,
    generator_initializer="glorot_uniform",
    discriminator_initializer="he_normal",
    penalties=("r1:1,every=2",),
    cosine_decay=True,
)
DIGITS = MNIST.but(
    epochs=120,
    image_size="16",
    generator_learning_rate=2e-3,
    discriminator_learning_rate=2e-3,
    penalties=("r1:0.03,every=2",),
)
RECIPES = {
    "default": DEFAULT,
    "mnist": MNIST,
    "fashion_mnist": MNIST,
    "digits": DIGITS,
    "stacked_mnist": MNIST,  # PacDCGAN2 of Lin et al. 2018, arXiv 1712.04086, with --set pack=2
}
# Modes and their KL by `--metrics modes --features stacked_mnist`, of 26,000 samples.
PUBLISHED = {
    "mnist": {
        "nearest_neighbor_error": Published(
            0.0298, "supplement, conditional, 50,000 samples", best="lowest"
        ),
    },
    "stacked_mnist": {
        "modes_covered": Published(
            99, "Srivastava et al. 2017; 78.9 and with pack=2 1,000 in Lin et al. 2018, table 2"
        ),
        "mode_kl": Published(
            3.4,
            "Srivastava et al. 2017; 4.5 and with pack=2 0.06 in Lin et al. 2018, table 2",
            best="lowest",
        ),
    },
}

build = networks.convolutional_gan

if __name__ == "__main__":
    runner.main(sys.modules[__name__])
