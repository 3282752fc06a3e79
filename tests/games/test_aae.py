import keras
import numpy as np
import pytest

from kgan.games import AAE
from tests.frameworks import tensorflow_only
from tests.games.encoders import (
    IMAGES,
    LATENT_DIM,
    encoder,
    generator,
    judge,
    linear_judge,
    moved,
    softplus,
    step_of_discriminator,
    step_of_generator,
)


def build(discriminator=None, clusters=None, num_classes=None, **options):
    gan = AAE(
        generator(num_classes=num_classes),
        discriminator or judge(LATENT_DIM),
        encoder(),
        clusters=clusters,
        reconstruction_weight=7.0,
        num_classes=num_classes,
        seed=1,
    )
    gan.compile("adam", "adam", **options)
    return gan


def tensor(x):
    return keras.ops.convert_to_tensor(x)


def test_the_prior_is_real_and_codes_are_fake():
    gan = build()
    round = gan.play(tensor(IMAGES), None)
    codes = np.array(gan.encoder(IMAGES, training=True))
    np.testing.assert_allclose(round.fake["images"], codes, atol=1e-6)
    np.testing.assert_allclose(round.fake["score"], gan.discriminator(codes), rtol=1e-4)
    prior = round.real["images"]
    np.testing.assert_array_equal(prior, build().sample_latents(8))
    np.testing.assert_allclose(round.real["score"], gan.discriminator(prior), rtol=1e-5)
    assert gan.image_shape == (3,)


def test_losses_by_hand():
    gan = build()
    logs = gan.compute_losses(tensor(IMAGES), None)
    codes = gan.encoder(IMAGES, training=True)
    error = np.mean((np.array(gan.generator(codes)) - IMAGES) ** 2)
    np.testing.assert_allclose(logs["reconstruction_loss"], 7 * error, rtol=1e-5)
    real, fake = logs["round"].real["score"], logs["round"].fake["score"]
    fooled = softplus(-np.array(fake)).mean()
    np.testing.assert_allclose(logs["generator_loss"], 7 * error + fooled, rtol=1e-5)
    told = softplus(-np.array(real)).mean() + softplus(fake).mean()
    np.testing.assert_allclose(logs["discriminator_loss"], told, rtol=1e-5)


def test_observers_see_images():
    round = build().compute_losses(tensor(IMAGES), None)["round"]
    np.testing.assert_array_equal(round.real["images"], IMAGES)
    assert round.fake["images"].shape == IMAGES.shape


def test_who_moves_whom():
    gan = build(updates="alternating")
    assert moved(gan, lambda: step_of_discriminator(gan)) == {"discriminator"}
    assert moved(gan, lambda: step_of_generator(gan)) == {"generator", "encoder"}


def test_penalties_are_on_the_gradient_by_the_code():
    gan = build(linear_judge([3.0, 0.0, 4.0, 0.0, 12.0]), penalties=["r1:10"])
    logs = gan.compute_losses(tensor(IMAGES), None)
    np.testing.assert_allclose(logs["r1"], 10 / 2 * 169, rtol=1e-5)


@tensorflow_only("its tensors and the form of its step")
def test_clusters_reach_decoder_and_adversary_as_probabilities():
    gan = build(clusters=3)
    round = gan.play(tensor(IMAGES), None)
    said = np.array(gan.encoder(IMAGES, training=True))
    np.testing.assert_allclose(round.fake["images"][:, :2], said[:, :2], atol=1e-6)
    np.testing.assert_allclose(round.fake["images"][:, 2:].numpy().sum(axis=1), 1, rtol=1e-5)
    assert set(np.unique(round.real["images"][:, 2:])) == {0.0, 1.0}
    restored = gan.generator(round.fake["images"])
    np.testing.assert_allclose(round.fake["restored"], restored, rtol=1e-5)


def test_the_label_goes_to_the_decoder_alone():
    gan = build(num_classes=3)
    labels = tensor(np.array([0, 1, 2, 0, 1, 2, 0, 1], "int32"))
    round = gan.play(tensor(IMAGES), labels)
    codes = round.fake["images"]
    np.testing.assert_allclose(round.fake["restored"], gan.generator([codes, labels]), rtol=1e-5)
    np.testing.assert_allclose(round.fake["score"], gan.discriminator(codes), rtol=1e-4)
    gan.fit(IMAGES, np.array(labels), batch_size=8, epochs=1, verbose=0)
    assert gan.generate(2, labels=1, seed=0).shape == (2, 3)


def test_score_is_that_of_the_images_codes():
    gan = build()
    expected = gan.discriminator(gan.encode(IMAGES))
    np.testing.assert_allclose(gan.score(IMAGES), expected, rtol=1e-5)


@pytest.mark.parametrize("options", [{"dynamics": ["history_pool"]}, {"augment": ["diff_augment"]}])
def test_what_has_no_place(options):
    with pytest.raises(ValueError, match="AAE does not play with images alone.*Received"):
        build(**options)


def test_bad_weight():
    with pytest.raises(ValueError, match="reconstruction_weight must be a positive number"):
        AAE(generator(), judge(LATENT_DIM), encoder(), reconstruction_weight=0)
