import keras
import numpy as np
import pytest

import kgan


def _make_gan(num_classes=None, image_shape=(4, 4, 1), learning_rate=1e-3, **compile_arguments):
    """A GAN of one dense layer a player, which learns a step in milliseconds."""
    keras.utils.set_random_seed(0)
    label = [] if num_classes is None else [keras.Input((), dtype="int32", name="label")]
    latent = keras.Input((2,), name="latent")
    image = keras.Input(image_shape, name="image")

    def with_label(x):
        if not label:
            return x
        embedded = keras.layers.Embedding(num_classes, 3)(label[0])
        return keras.layers.Concatenate()([x, embedded])

    x = keras.layers.Dense(int(np.prod(image_shape)), activation="tanh")(with_label(latent))
    generator = keras.Model([latent, *label] if label else latent, _reshape(x, image_shape))
    score = keras.layers.Dense(1)(with_label(keras.layers.Flatten()(image)))
    discriminator = keras.Model([image, *label] if label else image, score)
    gan = kgan.GAN(generator, discriminator, num_classes=num_classes, seed=0)
    gan.compile(
        generator_optimizer=keras.optimizers.Adam(learning_rate),
        discriminator_optimizer=keras.optimizers.Adam(learning_rate),
        **compile_arguments,
    )
    return gan


def _reshape(x, shape):
    return keras.layers.Reshape(shape)(x)


@pytest.fixture
def make_gan():
    return _make_gan


@pytest.fixture
def gan():
    return _make_gan()


@pytest.fixture
def images():
    """Six batches of 8."""
    return np.random.default_rng(0).uniform(-1, 1, (48, 4, 4, 1)).astype("float32")


@pytest.fixture
def fit(gan, images):
    """Trains `gan` on `images`: `fit(callbacks, epochs=2, …)`."""

    def fit(callbacks, gan=gan, x=images, y=None, epochs=2, **kwargs):
        return gan.fit(x, y, batch_size=8, epochs=epochs, callbacks=callbacks, verbose=0, **kwargs)

    return fit
