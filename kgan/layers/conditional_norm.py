"""Normalisations whose scale and offset come from a label or a style."""

import keras
from keras import ops

from kgan.layers.batch_normalization import BatchNormalization
from kgan.layers.checks import check_condition, check_rate
from kgan.layers.conditioning import label_rows


def _over_positions(rows, x):
    """Reshapes `(batch, channels)` so that it broadcasts over the positions of `x`."""
    return ops.reshape(rows, (-1, *[1] * (len(x.shape) - 2), rows.shape[-1]))


@keras.saving.register_keras_serializable(package="kgan")
class ConditionalBatchNormalization(keras.layers.Layer):
    r"""Batch norm whose scale and offset are those of the example's label.

    `output = (1 + G label) (x - mean) / sqrt(variance + epsilon) + B label`, where a class label
    stands for its one-hot vector. `G` and `B` start at 0: every label starts with plain batch norm.
    In training, mean and variance are over the batch (of this replica) and all positions, and move
    the statistics that are used otherwise. All is computed in float32.

    Args:
        num_classes: int, at least 1, or `None`. Number of classes, for class labels.
        condition_dim: int, at least 1, or `None`. Width of the label vectors (0/1 attributes, or
            real numbers). Exactly one of `num_classes` and `condition_dim` is given.
        momentum: float in [0, 1). Part of the moving statistics that a step keeps. Defaults to
            `0.9`: a generator that changes at every step needs recent statistics.
        epsilon: float in [0, 1). What is added to the variance. Defaults to `1e-5`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        A list `[x, label]`: `(batch, ..., channels)` of any float dtype, and labels `(batch,)`,
        integers in `[0, num_classes)`, or `(batch, condition_dim)`.

    Output shape:
        `(batch, ..., channels)`.

    Raises:
        ValueError: if both or neither of `num_classes` and `condition_dim` are given, or if a
            number is out of its range.

    Example:
    >>> layer = kgan.layers.ConditionalBatchNormalization(num_classes=10)
    >>> tuple(layer([np.ones((3, 4, 4, 8), "float32"), np.array([3, 1, 4])]).shape)
    (3, 4, 4, 8)

    Reference:
        [de Vries et al., 2017, Modulating early visual processing by
        language](https://arxiv.org/abs/1707.00683), whose scales are 1 plus a predicted difference
        too; [Miyato & Koyama, 2018, cGANs with Projection
        Discriminator](https://arxiv.org/abs/1802.05637), for its use in generators.
    """

    def __init__(self, num_classes=None, condition_dim=None, momentum=0.9, epsilon=1e-5, **kwargs):
        check_condition(num_classes, condition_dim)
        if num_classes is None and condition_dim is None:
            raise ValueError(
                "Give `num_classes` (class labels) or `condition_dim` (vectors). "
                f"Received: num_classes={num_classes}, condition_dim={condition_dim}"
            )
        check_rate("momentum", momentum)
        check_rate("epsilon", epsilon)
        super().__init__(**kwargs)

        # === Layers ===
        # Its own dtype is float32 under mixed precision, so that its outputs are not rounded
        # before they are scaled.
        self.norm = BatchNormalization(
            momentum=momentum,
            epsilon=epsilon,
            center=False,
            scale=False,
            dtype=self.variable_dtype,
            name="norm",
        )

        # === Config ===
        self.num_classes = num_classes
        self.condition_dim = condition_dim
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape):
        """Creates the moving statistics, and a row of scales and of offsets for each label."""
        self.norm.build(input_shape[0])
        shape = (self.num_classes or self.condition_dim, input_shape[0][-1])
        self.scales, self.offsets = (
            self.add_weight(name=name, shape=shape, initializer="zeros", autocast=False)
            for name in ("scales", "offsets")
        )

    def call(self, inputs, training=None):
        """Returns the normalised `x` with the scale and offset of its label."""
        x, label = inputs
        normal = self.norm(x, training=training)
        scale, offset = (
            ops.cast(label_rows(label, table, self.num_classes), normal.dtype)
            for table in (self.scales, self.offsets)
        )
        outputs = normal * (1 + _over_positions(scale, x)) + _over_positions(offset, x)
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Returns the shape of `x`."""
        return tuple(input_shape[0])

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "condition_dim": self.condition_dim,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }


@keras.saving.register_keras_serializable(package="kgan")
class AdaptiveInstanceNormalization(keras.layers.Layer):
    r"""Instance norm whose scale and offset are linear in a style.

    `output = (1 + s) (x - mean(x)) / sqrt(variance(x) + epsilon) + b`, with mean and variance over
    the positions of each example and channel, and `[s, b]` a Dense layer of the style. All but the
    Dense layer is computed in float32.

    Args:
        epsilon: float in [0, 1). What is added to the variance. Defaults to `1e-5`.
        kernel_initializer: Keras initializer or its name. Initial weights of the Dense layer.
            Defaults to `"glorot_uniform"`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        A list `[x, style]`: `(batch, ..., channels)` with at least one axis of positions, and
        `(batch, style_dim)`, any float dtype.

    Output shape:
        `(batch, ..., channels)`.

    Raises:
        ValueError: if `epsilon` is not in [0, 1), or if `x` has no positions to average over.

    Example:
    >>> layer = kgan.layers.AdaptiveInstanceNormalization()
    >>> x, style = np.ones((3, 4, 4, 8), "float32"), np.ones((3, 512), "float32")
    >>> tuple(layer([x, style]).shape)
    (3, 4, 4, 8)

    Reference:
        [Huang & Belongie, 2017, Arbitrary Style Transfer in Real-time with Adaptive Instance
        Normalization](https://arxiv.org/abs/1703.06868), equation (8); [Karras et al., 2018, A
        Style-Based Generator Architecture for Generative Adversarial
        Networks](https://arxiv.org/abs/1812.04948), equation (1), for styles that are learned.
    """

    def __init__(self, epsilon=1e-5, kernel_initializer="glorot_uniform", **kwargs):
        check_rate("epsilon", epsilon)
        super().__init__(**kwargs)

        # === Config ===
        self.epsilon = epsilon
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        """Creates the Dense layer of the style."""
        x_shape, style_shape = input_shape
        if len(x_shape) < 3:
            raise ValueError(
                "Instance norm averages over positions, so `x` must have shape "
                f"(batch, ..., channels) with at least 3 axes. Received: {tuple(x_shape)}"
            )
        self.style = keras.layers.Dense(
            2 * x_shape[-1],
            kernel_initializer=self.kernel_initializer,
            dtype=self.dtype_policy,
            name="style",
        )
        self.style.build(style_shape)

    def call(self, inputs):
        """Returns `x` with the mean and standard deviation that the style asks for."""
        x, style = inputs
        modulation = ops.cast(self.style(style), self.variable_dtype)
        scale, offset = (_over_positions(s, x) for s in ops.split(modulation, 2, axis=-1))
        x = ops.cast(x, self.variable_dtype)
        mean, variance = ops.moments(x, axes=list(range(1, len(x.shape) - 1)), keepdims=True)
        normal = (x - mean) * ops.rsqrt(variance + self.epsilon)
        return ops.cast(normal * (1 + scale) + offset, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Returns the shape of `x`."""
        return tuple(input_shape[0])

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
