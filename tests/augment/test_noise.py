"""Instance noise: its strength, and the line along which it falls."""

import keras
import numpy as np
import pytest

import kgan
from tests import networks

POINTS = np.random.default_rng(0).uniform(-1, 1, (16, 2)).astype("float32")


def make_gan(augment):
    gan = kgan.GAN(networks.generator(), networks.discriminator(), seed=7)
    gan.compile("sgd", "sgd", augment=augment)
    return gan


def stddevs(gan, epochs):
    return gan.fit(POINTS, batch_size=16, epochs=epochs, verbose=0).history["instance_noise_stddev"]


def test_noise_is_normal_and_independent():
    noise = kgan.augment.InstanceNoise(0.3)
    noisy = np.array(noise(np.full((200, 10, 10, 1), 0.5), keras.random.SeedGenerator(1))) - 0.5
    assert np.mean(noisy) == pytest.approx(0, abs=0.01)
    assert np.std(noisy) == pytest.approx(0.3, rel=0.02)
    assert np.mean(np.abs(noisy) < 0.3) == pytest.approx(0.6827, abs=0.02)
    pixels = noisy.reshape(200, 100)
    assert np.abs(np.corrcoef(pixels) - np.eye(200)).max() < 0.6


def test_stddev_falls_along_a_line_to_zero():
    gan = make_gan([kgan.augment.InstanceNoise(0.4, decay_images=64)])
    np.testing.assert_allclose(stddevs(gan, 6), [0.3, 0.2, 0.1, 0, 0, 0], atol=1e-6)
    images = np.ones((4, 2), "float32")
    np.testing.assert_array_equal(gan.augment[0](images, gan._training_seeds), images)


def test_stddev_goes_on_after_a_resume(tmp_path):
    gan = make_gan([kgan.augment.InstanceNoise(0.4, decay_images=64)])
    stddevs(gan, 2)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    np.testing.assert_allclose(stddevs(loaded, 1), [0.1], atol=1e-6)


def test_without_decay_it_stays():
    np.testing.assert_allclose(stddevs(make_gan(["instance_noise:0.4"]), 3), [0.4] * 3, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stddev": 0}, "stddev must be a positive number. Received: 0"),
        ({"stddev": "a"}, "stddev must be a positive number. Received: 'a'"),
        ({"stddev": 0.1, "decay_images": 0}, "`decay_images`.*Received: decay_images=0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        kgan.augment.InstanceNoise(**arguments)
