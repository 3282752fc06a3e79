"""How a label enters a generator (an embedding) and a discriminator (a projection)."""

import keras

from kgan.layers.checks import check_condition, check_positive_int


def label_rows(labels, table, num_classes):
    """Rows of `table` that class labels name, or the sums of rows that label vectors weigh."""
    if num_classes is not None:
        return keras.ops.take(table, keras.ops.cast(labels, "int32"), axis=0)
    return keras.ops.matmul(keras.ops.cast(labels, table.dtype), table)


@keras.saving.register_keras_serializable(package="kgan")
class ConditionEmbedding(keras.layers.Layer):
    """Turns labels into vectors that can stand beside a latent.

    Class labels look up a row of a table; vectors of attributes are mapped linearly. Both start
    with outputs of about unit variance, the scale of a normal latent.

    Args:
        dim: int, at least 1. Width of the output.
        num_classes: int, at least 1, or `None`. Number of classes, for class labels.
        condition_dim: int, at least 1, or `None`. Width of the label vectors (0/1 attributes, or
            real numbers). Exactly one of `num_classes` and `condition_dim` is given.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch,)`, integers in `[0, num_classes)`; or `(batch, condition_dim)`.

    Output shape:
        `(batch, dim)`.

    Raises:
        ValueError: if `dim` is not a positive integer, or if both or neither of `num_classes` and
            `condition_dim` are given.

    Example:
    >>> layer = kgan.layers.ConditionEmbedding(dim=16, num_classes=10)
    >>> tuple(layer(np.array([3, 1, 4])).shape)
    (3, 16)
    >>> layer = kgan.layers.ConditionEmbedding(dim=16, condition_dim=40)
    >>> tuple(layer(np.ones((3, 40), "float32")).shape)
    (3, 16)

    Reference:
        [Mirza & Osindero, 2014, Conditional Generative Adversarial
        Nets](https://arxiv.org/abs/1411.1784)
    """

    def __init__(self, dim, num_classes=None, condition_dim=None, **kwargs):
        check_positive_int("dim", dim)
        check_condition(num_classes, condition_dim)
        if num_classes is None and condition_dim is None:
            raise ValueError(
                "Give `num_classes` (class labels) or `condition_dim` (vectors). "
                f"Received: num_classes={num_classes}, condition_dim={condition_dim}"
            )
        super().__init__(**kwargs)

        # === Config ===
        self.dim = dim
        self.num_classes = num_classes
        self.condition_dim = condition_dim

    def build(self, input_shape):
        """Creates the table of classes, or the linear map."""
        if self.num_classes is not None:
            shape, initializer = (self.num_classes, self.dim), keras.initializers.RandomNormal(0, 1)
        else:
            shape, initializer = (self.condition_dim, self.dim), "lecun_normal"
        self.table = self.add_weight(name="table", shape=shape, initializer=initializer)

    def call(self, inputs):
        """Returns one vector for each label."""
        return label_rows(inputs, self.table, self.num_classes)

    def compute_output_shape(self, input_shape):
        """Returns `(batch, dim)`."""
        return (input_shape[0], self.dim)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "dim": self.dim,
            "num_classes": self.num_classes,
            "condition_dim": self.condition_dim,
        }


@keras.saving.register_keras_serializable(package="kgan")
class ProjectionHead(keras.layers.Layer):
    r"""Scores features linearly, and by their inner product with the label's vector.

    `score = psi(features) + <V label, features>`, equation (3) of the paper with a linear `psi`.
    Without labels, it is the linear score alone.

    Args:
        num_classes: int, at least 1, or `None`. Number of classes, for class labels. Defaults to
            `None`.
        condition_dim: int, at least 1, or `None`. Width of the label vectors (0/1 attributes, or
            real numbers). Defaults to `None`. With neither, the score is unconditional.
        kernel_initializer: Keras initializer or its name. Initial weights of `psi` and `V`.
            Defaults to `"glorot_uniform"`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, features)` unconditional; a list `[features, label]` conditional, with labels
        `(batch,)`, integers in `[0, num_classes)`, or `(batch, condition_dim)`.

    Output shape:
        `(batch, 1)`.

    Raises:
        ValueError: if both `num_classes` and `condition_dim` are given, or one of them is not a
            positive integer.

    Example:
    >>> head = kgan.layers.ProjectionHead(num_classes=10)
    >>> tuple(head([np.ones((3, 128), "float32"), np.array([3, 1, 4])]).shape)
    (3, 1)

    Reference:
        [Miyato & Koyama, 2018, cGANs with Projection
        Discriminator](https://arxiv.org/abs/1802.05637)
    """

    def __init__(
        self, num_classes=None, condition_dim=None, kernel_initializer="glorot_uniform", **kwargs
    ):
        check_condition(num_classes, condition_dim)
        super().__init__(**kwargs)

        # === Config ===
        self.num_classes = num_classes
        self.condition_dim = condition_dim
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    @property
    def conditional(self):
        """Bool. Whether the input is `[features, label]`."""
        return self.num_classes is not None or self.condition_dim is not None

    def build(self, input_shape):
        """Creates `psi`, and `V` where there are labels."""
        width = (input_shape[0] if self.conditional else input_shape)[-1]
        self.kernel = self.add_weight(
            name="kernel", shape=(width, 1), initializer=self.kernel_initializer
        )
        self.bias = self.add_weight(name="bias", shape=(1,), initializer="zeros")
        if self.conditional:
            # A clone, since an initializer that is used twice may give the same numbers twice.
            self.projection = self.add_weight(
                name="projection",
                shape=(self.num_classes or self.condition_dim, width),
                initializer=self.kernel_initializer.clone(),
            )

    def call(self, inputs):
        """Returns one score for each example."""
        features, label = inputs if self.conditional else (inputs, None)
        score = keras.ops.matmul(features, self.kernel) + self.bias
        if label is None:
            return score
        rows = label_rows(label, self.projection, self.num_classes)
        return score + keras.ops.sum(rows * features, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        """Returns `(batch, 1)`."""
        return ((input_shape[0] if self.conditional else input_shape)[0], 1)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "condition_dim": self.condition_dim,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
