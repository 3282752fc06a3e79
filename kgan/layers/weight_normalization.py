"""A kernel's direction apart from its length."""

import keras
from keras import ops

from kgan.layers.checks import check_positive_number
from kgan.layers.reparametrization import Reparametrization


@keras.saving.register_keras_serializable(package="kgan")
class WeightNormalization(Reparametrization):
    r"""Gives each output's column of a layer's kernel the length `gain`.

    `kernel_used = gain * kernel / ||kernel||`, the norm over all axes but the last. Here the gain
    is fixed, as in the authors' networks for semi-supervised learning (openai/improved-gan): a
    layer cannot outgrow the noise that is added to its features. The paper's that initializes the
    gain from a batch, and then learns it, is not here.

    Args:
        layer: `keras.layers.Layer`, a dense layer or a convolution.
        gain: float above 0. Length of each column. Defaults to `1.0`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`. A `dtype`
            is also given to the layer, whose own it otherwise is.

    Raises:
        ValueError: if the layer has layers inside it or no kernel, or `gain` is not above 0.

    Example:
    >>> layer = kgan.layers.WeightNormalization(keras.layers.Dense(3), gain=2.0)
    >>> outputs = layer(np.eye(5, dtype="float32"))  # the kernel
    >>> np.linalg.norm(outputs, axis=0).round(3).tolist()
    [2.0, 2.0, 2.0]

    Reference:
        [Salimans & Kingma, 2016, Weight Normalization: A Simple Reparameterization to Accelerate
        Training of Deep Neural Networks](https://arxiv.org/abs/1602.07868)
    """

    def __init__(self, layer, gain=1.0, **kwargs):
        check_positive_number("`gain`", gain)
        super().__init__(layer, **kwargs)

        # === Config ===
        self.gain = gain

    def effective_value(self, weight, training):
        """Returns the kernel at its length, and the bias as it is."""
        value = ops.convert_to_tensor(weight.value)
        if len(weight.shape) < 2:
            return value
        axes = tuple(range(len(weight.shape) - 1))
        squares = ops.sum(ops.square(value), axis=axes, keepdims=True)
        return value * (self.gain * ops.rsqrt(squares + 1e-12))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "gain": self.gain}
