import keras
import numpy as np
import pytest

from kgan.games.encoder import EncoderGAN
from tests.games.encoders import IMAGES, encoder, generator, judge


def build(**options):
    return EncoderGAN(generator(), judge(), encoder(), seed=1, **options)


def test_latents_end_with_clusters_drawn_uniformly():
    gan = build(clusters=3, latent_scale=0.1)
    latents = np.array(gan.draw_latents(6000, seed=2))
    style, hot = latents[:, :2], latents[:, 2:]
    assert set(np.unique(hot)) == {0.0, 1.0}
    np.testing.assert_array_equal(hot.sum(axis=1), 1)
    # Four standard deviations of a share of 1/3, of 6,000.
    np.testing.assert_allclose(hot.mean(axis=0), 1 / 3, atol=4 * (2 / 9 / 6000) ** 0.5)
    np.testing.assert_allclose(style.std(), 0.1, rtol=0.05)
    correlations = np.corrcoef(latents.T)[:2, 2:]
    assert np.abs(correlations).max() < 0.06


def test_latents_without_clusters_are_the_gan_s_times_a_scale():
    gan = build(latent_scale=5.0, latent_distribution="uniform")
    expected = keras.random.uniform((4, 5), -1.0, 1.0, seed=3)
    np.testing.assert_allclose(gan.draw_latents(4, seed=3), 5 * np.array(expected), rtol=1e-6)


def test_one_seed_draws_one_batch_and_a_generator_of_seeds_goes_on():
    gan = build(clusters=3)
    np.testing.assert_array_equal(gan.draw_latents(4, seed=3), gan.draw_latents(4, seed=3))
    seeds = keras.random.SeedGenerator(3)
    first, second = (np.array(gan.draw_latents(50, seeds)) for _ in range(2))
    assert (first != second).any(axis=0).all()


def test_encode_says_what_the_encoder_does():
    gan = build(clusters=3)
    codes = gan.encode(IMAGES)
    assert codes.dtype == "float32"
    said = np.array(gan.encoder(IMAGES, training=False), "float64")
    exponentials = np.exp(said[:, 2:])
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(codes, np.hstack([said[:, :2], probabilities]), atol=1e-6)
    np.testing.assert_array_equal(gan.classify(IMAGES), codes[:, 2:])


def test_no_clusters_to_tell():
    with pytest.raises(ValueError, match="classify needs clusters.*Received"):
        build().classify(IMAGES)


def test_the_generator_s_optimizer_moves_the_encoder():
    gan = build()
    theirs = {id(v) for v in gan.generator_variables}
    assert {id(v) for v in gan.encoder.trainable_variables} < theirs
    assert not theirs & {id(v) for v in gan.discriminator_variables}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clusters": 0}, "`clusters` must be a positive integer"),
        ({"clusters": 5}, "wider than the clusters.*Received: .*clusters=5"),
        ({"latent_scale": 0.0}, "latent_scale must be a positive number"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_codes_of_another_width():
    with pytest.raises(ValueError, match="as wide as the latents, 5.*Received: .*4"):
        EncoderGAN(generator(), judge(), encoder(4))
