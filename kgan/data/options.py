"""Checks of what a user asks for, before any image is read."""

import numbers
import operator
import re


def image_size(value):
    """Returns `value` (None, 64, "64", "32x48" or (32, 48)) as None or (height, width)."""
    if value is None:
        return None
    size = _two_numbers(value)
    if size is None or min(size) < 1:
        raise ValueError(
            "Expected `image_size` as a positive integer (64 or '64'), as 'HEIGHTxWIDTH' ('32x48') "
            f"or as (height, width). Received: image_size={value!r}"
        )
    return size


def _two_numbers(value):
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+)\s*(?:[xX]\s*(\d+)\s*)?", value)
        return (int(match[1]), int(match[2] or match[1])) if match else None
    values = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(values) != 2 or not all(_is_integer(number) for number in values):
        return None
    return int(values[0]), int(values[1])


def channels(value):
    """Returns `value` if it is None or a count of channels that images can have."""
    if value is not None and not (_is_integer(value) and 1 <= value <= 4):
        raise ValueError(
            "Expected `channels` as 1 (grey), 2 (grey and alpha), 3 (RGB), 4 (RGBA), or None to "
            f"keep what the images have. Received: channels={value!r}"
        )
    return None if value is None else int(value)


def cache(value):
    """Returns `value` if it is one of True, False and "auto"."""
    if not (isinstance(value, bool) or value == "auto"):
        raise ValueError(f"Expected `cache` as True, False or 'auto'. Received: cache={value!r}")
    return value


def integer(name, value, minimum=None):
    """Returns `value` as an int, if it is an integer and not under `minimum`."""
    if not _is_integer(value) or (minimum is not None and value < minimum):
        bound = "" if minimum is None else f" of at least {minimum}"
        raise ValueError(f"Expected `{name}` as an integer{bound}. Received: {name}={value!r}")
    return operator.index(value)


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
