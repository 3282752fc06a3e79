"""What auxiliary losses have in common: terms that a game may add to its players' losses."""

from kgan.component import Component
from kgan.registry import Registry

AUXILIARY_LOSSES = Registry("auxiliary loss")


class AuxiliaryLoss(Component):
    """Base of a term that is added to one player's loss or both.

    A subclass writes `discriminator`, `generator` or both. What they return is multiplied by
    `weight`, added to that player's loss and logged as `"discriminator_NAME"` or
    `"generator_NAME"`.

    Args:
        weight: float > 0, the factor of the terms. Defaults to 1.
        name: str, the last part of the keys in the logs. Defaults to the class name in snake case.

    Raises:
        ValueError: if `weight` is not above 0.
    """

    # Names of the discriminator's layers whose outputs the views must hold under "features".
    layers = ()

    def __init__(self, weight=1.0, name=None):
        super().__init__(name)
        if not weight > 0:
            raise ValueError(
                f"The weight of an auxiliary loss must be above 0. Received: {weight!r}"
            )
        self.weight = weight

    @property
    def players(self):
        """Tuple of str, the players whose losses have this term."""
        return tuple(
            player
            for player in ("discriminator", "generator")
            if getattr(type(self), player) is not getattr(AuxiliaryLoss, player)
        )

    def discriminator(self, real, fake):
        """Returns the discriminator's term, a scalar.

        Args:
            real: dict, the view of the reals; see `kgan.Round`.
            fake: dict, the view of the fakes.
        """
        raise NotImplementedError(f"{type(self).__name__} has no term for the discriminator.")

    def generator(self, real, fake):
        """Returns the generator's term, a scalar.

        Args:
            real: dict, the view of the reals; see `kgan.Round`.
            fake: dict, the view of the fakes.
        """
        raise NotImplementedError(f"{type(self).__name__} has no term for the generator.")

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "weight": self.weight}
