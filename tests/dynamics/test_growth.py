import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.backbones import ProgressiveDiscriminator, ProgressiveGenerator
from kgan.backbones.progressive import PARTS
from tests import networks
from tests.frameworks import tensorflow_only

IMAGES = np.random.default_rng(0).uniform(-1, 1, (32, 8, 8, 1)).astype("float32")


def make_gan(stabilise=32, fade=48, size=8, optimizer=keras.optimizers.Adam, **compile_kwargs):
    """The same small game each time; `stabilise=None` is without Growth."""
    keras.utils.set_random_seed(3)
    gan = kgan.GAN(
        ProgressiveGenerator((size, size, 1), latent_dim=4, width=3, max_width=4),
        # Groups of a batch differ between one replica and two.
        ProgressiveDiscriminator((size, size, 1), width=3, max_width=4, group_size=1),
        seed=5,
    )
    dynamics = [] if stabilise is None else [kgan.dynamics.Growth(stabilise, fade)]
    gan.compile(optimizer(1e-2), optimizer(1e-2), dynamics=dynamics, **compile_kwargs)
    return gan


def fit(gan, epochs=1, batch_size=16):
    return gan.fit(IMAGES, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0).history


def progress_of(gan):
    networks = (gan.generator, gan.discriminator, gan.averaged_generator)
    return [int(keras.ops.convert_to_numpy(x.get_layer("stages").progress)) for x in networks]


def weights(gan):
    parts = (gan.generator, gan.discriminator, gan.averaged_generator)
    return np.concatenate([np.ravel(array) for part in parts for array in part.get_weights()])


@tensorflow_only("counts of images beyond 32 bits")
def test_the_schedule():
    """Three stages: 100 images each, with 50 between them."""
    (growth,) = make_gan(100, 50, size=16).dynamics
    expected = {
        0: 0,
        100: 0,
        101: PARTS // 50,
        125: PARTS // 2,
        149: PARTS * 49 // 50,
        150: PARTS,
        250: PARTS,
        275: PARTS + PARTS // 2,
        300: 2 * PARTS,
        10**12: 2 * PARTS,
    }
    assert {images: int(growth.progress_at(images)) for images in expected} == expected


@tensorflow_only("counts of images beyond 32 bits")
def test_a_long_fade_has_no_overflow():
    (growth,) = make_gan(10**10, 10**10, size=16).dynamics
    assert int(growth.progress_at(35 * 10**9)) == PARTS + PARTS // 2


def test_compile_puts_the_players_where_the_schedule_is():
    gan = make_gan(None)
    assert progress_of(gan) == [PARTS] * 3
    gan.compile(dynamics=[kgan.dynamics.Growth(16, 16)])
    assert progress_of(gan) == [0] * 3
    gan.images_seen.assign(24)
    gan.compile(dynamics=[kgan.dynamics.Growth(16, 16)])
    assert progress_of(gan) == [PARTS // 2] * 3
    gan.compile()
    assert progress_of(gan) == [PARTS // 2] * 3


def test_fit_follows_it():
    """Steps begin after 0, 16, …, 112 images; an epoch has two, and the logs show their mean."""
    gan = make_gan(32, 64)
    images = gan.generate(2, seed=1)
    np.testing.assert_array_equal(images, images[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2))
    later = [gan.generator.get_layer("stages").second, gan.discriminator.get_layer("stages").first]
    later = [layers[0].layer.kernel for layers in later]
    before = [np.array(kernel) for kernel in later]
    logs = fit(gan)
    for kernel, old in zip(later, before, strict=True):
        np.testing.assert_array_equal(kernel, old)
    for name, values in fit(gan, epochs=3).items():
        logs[name] += values
    np.testing.assert_allclose(logs["growth_resolution"], [4, 6, 8, 8])
    # The step after 32 images is of the first stage still, whose alpha is 1.
    np.testing.assert_allclose(logs["growth_alpha"], [1, (1 + 0.25) / 2, 0.625, 1])
    assert progress_of(gan) == [PARTS] * 3
    assert all(np.any(kernel != old) for kernel, old in zip(later, before, strict=True))
    assert all(np.all(np.isfinite(values)) for values in logs.values())


@pytest.mark.slow
def test_a_run_goes_on_as_if_never_interrupted(tmp_path):
    gan = make_gan()
    fit(gan, epochs=2)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert progress_of(loaded) == progress_of(gan) == [PARTS * 16 // 48] * 3
    assert fit(loaded, epochs=2) == fit(gan, epochs=2)
    np.testing.assert_array_equal(weights(loaded), weights(gan))


@pytest.mark.slow
def test_two_replicas_equal_one(two_replicas):
    # Adam would turn rounding errors of gradients near zero into whole steps.
    one = make_gan(optimizer=keras.optimizers.SGD)
    with two_replicas.scope():
        two = make_gan(optimizer=keras.optimizers.SGD)
    expected, logs = fit(one, epochs=3), fit(two, epochs=3)
    assert progress_of(two) == progress_of(one)
    np.testing.assert_allclose(weights(two), weights(one), atol=1e-5)
    for key, values in expected.items():
        np.testing.assert_allclose(logs[key], values, atol=1e-5, err_msg=key)


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"jit_compile": True}, {"steps_per_execution": 2}])
def test_every_way_to_run_follows_it(how):
    plain, other = (make_gan(16, 32, optimizer=keras.optimizers.SGD, **x) for x in ({}, how))
    latents = np.random.default_rng(1).normal(size=(16, 4)).astype("float32")
    for gan in (plain, other):
        gan.sample_latents = lambda n, training=True: latents
    expected, logs = fit(plain, epochs=2), fit(other, epochs=2)
    np.testing.assert_allclose(weights(other), weights(plain), atol=1e-4)
    np.testing.assert_allclose(logs["growth_alpha"], expected["growth_alpha"])
    np.testing.assert_allclose(logs["growth_alpha"], [1, 0.75])


@tensorflow_only("its signatures")
@pytest.mark.slow
def test_a_half_grown_generator_is_exported(tmp_path):
    gan = make_gan()
    gan.images_seen.assign(32 + 24)
    gan.compile(dynamics=[kgan.dynamics.Growth(32, 48)])
    served = tf.saved_model.load(str(gan.export(tmp_path / "export"))).signatures["generate"]
    images = served(seed=tf.constant(1, tf.int64), count=tf.constant(3))["image"]
    expected = np.clip((gan.generate(3, seed=1) + 1) / 2, 0, 1)
    np.testing.assert_allclose(images, expected, atol=1e-5)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_needs_players_that_grow(player):
    players = {
        "generator": ProgressiveGenerator((8, 8, 1), latent_dim=4, width=2),
        "discriminator": ProgressiveDiscriminator((8, 8, 1), width=2),
        player: getattr(networks, player)(shape=(8, 8, 1)),
    }
    with pytest.raises(ValueError, match=f"players that grow.*Received: {player}=<Functional"):
        kgan.GAN(**players).compile(dynamics="growth")


def test_needs_equal_numbers_of_stages():
    inputs = keras.Input((8, 8, 1))
    larger = ProgressiveDiscriminator((16, 16, 1), width=2)
    enlarged = kgan.layers.NearestUpsample2D(2)(inputs)
    discriminator = keras.Model(inputs, larger(enlarged))
    generator = ProgressiveGenerator((8, 8, 1), latent_dim=4, width=2)
    with pytest.raises(ValueError, match=r"Received: {'generator': \[2\], 'discriminator': \[3\]}"):
        kgan.GAN(generator, discriminator).compile(dynamics="growth")


@pytest.mark.parametrize("name", ["images_per_stage", "fade_images"])
def test_bad_arguments(name):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive.*Received: {name}=0"):
        kgan.dynamics.Growth(**{name: 0})
