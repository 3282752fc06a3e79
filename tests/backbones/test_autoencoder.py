import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.backbones import AutoencodingDiscriminator, DCGANDiscriminator, DCGANGenerator
from kgan.backbones.autoencoder import ReconstructionScore
from tests.conformance import (
    POLICIES,
    assert_finite,
    check_docstring,
    check_gradients,
    check_jit_compile,
    check_saving,
    run_layer_test,
)
from tests.frameworks import tensorflow_only

SHAPE = (8, 8, 2)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, *SHAPE)).astype("float32")


def make(error="norm", code_dim=5, dtype=None):
    return AutoencodingDiscriminator(
        DCGANDiscriminator(
            SHAPE, width=4, batch_norm=False, head=keras.layers.Dense(code_dim), dtype=dtype
        ),
        DCGANGenerator(SHAPE, latent_dim=code_dim, width=4, dtype=dtype),
        error,
    )


@pytest.mark.parametrize(
    ("error", "formula"),
    [
        ("norm", lambda d: np.sqrt(np.sum(d**2, axis=(1, 2, 3)))),
        ("absolute", lambda d: np.mean(np.abs(d), axis=(1, 2, 3))),
        ("squared", lambda d: np.mean(d**2, axis=(1, 2, 3))),
    ],
)
def test_the_score_is_minus_the_error_of_reconstruction(error, formula):
    discriminator = make(error)
    said = discriminator(IMAGES)
    code = np.array(discriminator.encoder(IMAGES))
    reconstruction = np.array(discriminator.decoder(code))
    np.testing.assert_array_equal(said["code"], code)
    np.testing.assert_allclose(said["reconstruction"], reconstruction, atol=1e-6)
    expected = formula(reconstruction.astype("float64") - IMAGES)
    np.testing.assert_allclose(np.array(said["score"])[:, 0], -expected, rtol=1e-5)
    assert (np.array(said["score"]) < 0).all()


def test_the_code_is_a_layer_for_losses_that_look_at_layers():
    generator = DCGANGenerator(SHAPE, latent_dim=6, width=4)
    gan = kgan.GAN(generator, make())
    gan.compile(auxiliary_losses=["pull_away:0.1,layers=code"], loss="energy_based:margin=10")
    view = gan.play(IMAGES, None).fake
    np.testing.assert_array_equal(view["features"]["code"], view["code"])


def test_conformance():
    discriminator = make()
    check_saving(discriminator, IMAGES)
    check_gradients(discriminator, IMAGES)
    check_jit_compile(discriminator, IMAGES)
    check_docstring(AutoencodingDiscriminator)
    copy = AutoencodingDiscriminator.from_config(make("squared").get_config())
    assert copy.error == "squared" and copy.encoder.width == 4 and copy.decoder.latent_dim == 5
    images = keras.random.normal((2, 3))
    run_layer_test(ReconstructionScore, {"error": "squared"}, [images, images + 1], (2, 1))


@pytest.mark.parametrize("policy", POLICIES)
def test_scores_are_float32_under_every_policy(policy):
    for output in make(dtype=policy)(IMAGES).values():
        assert keras.backend.standardize_dtype(output.dtype) == "float32"
        assert_finite(output)


@tensorflow_only("its tapes")
def test_a_perfect_reconstruction_has_a_finite_gradient():
    images = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(images)
        score = ReconstructionScore("norm")([images, tf.constant(IMAGES)])
    np.testing.assert_array_equal(tape.gradient(score, images), np.zeros_like(IMAGES))


def test_bad_arguments():
    encoder = DCGANDiscriminator(SHAPE, width=4, head=keras.layers.Dense(5))
    with pytest.raises(ValueError, match=r"codes into images.* Received: encoder from .*5"):
        AutoencodingDiscriminator(encoder, DCGANGenerator(SHAPE, latent_dim=6, width=4))
    with pytest.raises(ValueError, match=r"codes into images.* Received: .*8, 8, 1"):
        AutoencodingDiscriminator(encoder, DCGANGenerator((8, 8, 1), latent_dim=5, width=4))
    with pytest.raises(ValueError, match="`error` must be one of .* Received: error='l3'"):
        make("l3")
