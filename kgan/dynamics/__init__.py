"""What changes how the players move: history, selection, balance, growth."""

from kgan.dynamics.balance import Balance
from kgan.dynamics.base import DYNAMICS, Dynamics
from kgan.dynamics.growth import Growth
from kgan.dynamics.history import HistoryPool
from kgan.dynamics.slow_member import SlowMember
from kgan.dynamics.top_k import TopK

__all__ = ["Balance", "Dynamics", "Growth", "HistoryPool", "SlowMember", "TopK", "get", "names"]


def names():
    """Returns the names that `get` knows, sorted."""
    return DYNAMICS.names()


def get(identifier):
    """Returns dynamics by name, by config, or as they are.

    Args:
        identifier: str, one of `names()`, with arguments after a colon if wished; a dict made by
            `keras.saving.serialize_keras_object`; or a `Dynamics`.

    Raises:
        ValueError: if none have this name (the message lists near names and all names), or they do
            not take these arguments.
        TypeError: if `identifier` is of another type.
    """
    return DYNAMICS.get(identifier, Dynamics)
