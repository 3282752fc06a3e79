"""AAE: an autoencoder whose codes an adversary holds to a prior, and so a generative model.

    python -m kgan.zoo.aae --dataset mnist
    python -m kgan.zoo.aae --dataset mnist --set clusters=16 --set latent_dim=10

Makhzani, Shlens, Jaitly, Goodfellow, Frey 2015, "Adversarial Autoencoders", arXiv 1511.05644.
"""

import dataclasses

import kgan
from kgan.zoo import networks, runner
from kgan.zoo.recipe import Paper, Published, Recipe, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "Codes with a shape of your choice, images restored from them, or clusters."
PUBLISHED = {
    "mnist": {
        "parzen_log_likelihood": Published(340, "table 1, 10,000 samples", spread=2),
        "cluster_exemplar_accuracy": Published(0.9045, "table 3, 16 clusters"),
    }
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class AutoencoderRecipe(Recipe):
    """A recipe for perceptrons; a latent is `latent_dim` wide, and `clusters` more, if any."""

    units: tuple = (1000, 1000)
    clusters: int | None = None
    latent_scale: float = 1.0
    reconstruction_weight: float = 100.0


# Appendix A.1. The paper moves all by momentum, in turns of reconstruction and game, each with its
# own rate; one Adam a player does for both here.
DEFAULT = AutoencoderRecipe(
    epochs=1000,
    batch_size=100,
    **learning_rates(2e-4),
    latent_dim=8,  # "The dimensionality of the hidden code z is 8"
    latent_scale=5.0,  # "the standard deviation of the Gaussian prior is 5"
)
# R1 on the code keeps the adversary's slopes useful, and 15 of 16 clusters in use instead of 7. A
# fifth of the weight of reconstruction lets the codes come nearer to the prior, for a Parzen
# log-likelihood of 296, not 277, and a tenth of R1 for 305.
MNIST = DEFAULT.but(**learning_rates(1e-3), epochs=60, beta_1=0.5, cosine_decay=True).but(
    units=(400, 400), latent_scale=1.0, reconstruction_weight=20.0, penalties=("r1:0.1",)
)
DIGITS = MNIST.but(epochs=200)
RECIPES = {"default": DEFAULT, "mnist": MNIST, "fashion_mnist": MNIST, "digits": DIGITS}


def build(recipe, task, **compile_options):
    """Returns a compiled AAE of perceptrons."""
    clusters, units = recipe.clusters or 0, recipe.units
    shared = {"image_shape": task.image_shape, "units": units}
    latent_dim = recipe.latent_dim + clusters
    parts = {
        "generator": kgan.backbones.MLPGenerator(
            latent_dim=latent_dim, num_classes=task.num_classes, **shared
        ),
        "discriminator": kgan.backbones.CodeDiscriminator(recipe.latent_dim, clusters, units),
        "encoder": kgan.backbones.MLPEncoder(code_dim=latent_dim, batch_norm=False, **shared),
    }
    settings = ("clusters", "latent_scale", "reconstruction_weight")
    return networks.compiled(
        kgan.games.AAE, parts, recipe, task, settings=settings, **compile_options
    )


if __name__ == "__main__":
    runner.main()
