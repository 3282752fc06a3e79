"""Many samples as one picture, for people to look at."""

import math

import numpy as np

from kgan.files import atomic_path

# Small pictures are enlarged to about this many pixels, so that a person can see them.
MIN_WIDTH_PIXELS = 512
CHANNELS = (1, 2, 3, 4)


def make_grid(images, columns=None, pad=2, scale=None):
    """Returns one picture of many samples, row by row.

    Args:
        images: float array `(n, height, width, channels)` in [-1, 1], with 1 (grey), 2 (grey and
            alpha), 3 (RGB) or 4 (RGBA) channels. Values outside are clipped, NaN is drawn as -1.
        columns: int >= 1, samples in a row. Defaults to about as many as there are rows.
        pad: int >= 0, pixels between samples: white, or transparent where there is an alpha.
            Defaults to 2.
        scale: int >= 1, pixels in a row for each pixel of a sample. Defaults to what makes the
            picture at least 512 pixels wide.

    Returns:
        uint8 array `(height, width, channels)`.

    Raises:
        ValueError: if the samples are not images, or a number is out of range.

    Example:
    >>> kgan.grid.make_grid(np.zeros((4, 8, 8, 3)), columns=2, pad=2, scale=1).shape
    (18, 18, 3)
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in CHANNELS or not images.size:
        raise ValueError(
            "Only images make a picture: an array (n, height, width, channels) with 1, 2, 3 or 4 "
            f"channels and at least one image. Received: shape {images.shape}"
        )
    n, height, width, channels = images.shape
    for name, value, least in (("columns", columns, 1), ("pad", pad, 0), ("scale", scale, 1)):
        if value is not None and not value >= least:
            raise ValueError(f"{name} must be an int of {least} or more. Received: {value!r}")
    columns = math.ceil(math.sqrt(n)) if columns is None else min(columns, n)
    if scale is None:
        missing = MIN_WIDTH_PIXELS - pad * (columns - 1)
        scale = max(1, math.ceil(missing / (columns * width)))
    rows = math.ceil(n / columns)
    height, width = height * scale + pad, width * scale + pad
    background = 0 if channels in (2, 4) else 255
    grid = np.full((rows * height - pad, columns * width - pad, channels), background, "uint8")
    for i, image in enumerate(_to_uint8(images)):
        top, left = i // columns * height, i % columns * width
        image = image.repeat(scale, axis=0).repeat(scale, axis=1)
        grid[top : top + image.shape[0], left : left + image.shape[1]] = image
    return grid


def save_png(path, images, **kwargs):
    """Writes one picture of many samples as a PNG file.

    The file appears whole: it is written under a temporary name and renamed. Missing folders are
    made.

    Args:
        path: str or path, the file.
        images: float array `(n, height, width, channels)` in [-1, 1].
        **kwargs: `columns`, `pad` and `scale` of `make_grid`.

    Raises:
        ValueError: as `make_grid`.

    Example:
    >>> kgan.grid.save_png("samples/epoch_0001.png", gan.generate(64, seed=1))
    """
    from PIL import Image

    grid = make_grid(images, **kwargs)
    if grid.shape[-1] == 1:
        grid = grid[..., 0]
    with atomic_path(path) as temporary:
        Image.fromarray(grid).save(temporary, format="PNG")


def _to_uint8(images):
    """Returns [-1, 1] as 0 to 255, rounded to the nearest."""
    images = np.nan_to_num(images.astype("float32"), nan=-1.0)
    return np.rint((np.clip(images, -1, 1) + 1) * 127.5).astype("uint8")
