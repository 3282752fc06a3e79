"""Cross-entropy that looks away from what is easy: Lin et al. 2017 (arXiv 1708.02002)."""

import keras
from keras import ops

from kgan.layers.checks import is_number
from kgan.losses.base import LOSSES, AdversarialLoss
from kgan.losses.minimax import LogitPair, NonSaturatingGeneratorLoss


@keras.saving.register_keras_serializable(package="kgan")
class FocalDiscriminatorLoss(AdversarialLoss):
    """Cross-entropy in which examples that are judged well count less.

    -α E[(1 - D(x))^γ log D(x)] - (1 - α) E[D(G(z))^γ log(1 - D(G(z)))], Lin et al. 2017, "Focal
    Loss for Dense Object Detection" (arXiv 1708.02002), equations 4 and 5, on both terms of the
    minimax game: where one of them, mostly the fakes, is easy, the other still teaches.

    Args:
        gamma: float >= 0, how soon an easy example stops to count; 0 is the cross-entropy.
            Defaults to 2, the paper's.
        alpha: float in (0, 1) or None, the weight of the reals' term, and one less it that of the
            fakes'; None weighs both with 1. Defaults to None.
        **kwargs: `name`, `reduction`, `dtype` of `AdversarialLoss`.

    Raises:
        ValueError: if a number is out of range.

    Example:
    >>> loss = kgan.losses.FocalDiscriminatorLoss(gamma=2.0)
    >>> round(float(loss(np.zeros(4), np.zeros(4))), 4)  # a quarter of the cross-entropy
    0.3466
    """

    def __init__(self, gamma=2.0, alpha=None, **kwargs):
        super().__init__(**kwargs)
        if not (is_number(gamma) and gamma >= 0):
            raise ValueError(f"gamma must be 0 or more. Received: {gamma!r}")
        if alpha is not None and not 0 < alpha < 1:
            raise ValueError(f"alpha must lie in (0, 1), or be None. Received: {alpha!r}")
        self.gamma = gamma
        self.alpha = alpha

    def call(self, real_scores, fake_scores):
        """Returns the weighted focal cross-entropy of each pair of scores."""
        real_weight, fake_weight = (1, 1) if self.alpha is None else (self.alpha, 1 - self.alpha)
        real = real_weight * self._focal(-real_scores)
        return real + fake_weight * self._focal(fake_scores)

    def _focal(self, wrongness):
        # sigmoid(x)^γ softplus(x), with the power in the exponent: its gradient is finite where
        # the sigmoid rounds to 0.
        return ops.exp(-self.gamma * ops.softplus(-wrongness)) * ops.softplus(wrongness)

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "gamma": self.gamma, "alpha": self.alpha}


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class Focal(LogitPair):
    """A discriminator that learns from the examples it judges badly; non-saturating generator.

    Lin et al. 2017, "Focal Loss for Dense Object Detection" (arXiv 1708.02002), for the imbalance
    between easy fakes and hard reals.

    Args:
        gamma: float >= 0, how soon an easy example stops to count; 0 is `NonSaturating`. Defaults
            to 2.
        alpha: float in (0, 1) or None, the weight of the reals' term, and one less it that of the
            fakes'; None weighs both with 1. Defaults to None.

    Raises:
        ValueError: if a number is out of range.

    Example:
    >>> pair = kgan.losses.get("focal:gamma=0")
    >>> round(float(pair.discriminator(np.zeros(4), np.zeros(4))), 4)
    1.3863
    """

    def __init__(self, gamma=2.0, alpha=None):
        super().__init__(FocalDiscriminatorLoss(gamma, alpha), NonSaturatingGeneratorLoss())
        self.gamma = gamma
        self.alpha = alpha

    def get_config(self):
        """Returns the arguments that make an equal pair."""
        return {"gamma": self.gamma, "alpha": self.alpha}
