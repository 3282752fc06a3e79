import keras
import numpy as np
import pytest

from kgan.games import ClusterGAN
from tests.games.encoders import (
    IMAGES,
    encoder,
    generator,
    judge,
    moved,
    regularized_encoder,
    softplus,
    step_of_discriminator,
    step_of_generator,
)


def build(clusters=3, compile_options=(), **options):
    gan = ClusterGAN(generator(), judge(), encoder(), clusters=clusters, seed=1, **options)
    gan.compile("adam", "adam", **dict(compile_options))
    return gan


def cross_entropy(hot, logits):
    logits = np.array(logits, "float64")
    return (np.log(np.exp(logits).sum(axis=1)) - (np.array(hot) * logits).sum(axis=1)).mean()


def test_losses_by_hand():
    gan = build(latent_weight=3.0, cluster_weight=7.0)
    logs = gan.compute_losses(keras.ops.convert_to_tensor(IMAGES), None)
    fake = logs["round"].fake
    read = np.array(gan.encoder(fake["images"], training=True))
    latents = np.array(fake["latents"])
    error = np.mean((read[:, :2] - latents[:, :2]) ** 2)
    surprise = cross_entropy(latents[:, 2:], read[:, 2:])
    np.testing.assert_allclose(logs["latent_loss"], 3 * error, rtol=1e-4)
    np.testing.assert_allclose(logs["cluster_loss"], 7 * surprise, rtol=1e-4)
    expected = softplus(-np.array(fake["score"])).mean() + 3 * error + 7 * surprise
    np.testing.assert_allclose(logs["generator_loss"], expected, rtol=1e-4)
    told = softplus(-np.array(logs["round"].real["score"])) + softplus(fake["score"])
    np.testing.assert_allclose(logs["discriminator_loss"], told.mean(), rtol=1e-4)


def test_the_encoders_regularisation_counts():
    def loss(factor):
        gan = ClusterGAN(generator(), judge(), regularized_encoder(factor), clusters=3, seed=1)
        gan.compile()
        gan.generator.set_weights([np.ones(w.shape) / 8 for w in gan.generator.get_weights()])
        gan.discriminator.set_weights([np.ones(w.shape) for w in gan.discriminator.get_weights()])
        return gan.compute_losses(keras.ops.convert_to_tensor(IMAGES), None)["generator_loss"]

    np.testing.assert_allclose(loss(2.0) - loss(0.0), 2 * 3 * 5, rtol=1e-5)


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
def test_who_moves_whom(updates):
    gan = build(compile_options={"updates": updates})
    assert moved(gan, lambda: step_of_discriminator(gan)) == {"discriminator"}
    assert moved(gan, lambda: step_of_generator(gan)) == {"generator", "encoder"}


def test_the_encoder_never_learns_from_reals():
    gan, other = build(), build()
    other.set_weights(gan.get_weights())
    gan.fit(IMAGES, batch_size=8, verbose=0)
    other.fit(-IMAGES, batch_size=8, verbose=0)
    for a, b in zip(gan.encoder.variables, other.encoder.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_reads_the_clusters_of_its_fakes():
    gan = build()
    gan.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-3))
    gan.fit(np.repeat(IMAGES, 32, axis=0), batch_size=32, epochs=20, verbose=0)
    latents = np.array(gan.draw_latents(64, seed=5))
    read = np.array(gan.classify(gan.generator(latents)))
    assert (read.argmax(axis=1) == latents[:, 2:].argmax(axis=1)).mean() > 0.9


@pytest.mark.parametrize("name", ["latent_weight", "cluster_weight"])
def test_bad_weights(name):
    with pytest.raises(ValueError, match=f"{name} must be a positive number"):
        build(**{name: 0})


def test_needs_clusters():
    with pytest.raises(ValueError, match="`clusters` must be a positive integer"):
        build(clusters=None)
