"""The critic's scores as they are: Arjovsky et al. 2017, "Wasserstein GAN" (arXiv 1701.07875)."""

import keras

from kgan.losses.base import LOSSES, AdversarialLoss, LossPair


@keras.saving.register_keras_serializable(package="kgan")
class WassersteinDiscriminatorLoss(AdversarialLoss):
    """Minus the critic's estimate of the distance: E[D(G(z))] - E[D(x)].

    Arjovsky et al. 2017, "Wasserstein GAN" (arXiv 1701.07875), equation 2. It has no lowest value
    unless D is kept Lipschitz, by a penalty or a constraint.

    Example:
    >>> loss = kgan.losses.WassersteinDiscriminatorLoss()
    >>> float(loss(np.array([2.0, 4.0]), np.array([1.0, 0.0])))
    -2.5
    """

    def call(self, real_scores, fake_scores):
        """Returns by how much each fake scores above its real."""
        return fake_scores - real_scores


@keras.saving.register_keras_serializable(package="kgan")
class WassersteinGeneratorLoss(AdversarialLoss):
    """The generator wants high scores: -E[D(G(z))].

    Arjovsky et al. 2017, "Wasserstein GAN" (arXiv 1701.07875), algorithm 1. `Hinge` and
    `EnergyBased` have it too.

    Example:
    >>> loss = kgan.losses.WassersteinGeneratorLoss()
    >>> float(loss(np.array([2.0, 4.0]), np.array([1.0, 0.0])))
    -0.5
    """

    def call(self, real_scores, fake_scores):
        """Returns minus the score of each fake."""
        return -fake_scores


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class Wasserstein(LossPair):
    """WGAN: Arjovsky et al. 2017, "Wasserstein GAN" (arXiv 1701.07875).

    Compile it with what keeps the critic Lipschitz, a gradient penalty or weight clipping. Scores
    are unbounded, so `probability` leaves them as they are.

    Example:
    >>> pair = kgan.losses.get("wasserstein")
    >>> float(pair.discriminator([3.0], [1.0])), float(pair.generator([3.0], [1.0]))
    (-2.0, -1.0)
    """

    def __init__(self):
        super().__init__(WassersteinDiscriminatorLoss(), WassersteinGeneratorLoss())

    def get_config(self):
        """Returns the arguments that make an equal pair: none."""
        return {}
