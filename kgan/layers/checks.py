"""Checks of constructor arguments that layers and backbones share."""


def check_positive_int(name, value):
    """Raises a `ValueError` unless `value` is an integer above zero."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")


def check_rate(name, value):
    """Raises a `ValueError` unless `value` is a share in [0, 1)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
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
