"""The game of a generator that learns from auxiliary losses alone."""

import keras
from keras import ops

from kgan.losses.base import AdversarialLoss
from kgan.losses.minimax import LogitPair


@keras.saving.register_keras_serializable(package="kgan")
class IndifferentGenerator(LogitPair):
    """The game of a generator that does not care for scores: its part of the loss is 0.

    Its auxiliary losses are then all that it wants, as in Salimans et al. 2016 (arXiv 1606.03498),
    section 3.1.

    Args:
        discriminator: `kgan.losses.AdversarialLoss`, what the discriminator minimises, of logits.

    Raises:
        TypeError: if it is none.

    Example:
    >>> pair = kgan.losses.IndifferentGenerator(kgan.losses.MinimaxDiscriminatorLoss())
    >>> float(pair.generator(np.ones(4), np.ones(4)))
    0.0
    """

    def __init__(self, discriminator):
        super().__init__(discriminator, _Zero())

    def get_config(self):
        """Returns the arguments that make an equal pair."""
        return {"discriminator": super().get_config()["discriminator"]}


class _Zero(AdversarialLoss):
    def call(self, real_scores, fake_scores):
        return ops.zeros_like(fake_scores)
