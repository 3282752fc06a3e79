"""Bilinear resizing as TensorFlow 1 had it."""

import numpy as np
from keras import ops


def resize_tf1_bilinear(images, size):
    """Resizes images to exactly what `ResizeBilinear` of TensorFlow 1 made of them.

    Pixel i of the new axis lies at i * old / new of the old one, in float32, between the pixels
    floor(i * old / new) and that plus one, or the last; no half pixel is added, and nothing is
    averaged where images become smaller. This is `align_corners=False, half_pixel_centers=False`;
    later versions and other libraries place the centres of pixels differently, so that their
    results differ, and Fréchet distances with them (Parmar et al. 2021, arXiv 2104.11222).

    It takes pixels and interpolates, which XLA compiles; as matrix products, a GPU would round it
    to the ten bits of TensorFloat-32.

    Args:
        images: float tensor `(batch, height, width, channels)`, height and width known.
        size: tuple of int, the new height and width.

    Returns:
        Float tensor `(batch, *size, channels)`.

    Example:
    >>> resize_tf1_bilinear(np.float32([0, 3]).reshape(1, 1, 2, 1), (1, 3))[0, 0, :, 0]
    <tf.Tensor: shape=(3,), dtype=float32, numpy=array([0., 2., 3.], dtype=float32)>
    """
    # Along rows first, as TensorFlow does it: the roundings are the same.
    return _interpolate(_interpolate(images, size[1], axis=2), size[0], axis=1)


def _interpolate(images, new, axis):
    old = images.shape[axis]
    if old == new:
        return images
    places = np.arange(new, dtype="float32") * (np.float32(old) / np.float32(new))
    lower = np.floor(places).astype("int32")
    shape = [1] * 4
    shape[axis] = new
    fractions = (places - lower).reshape(shape)
    low = ops.take(images, lower, axis=axis)
    high = ops.take(images, np.minimum(lower + 1, old - 1), axis=axis)
    return low + (high - low) * fractions
