"""Games whose steps can be computed in more than one way, to compare what comes of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from tests import networks
from tests.frameworks import BACKEND

N = 24
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(-1, 1, (N, 8, 8, 1)).astype("float32")
LABELS = (np.arange(N) % networks.NUM_CLASSES).astype("int32")


def noisy_generator():
    """One that draws inside, for all examples together."""
    latents = keras.Input((4,))
    x = keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64)(latents))
    x = kgan.layers.NoiseInjection(seed=3)(keras.layers.Conv2D(4, 3, padding="same")(x))
    return keras.Model(latents, keras.layers.Conv2D(1, 3, padding="same", activation="tanh")(x))


def normalized_discriminator():
    """Its kernels depend on state that each round moves once."""
    images = keras.Input((8, 8, 1))
    x = kgan.layers.SpectralNormalization(keras.layers.Conv2D(4, 3, strides=2))(images)
    x = keras.layers.Flatten()(keras.layers.LeakyReLU()(x))
    return keras.Model(images, kgan.layers.SpectralNormalization(keras.layers.Dense(1))(x))


def make(generator=None, discriminator=None, num_classes=None, **arguments):
    """Returns a compiled game, whose steps do not magnify rounding."""
    keras.utils.set_random_seed(0)
    shape = (8, 8, 1)
    gan = kgan.GAN(
        (generator or (lambda: networks.generator(num_classes, shape)))(),
        (discriminator or (lambda: networks.discriminator(num_classes, shape)))(),
        num_classes=num_classes,
        seed=1,
    )
    # Not Adam, whose first steps are as long where a gradient is rounding as where it is not.
    optimizers = {
        f"{player}_optimizer": keras.optimizers.SGD(0.1, momentum=0.5)
        for player in ("generator", "discriminator")
    }
    gan.compile(**{**optimizers, **arguments})
    return gan


def train(gan, steps=3):
    """Returns the logs of some steps on one batch."""
    data = (IMAGES, LABELS) if gan.num_classes else (IMAGES,)
    data = tf.data.Dataset.from_tensors(data).repeat()
    return gan.fit(data, steps_per_epoch=steps, epochs=1, verbose=0).history


GAMES = {
    "perceptrons": {},
    "critic steps": {
        "loss": "wasserstein",
        "penalties": ["gradient_penalty:1"],
        "discriminator_steps": 3,
    },
    "alternating": {"updates": "alternating", "loss": "hinge"},
    "conditional": {"num_classes": networks.NUM_CLASSES, "penalties": ["r1:1,every=2"]},
    "augmentation": {"augment": ["diff_augment"], "penalties": ["r1:1"]},
    "adaptive augmentation": {"augment": ["ada:interval=1,adjust_images=100"]},
    "history": {"dynamics": ["history_pool:20", "balance"]},
    "lecam": {"loss": "hinge", "penalties": ["lecam"]},
    "noise": {"generator": noisy_generator},
    "spectral norm": {"discriminator": normalized_discriminator},
    "graph": {"jit_compile": False, "penalties": ["r1:1,every=2"]},
    "xla": {"jit_compile": True, "penalties": ["r1:1,every=2"], "augment": ["diff_augment"]},
    "eager": {"run_eagerly": True},
}


def states(gan):
    """Returns all that training goes on from."""
    variables = {f"{i} {v.path}": np.array(v) for i, v in enumerate(gan.variables)}
    return variables | {name: np.array(v) for name, v in gan._states().items()}


def wide(**arguments):
    """A game whose activations take far more memory than its weights."""
    keras.utils.set_random_seed(0)
    gan = kgan.GAN(
        kgan.backbones.DCGANGenerator((32, 32, 3), latent_dim=4, width=16),
        kgan.backbones.DCGANDiscriminator((32, 32, 3), width=16, norm=None),
        seed=1,
    )
    gan.compile(**arguments)
    return gan


def peak_memory(gan):
    """Returns the most bytes that a step of `wide` takes at once; skips where nobody counts."""
    images = np.random.default_rng(0).uniform(-1, 1, (64, 32, 32, 3)).astype("float32")
    if BACKEND == "jax":
        import jax

        from kgan.backend.jax import PARTS

        state = gan._get_jax_state(**dict.fromkeys(PARTS, True))
        compiled = jax.jit(gan.train_step).lower(state, (images,)).compile()
        return compiled.memory_analysis().temp_size_in_bytes
    memory = tf.config.experimental
    step = tf.function(gan.train_step, autograph=False)
    data = (tf.constant(images),)
    step(data)  # to compile
    try:
        memory.reset_memory_stats("CPU:0")
    except ValueError:
        pytest.skip("this allocator does not count")
    before = memory.get_memory_info("CPU:0")["current"]
    step(data)
    return memory.get_memory_info("CPU:0")["peak"] - before
