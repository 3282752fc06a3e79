"""What one replica must know of the others, so that several together compute what one would."""

import keras

from kgan import backend


def share(draw, n):
    """Returns this replica's part of a draw that is made for all replicas.

    All replicas hold the same random state. Each draws for the whole batch and takes its own
    examples, so that several replicas see what one with the whole batch would.

    Args:
        draw: function of the number of examples to a tensor with that many rows.
        n: int or scalar tensor, the examples of this replica.
    """
    if backend.num_replicas() == 1:
        return draw(n)
    replica = backend.replica()
    return draw(n * backend.num_replicas())[replica * n : (replica + 1) * n]


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
