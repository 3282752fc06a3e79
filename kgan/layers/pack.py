"""Packing: a discriminator that judges several examples at once."""

import keras
from keras import ops

from kgan.layers.checks import check_positive_int


@keras.saving.register_keras_serializable(package="kgan")
class Pack(keras.layers.Layer):
    """Puts `size` consecutive examples of the batch side by side on the channel axis.

    `output[i] = concat(inputs[size * i], …, inputs[size * i + size - 1])`. As the first layer of
    a discriminator it makes PacGAN: one score judges `size` samples together, so that a generator
    which repeats itself is found out.

    Args:
        size: int, at least 1. How many examples make one; the batch must be a multiple of it.
        **kwargs: `name` and `dtype`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, ..., channels)`.

    Output shape:
        `(batch / size, ..., size * channels)`.

    Raises:
        ValueError: if `size` is not a positive integer, or the batch is not divisible by it. A
            batch of unknown size is only found out when it is reshaped, and the error is then the
            backend's.

    Example:
    >>> layer = kgan.layers.Pack(2)
    >>> layer(keras.ops.array([[1, 2], [3, 4], [5, 6], [7, 8]])).numpy().tolist()
    [[1, 2, 3, 4], [5, 6, 7, 8]]

    Reference:
        [Lin et al., 2018, PacGAN: The power of two samples in generative adversarial
        networks](https://arxiv.org/abs/1712.04086)
    """

    # What it makes of an example depends on the batch that the example is in.
    reads_batch = True

    def __init__(self, size, **kwargs):
        check_positive_int("size", size)
        super().__init__(**kwargs)

        # === Config ===
        self.size = size

    def call(self, inputs):
        """Returns one packed example for `size` examples."""
        self._check_batch(inputs.shape[0])
        *places, channels = ops.shape(inputs)[1:]
        split = ops.reshape(inputs, (-1, self.size, *places, channels))
        # The examples' axis moves next to the channels, whose blocks then keep its order.
        together = ops.moveaxis(split, 1, -2)
        return ops.reshape(together, (-1, *places, self.size * channels))

    def compute_output_shape(self, input_shape):
        """Returns `(batch / size, ..., size * channels)`."""
        batch, *places, channels = input_shape
        self._check_batch(batch)
        return (None if batch is None else batch // self.size, *places, self.size * channels)

    def _check_batch(self, batch):
        if batch is not None and batch % self.size:
            raise ValueError(
                f"The batch must be a multiple of size={self.size}, as many as are packed into "
                f"one. Received: a batch of {batch}"
            )

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "size": self.size}
