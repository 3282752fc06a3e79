"""One small matrix for each example."""

import functools

from keras import ops


def combine(constant, *terms):
    """Returns constant + Σ number · basis, of shape `(batch, rows, columns)`.

    Args:
        constant: float32 array `(rows, columns)`.
        *terms: pairs of a float or a tensor `(batch,)`, and a float32 array `(rows, columns)`.
    """
    total = constant
    for number, basis in terms:
        total = total + ops.reshape(ops.cast(number, "float32"), (-1, 1, 1)) * basis
    return total


def product(*matrices):
    """Returns the product of matrices `(batch, size, size)`, of which the last acts first.

    It is summed and not `matmul`, which some GPUs round to ten bits: too few for coordinates.
    """
    return functools.reduce(_multiply, matrices)


def _multiply(a, b):
    return ops.sum(a[:, :, :, None] * b[:, None, :, :], axis=2)
