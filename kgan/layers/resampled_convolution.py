"""Convolutions that also double or halve an image's sides, each in its cheapest exact form."""

import keras
from keras import ops

# Keras offers no public way to read a variable as it is stored inside a layer that autocasts.
from keras.src.backend import AutocastScope

from kgan.layers.resampling import (
    check_halvable,
    check_taps,
    fir_downsample,
    fir_upsample,
    nearest_upsample,
)

# What `keras.layers.Conv2D` takes and the layers here decide themselves.
FIXED = {
    "strides": 1,
    "padding": "same",
    "data_format": "channels_last",
    "dilation_rate": 1,
    "groups": 1,
}


def _stored_as_conv2d(cls):
    """Gives a class the name by which Keras's files of weights know a `keras.layers.Conv2D`."""
    # Files call layers by their classes: `conv2d`, `conv2d_1`, …. So a network's file from before
    # one of its convolutions took the resampling over loads, as does that of a plain network.
    # Configs call it by what it is registered as.
    cls.__name__ = "Conv2D"
    return cls


class ResampledConv2D(keras.layers.Conv2D):
    """Base of convolutions that double or halve the sides, with the weights of a `Conv2D`.

    A subclass writes `convolution_op`; the bias is added to what it returns, and the activation
    applied to that.

    Args:
        filters: int, at least 1. Channels of the output.
        kernel_size: int, or tuple of two. Sides of the kernel.
        fir_kernel: tuple of two or more numbers, or `None`. The filter along one axis.
        **kwargs: the other arguments of `keras.layers.Conv2D`, apart from those in `FIXED`.

    Raises:
        ValueError: if `fir_kernel` is no tuple of two or more numbers with a sum other than 0, or
            an argument in `FIXED` is given.
    """

    def __init__(self, filters, kernel_size, fir_kernel=None, **kwargs):
        given = {name: value for name, value in kwargs.items() if name in FIXED}
        if given:
            raise ValueError(
                "The arguments of keras.layers.Conv2D are accepted apart from "
                f"{', '.join(FIXED)}, which are fixed. Received: {given}"
            )
        taps = None if fir_kernel is None else check_taps("fir_kernel", fir_kernel)
        super().__init__(filters, kernel_size, **FIXED, **kwargs)

        # === Config ===
        self.fir_kernel = taps

    def spread(self, kernel, gain, dtype):
        """Returns the kernel that correlates with two pixels a side what `kernel` does with one.

        Args:
            kernel: variable or tensor of shape `(height, width, inputs, outputs)`.
            gain: float, the sum of the two taps of the filter.
            dtype: str. What the result is rounded to; sums have the precision of the variable.
        """
        # Backends correlate; a convolution reads its filter backwards.
        second, first = self.fir_kernel or (1, 1)
        with AutocastScope(None):
            kernel = kernel * (gain / (first + second)) ** 2
        for axis in (0, 1):
            after, before = ([(0, 0)] * 4 for _ in range(2))
            after[axis], before[axis] = (0, 1), (1, 0)
            kernel = first * ops.pad(kernel, after) + second * ops.pad(kernel, before)
        return ops.cast(kernel, dtype)

    @property
    def filters_two_pixels(self):
        """Bool. Whether the filter is as short as those of repetition and of averages."""
        # A longer one, were it part of the kernel, would blur past the image's border, which the
        # convolution is to see as zeros. It would not be cheaper either: 6x6 for 3x3 and 4 taps.
        return self.fir_kernel is None or len(self.fir_kernel) == 2

    def get_config(self):
        """Returns the constructor's arguments."""
        config = {**super().get_config(), "fir_kernel": self.fir_kernel}
        return {name: value for name, value in config.items() if name not in FIXED}


@_stored_as_conv2d
@keras.saving.register_keras_serializable(package="kgan")
class UpsampleConv2D(ResampledConv2D):
    r"""Doubles the sides, by repeating pixels or by a FIR filter, and convolves: one layer of both.

    `output = activation(convolution(upsampled) + bias)`, with zeros around, equal to
    `NearestUpsample2D` or `FIRUpsample2D` and then a `keras.layers.Conv2D(padding="same")`, whose
    weights it has. As `upsampled` shows every pixel four times, products of a 3x3 kernel with equal
    pixels can be added up beforehand: what remains is a 4x4 transposed convolution of stride 2 with
    the kernel, convolved with 2x2 ones, and 4 products an output instead of 9. A 1x1 kernel is
    applied before the pixels are repeated.

    Args:
        filters: int, at least 1. Channels of the output.
        kernel_size: int, or tuple of two. Sides of the kernel; one that is even is applied to
            up-sampled images, without a gain.
        fir_kernel: tuple of two or more numbers, or `None`. The filter along one axis, as of
            `FIRUpsample2D`, such as `(1, 3, 3, 1)`; one longer than two is applied by itself.
            Defaults to `None`, repeated pixels.
        **kwargs: the other arguments of `keras.layers.Conv2D` (`activation`, `use_bias`,
            `kernel_initializer`, …, `name`, `dtype`), apart from `strides`, `padding`,
            `data_format`, `dilation_rate` and `groups`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, 2 * height, 2 * width, filters)`.

    Raises:
        ValueError: if `fir_kernel` is no tuple of two or more numbers with a sum other than 0, or
            an argument is given that is fixed.

    Example:
    >>> layer = kgan.layers.UpsampleConv2D(8, 3)
    >>> tuple(layer(np.ones((2, 16, 16, 4), "float32")).shape)
    (2, 32, 32, 8)
    >>> tuple(layer.kernel.shape)
    (3, 3, 4, 8)

    Reference:
        [Odena et al., 2016, Deconvolution and Checkerboard
        Artifacts](https://distill.pub/2016/deconv-checkerboard)
    """

    def convolution_op(self, inputs, kernel):
        """Returns the convolution of the up-sampled inputs."""
        if self.kernel_size == (1, 1):
            return self._upsampled(super().convolution_op(inputs, kernel))
        # With an even side, "same" has a pixel more after the image for a convolution, and before
        # it for a transposed one.
        if self.filters_two_pixels and all(side % 2 for side in self.kernel_size):
            return self._transposed_convolution(inputs, kernel)
        return super().convolution_op(self._upsampled(inputs), kernel)

    def _upsampled(self, images):
        if self.fir_kernel is None:
            return nearest_upsample(images)
        return fir_upsample(images, self.fir_kernel)

    def _transposed_convolution(self, inputs, kernel):
        # Rather than a 2x2 convolution to four times the channels that are then laid out as pixels:
        # forwards that is at most as fast, but under XLA, and its gradients take about twice the
        # time. Both were measured at 64 maps of 4x4 to 16x16, in float32 and bfloat16.
        spread = self.spread(kernel, gain=2, dtype=inputs.dtype)
        return ops.conv_transpose(
            inputs,
            ops.transpose(ops.flip(spread, (0, 1)), (0, 1, 3, 2)),
            strides=2,
            padding="same",
            data_format="channels_last",
        )

    def compute_output_shape(self, input_shape):
        """Returns `(batch, 2 * height, 2 * width, filters)`."""
        batch, *sides, _ = input_shape
        return (batch, *(None if side is None else 2 * side for side in sides), self.filters)


@_stored_as_conv2d
@keras.saving.register_keras_serializable(package="kgan")
class DownsampleConv2D(ResampledConv2D):
    r"""Halves the sides, by averages or a FIR filter, and convolves, in either order: one layer.

    `output = activation(convolution(downsampled) + bias)`, with zeros around; or, with
    `convolve_first`, `output = activation(downsample(convolution) + bias)`. The weights are those
    of a `keras.layers.Conv2D(padding="same")` beside an `AveragePooling2D(2, padding="same")` or a
    `FIRDownsample2D`.

    To average first is cheapest as it is. Averages of what a 3x3 kernel makes are a 4x4 convolution
    of stride 2 with the kernel, convolved with a 2x2 average, and 16 products an output instead of
    36. A 1x1 kernel may change places with averages, and comes after them.

    Args:
        filters: int, at least 1. Channels of the output.
        kernel_size: int, or tuple of two. Sides of the kernel.
        convolve_first: bool. Whether the convolution sees the image in full size, as in the
            residual blocks of WGAN-GP and SNGAN. Defaults to `False`.
        fir_kernel: tuple of two or more numbers, or `None`. The filter along one axis, as of
            `FIRDownsample2D`, such as `(1, 3, 3, 1)`; one longer than two is applied by itself.
            Defaults to `None`, averages of 2x2 pixels.
        **kwargs: the other arguments of `keras.layers.Conv2D` (`activation`, `use_bias`,
            `kernel_initializer`, …, `name`, `dtype`), apart from `strides`, `padding`,
            `data_format`, `dilation_rate` and `groups`.

    Input shape:
        `(batch, height, width, channels)`. Of odd sides, the last row or column is averaged over
        the pixels that there are, and left out by a FIR filter.

    Output shape:
        `(batch, height / 2, width / 2, filters)`, rounded up; with a FIR filter, down.

    Raises:
        ValueError: if `fir_kernel` is no tuple of two or more numbers with a sum other than 0, or
            an argument is given that is fixed.

    Example:
    >>> layer = kgan.layers.DownsampleConv2D(8, 3, convolve_first=True)
    >>> tuple(layer(np.ones((2, 16, 16, 4), "float32")).shape)
    (2, 8, 8, 8)
    >>> tuple(layer.kernel.shape)
    (3, 3, 4, 8)

    Reference:
        [Gulrajani et al., 2017, Improved Training of Wasserstein
        GANs](https://arxiv.org/abs/1704.00028), whose code convolves first
    """

    def __init__(self, filters, kernel_size, convolve_first=False, fir_kernel=None, **kwargs):
        super().__init__(filters, kernel_size, fir_kernel, **kwargs)

        # === Config ===
        self.convolve_first = convolve_first

    def convolution_op(self, inputs, kernel):
        """Returns the convolution of the smaller inputs, or the smaller convolution of them."""
        if not self.convolve_first or self.kernel_size == (1, 1):
            return super().convolution_op(self._downsampled(inputs), kernel)
        # Of an odd side, the last average is over fewer pixels.
        are_even = all(side is not None and side % 2 == 0 for side in inputs.shape[1:3])
        if self.filters_two_pixels and are_even:
            return self._strided_convolution(inputs, kernel)
        return self._downsampled(super().convolution_op(inputs, kernel))

    def _downsampled(self, images):
        if self.fir_kernel is None:
            return ops.average_pool(images, 2, 2, padding="same", data_format="channels_last")
        return fir_downsample(images, self.fir_kernel)

    def _strided_convolution(self, inputs, kernel):
        return ops.conv(
            inputs,
            self.spread(kernel, gain=1, dtype=inputs.dtype),
            strides=2,
            padding="same",
            data_format="channels_last",
        )

    def compute_output_shape(self, input_shape):
        """Returns `(batch, height / 2, width / 2, filters)`, rounded up or, by a filter, down."""
        batch, *sides, _ = input_shape
        if self.fir_kernel is not None:
            check_halvable(sides)
        further = 1 if self.fir_kernel is None else 0
        sides = (None if side is None else (side + further) // 2 for side in sides)
        return (batch, *sides, self.filters)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "convolve_first": self.convolve_first}
