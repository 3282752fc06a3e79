"""What tells a discriminator how varied its batch is."""

import keras
from keras import ops

from kgan.layers.checks import check_positive_int, check_rate


@keras.saving.register_keras_serializable(package="kgan")
class MinibatchStandardDeviation(keras.layers.Layer):
    r"""Appends channels with the mean standard deviation of the features over a group of examples.

    `s = mean over positions and channels of sqrt(variance over the group + epsilon)`, for each
    group of examples and each of `num_features` equal parts of the channels; every position of the
    group's examples gets it. Of `m` groups, the i-th has the examples i, i + m, i + 2m, .... It is
    computed in float32. A batch that `group_size` does not divide is split into groups of the
    largest size below that divides it (a batch of 6 has groups of 3 where 4 were asked for; a
    prime batch above `group_size` has groups of 1, without deviation).

    The groups are made of one replica's examples: with several replicas, other examples stand
    together than with one, and the numbers differ.

    Args:
        group_size: int, at least 1. The most examples of a group. Defaults to `4`.
        num_features: int, at least 1. Number of channels that are added; must divide the channels
            of the input. Defaults to `1`.
        epsilon: float in [0, 1). What is added to the variance. Defaults to `1e-8`.
        **kwargs: `name` and `dtype`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, ..., channels)`, any float dtype.

    Output shape:
        `(batch, ..., channels + num_features)`.

    Raises:
        ValueError: if `group_size` or `num_features` is not a positive integer, if `epsilon` is not
            in [0, 1), or if `num_features` does not divide the channels.

    Example:
    >>> layer = kgan.layers.MinibatchStandardDeviation()
    >>> layer(np.array([[1.0], [3.0], [1.0], [3.0]], "float32")).numpy().tolist()
    [[1.0, 1.0], [3.0, 1.0], [1.0, 1.0], [3.0, 1.0]]

    Reference:
        [Karras et al., 2018, Progressive Growing of GANs for Improved Quality, Stability, and
        Variation](https://arxiv.org/abs/1710.10196), section 3; NVlabs/stylegan2 for
        `num_features`
    """

    # What it makes of an example depends on the batch that the example is in.
    reads_batch = True

    def __init__(self, group_size=4, num_features=1, epsilon=1e-8, **kwargs):
        check_positive_int("group_size", group_size)
        check_positive_int("num_features", num_features)
        check_rate("epsilon", epsilon)
        super().__init__(**kwargs)

        # === Config ===
        self.group_size = group_size
        self.num_features = num_features
        self.epsilon = epsilon

    def build(self, input_shape):
        """Checks that the channels have `num_features` equal parts."""
        if input_shape[-1] % self.num_features:
            raise ValueError(
                "`num_features` must divide the channels of the input. "
                f"Received: num_features={self.num_features}, {input_shape[-1]} channels"
            )

    def call(self, inputs):
        """Returns the features, and how much they vary."""
        batch, *positions, channels = ops.shape(inputs)
        size = self._size_of_groups(batch)
        parts = (self.num_features, channels // self.num_features)
        # All positions count alike, so that they need only one axis.
        x = ops.reshape(inputs, (batch, -1, channels))
        x = ops.reshape(
            ops.cast(x, self.variable_dtype), (size, batch // size, ops.shape(x)[1], *parts)
        )
        deviation = ops.sqrt(ops.var(x, axis=0) + self.epsilon)
        statistics = ops.mean(deviation, axis=(1, 3))
        rows = ops.tile(statistics, (size, 1))
        rows = ops.reshape(rows, (batch, *[1] * len(positions), self.num_features))
        rows = ops.broadcast_to(rows, (batch, *positions, self.num_features))
        return ops.concatenate([inputs, ops.cast(rows, inputs.dtype)], axis=-1)

    def _size_of_groups(self, batch):
        """The largest divisor of the batch that is at most `group_size`."""
        if isinstance(batch, int):
            return max(n for n in range(1, self.group_size + 1) if batch % n == 0)
        sizes = ops.arange(1, self.group_size + 1)
        return ops.max(ops.where(batch % sizes == 0, sizes, 1))

    def compute_output_shape(self, input_shape):
        """Returns `(batch, ..., channels + num_features)`."""
        return (*input_shape[:-1], input_shape[-1] + self.num_features)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "group_size": self.group_size,
            "num_features": self.num_features,
            "epsilon": self.epsilon,
        }


@keras.saving.register_keras_serializable(package="kgan")
class MinibatchDiscrimination(keras.layers.Layer):
    r"""Appends how close each example is to the others of its batch.

    `o(x_i)_b = sum over j != i of exp(-||M_ib - M_jb||_1)`, where `M_i = x_i T` has `kernels` rows
    of `kernel_dim` numbers. The output is `concat(x, o)`. (The paper's sum includes j = i, which
    adds 1; the authors' code leaves it out.) The distances are computed in float32, and take
    memory for `batch^2 * kernels * kernel_dim` numbers.

    The sum is over the examples of one replica: with several, an example meets fewer others, and
    `o` is smaller than with one replica for the whole batch.

    Args:
        kernels: int, at least 1. Number of similarities that are added, B in the paper. Defaults
            to `100`, as in the authors' code.
        kernel_dim: int, at least 1. Numbers that each similarity compares, C in the paper.
            Defaults to `5`, as in the authors' code.
        kernel_initializer: Keras initializer or its name. Initial `T`. Defaults to
            `"glorot_uniform"`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, features)`, any float dtype.

    Output shape:
        `(batch, features + kernels)`.

    Raises:
        ValueError: if `kernels` or `kernel_dim` is not a positive integer, or if the input has
            other than two axes.

    Example:
    >>> layer = kgan.layers.MinibatchDiscrimination(kernels=2)
    >>> layer(np.ones((4, 1), "float32")).numpy().tolist()[0]  # three others, just the same
    [1.0, 3.0, 3.0]

    Reference:
        [Salimans et al., 2016, Improved Techniques for Training
        GANs](https://arxiv.org/abs/1606.03498), section 3.2
    """

    # What it makes of an example depends on the batch that the example is in.
    reads_batch = True

    def __init__(self, kernels=100, kernel_dim=5, kernel_initializer="glorot_uniform", **kwargs):
        check_positive_int("kernels", kernels)
        check_positive_int("kernel_dim", kernel_dim)
        super().__init__(**kwargs)

        # === Config ===
        self.kernels = kernels
        self.kernel_dim = kernel_dim
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        """Creates the tensor `T`, as one matrix."""
        if len(input_shape) != 2:
            raise ValueError(
                "The input must have shape (batch, features); flatten feature maps before. "
                f"Received: {tuple(input_shape)}"
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.kernels * self.kernel_dim),
            initializer=self.kernel_initializer,
        )

    def call(self, inputs):
        """Returns the features, and how close they are to those of the others."""
        rows = ops.cast(ops.matmul(inputs, self.kernel), self.variable_dtype)
        rows = ops.reshape(rows, (-1, self.kernels, self.kernel_dim))
        distances = ops.sum(ops.abs(rows[:, None] - rows[None]), axis=-1)
        is_other = 1 - ops.eye(ops.shape(inputs)[0], dtype=distances.dtype)
        closeness = ops.sum(ops.exp(-distances) * is_other[..., None], axis=1)
        return ops.concatenate([inputs, ops.cast(closeness, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        """Returns `(batch, features + kernels)`."""
        return (input_shape[0], input_shape[-1] + self.kernels)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "kernels": self.kernels,
            "kernel_dim": self.kernel_dim,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
