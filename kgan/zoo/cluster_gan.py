"""ClusterGAN: clustered latents, and an encoder that finds the clusters in real images.

    python -m kgan.zoo.cluster_gan --dataset mnist

Mukherjee, Asnani, Lin, Kannan 2019, "ClusterGAN: Latent Space Clustering in Generative Adversarial
Networks", arXiv 1809.03627.
"""

import dataclasses

import keras

import kgan
from kgan.zoo import networks, runner
from kgan.zoo.recipe import ConvolutionalRecipe, Paper, Published, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "Classes that nobody has labelled, found by an encoder."
CONDITIONAL = "never"
# The accuracy of their code is a purity; a match of clusters and classes, as here, is no more.
PROTOCOL = "table 2, the best of several runs, k-means on whole codes"
PUBLISHED = {
    "mnist": {
        "clustering_accuracy": Published(0.95, PROTOCOL),
        "clustering_nmi": Published(0.89, PROTOCOL),
    }
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterRecipe(ConvolutionalRecipe):
    """DCGAN's settings and the game's; a latent is `latent_dim` wide, and `clusters` more."""

    clusters: int = 10
    latent_scale: float = 0.1
    latent_weight: float = 10.0
    cluster_weight: float = 10.0


# Section 4 and the appendix on MNIST; kernels, betas and length from the authors' code, which has
# a dense layer of 1,024 units in each network beside DCGAN's.
DEFAULT = ClusterRecipe(
    epochs=2667,  # 500,000 steps of 5 batches
    batch_size=64,
    loss="wasserstein",
    penalties=("gradient_penalty:10",),
    discriminator_steps=5,  # algorithm 1
    updates="alternating",
    **learning_rates(1e-4),
    beta_1=0.5,
    beta_2=0.9,
    latent_dim=30,
    kernel_size=4,
    batch_norm=False,
)
# DCGAN's recipe, a tenth of the critic's work. Its generator's loss is smaller than scores are, and
# so is the clusters' weight: with 10 they are told apart too soon (accuracy 0.44, with 1 0.50).
MNIST = (
    DEFAULT.but(**networks.SMOOTH, **learning_rates(2e-3), epochs=15)
    .but(loss="non_saturating", discriminator_steps=1, generator_width=48, cluster_weight=1.0)
    .but(updates="simultaneous")
)
DIGITS = MNIST.but(epochs=100, image_size="16", penalties=("r1:0.03,every=2",))
RECIPES = {"default": DEFAULT, "mnist": MNIST, "fashion_mnist": MNIST, "digits": DIGITS}


def build(recipe, task, **compile_options):
    """Returns a compiled ClusterGAN."""
    whole = recipe.but(latent_dim=recipe.latent_dim + recipe.clusters)
    generator, discriminator = networks.convolutional(whole, task)
    _, encoder = networks.convolutional(whole, task, head=keras.layers.Dense(whole.latent_dim))
    parts = {"generator": generator, "discriminator": discriminator, "encoder": encoder}
    settings = ("clusters", "latent_scale", "latent_weight", "cluster_weight")
    return networks.compiled(
        kgan.games.ClusterGAN, parts, recipe, task, settings=settings, **compile_options
    )


if __name__ == "__main__":
    runner.main()
