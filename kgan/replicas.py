"""What one replica must know of the others, so that several together compute what one would."""

import keras
import tensorflow as tf


def _context():
    return tf.distribute.get_replica_context()


def share(draw, n):
    """Returns this replica's part of a draw that is made for all replicas.

    All replicas hold the same random state. Each draws for the whole batch and takes its own
    examples, so that several replicas see what one with the whole batch would.

    Args:
        draw: function of the number of examples to a tensor with that many rows.
        n: int or scalar tensor, the examples of this replica.
    """
    context = _context()
    if context is None or context.num_replicas_in_sync == 1:
        return draw(n)
    replica = context.replica_id_in_sync_group
    return draw(n * context.num_replicas_in_sync)[replica * n : (replica + 1) * n]


def normal(shape, seed):
    """Returns this replica's part of standard normal draws; the first axis is the batch."""
    n, *rest = shape
    return share(lambda total: keras.random.normal((total, *rest), seed=seed), n)


def uniform(shape, seed, minval=0.0, maxval=1.0):
    """Returns this replica's part of uniform draws; the first axis is the batch."""
    n, *rest = shape
    return share(lambda total: keras.random.uniform((total, *rest), minval, maxval, seed=seed), n)


def mean(x):
    """Returns the mean over replicas of tensors that each of them has; differentiable."""
    context = _context()
    if context is None or context.num_replicas_in_sync == 1:
        return x
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, x)


def gather(x):
    """Returns the batches of all replicas, one after the other; differentiable."""
    context = _context()
    if context is None or context.num_replicas_in_sync == 1:
        return x
    return context.all_gather(x, axis=0)


def assign(variables, values):
    """Sets variables to values that are the same on every replica.

    Args:
        variables: list of `keras.Variable` or of their backend's variables.
        values: list of tensors.
    """
    variables = [v.value if isinstance(v, keras.Variable) else v for v in variables]
    context = _context()
    if context is None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return
    context.merge_call(_assign_all, args=(variables, list(values)))


def _assign_all(strategy, variables, values):
    for variable, value in zip(variables, values, strict=True):
        strategy.extended.update(variable, lambda v, x: v.assign(x), args=(value,), group=False)
