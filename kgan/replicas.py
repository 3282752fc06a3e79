"""What one replica must know of the others, so that several together compute what one would.

The micro-batches of a step are like replicas that come one after the other.
"""

import contextlib
import threading

import keras

from kgan import backend

_own = threading.local()


@contextlib.contextmanager
def part(number, count):
    """Within it, this thread computes one of several equal parts of a replica's batch.

    Args:
        number: int or scalar tensor, which one, from 0.
        count: int, how many there are.
    """
    _own.part = (number, count)
    try:
        yield
    finally:
        del _own.part


def share(draw, n):
    """Returns this replica's part of a draw that is made for all replicas.

    All replicas hold the same random state. Each draws for the whole batch and takes its own
    examples, so that several replicas see what one with the whole batch would.

    Args:
        draw: function of the number of examples to a tensor with that many rows.
        n: int or scalar tensor, the examples of this replica, or of its part.
    """
    number, count = getattr(_own, "part", (0, 1))
    shares = backend.num_replicas() * count
    if shares == 1:
        return draw(n)
    rows = draw(n * shares)
    rows = keras.ops.reshape(rows, (shares, n, *rows.shape[1:]))
    return keras.ops.take(rows, backend.replica() * count + number, axis=0)


def normal(shape, seed):
    """Returns this replica's part of standard normal draws; the first axis is the batch."""
    n, *rest = shape
    return share(lambda total: keras.random.normal((total, *rest), seed=seed), n)


def uniform(shape, seed, minval=0.0, maxval=1.0):
    """Returns this replica's part of uniform draws; the first axis is the batch."""
    n, *rest = shape
    return share(lambda total: keras.random.uniform((total, *rest), minval, maxval, seed=seed), n)


mean = backend.mean_of_replicas
gather = backend.all_gather
assign = backend.assign
