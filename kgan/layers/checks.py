"""Checks of constructor arguments that layers and backbones share."""

import math
import numbers


def _is_positive_int(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value > 0


def check_positive_int(name, value):
    """Raises a `ValueError` unless `value` is an integer above zero."""
    if not _is_positive_int(value):
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")


def is_number(value):
    """Returns whether `value` is a finite real number, which `True` is not."""
    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return is_real and math.isfinite(value)


def check_positive_number(name, value):
    """Raises a `ValueError` unless `value` is a finite number above zero.

    Args:
        name: str. What the error calls it, such as `"The weight of R1"`.
        value: what was given.
    """
    if not (is_number(value) and value > 0):
        raise ValueError(f"{name} must be a positive number. Received: {value!r}")


def check_sizes(name, sizes, rank=None):
    """Returns `sizes` as a tuple, or raises a `ValueError` unless it is one of positive integers.

    Args:
        name: str. The argument's name, for the error.
        sizes: tuple, list or `tf.TensorShape`.
        rank: int or `None`. How many there must be; `None` is one or more. Defaults to `None`.
    """
    try:
        values = tuple(sizes)
    except TypeError:
        values = ()
    if not values or len(values) != (rank or len(values)) or not all(map(_is_positive_int, values)):
        raise ValueError(
            f"`{name}` must be a tuple of {rank or 'one or more'} positive integers. "
            f"Received: {name}={sizes!r}"
        )
    return values


def check_rate(name, value):
    """Raises a `ValueError` unless `value` is a number in [0, 1)."""
    if not isinstance(value, numbers.Real) or not 0 <= value < 1:
        raise ValueError(f"`{name}` must be a number in [0, 1). Received: {name}={value!r}")


def check_condition(num_classes, condition_dim):
    """Raises a `ValueError` where both kinds of label are asked for, or a size is no size."""
    if num_classes is not None and condition_dim is not None:
        raise ValueError(
            "Give `num_classes` (class labels) or `condition_dim` (vectors), not both. "
            f"Received: num_classes={num_classes!r}, condition_dim={condition_dim!r}"
        )
    if num_classes is not None:
        check_positive_int("num_classes", num_classes)
    if condition_dim is not None:
        check_positive_int("condition_dim", condition_dim)
