import keras
import numpy as np
import pytest

import kgan
from tests import networks

IMAGES = np.random.default_rng(0).uniform(-1, 1, (32, 2)).astype("float32")
LABELS = (np.arange(32) % 3).astype("int32")


@pytest.fixture
def make_gan():
    """Makes the same small compiled GAN each time, with these dynamics."""

    def make(dynamics, num_classes=None, discriminator=None, **compile_kwargs):
        keras.utils.set_random_seed(3)
        gan = kgan.GAN(
            networks.generator(num_classes),
            discriminator or networks.discriminator(num_classes),
            num_classes=num_classes,
            seed=5,
        )
        optimizers = keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2)
        gan.compile(*optimizers, dynamics=dynamics, **compile_kwargs)
        return gan

    return make


@pytest.fixture
def fit():
    """Trains a GAN on the same images each time and returns the logs."""

    def run(gan, epochs=1, batch_size=16):
        labels = LABELS if gan.is_conditional else None
        return gan.fit(
            IMAGES, labels, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0
        ).history

    return run


@pytest.fixture
def weights():
    """Returns all weights of a GAN's players, and the state of its dynamics, as one vector."""

    def flat(gan):
        variables = [v for one in gan.dynamics for v in one.variables]
        arrays = [*gan.generator.get_weights(), *gan.discriminator.get_weights()]
        arrays += [keras.ops.convert_to_numpy(v) for v in variables]
        return np.concatenate([np.ravel(array) for array in arrays])

    return flat
