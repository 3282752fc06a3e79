"""The generator that seeks the discriminator's decision boundary: Hjelm et al. 2018."""

import keras
from keras import ops

from kgan.losses.base import LOSSES, AdversarialLoss
from kgan.losses.minimax import LogitPair, MinimaxDiscriminatorLoss


@keras.saving.register_keras_serializable(package="kgan")
class BoundarySeekingGeneratorLoss(AdversarialLoss):
    """Fakes should lie where D cannot tell: E[(log D(G(z)) - log(1 - D(G(z))))²] / 2.

    Hjelm et al. 2018, "Boundary-Seeking Generative Adversarial Networks" (arXiv 1702.08431), the
    continuous case. The difference of the logarithms is the logit itself, so this is half its
    square. Fakes beyond the boundary, which D takes for real, are drawn back to it.

    Example:
    >>> loss = kgan.losses.BoundarySeekingGeneratorLoss()
    >>> float(loss(np.zeros(2), np.array([-2.0, 0.0])))
    1.0
    """

    def call(self, real_scores, fake_scores):
        """Returns half the squared logit of each fake."""
        return ops.square(fake_scores) / 2


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class BoundarySeeking(LogitPair):
    """BGAN for continuous data: the usual discriminator, a generator that seeks D(G(z)) = 1/2.

    Hjelm et al. 2018, "Boundary-Seeking Generative Adversarial Networks" (arXiv 1702.08431).

    Example:
    >>> pair = kgan.losses.get("boundary_seeking")
    >>> float(pair.generator(np.zeros(4), np.full(4, 2.0)))
    2.0
    """

    def __init__(self):
        super().__init__(MinimaxDiscriminatorLoss(), BoundarySeekingGeneratorLoss())

    def get_config(self):
        """Returns the arguments that make an equal pair: none."""
        return {}
