"""Noise inside a generator."""

import keras
from keras import ops

from kgan import replicas


@keras.saving.register_keras_serializable(package="kgan")
class NoiseInjection(keras.layers.Layer):
    """Adds normal noise to a feature map, one map for all channels, each with its own strength.

    `output[n, i, j, c] = x[n, i, j, c] + strength[c] noise[n, i, j]`, where `strength` is learned
    and starts at 0. In training, noise is drawn anew for every example. Otherwise it is one
    constant map for all examples, drawn when the layer is built and saved with it (the authors'
    code calls this `randomize_noise=False`), so that an image depends on its latent alone: the
    same latent gives the same image in any batch, at any time and in every exported form. Call the
    generator with `training=True` to see how noise varies one image.

    Args:
        seed: int or `None`. Seed of the noise; `None` is a random one. Defaults to `None`.
        **kwargs: `name`, `dtype` and `trainable`, as for every `keras.layers.Layer`.

    Input shape:
        `(batch, ..., channels)`, any float dtype; all axes but the batch are known.

    Output shape:
        `(batch, ..., channels)`.

    Raises:
        ValueError: if an axis other than the batch is not known.

    Example:
    >>> layer = kgan.layers.NoiseInjection(seed=1)
    >>> tuple(layer(np.ones((3, 4, 4, 8), "float32"), training=True).shape)
    (3, 4, 4, 8)

    Reference:
        [Karras et al., 2018, A Style-Based Generator Architecture for Generative Adversarial
        Networks](https://arxiv.org/abs/1812.04948), section 2 and figure 1; NVlabs/stylegan for
        the initial strength
    """

    # What it makes of an example depends on the batch that the example is in.
    reads_batch = True

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)

        # === Layers ===
        self.seed_generator = keras.random.SeedGenerator(seed)

        # === Config ===
        self.seed = seed

    def build(self, input_shape):
        """Creates the strength of each channel, and the noise outside of training."""
        *positions, channels = input_shape[1:]
        if None in input_shape[1:]:
            raise ValueError(
                "All axes but the batch must be known, for the noise that is constant. "
                f"Received: {tuple(input_shape)}"
            )
        self.strength = self.add_weight(name="strength", shape=(channels,), initializer="zeros")
        self.constant_noise = self.add_weight(
            name="constant_noise",
            shape=(*positions, 1),
            initializer=keras.initializers.RandomNormal(0, 1, seed=self.seed),
            trainable=False,
        )

    def call(self, inputs, training=None):
        """Returns the features with noise."""
        noise = self.constant_noise
        if training:
            shape = (*ops.shape(inputs)[:-1], 1)
            noise = ops.cast(replicas.normal(shape, self.seed_generator), inputs.dtype)
        return inputs + self.strength * noise

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input."""
        return tuple(input_shape)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "seed": self.seed}
