"""Maxout units."""

import keras

from kgan.layers.checks import check_positive_int


@keras.saving.register_keras_serializable(package="kgan")
class Maxout(keras.layers.Layer):
    """Dense layer whose units each output the largest of several linear maps.

    `output[..., u] = max over p of (inputs @ kernel + bias)[..., u, p]`. The discriminator of the
    first GAN is made of these.

    Args:
        units: int, at least 1. Width of the output.
        pieces: int, at least 1. Linear maps that each unit takes the maximum of.
        kernel_initializer: Keras initializer or its name. Initial linear maps. Defaults to
            `"glorot_uniform"`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, ..., features)`, any float dtype.

    Output shape:
        `(batch, ..., units)`.

    Raises:
        ValueError: if `units` or `pieces` is not a positive integer.

    Example:
    >>> layer = kgan.layers.Maxout(units=240, pieces=5)
    >>> tuple(layer(np.ones((2, 784), "float32")).shape)
    (2, 240)

    Reference:
        [Goodfellow et al., 2013, Maxout Networks](https://arxiv.org/abs/1302.4389)
    """

    def __init__(self, units, pieces, kernel_initializer="glorot_uniform", **kwargs):
        check_positive_int("units", units)
        check_positive_int("pieces", pieces)
        super().__init__(**kwargs)

        # === Config ===
        self.units = units
        self.pieces = pieces
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        """Creates the maps of all units, side by side in one kernel."""
        width = self.units * self.pieces
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], width), initializer=self.kernel_initializer
        )
        self.bias = self.add_weight(name="bias", shape=(width,), initializer="zeros")

    def call(self, inputs):
        """Returns the largest piece of each unit."""
        maps = keras.ops.matmul(inputs, self.kernel) + self.bias
        shape = (*keras.ops.shape(inputs)[:-1], self.units, self.pieces)
        return keras.ops.max(keras.ops.reshape(maps, shape), axis=-1)

    def compute_output_shape(self, input_shape):
        """Returns `(batch, ..., units)`."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "pieces": self.pieces,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
