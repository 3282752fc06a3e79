"""Colors changed by one affine map for each example, `(batch, 4, 4)` on (red, green, blue, 1)."""

import numpy as np
from keras import ops

from kgan.augment.matrices import combine

_COLORS = np.diag([1.0, 1.0, 1.0, 0.0]).astype("float32")
_ONE = np.diag([0.0, 0.0, 0.0, 1.0]).astype("float32")
_ALL = np.outer([1, 1, 1, 0], [0, 0, 0, 1]).astype("float32")
# The projection on luma, the axis (1, 1, 1) of greys, and the quarter turn around it.
_LUMA = np.pad(np.full((3, 3), 1 / 3), (0, 1)).astype("float32")
_TURN = np.pad([[0, -1, 1], [1, 0, -1], [-1, 1, 0]] / np.sqrt(3), (0, 1)).astype("float32")


def brightness(shift):
    """Returns the maps that add a number to all colors."""
    return combine(_COLORS + _ONE, (shift, _ALL))


def contrast(factor):
    """Returns the maps that multiply all colors by a number."""
    return _around_luma(factor, factor, 0)


def luma_flip(flip):
    """Returns the maps that mirror luma where `flip` is 1: light turns dark, hues stay."""
    return _around_luma(1 - 2 * flip, 1, 0)


def hue(angle):
    """Returns the maps that turn the hue by an angle in radians."""
    return _around_luma(1, ops.cos(angle), ops.sin(angle))


def saturation(factor):
    """Returns the maps that multiply the distance from grey by a number."""
    return _around_luma(1, factor, 0)


def recolor(images, maps):
    """Returns the images with their colors mapped.

    Args:
        images: float `(batch, height, width, channels)` of 3 channels, or of 1, which is taken as
            three equal ones.
        maps: `(batch, 4, 4)`.
    """
    columns = ops.unstack(maps[:, None, None, :3, :], 4, axis=-1)
    if images.shape[-1] == 1:
        return images * (columns[0] + columns[1] + columns[2])[..., :1] + columns[3][..., :1]
    channels = ops.split(images, 3, axis=-1)
    return sum(x * column for x, column in zip(channels, columns, strict=False)) + columns[3]


def _around_luma(luma, chroma, turn):
    """Returns the maps that scale luma by one number, and scale and turn what is across it."""
    # In this order the map without change is the identity to the last bit.
    return combine(_ONE, (chroma, _COLORS), (luma - chroma, _LUMA), (turn, _TURN))
