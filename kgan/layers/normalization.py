"""Normalisations that keep examples of a batch independent of each other, or replicas alike."""

import keras
from keras import ops

from kgan import replicas
from kgan.layers.checks import check_positive_int, check_rate


@keras.saving.register_keras_serializable(package="kgan")
class PixelNormalization(keras.layers.Layer):
    """Divides the features at each position by their root mean square.

    `output = x / sqrt(mean over channels of x^2 + epsilon)`, computed in float32. On a latent
    `(batch, latent_dim)` it is the normalisation before StyleGAN's mapping network.

    Args:
        epsilon: float in [0, 1). What is added to the mean square. Defaults to `1e-8`.
        **kwargs: `name` and `dtype`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, ..., channels)`, any float dtype.

    Output shape:
        `(batch, ..., channels)`.

    Raises:
        ValueError: if `epsilon` is not in [0, 1).

    Example:
    >>> layer = kgan.layers.PixelNormalization()
    >>> layer(np.full((1, 3), 5.0, "float32")).numpy().tolist()
    [[1.0, 1.0, 1.0]]

    Reference:
        [Karras et al., 2018, Progressive Growing of GANs for Improved Quality, Stability, and
        Variation](https://arxiv.org/abs/1710.10196), section 4.2
    """

    def __init__(self, epsilon=1e-8, **kwargs):
        check_rate("epsilon", epsilon)
        super().__init__(**kwargs)

        # === Config ===
        self.epsilon = epsilon

    def call(self, inputs):
        """Returns vectors of about unit root mean square."""
        x = ops.cast(inputs, self.variable_dtype)
        mean_square = ops.mean(ops.square(x), axis=-1, keepdims=True)
        return ops.cast(x * ops.rsqrt(mean_square + self.epsilon), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input."""
        return tuple(input_shape)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="kgan")
class ReferenceBatch(keras.layers.Layer):
    """Appends a batch that was chosen once to every batch, for virtual batch norm to refer to.

    `output = concat(x, reference)` along the batch. The reference is the first `size` examples that
    the layer is called with in training (over all replicas, and repeated where there are fewer),
    then stays as it is and is saved with the model. Standard normal numbers stand in for it until
    then. It goes through the network beside the batch, as in the paper, so that each
    `VirtualBatchNormalization` knows the reference's activations under the present weights. Drop
    the reference's rows at the end, as the example does.

    Give a generator's label to it too: concatenate the embedded label to the latent before. The
    first layer of a discriminator in `kgan.GAN` sees real images first.

    Args:
        size: int, at least 1. Number of examples of the reference batch.
        **kwargs: `name` and `dtype`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, ...)`, any float dtype; all axes but the batch are known.

    Output shape:
        `(batch + size, ...)`.

    Raises:
        ValueError: if `size` is not a positive integer.

    Example:
    >>> images = keras.Input((8, 8, 3))
    >>> x = kgan.layers.ReferenceBatch(16)(images)
    >>> x = keras.layers.Conv2D(4, 3, strides=2, use_bias=False)(x)
    >>> x = kgan.layers.VirtualBatchNormalization(16)(x)
    >>> scores = keras.layers.Dense(1)(keras.layers.Flatten()(x))[:-16, ...]
    >>> discriminator = keras.Model(images, scores)
    >>> tuple(discriminator(np.ones((5, 8, 8, 3), "float32")).shape)
    (5, 1)

    Reference:
        [Salimans et al., 2016, Improved Techniques for Training
        GANs](https://arxiv.org/abs/1606.03498), section 3.5
    """

    # What it makes of an example depends on the batch that the example is in.
    reads_batch = True

    def __init__(self, size, **kwargs):
        check_positive_int("size", size)
        super().__init__(**kwargs)

        # === Config ===
        self.size = size

    def build(self, input_shape):
        """Creates the reference, and whether it has been chosen."""
        self.reference = self.add_weight(
            name="reference",
            shape=(self.size, *input_shape[1:]),
            initializer=keras.initializers.RandomNormal(0, 1),
            trainable=False,
            autocast=False,
        )
        self.is_chosen = self.add_weight(
            name="is_chosen", shape=(), initializer="zeros", dtype="bool", trainable=False
        )

    def call(self, inputs, training=None):
        """Returns the batch, and the reference after it."""
        if training:
            self._choose(inputs)
        return ops.concatenate([inputs, ops.cast(self.reference, inputs.dtype)], axis=0)

    def _choose(self, inputs):
        # Replicas choose the same reference: their weights must be one after each step.
        examples = replicas.gather(inputs)
        rows = ops.arange(self.size) % ops.shape(examples)[0]
        first = ops.cast(ops.take(examples, rows, axis=0), self.reference.dtype)
        self.reference.assign(ops.where(self.is_chosen.value, self.reference.value, first))
        self.is_chosen.assign(True)

    def compute_output_shape(self, input_shape):
        """Returns `(batch + size, ...)`."""
        batch = input_shape[0]
        return (None if batch is None else batch + self.size, *input_shape[1:])

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="kgan")
class VirtualBatchNormalization(keras.layers.Layer):
    r"""Batch norm with the statistics of a fixed reference batch and of the example itself.

    `output = gamma (x - mean) / sqrt(variance + epsilon) + beta`, where mean and mean of squares
    of an example are `1 / (n + 1)` times its own and `n / (n + 1)` times those of the `n`
    reference examples; those of a reference example are the reference batch's alone. An output
    therefore does not depend on the other examples of its batch, and is the same in training and
    otherwise. All is computed in float32. The reference examples are the last rows of the batch,
    where `ReferenceBatch` puts them at the start of the network.

    Args:
        reference_size: int, at least 1. Number of reference examples at the end of the batch: the
            `size` of the network's `ReferenceBatch`.
        epsilon: float in [0, 1). What is added to the variance. Defaults to `1e-5`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch + reference_size, ..., channels)`, any float dtype.

    Output shape:
        `(batch + reference_size, ..., channels)`.

    Raises:
        ValueError: if `reference_size` is not a positive integer, if `epsilon` is not in [0, 1),
            or if the batch is smaller than the reference.

    Example:
    >>> layer = kgan.layers.VirtualBatchNormalization(reference_size=16)
    >>> x, reference = np.ones((5, 4, 4, 8), "float32"), np.ones((16, 4, 4, 8), "float32")
    >>> tuple(layer(np.concatenate([x, reference]))[:-16].shape)
    (5, 4, 4, 8)

    Reference:
        [Salimans et al., 2016, Improved Techniques for Training
        GANs](https://arxiv.org/abs/1606.03498), section 3.5; the weights are those of the authors'
        code, openai/improved-gan
    """

    # What it makes of an example depends on the batch that the example is in.
    reads_batch = True

    def __init__(self, reference_size, epsilon=1e-5, **kwargs):
        check_positive_int("reference_size", reference_size)
        check_rate("epsilon", epsilon)
        super().__init__(**kwargs)

        # === Config ===
        self.reference_size = reference_size
        self.epsilon = epsilon

    def build(self, input_shape):
        """Creates the scale and offset of each channel."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones", autocast=False)
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros", autocast=False)

    def call(self, inputs):
        """Returns the normalised examples, and the normalised reference after them."""
        if inputs.shape[0] is not None and inputs.shape[0] < self.reference_size:
            raise ValueError(
                f"The batch must end with reference_size={self.reference_size} reference "
                f"examples; `ReferenceBatch` appends them. Received: a batch of {inputs.shape[0]}"
            )
        x = ops.cast(inputs, self.variable_dtype)
        examples, reference = x[: -self.reference_size], x[-self.reference_size :]
        positions = list(range(1, len(x.shape) - 1))
        own_mean, own_variance = ops.moments(examples, axes=positions, keepdims=True)
        mean, variance = ops.moments(reference, axes=[0, *positions], keepdims=True)
        # The moments of a mixture, without the difference of large numbers E x^2 - (E x)^2.
        own = 1 / (self.reference_size + 1)
        both_mean = own * own_mean + (1 - own) * mean
        both_variance = own * own_variance + (1 - own) * variance
        both_variance += own * (1 - own) * ops.square(own_mean - mean)
        outputs = ops.concatenate(
            [
                self._normalize(examples, both_mean, both_variance),
                self._normalize(reference, mean, variance),
            ],
            axis=0,
        )
        return ops.cast(outputs, self.compute_dtype)

    def _normalize(self, x, mean, variance):
        return (x - mean) * ops.rsqrt(variance + self.epsilon) * self.gamma + self.beta

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input."""
        return tuple(input_shape)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "reference_size": self.reference_size,
            "epsilon": self.epsilon,
        }


def synchronize_batch_norm(*networks):
    """Lets batch norm see the whole batch of all replicas, as one replica would.

    Each statistic is an exchange among all devices. It holds for layers within layers too, such as
    those of `ConditionalBatchNormalization`, and must come before the first step. A model that is
    loaded from a file has forgotten it.

    Args:
        *networks: `keras.Model`, whose `keras.layers.BatchNormalization` are changed.

    Raises:
        ValueError: if there is no such layer, or Keras's backend is another than TensorFlow, under
            which batch norm sees whole batches as it is.

    Example:
    >>> generator = kgan.backbones.DCGANGenerator(image_shape=(8, 8, 1), width=4)
    >>> kgan.layers.normalization.synchronize_batch_norm(generator)
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Batch norm is to be synchronised under Keras's backend tensorflow only. Received: "
            f"KERAS_BACKEND={keras.backend.backend()}"
        )
    norms = [
        layer
        for network in networks
        for layer in network._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if not norms:
        raise ValueError(
            "There is batch norm to synchronise in none of these networks. Received: "
            f"{', '.join(network.name for network in networks)}"
        )
    for norm in norms:
        norm.synchronized = True
