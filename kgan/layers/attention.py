"""Self-attention between the positions of a feature map."""

import keras
from keras import ops


def _pool(x):
    """Largest of each 2x2 square, without the last row or column of an odd side.

    A maximum of axes, unlike a pooling layer, has second derivatives in every precision.
    """
    height, width, channels = x.shape[1] // 2, x.shape[2] // 2, x.shape[3]
    x = x[:, : 2 * height, : 2 * width]
    return ops.max(ops.reshape(x, (-1, height, 2, width, 2, channels)), axis=(2, 4))


def _flatten_positions(x):
    return ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))


@keras.saving.register_keras_serializable(package="kgan")
class SelfAttention(keras.layers.Layer):
    r"""Adds to each position what it attends to in the whole feature map.

    `output = x + gamma v(softmax(f(x) g(x)^T) h(x))`, where `f` (queries), `g` (keys), `h` (values)
    and `v` are 1x1 convolutions without bias. `f` and `g` have an eighth of the channels, `h` has
    half; keys and values are the largest of each 2x2 square, as in the authors' code. `gamma` is
    learned and starts at 0: the layer starts as the identity. The softmax and the
    product with `gamma` are computed in float32.

    Args:
        kernel_initializer: Keras initializer or its name. Initial weights of the convolutions.
            Defaults to `"glorot_uniform"`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)` of any float dtype: sides of at least 2, and at least 8
        channels. All axes but the batch are known.

    Output shape:
        `(batch, height, width, channels)`.

    Raises:
        ValueError: if the input is no such feature map.

    Example:
    >>> layer = kgan.layers.SelfAttention()
    >>> tuple(layer(np.ones((2, 8, 8, 16), "float32")).shape)
    (2, 8, 8, 16)

    Reference:
        [Zhang et al., 2018, Self-Attention Generative Adversarial
        Networks](https://arxiv.org/abs/1805.08318), equations (1) to (3);
        brain-research/self-attention-gan for the pooling and the channels of `h`
    """

    def __init__(self, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)

        # === Config ===
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        """Creates the convolutions and `gamma`."""
        _, height, width, channels = self._checked(input_shape)
        pooled = (None, height // 2, width // 2, channels)
        self.queries = self._convolution("queries", channels // 8, input_shape)
        self.keys = self._convolution("keys", channels // 8, input_shape)
        self.values = self._convolution("values", channels // 2, input_shape)
        self.attended = self._convolution("attended", channels, (*pooled[:3], channels // 2))
        self.gamma = self.add_weight(name="gamma", shape=(), initializer="zeros", autocast=False)

    def _checked(self, shape):
        smallest = (2, 2, 8)
        sides = tuple(shape[1:])
        if len(sides) != 3 or any(
            side is None or side < least for side, least in zip(sides, smallest, strict=True)
        ):
            raise ValueError(
                "The input must have shape (batch, height, width, channels), with sides of at "
                f"least 2 and at least 8 channels. Received: {tuple(shape)}"
            )
        return shape

    def _convolution(self, name, filters, input_shape):
        layer = keras.layers.Conv2D(
            filters,
            1,
            use_bias=False,
            data_format="channels_last",
            # A clone, since an initializer that is used twice may give the same numbers twice.
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build(input_shape)
        return layer

    def call(self, inputs):
        """Returns the input, and `gamma` times what its positions attend to."""
        queries = _flatten_positions(self.queries(inputs))
        keys = _flatten_positions(_pool(self.keys(inputs)))
        values = _flatten_positions(_pool(self.values(inputs)))
        scores = ops.matmul(queries, ops.swapaxes(keys, 1, 2))
        attention = ops.softmax(ops.cast(scores, self.variable_dtype), axis=-1)
        attended = ops.matmul(ops.cast(attention, values.dtype), values)
        attended = ops.reshape(attended, (-1, *inputs.shape[1:3], values.shape[-1]))
        # In float32, since the gradient of gamma is a sum over all numbers of the batch.
        change = self.gamma * ops.cast(self.attended(attended), self.variable_dtype)
        return inputs + ops.cast(change, inputs.dtype)

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input."""
        return tuple(input_shape)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
