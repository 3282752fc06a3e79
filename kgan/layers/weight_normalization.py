"""A kernel's direction apart from its length."""

import keras
from keras import ops

from kgan.layers.checks import check_positive_number
from kgan.layers.reparametrization import Reparametrization


@keras.saving.register_keras_serializable(package="kgan")
class WeightNormalization(Reparametrization):
    r"""Gives each output's column of a layer's kernel the length `gain`.

    `kernel_used = gain * kernel / ||kernel||`, the norm over all axes but the last. The paper
    learns the gain. Where it is fixed, as within the authors' networks for semi-supervised learning
    (openai/improved-gan), a layer cannot outgrow the noise that is added to its features. The
    paper's initial gain, from a batch of data, is not here.

    Args:
        layer: `keras.layers.Layer`, a dense layer or a convolution.
        gain: float above 0. Length of each column. Defaults to `1.0`.
        learn_gain: bool. Whether each column's length is learned, from `gain` on. Defaults to
            `False`.
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

    def __init__(self, layer, gain=1.0, learn_gain=False, **kwargs):
        check_positive_number("`gain`", gain)
        super().__init__(layer, **kwargs)

        # === Config ===
        self.gain = gain
        self.learn_gain = learn_gain

    def build(self, input_shape):
        """Creates the gains of each kernel, if they are learned."""
        super().build(input_shape)
        kernels = self.kernels if self.learn_gain else []
        self.gains = {
            kernel.path: self.add_weight(
                name=f"{kernel.name}_gain",
                shape=kernel.shape[-1:],
                initializer=keras.initializers.Constant(self.gain),
            )
            for kernel in kernels
        }

    def effective_value(self, weight, training):
        """Returns the kernel at its length, and the bias as it is."""
        value = ops.convert_to_tensor(weight.value)
        if len(weight.shape) < 2:
            return value
        axes = tuple(range(len(weight.shape) - 1))
        squares = ops.sum(ops.square(value), axis=axes, keepdims=True)
        gain = self.gains[weight.path].value if self.learn_gain else self.gain
        return value * (gain * ops.rsqrt(squares + 1e-12))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "gain": self.gain, "learn_gain": self.learn_gain}
