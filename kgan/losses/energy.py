"""The discriminator as an energy: Zhao et al. 2017 (arXiv 1609.03126)."""

import keras
from keras import ops

from kgan.layers.checks import is_number
from kgan.losses.base import LOSSES, AdversarialLoss, LossPair
from kgan.losses.wasserstein import WassersteinGeneratorLoss


def check_margin(margin):
    """Raises ValueError unless `margin` is above 0."""
    if not (is_number(margin) and margin > 0):
        raise ValueError(f"margin must be above 0. Received: {margin!r}")


@keras.saving.register_keras_serializable(package="kgan")
class EnergyBasedDiscriminatorLoss(AdversarialLoss):
    """Reals should have low energy, fakes at least m: E[E(x)] + E[max(0, m - E(G(z)))].

    Zhao et al. 2017, "Energy-based Generative Adversarial Network" (arXiv 1609.03126), equation 1.
    The energy is minus the score, so that reals score high, as everywhere in kgan. An energy must
    have a lowest value, as an auto-encoder's reconstruction error has, for this loss to have one.

    Args:
        margin: float > 0, the m above which a fake's energy does not matter. Defaults to 10.
        **kwargs: `name`, `reduction`, `dtype` of `AdversarialLoss`.

    Raises:
        ValueError: if `margin` is not above 0.

    Example:
    >>> loss = kgan.losses.EnergyBasedDiscriminatorLoss(margin=10.0)
    >>> float(loss(np.array([-1.0]), np.array([-4.0])))  # energies 1 and 4: 1 + (10 - 4)
    7.0
    """

    def __init__(self, margin=10.0, **kwargs):
        super().__init__(**kwargs)
        check_margin(margin)
        self.margin = margin

    def call(self, real_scores, fake_scores):
        """Returns the energy of each real, and what each fake's lacks to the margin."""
        return -real_scores + ops.relu(self.margin + fake_scores)

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "margin": self.margin}


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class EnergyBased(LossPair):
    """EBGAN: the discriminator gives fakes energy up to a margin, the generator takes it away.

    Zhao et al. 2017, "Energy-based Generative Adversarial Network" (arXiv 1609.03126). The
    discriminator returns minus its energy E, for an auto-encoder minus the reconstruction error;
    `probability` leaves it as it is. The generator minimises E[E(G(z))] (equation 2), which is
    `WassersteinGeneratorLoss` in terms of scores.

    Args:
        margin: float > 0, the energy that the discriminator wants fakes to have. Defaults to 10.

    Raises:
        ValueError: if `margin` is not above 0.

    Example:
    >>> pair = kgan.losses.get("energy_based:margin=20")
    >>> float(pair.discriminator([-1.0], [-4.0])), float(pair.generator([-1.0], [-4.0]))
    (17.0, 4.0)
    """

    def __init__(self, margin=10.0):
        super().__init__(EnergyBasedDiscriminatorLoss(margin), WassersteinGeneratorLoss())
        self.margin = margin

    def get_config(self):
        """Returns the arguments that make an equal pair."""
        return {"margin": self.margin}
