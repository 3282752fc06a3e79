"""A step in micro-batches is the plain step, from less memory."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from tests import networks
from tests.frameworks import tensorflow_only

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


def make(micro_batches=1, generator=None, discriminator=None, num_classes=None, **arguments):
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
    gan.compile(**{**optimizers, **arguments}, micro_batches=micro_batches)
    return gan


def train(gan, steps=3):
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


@pytest.mark.parametrize("micro_batches", [2, 4])
@pytest.mark.parametrize("game", GAMES)
def test_steps_are_those_of_whole_batches(game, micro_batches):
    plain, split = make(**GAMES[game]), make(micro_batches, **GAMES[game])
    logs, split_logs = train(plain), train(split)
    for name, values in logs.items():
        np.testing.assert_allclose(split_logs[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    for (name, one), other in zip(states(plain).items(), states(split).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5, err_msg=name)


def states(gan):
    """Returns all that training goes on from."""
    variables = {f"{i} {v.path}": np.array(v) for i, v in enumerate(gan.variables)}
    return variables | {name: np.array(v) for name, v in gan._states().items()}


def wide(micro_batches):
    """A game whose activations take far more memory than its weights."""
    keras.utils.set_random_seed(0)
    gan = kgan.GAN(
        kgan.backbones.DCGANGenerator((32, 32, 3), latent_dim=4, width=16),
        kgan.backbones.DCGANDiscriminator((32, 32, 3), width=16, norm=None),
        seed=1,
    )
    gan.compile(micro_batches=micro_batches)
    return gan


@tensorflow_only("asks its allocator")
def test_a_step_takes_less_memory():
    images = tf.random.stateless_uniform((64, 32, 32, 3), (1, 2), -1, 1)
    memory, peaks = tf.config.experimental, []
    for micro_batches in (1, 4):
        step = tf.function(wide(micro_batches).train_step, autograph=False)
        step((images,))  # to compile
        try:
            memory.reset_memory_stats("CPU:0")
        except ValueError:
            pytest.skip("this allocator does not count")
        before = memory.get_memory_info("CPU:0")["current"]
        step((images,))
        peaks.append(memory.get_memory_info("CPU:0")["peak"] - before)
    assert peaks[0] > 1e6 and peaks[1] < 0.5 * peaks[0]


def test_a_remainder_is_left_out():
    plain, split = make(), make(4)
    plain.fit(IMAGES[:20], batch_size=20, verbose=0, shuffle=False)
    split.fit(IMAGES[:23], batch_size=23, verbose=0, shuffle=False)
    assert int(split.images_seen) == 23
    # The average counts images, not what is learned from.
    for one, other in zip(plain.networks.values(), split.networks.values(), strict=True):
        for a, b in zip(one.weights, other.weights, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_batch_norm_has_the_statistics_of_the_whole_batch():
    plain, split = (make(k, discriminator=batch_norm_discriminator) for k in (1, 3))
    train(plain, 1)
    train(split, 1)
    means = [np.array(gan.discriminator.layers[1].moving_mean) for gan in (plain, split)]
    assert abs(means[0]) > 1e-3
    np.testing.assert_allclose(means[1], means[0], rtol=1e-4)


def batch_norm_discriminator():
    """Its first layer normalises images, so that its statistics do not depend on weights."""
    images = keras.Input((8, 8, 1))
    x = keras.layers.BatchNormalization(momentum=0.5)(images)
    return keras.Model(images, keras.layers.Dense(1)(keras.layers.Flatten()(x)))


@pytest.mark.parametrize("value", [0, -1, 2.0, "2", True])
def test_bad_counts(value):
    with pytest.raises(ValueError, match="micro_batches must be an int of 1 or more. Received: "):
        make(value)


def test_what_looks_at_the_whole_batch_is_refused():
    make(1, dynamics=["top_k"])
    with pytest.raises(ValueError, match="TopK looks at the whole batch.*micro_batches=2, TopK"):
        make(2, dynamics=["top_k"])
    with pytest.raises(ValueError, match="ReferenceBatch looks at the whole batch"):
        make(2, discriminator=reference_discriminator)


def reference_discriminator():
    images = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(kgan.layers.ReferenceBatch(2)(images))
    return keras.Model(images, keras.layers.Dense(1)(x)[:-2, ...])


def test_batches_that_are_too_small():
    with pytest.raises(ValueError, match="micro_batches=4: a batch needs at least 8 images"):
        make(4, discriminator_steps=2).fit(IMAGES[:7], batch_size=7, verbose=0)


class Scorer(kgan.dynamics.Dynamics):
    """What wants more of a round than its parts can give."""

    def after_update(self, round):
        round.score(round.fake["images"])


def test_nothing_can_be_scored_after_an_update():
    make(1, dynamics=[Scorer()], run_eagerly=True).fit(IMAGES, batch_size=N, verbose=0)
    with pytest.raises(ValueError, match="played in parts. Received: micro_batches"):
        make(2, dynamics=[Scorer()], run_eagerly=True).fit(IMAGES, batch_size=N, verbose=0)


def test_a_saved_game_keeps_its_micro_batches(tmp_path):
    gan = make(2)
    train(gan, 1)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.micro_batches == 2
    train(gan, 2)
    train(loaded, 2)
    for (name, one), other in zip(states(gan).items(), states(loaded).values(), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)
