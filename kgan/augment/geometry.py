"""Images moved, turned and stretched, each in its own way.

A map is a matrix `(batch, 3, 3)` of homogeneous pixel coordinates (x, y, 1) around the image's
center. It is the inverse one: from where a pixel is seen to where its color comes from. Beyond
their borders images are mirrored.
"""

import functools

import numpy as np
from keras import ops

from kgan.augment.matrices import combine

# Low-pass of the wavelet sym6: halving what it has doubled changes nothing, and each of both cuts
# off what the other resolution cannot show (Karras et al. 2020, arXiv 2006.06676, appendix B).
LOW_PASS = np.array(
    [
        0.015404109327027373,
        0.0034907120842174702,
        -0.11799011114819057,
        -0.048311742585633,
        0.4910559419267466,
        0.787641141030194,
        0.3379294217276218,
        -0.07263752278646252,
        -0.021060292512300564,
        0.04472490177066578,
        0.0017677118642428036,
        -0.007800708325034148,
    ]
)
# How far the filter reaches to either side at the doubled size.
REACH = len(LOW_PASS) // 2 - 1

_X, _Y, _ONE = (np.diag(one).astype("float32") for one in np.eye(3))
_TURN = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 0]], "float32")
_MOVE_X, _MOVE_Y = (np.outer(one, [0, 0, 1]).astype("float32") for one in np.eye(3)[:2])


def scaling(x, y):
    """Returns the maps that multiply by x and y, of shape `(batch, 3, 3)`."""
    return combine(_ONE, (x, _X), (y, _Y))


def rotation(angle):
    """Returns the maps that turn by an angle in radians, of shape `(batch, 3, 3)`."""
    return combine(_ONE, (ops.cos(angle), _X + _Y), (ops.sin(angle), _TURN))


def quarter_rotation(turns):
    """Returns the maps that turn by whole quarters, exactly."""
    return ops.round(rotation(np.pi / 2 * turns))


def translation(x, y):
    """Returns the maps that move by x and y pixels, of shape `(batch, 3, 3)`."""
    return combine(_X + _Y + _ONE, (x, _MOVE_X), (y, _MOVE_Y))


def pick(images, rows, columns):
    """Returns the pixels at these places of each image.

    Args:
        images: float `(batch, height, width, channels)`.
        rows: int32 `(batch, rows, 1)` or `(batch, rows, columns)`, from 0 to height - 1.
        columns: int32 `(batch, 1, columns)` or `(batch, rows, columns)`, likewise.
    """
    n, height, width, channels = ops.shape(images)
    example = ops.reshape(ops.arange(n, dtype="int32"), (-1, 1, 1))
    flat = (example * height + rows) * width + columns
    return ops.take(ops.reshape(images, (-1, channels)), flat, axis=0)


def blit(images, inverse):
    """Returns the images under maps that send pixels to pixels, whose colors stay exact.

    Args:
        images: float `(batch, height, width, channels)`, height and width of 2 or more.
        inverse: `(batch, 3, 3)`.
    """
    height, width = images.shape[1:3]
    x, y = _sources(inverse, np.arange(width), np.arange(height), width, height)
    rows, columns = mirror(ops.round(y), height - 1), mirror(ops.round(x), width - 1)
    return pick(images, ops.cast(rows, "int32"), ops.cast(columns, "int32"))


def resample(images, inverse):
    """Returns the images under any affine maps.

    They are mirrored, doubled in size, read there by bilinear interpolation, and halved, with the
    low-pass of a wavelet each time, so that they are neither blurred nor aliased. This is linear in
    the images, and so differentiable any number of times.

    Args:
        images: float `(batch, height, width, channels)`, height and width of 2 or more.
        inverse: `(batch, 3, 3)`.
    """
    height, width = images.shape[1:3]
    doubled = _filter(images, _doubling(height), _doubling(width))
    # The filter's middle is its sixth number, so that pixel i becomes pixel 2i.
    seen_x, seen_y = (np.arange(-REACH, 2 * n + REACH) / 2 for n in (width, height))
    x, y = _sources(inverse, seen_x, seen_y, width, height)
    moved = _interpolate(doubled, 2 * y % (4 * height - 4), 2 * x % (4 * width - 4))
    return _filter(moved, _halving(height), _halving(width))


def mirror(place, last):
    """Returns where a place in a row of mirrored images lies in the first, from 0 to `last`."""
    return last - abs(place % (2 * last) - last)


def _sources(inverse, x, y, width, height):
    """Returns x and y `(batch, rows, columns)` of where the colors at x and y come from."""
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    x = np.asarray(x - center_x, "float32")[None, None, :]
    y = np.asarray(y - center_y, "float32")[None, :, None]
    (xx, xy, x0), (yx, yy, y0) = (
        ops.unstack(inverse[:, i, :, None, None], 3, axis=1) for i in range(2)
    )
    return xx * x + xy * y + x0 + center_x, yx * x + yy * y + y0 + center_y


def _interpolate(images, y, x):
    """Returns the images between their pixels, bilinearly; x and y are `(batch, rows, columns)`."""
    height, width = images.shape[1:3]
    # The last pixel is reached as the neighbour of the one before it.
    top, left = (ops.clip(ops.floor(place), 0, n - 2) for place, n in ((y, height), (x, width)))
    down, right = (y - top)[..., None], (x - left)[..., None]
    top, left = ops.cast(top, "int32"), ops.cast(left, "int32")
    above = (1 - right) * pick(images, top, left) + right * pick(images, top, left + 1)
    below = (1 - right) * pick(images, top + 1, left) + right * pick(images, top + 1, left + 1)
    return (1 - down) * above + down * below


def _filter(images, rows, columns):
    """Returns each column multiplied by one matrix, and each row by the other."""
    return ops.einsum("jw,bhwc->bhjc", columns, ops.einsum("ih,bhwc->biwc", rows, images))


@functools.cache
def _doubling(n):
    """Returns the matrix that mirrors a row of n pixels at its ends, and doubles what comes of it.

    Mirrored first, since the filter is not symmetric: the double of a mirrored row is not the
    mirrored double of a row. It repeats after 2n - 2 pixels, so that one period is all of it.
    """
    period = 4 * n - 4
    doubling = np.zeros((period + 1, n), "float32")
    for i in range(2 * n - 2):
        for k, weight in enumerate(LOW_PASS):
            place = (2 * i + k - REACH) % period
            doubling[place, int(mirror(i, n - 1))] += np.sqrt(2) * weight
    # The first place again, as the neighbour of the last.
    doubling[-1] = doubling[0]
    return doubling


@functools.cache
def _halving(n):
    """Returns the matrix that halves a doubled row to n pixels."""
    halving = np.zeros((n, 2 * n + 2 * REACH), "float32")
    for i in range(n):
        halving[i, 2 * i : 2 * i + len(LOW_PASS)] = LOW_PASS / np.sqrt(2)
    return halving
