"""What each player wants: losses of `(real_scores, fake_scores)`, and the pairs made of them."""

from kgan.losses.base import LOSSES, AdversarialLoss, LossPair
from kgan.losses.minimax import (
    Minimax,
    MinimaxDiscriminatorLoss,
    MinimaxGeneratorLoss,
    NonSaturating,
    NonSaturatingGeneratorLoss,
)

__all__ = [
    "AdversarialLoss",
    "LossPair",
    "Minimax",
    "MinimaxDiscriminatorLoss",
    "MinimaxGeneratorLoss",
    "NonSaturating",
    "NonSaturatingGeneratorLoss",
    "get",
    "names",
]


def names():
    """Returns the names that `get` knows, sorted.

    Example:
    >>> kgan.losses.names()
    ['minimax', 'non_saturating']
    """
    return LOSSES.names()


def get(identifier):
    """Returns a pair of losses by name, by config, or as it is.

    Args:
        identifier: str, one of `names()`, with arguments after a colon if wished
            (`"non_saturating:label_smoothing=0.1"`); a dict made by
            `keras.saving.serialize_keras_object`; or a `LossPair`.

    Raises:
        ValueError: if no loss has this name (the message lists near names and all names), or it
            does not take these arguments.
        TypeError: if `identifier` is of another type.

    Example:
    >>> pair = kgan.losses.get("non_saturating")
    >>> round(float(pair.discriminator(np.zeros((4, 1)), np.zeros((4, 1)))), 4)
    1.3863
    """
    return LOSSES.get(identifier, LossPair)
