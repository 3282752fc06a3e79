"""BEGAN: an auto-encoding discriminator that is held in balance, and says how far training is.

    python -m kgan.zoo.began --dataset mnist

Berthelot, Schumm, Metz 2017, "BEGAN: Boundary Equilibrium Generative Adversarial Networks",
arXiv 1703.10717.
"""

import dataclasses

import kgan
from kgan.zoo import networks, runner
from kgan.zoo.recipe import Paper, Recipe, learning_rates

PAPER = Paper.cited_in(__doc__)
PURPOSE = "A number that falls as samples get better, and a knob for variety against looks."
CONDITIONAL = "never"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BEGANRecipe(Recipe):
    """BEGAN's own settings; a latent and a code are as wide.

    Args:
        width: int >= 1, n, channels of a convolution next to the image. Defaults to 128.
        diversity: float in (0, 1], gamma. Defaults to 0.5.
        balance_gain: float > 0, lambda_k. Defaults to 0.001.
        error: `"absolute"` or `"squared"`, eta of 1 or 2, of the reconstruction. Defaults to
            `"absolute"`.
    """

    width: int = 128
    diversity: float = 0.5
    balance_gain: float = 0.001
    error: str = "absolute"
    loss: str = "wasserstein"  # which the game completes by k
    latent_distribution: str = "uniform"  # section 3.5: "z in [-1, 1]^Nz sampled uniformly"


# Section 4.1. The learning rates were halved when convergence stalled; here they decay smoothly.
DEFAULT = BEGANRecipe(
    epochs=25, batch_size=16, **learning_rates(1e-4), latent_dim=64, cosine_decay=True
)
# By the absolute error black is the best image for all of these: most pixels of digits are black.
# The squared one and a larger gain let k and the convergence move within an epoch. Ones are the
# easiest: almost all digits are ones with less diversity than 1, and most of them still without a
# code too narrow for any stroke, and EBGAN's term, which asks for codes that differ.
MNIST = (
    DEFAULT.but(**learning_rates(5e-4), epochs=5, batch_size=32, latent_dim=16)
    .but(auxiliary_losses=("pull_away:0.2,layers=code",))
    .but(width=16, diversity=1.0, balance_gain=0.1, error="squared")
)
DIGITS = MNIST.but(epochs=50, image_size="16", latent_dim=6)
RECIPES = {"default": DEFAULT, "mnist": MNIST, "digits": DIGITS}


def build(recipe, task, **compile_options):
    """Returns the compiled game; the decoder is a second generator."""
    sizes = (task.image_shape, recipe.latent_dim, recipe.width)
    generator = kgan.backbones.BEGANGenerator(*sizes, name="generator")
    decoder = kgan.backbones.BEGANGenerator(*sizes, name="decoder")
    encoder = kgan.backbones.BEGANEncoder(*sizes)
    discriminator = kgan.backbones.AutoencodingDiscriminator(encoder, decoder, error=recipe.error)
    players, settings = (generator, discriminator), ("diversity", "balance_gain")
    return networks.compiled(
        kgan.games.BEGAN, players, recipe, task, settings=settings, **compile_options
    )


if __name__ == "__main__":
    runner.main()
