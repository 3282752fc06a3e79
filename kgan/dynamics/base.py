"""What the dynamics have in common: the places of a step where they may act."""

from kgan.component import Component
from kgan.registry import Registry

DYNAMICS = Registry("dynamics")


class Dynamics(Component):
    """Base of what changes how the players move, rather than what they want.

    A subclass writes the methods of the places where it acts; none does anything by default.
    `kgan.GAN` calls them in this order.

    Args:
        name: str, the prefix of its logs. Defaults to the class name in snake case.
    """

    def before_step(self, gan):
        """Is called first in each train step.

        Args:
            gan: `kgan.GAN`.
        """

    def show(self, fake_images, labels, seed):
        """Returns the fakes that the discriminator learns from, with their labels.

        Args:
            fake_images: float32 `(batch, …)`, what the generator has just made.
            labels: `(batch,)`, `(batch, condition_dim)` or None.
            seed: `keras.random.SeedGenerator`, what it draws from.
        """
        return fake_images, labels

    def weigh(self, fake_scores):
        """Returns how much each fake counts in the generator's loss, or None for all alike.

        Args:
            fake_scores: `(batch, …)`.
        """
        return None

    def pace(self, player, variable):
        """Returns the factor by which this update of a variable is shortened, or None for 1.

        Args:
            player: `"generator"` or `"discriminator"`.
            variable: `keras.Variable` of that player.
        """
        return None
