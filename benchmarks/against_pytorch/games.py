"""The games that both sides play: what they share in numbers."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Game:
    """One game of a published program or paper.

    Args:
        source: str, where its networks and numbers are from.
        image_shape: tuple of int, (height, width, channels).
        latent_dim: int, width of the latents.
        width: int, what the networks' channels or units are multiples of.
        loss: str, kgan's name of the loss.
        betas: tuple of two floats, of both players' Adam.
        goals: dict, how many times PyTorch's best rate kgan's best should be, by dtype.
        discriminator_steps: int, discriminator updates a generator update. Defaults to 1.
        updates: str, as in `kgan.GAN.compile`. Defaults to `"alternating"`.
        gradient_penalty: float, λ of WGAN-GP. Defaults to 0: none.
        dropout: float, of whole channels in the discriminator. Defaults to 0.
        batch_size: int, images of one update. Defaults to 64.
        learning_rate: float, of both players' Adam. Defaults to 2e-4.
    """

    source: str
    image_shape: tuple
    latent_dim: int
    width: int
    loss: str
    betas: tuple
    goals: dict
    discriminator_steps: int = 1
    updates: str = "alternating"
    gradient_penalty: float = 0.0
    dropout: float = 0.0
    batch_size: int = 64
    learning_rate: float = 2e-4

    @property
    def images_per_step(self):
        """How many reals the discriminator sees between two updates of the generator."""
        return self.batch_size * self.discriminator_steps


GAMES = {
    # Its discriminator's loss is half of this one; Adam moves by the same step either way.
    "dcgan": Game(
        source="PyTorch-GAN, dcgan.py",
        image_shape=(32, 32, 1),
        latent_dim=100,
        width=64,
        loss="non_saturating",
        betas=(0.5, 0.999),
        # Its generator moves first, but the discriminator's gradient is at the fakes before that.
        updates="simultaneous",
        dropout=0.25,
        goals={"float32": 1.7, "bfloat16": 2.2},
    ),
    # Each generator update draws latents of its own, as in the paper's algorithm 1.
    "wgan_gp": Game(
        source="PyTorch-GAN, wgan_gp.py",
        image_shape=(28, 28, 1),
        latent_dim=100,
        width=128,
        loss="wasserstein",
        betas=(0.5, 0.999),
        discriminator_steps=5,
        gradient_penalty=10.0,
        goals={"float32": 1.3, "bfloat16": 1.8},
    ),
    # A width that two CPU cores train; the paper's is 256 in the generator, 128 in the critic.
    "sngan": Game(
        source="SNGAN's paper, table 4, width 64",
        image_shape=(32, 32, 3),
        latent_dim=128,
        width=64,
        loss="hinge",
        betas=(0.0, 0.9),
        discriminator_steps=5,
        goals={"float32": 1.3, "bfloat16": 1.8},
    ),
}
GPU_GOAL = 1.5
LEAKY_SLOPE = 0.2
# PyTorch-GAN gives this to BatchNorm2d's second argument, which is epsilon, not the momentum.
LARGE_EPSILON = 0.8


def draw_images(game, steps=8):
    """Returns noise in place of images, `(steps, images_per_step, height, width, channels)`."""
    shape = (steps, game.images_per_step, *game.image_shape)
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")
