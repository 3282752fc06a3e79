"""Convolutions whose kernel a style scales."""

import math

import keras
from keras import ops

from kgan.layers.checks import check_positive_int, is_number
from kgan.layers.reparametrization import EqualizedLearningRate


@keras.saving.register_keras_serializable(package="kgan")
class ModulatedConv2D(keras.layers.Layer):
    r"""Convolution whose kernel a style scales for each example, back to unit variance.

    `w'_ijk = s_i w_ijk` with `s = A(style)`, and `w''_ijk = w'_ijk / sqrt(sum_ik w'_ijk^2 + eps)`:
    equations (1) and (3) of the paper, for input map `i`, output map `j` and place `k`. `A` is a
    dense layer that starts from a bias of 1. Both kernels are stored with unit variance and
    scaled by their fan-in in each call (`EqualizedLearningRate`, with gain 1).

    Scaling a kernel's inputs scales the input maps, and scaling its outputs the output maps. So
    one ordinary convolution with `w` serves the whole batch: `s_i` multiplies its input, and
    `1 / sqrt(sum_i s_i^2 sum_k w_ijk^2 + eps)` its output. There is neither bias nor noise, and no
    change of size: those are layers of their own.

    Args:
        filters: int, at least 1. Channels of the output.
        kernel_size: int, at least 1. Side of the kernel; the image is padded by zeros to keep its
            size.
        demodulate: bool. Whether to divide by the norm; the last layer, to RGB, does not. Defaults
            to `True`.
        epsilon: float above 0. `eps`. Defaults to `1e-8`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        A list `[images, style]`: `(batch, height, width, channels)` and `(batch, style_dim)`.

    Output shape:
        `(batch, height, width, filters)`.

    Raises:
        ValueError: if `filters` or `kernel_size` is not a positive integer, `epsilon` is not above
            0, or the input is not a list `[images, style]`.

    Example:
    >>> layer = kgan.layers.ModulatedConv2D(filters=8, kernel_size=3)
    >>> images, style = np.ones((2, 16, 16, 4), "float32"), np.ones((2, 32), "float32")
    >>> tuple(layer([images, style]).shape)
    (2, 16, 16, 8)

    Reference:
        [Karras et al., 2020, Analyzing and Improving the Image Quality of
        StyleGAN](https://arxiv.org/abs/1912.04958)
    """

    def __init__(self, filters, kernel_size, demodulate=True, epsilon=1e-8, **kwargs):
        check_positive_int("filters", filters)
        check_positive_int("kernel_size", kernel_size)
        if not (is_number(epsilon) and epsilon > 0):
            raise ValueError(f"`epsilon` must be above 0. Received: epsilon={epsilon!r}")
        super().__init__(**kwargs)

        # === Config ===
        self.filters = filters
        self.kernel_size = kernel_size
        self.demodulate = demodulate
        self.epsilon = epsilon

    def build(self, input_shape):
        """Creates the kernel, and the dense layer that makes scales of styles."""
        if not isinstance(input_shape[0], (list, tuple)) or len(input_shape) != 2:
            raise ValueError(
                f"The input must be a list [images, style]. Received: shape {input_shape}"
            )
        (*_, channels), style_shape = input_shape
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, channels, self.filters),
            initializer=keras.initializers.RandomNormal(mean=0.0, stddev=1.0),
        )
        self.affine = EqualizedLearningRate(
            keras.layers.Dense(channels, bias_initializer="ones"),
            gain=1.0,
            dtype=self.dtype_policy,
            name="affine",
        )
        self.affine.build(style_shape)

    def call(self, inputs):
        """Returns the modulated convolution of the images."""
        images, style = inputs
        scales = self.affine(style)
        fan_in = self.kernel_size**2 * images.shape[-1]
        kernel = ops.convert_to_tensor(self.kernel) / math.sqrt(fan_in)
        outputs = ops.conv(
            images * scales[:, None, None, :],
            kernel,
            padding="same",
            data_format="channels_last",
        )
        if not self.demodulate:
            return outputs
        return outputs * self._inverse_norms(kernel, scales)[:, None, None, :]

    def _inverse_norms(self, kernel, scales):
        """1 / sqrt(sum_i s_i^2 sum_k w_ijk^2 + eps), where half precision would lose the sums."""
        squares = ops.sum(ops.cast(kernel, "float32") ** 2, axis=(0, 1))
        norms = ops.matmul(ops.cast(scales, "float32") ** 2, squares)
        return ops.cast(ops.rsqrt(norms + self.epsilon), kernel.dtype)

    def compute_output_shape(self, input_shape):
        """Returns `(batch, height, width, filters)`."""
        return (*input_shape[0][:-1], self.filters)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "demodulate": self.demodulate,
            "epsilon": self.epsilon,
        }
