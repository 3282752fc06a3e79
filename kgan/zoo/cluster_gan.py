"""ClusterGAN: clustered latents, and an encoder that finds the clusters in real images.

    python -m kgan.zoo.cluster_gan --dataset mnist

Mukherjee, Asnani, Lin, Kannan 2019, "ClusterGAN: Latent Space Clustering in Generative Adversarial
Networks", arXiv 1809.03627.
"""

import dataclasses
import sys

import keras

import kgan
from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, Published

PAPER = Paper(
    title="ClusterGAN: Latent Space Clustering in Generative Adversarial Networks",
    authors="Mukherjee, Asnani, Lin, Kannan",
    year=2019,
    url="https://arxiv.org/abs/1809.03627",
)
CONDITIONAL = "never"
PUBLISHED = {
    "mnist": {
        "clustering_accuracy": Published(0.95, "table 2, the best of several runs"),
        "clustering_nmi": Published(0.89, "table 2, the best of several runs"),
    }
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterRecipe(ConvolutionalRecipe):
    """DCGAN's settings and the clusters', as `kgan.games.ClusterGAN` has them."""

    clusters: int = 10
    latent_scale: float = 0.1
    latent_weight: float = 10.0
    cluster_weight: float = 10.0


DEFAULT = ClusterRecipe(
    epochs=500,
    batch_size=64,
    loss="wasserstein",
    penalties=("gradient_penalty:10",),
    discriminator_steps=5,
    generator_learning_rate=1e-4,
    discriminator_learning_rate=1e-4,
    beta_1=0.5,
    beta_2=0.9,
    latent_dim=40,
    generator_width=64,
    discriminator_width=64,
    kernel_size=4,
    batch_norm=False,
)
MNIST = DEFAULT.but(
    epochs=15,
    loss="non_saturating",
    penalties=("r1:1,every=2",),
    discriminator_steps=1,
    generator_learning_rate=2e-3,
    discriminator_learning_rate=2e-3,
    beta_2=0.99,
    generator_width=48,
    discriminator_width=32,
    discriminator_stages=3,
    generator_initializer="glorot_uniform",
    discriminator_initializer="he_normal",
    cosine_decay=True,
)
DIGITS = MNIST.but(epochs=120, image_size="16", penalties=("r1:0.03,every=2",))
RECIPES = {"default": DEFAULT, "mnist": MNIST, "fashion_mnist": MNIST, "digits": DIGITS}


def build(recipe, task, **compile_options):
    """Returns a compiled ClusterGAN."""
    generator, discriminator = networks.convolutional(recipe, task)
    _, encoder = networks.convolutional(recipe, task, head=keras.layers.Dense(recipe.latent_dim))
    names = ("clusters", "latent_scale", "latent_weight", "cluster_weight")
    return networks.compiled(
        kgan.games.ClusterGAN,
        {"generator": generator, "discriminator": discriminator, "encoder": encoder},
        recipe,
        task,
        game_options={name: getattr(recipe, name) for name in names},
        **compile_options,
    )


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
