"""AAE: an autoencoder whose codes an adversary holds to a prior, and so a generative model.

    python -m kgan.zoo.aae --dataset mnist
    python -m kgan.zoo.aae --dataset mnist --set clusters=16 --set latent_dim=10

Makhzani, Shlens, Jaitly, Goodfellow, Frey 2015, "Adversarial Autoencoders", arXiv 1511.05644.
"""

import dataclasses

import keras

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
# R1 on the code keeps the adversary's slopes useful: 2,500 steps end at a Parzen log-likelihood of
# 265 with it and 255 without, and 15 of 16 clusters are in use instead of 7.
MNIST = DEFAULT.but(
    epochs=60,
    **learning_rates(1e-3),
    beta_1=0.5,
    units=(400, 400),
    latent_scale=1.0,
    penalties=("r1:1",),
    cosine_decay=True,
)
DIGITS = MNIST.but(epochs=200)
RECIPES = {"default": DEFAULT, "mnist": MNIST, "fashion_mnist": MNIST, "digits": DIGITS}


def build(recipe, task, **compile_options):
    """Returns a compiled AAE of perceptrons."""
    clusters = recipe.clusters or 0
    latent_dim = recipe.latent_dim + clusters
    shared = {"image_shape": task.image_shape, "units": recipe.units}
    parts = {
        "generator": kgan.backbones.MLPGenerator(
            latent_dim=latent_dim, num_classes=task.num_classes, **shared
        ),
        "discriminator": adversary(recipe.latent_dim, clusters, recipe.units),
        "encoder": kgan.backbones.MLPEncoder(code_dim=latent_dim, batch_norm=False, **shared),
    }
    names = ("clusters", "latent_scale", "reconstruction_weight")
    options = {name: getattr(recipe, name) for name in names}
    return networks.compiled(
        kgan.games.AAE, parts, recipe, task, game_options=options, **compile_options
    )


def adversary(style, clusters, units):
    """Returns the judge of codes, with a network for the style and one for the clusters."""
    code = keras.Input((style + clusters,), name="code")
    ends = {"style": (0, style), "clusters": (style, style + clusters)}
    scores = [
        kgan.backbones.MLPEncoder((end - start,), 1, units, batch_norm=False, name=name)(
            code[:, start:end]
        )
        for name, (start, end) in ends.items()
        if end > start
    ]
    joined = keras.layers.Concatenate(dtype="float32")(scores) if clusters else scores[0]
    return keras.Model(code, joined, name="adversary")


if __name__ == "__main__":
    runner.main()
