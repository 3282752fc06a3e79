"""What each player wants: losses of `(real_scores, fake_scores)`, and the pairs made of them."""

import keras

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
        identifier: str (one of `names()`), a dict made by
            `keras.saving.serialize_keras_object`, or a `LossPair`.

    Raises:
        ValueError: if no loss has this name; the message lists near names and all names.
        TypeError: if `identifier` is of another type.

    Example:
    >>> pair = kgan.losses.get("non_saturating")
    >>> round(float(pair.discriminator(np.zeros((4, 1)), np.zeros((4, 1)))), 4)
    1.3863
    """
    if isinstance(identifier, LossPair):
        return identifier
    if isinstance(identifier, str):
        return LOSSES.create(identifier)
    if isinstance(identifier, dict):
        return keras.saving.deserialize_keras_object(identifier)
    raise TypeError(
        f"A loss is a name, a kgan.losses.LossPair, or the config of one. Received: {identifier!r}"
    )
