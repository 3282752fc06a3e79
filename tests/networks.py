"""Tiny players for tests, from plain Keras layers."""

import keras

LATENT_DIM = 4
NUM_CLASSES = 3


def generator(num_classes=None, shape=(2,), width=8, **kwargs):
    """A Functional generator of one hidden layer."""
    latents = keras.Input((LATENT_DIM,))
    inputs, x = latents, latents
    if num_classes:
        labels = keras.Input((), dtype="int32")
        inputs = [latents, labels]
        x = keras.layers.Concatenate()([latents, keras.layers.Embedding(num_classes, 4)(labels)])
    x = keras.layers.Dense(width, activation="tanh", **kwargs)(x)
    size = 1
    for side in shape:
        size *= side
    x = keras.layers.Dense(size, activation="tanh", dtype="float32")(x)
    return keras.Model(inputs, keras.layers.Reshape(shape, dtype="float32")(x))


def discriminator(num_classes=None, shape=(2,), width=8, **kwargs):
    """A Functional discriminator of one hidden layer."""
    images = keras.Input(shape)
    inputs, x = images, keras.layers.Flatten()(images)
    if num_classes:
        labels = keras.Input((), dtype="int32")
        inputs = [images, labels]
        x = keras.layers.Concatenate()([x, keras.layers.Embedding(num_classes, 4)(labels)])
    x = keras.layers.Dense(width, activation="tanh", **kwargs)(x)
    return keras.Model(inputs, keras.layers.Dense(1, dtype="float32")(x))
