"""What keeps the players smooth: terms on gradients, scores and weights, added to their losses."""

from kgan.penalties.base import PENALTIES, Constraint, Penalty
from kgan.penalties.consistency import BalancedConsistency, LatentConsistency, LatentDiversity
from kgan.penalties.gradient import (
    DRAGAN,
    R1,
    R2,
    GradientPenalty,
    MaxGradient,
    WassersteinDivergence,
    ZeroCentered,
)
from kgan.penalties.path_length import PathLength
from kgan.penalties.scores import LeCam
from kgan.penalties.weights import HistoricalAveraging, Orthogonal, WeightClipping

__all__ = [
    "BalancedConsistency",
    "Constraint",
    "DRAGAN",
    "GradientPenalty",
    "HistoricalAveraging",
    "LatentConsistency",
    "LatentDiversity",
    "LeCam",
    "MaxGradient",
    "Orthogonal",
    "PathLength",
    "Penalty",
    "R1",
    "R2",
    "WassersteinDivergence",
    "WeightClipping",
    "ZeroCentered",
    "get",
    "names",
]


def names():
    """Returns the names that `get` knows, sorted."""
    return PENALTIES.names()


def get(identifier):
    """Returns a penalty or constraint by name, by config, or as it is.

    Args:
        identifier: str, one of `names()`, with arguments after a colon if wished (`"r1:10"`,
            `"r1:10,every=16"`); a dict made by `keras.saving.serialize_keras_object`; or a
            `Penalty` or `Constraint`.

    Raises:
        ValueError: if no penalty has this name (the message lists near names and all names), or it
            does not take these arguments.
        TypeError: if `identifier` is of another type.

    Example:
    >>> penalty = kgan.penalties.get("r1:10,every=16")
    >>> penalty.weight, penalty.every
    (10, 16)
    """
    return PENALTIES.get(identifier, Penalty, Constraint)
