"""The game of Goodfellow et al. 2014, "Generative Adversarial Networks" (arXiv 1406.2661).

Scores are logits: D(x) = sigmoid(score), so that log D(x) = -softplus(-score) and
log(1 - D(x)) = -softplus(score), exact where the probabilities themselves would round to 0 or 1.
"""

import keras
from keras import ops

from kgan.losses.base import LOSSES, AdversarialLoss, LossPair


def check_label_smoothing(label_smoothing):
    """Raises ValueError unless the real label 1 - label_smoothing lies in (0.5, 1]."""
    if not 0.0 <= label_smoothing < 0.5:
        raise ValueError(
            "label_smoothing must lie in [0, 0.5): it is what is taken off the real label 1. "
            f"Received: {label_smoothing!r}"
        )


@keras.saving.register_keras_serializable(package="kgan")
class MinimaxDiscriminatorLoss(AdversarialLoss):
    """Cross-entropy of telling reals from fakes: -E[log D(x)] - E[log(1 - D(G(z)))].

    Goodfellow et al. 2014, equation 1. With one-sided label smoothing s (Salimans et al. 2016,
    arXiv 1606.03498, section 3.4) reals have the target 1 - s and fakes still have 0.

    Args:
        label_smoothing: float in [0, 0.5), what is taken off the real label. Defaults to 0.
        **kwargs: `name`, `reduction`, `dtype` of `AdversarialLoss`.

    Raises:
        ValueError: if `label_smoothing` is out of range.

    Example:
    >>> loss = kgan.losses.MinimaxDiscriminatorLoss(label_smoothing=0.1)
    >>> round(float(loss(np.zeros(4), np.zeros(4))), 4)
    1.3863
    """

    def __init__(self, label_smoothing=0.0, **kwargs):
        super().__init__(**kwargs)
        check_label_smoothing(label_smoothing)
        self.label_smoothing = label_smoothing

    def call(self, real_scores, fake_scores):
        """Returns the cross-entropy of each pair of scores."""
        # -(1 - s) log D(x) - s log(1 - D(x)), since softplus(x) = x + softplus(-x).
        real = ops.softplus(-real_scores) + self.label_smoothing * real_scores
        return real + ops.softplus(fake_scores)

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="kgan")
class MinimaxGeneratorLoss(AdversarialLoss):
    """The generator's side of the minimax value: E[log(1 - D(G(z)))].

    Goodfellow et al. 2014, equation 1. Its gradient vanishes ("saturates") where the
    discriminator is sure, which `NonSaturatingGeneratorLoss` mends.

    Example:
    >>> loss = kgan.losses.MinimaxGeneratorLoss()
    >>> round(float(loss(np.zeros(4), np.zeros(4))), 4)
    -0.6931
    """

    def call(self, real_scores, fake_scores):
        """Returns log(1 - D(G(z))) of each fake."""
        return -ops.softplus(fake_scores)


@keras.saving.register_keras_serializable(package="kgan")
class NonSaturatingGeneratorLoss(AdversarialLoss):
    """The generator maximises the log-probability of being taken for real: -E[log D(G(z))].

    Goodfellow et al. 2014, section 3: the same fixed point as the minimax game, with strong
    gradients early in learning.

    Example:
    >>> loss = kgan.losses.NonSaturatingGeneratorLoss()
    >>> round(float(loss(np.zeros(4), np.zeros(4))), 4)
    0.6931
    """

    def call(self, real_scores, fake_scores):
        """Returns -log D(G(z)) of each fake."""
        return ops.softplus(-fake_scores)


class _LogitPair(LossPair):
    """A pair whose scores are logits and whose discriminator minimises the cross-entropy."""

    def __init__(self, generator, label_smoothing):
        super().__init__(MinimaxDiscriminatorLoss(label_smoothing), generator)
        self.label_smoothing = label_smoothing

    def probability(self, scores):
        """Returns D(x) = sigmoid(score)."""
        return ops.sigmoid(scores)

    def get_config(self):
        """Returns the arguments that make an equal pair."""
        return {"label_smoothing": self.label_smoothing}


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class Minimax(_LogitPair):
    """The zero-sum game as Goodfellow et al. 2014 wrote it (equation 1), saturating.

    Args:
        label_smoothing: float in [0, 0.5), what is taken off the real label. Defaults to 0.

    Example:
    >>> pair = kgan.losses.get("minimax")
    >>> scores = np.zeros((4, 1))
    >>> round(float(pair.discriminator(scores, scores) + 2 * pair.generator(scores, scores)), 4)
    0.0
    """

    def __init__(self, label_smoothing=0.0):
        super().__init__(MinimaxGeneratorLoss(), label_smoothing)


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class NonSaturating(_LogitPair):
    """The game that is played in practice (Goodfellow et al. 2014, section 3).

    Args:
        label_smoothing: float in [0, 0.5), what is taken off the real label. Defaults to 0.

    Example:
    >>> pair = kgan.losses.NonSaturating(label_smoothing=0.1)
    >>> round(float(pair.generator(np.zeros((4, 1)), np.zeros((4, 1)))), 4)
    0.6931
    """

    def __init__(self, label_smoothing=0.0):
        super().__init__(NonSaturatingGeneratorLoss(), label_smoothing)
