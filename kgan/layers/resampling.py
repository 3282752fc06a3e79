"""Layers that double or halve an image's sides, with gradients of any order on every device.

None of them uses the backends' resizing: its gradient has no XLA kernel on GPU.
"""

import numbers

import keras
import numpy as np
from keras import ops

from kgan.layers.checks import check_positive_int


def _scaled(side, numerator, denominator=1):
    return None if side is None else side * numerator // denominator


def nearest_upsample(images, size=2):
    """Returns images whose pixels are repeated, as `NearestUpsample2D` does."""
    batch, height, width, channels = ops.shape(images)
    # Not a broadcast: the sum that is its gradient takes six times as long on CPU.
    rows = ops.concatenate([images] * size, axis=-1)
    rows = ops.reshape(rows, (batch, height, 1, width * size * channels))
    pixels = ops.concatenate([rows] * size, axis=2)
    return ops.reshape(pixels, (batch, height * size, width * size, channels))


def _filtered(images, taps, padding, stride=1, gain=1.0):
    """Returns images padded by zeros, convolved with `gain` times the taps, each `stride`th.

    Args:
        images: tensor `(batch, height, width, channels)`.
        taps: tuple of numbers, the filter along one axis, whose sum counts as 1.
        padding: (int, int), the zeros before and after, along height and width alike.
        stride: int, at least 1. Defaults to 1.
        gain: float, the sum of the filter. Defaults to 1.
    """
    # Backends correlate; a convolution reads its kernel backwards.
    taps = np.array(taps[::-1], "float64")
    plane = gain * np.outer(taps, taps) / np.sum(taps) ** 2
    depthwise = np.repeat(plane[:, :, None, None], images.shape[-1], axis=2)
    return ops.depthwise_conv(
        ops.pad(images, ((0, 0), padding, padding, (0, 0))),
        ops.convert_to_tensor(depthwise, dtype=images.dtype),
        strides=stride,
        padding="valid",
        data_format="channels_last",
    )


def fir_upsample(images, taps):
    """Returns images of twice the sides, filtered as `FIRUpsample2D` does."""
    batch, height, width, channels = ops.shape(images)
    apart = ops.reshape(images, (batch, height, 1, width, 1, channels))
    spread = ops.pad(apart, ((0, 0), (0, 0), (0, 1), (0, 0), (0, 1), (0, 0)))
    spread = ops.reshape(spread, (batch, height * 2, width * 2, channels))
    return _filtered(spread, taps, padding=((len(taps) + 1) // 2, len(taps) // 2 - 1), gain=4.0)


def check_halvable(sides):
    """Raises ValueError unless each side, where it is known, is of two pixels or more."""
    if any(side is not None and side < 2 for side in sides):
        raise ValueError(
            "A FIR filter halves images of 2 or more pixels a side. "
            f"Received: images of {tuple(sides)} pixels"
        )


def fir_downsample(images, taps):
    """Returns images of half the sides, filtered as `FIRDownsample2D` does."""
    # Of none at all TensorFlow's convolution returns what happens to be in memory.
    check_halvable(images.shape[1:3])
    return _filtered(images, taps, padding=((len(taps) - 1) // 2, len(taps) // 2 - 1), stride=2)


@keras.saving.register_keras_serializable(package="kgan")
class NearestUpsample2D(keras.layers.Layer):
    """Repeats each pixel `size` times along height and width.

    `output[:, i, j] = input[:, i // size, j // size]`, which is what
    `keras.layers.UpSampling2D(size, interpolation="nearest")` computes. Its gradient is a sum
    (Odena et al. 2016, "Deconvolution and Checkerboard Artifacts",
    https://distill.pub/2016/deconv-checkerboard, proposes it before a convolution).

    Args:
        size: int, at least 1. The factor of both sides. Defaults to `2`.
        **kwargs: `name` and `dtype`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, size * height, size * width, channels)`.

    Raises:
        ValueError: if `size` is not a positive integer.

    Example:
    >>> layer = kgan.layers.NearestUpsample2D()
    >>> layer(np.array([[1.0, 2.0]]).reshape(1, 1, 2, 1)).numpy()[0, :, :, 0].tolist()
    [[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]
    """

    def __init__(self, size=2, **kwargs):
        check_positive_int("size", size)
        super().__init__(**kwargs)

        # === Config ===
        self.size = size

    def call(self, inputs):
        """Returns the larger images."""
        return nearest_upsample(inputs, self.size)

    def compute_output_shape(self, input_shape):
        """Returns `(batch, size * height, size * width, channels)`."""
        batch, height, width, channels = input_shape
        return (batch, _scaled(height, self.size), _scaled(width, self.size), channels)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "size": self.size}


def check_taps(name, kernel):
    """Returns the taps of a low-pass filter as a tuple, or raises a `ValueError`.

    Args:
        name: str. The argument's name, for the error.
        kernel: two or more finite numbers whose sum is not 0.
    """
    try:
        taps = tuple(kernel)
    except TypeError:
        taps = ()
    are_numbers = all(isinstance(tap, numbers.Real) and np.isfinite(tap) for tap in taps)
    if len(taps) < 2 or not are_numbers or sum(taps) == 0:
        raise ValueError(
            f"`{name}` must be a tuple of two or more numbers whose sum is not 0. "
            f"Received: {name}={kernel!r}"
        )
    return taps


class FIRFilter2D(keras.layers.Layer):
    """Base of the layers that filter each channel with the same separable low-pass kernel.

    Args:
        kernel: tuple of two or more numbers, the filter along one axis; it is divided by its sum.
            Defaults to `(1, 3, 3, 1)`.
        **kwargs: `name` and `dtype`, as for every `keras.layers.Layer`.

    Raises:
        ValueError: if `kernel` is not a tuple of two or more numbers with a sum other than 0.
    """

    def __init__(self, kernel=(1, 3, 3, 1), **kwargs):
        taps = check_taps("kernel", kernel)
        super().__init__(**kwargs)

        # === Config ===
        self.kernel = taps

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "kernel": self.kernel}


@keras.saving.register_keras_serializable(package="kgan")
class FIRUpsample2D(FIRFilter2D):
    r"""Doubles height and width: zeros between the pixels, then a low-pass filter of sum 4.

    `output = 4 (k k^T) * z` with `z[2i, 2j] = input[i, j]`, zero elsewhere and outside of the
    image, and `k = kernel / sum(kernel)`. The sum of 4 makes up for the zeros, so that a constant
    image stays constant away from its borders. The filter is centred: with an even number n of
    taps, n / 2 zeros stand before and n / 2 - 1 after.

    Args:
        kernel: tuple of two or more numbers, the filter along one axis; it is divided by its sum.
            `(1, 1)` repeats pixels. Defaults to `(1, 3, 3, 1)`, StyleGAN2's.
        **kwargs: `name` and `dtype`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, 2 * height, 2 * width, channels)`.

    Raises:
        ValueError: if `kernel` is not a tuple of two or more numbers with a sum other than 0.

    Example:
    >>> layer = kgan.layers.FIRUpsample2D()
    >>> tuple(layer(np.ones((2, 16, 16, 3), "float32")).shape)
    (2, 32, 32, 3)

    Reference:
        [Zhang, 2019, Making Convolutional Networks Shift-Invariant
        Again](https://arxiv.org/abs/1904.11486), [Karras et al., 2020, Analyzing and Improving
        the Image Quality of StyleGAN](https://arxiv.org/abs/1912.04958)
    """

    def call(self, inputs):
        """Returns the larger images."""
        return fir_upsample(inputs, self.kernel)

    def compute_output_shape(self, input_shape):
        """Returns `(batch, 2 * height, 2 * width, channels)`."""
        batch, height, width, channels = input_shape
        return (batch, _scaled(height, 2), _scaled(width, 2), channels)


@keras.saving.register_keras_serializable(package="kgan")
class FIRDownsample2D(FIRFilter2D):
    r"""Halves height and width: a low-pass filter of sum 1, then every other pixel.

    `output[i, j] = ((k k^T) * input)[2i, 2j]` with `k = kernel / sum(kernel)`, and zeros outside
    of the image. The filter removes what the fewer pixels cannot show and would alias. It is
    centred: with an even number n of taps, n / 2 - 1 zeros stand before and as many after.

    Args:
        kernel: tuple of two or more numbers, the filter along one axis; it is divided by its sum.
            `(1, 1)` averages 2x2 pixels. Defaults to `(1, 3, 3, 1)`, StyleGAN2's.
        **kwargs: `name` and `dtype`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`. Of odd sides, the last row or column is left out.

    Output shape:
        `(batch, height // 2, width // 2, channels)`.

    Raises:
        ValueError: if `kernel` is not a tuple of two or more numbers with a sum other than 0.

    Example:
    >>> layer = kgan.layers.FIRDownsample2D()
    >>> tuple(layer(np.ones((2, 16, 16, 3), "float32")).shape)
    (2, 8, 8, 3)

    Reference:
        [Zhang, 2019, Making Convolutional Networks Shift-Invariant
        Again](https://arxiv.org/abs/1904.11486), [Karras et al., 2020, Analyzing and Improving
        the Image Quality of StyleGAN](https://arxiv.org/abs/1912.04958)
    """

    def call(self, inputs):
        """Returns the smaller images."""
        return fir_downsample(inputs, self.kernel)

    def compute_output_shape(self, input_shape):
        """Returns `(batch, height // 2, width // 2, channels)`."""
        batch, height, width, channels = input_shape
        check_halvable((height, width))
        return (batch, _scaled(height, 1, 2), _scaled(width, 1, 2), channels)
