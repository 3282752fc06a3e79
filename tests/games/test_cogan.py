import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.backbones import CoupledDiscriminator, CoupledGenerator
from kgan.games import CoGAN
from tests.conformance import check_docstring
from tests.frameworks import tensorflow_only

SHAPE = (8, 16, 1)
PAIRS = np.random.default_rng(0).uniform(-1, 1, (6, *SHAPE)).astype("float32")


def build(**options):
    generator = CoupledGenerator(SHAPE, latent_dim=4, width=4)
    gan = CoGAN(generator, CoupledDiscriminator(SHAPE, width=4), seed=1)
    gan.compile(**options)
    return gan


def gradients(gan, pairs):
    with tf.GradientTape() as tape:
        scores = gan.discriminator(pairs, training=True)
        zeros = tf.zeros_like(scores)
        loss = gan.loss.discriminator(scores, zeros)
    variables = gan.discriminator_variables
    return loss, tape.gradient(loss, [v.value for v in variables])


@tensorflow_only("its tensors and the form of its step")
def test_training_sees_no_pairs():
    gan = build()
    seen = np.array(gan.play(tf.constant(PAIRS), None).real["images"])
    np.testing.assert_array_equal(seen[:, :, :8], PAIRS[:, :, :8])
    np.testing.assert_array_equal(seen[1:, :, 8:], PAIRS[:-1, :, 8:])
    np.testing.assert_array_equal(seen[0, :, 8:], PAIRS[-1, :, 8:])


@tensorflow_only("its tapes")
def test_whatever_is_paired_teaches_the_discriminator_the_same():
    gan = build()
    first, second = gan.domains(PAIRS)
    others = np.concatenate([first, second[[3, 1, 5, 0, 2, 4]]], axis=2)
    expected, plain = gradients(gan, PAIRS)
    loss, mixed = gradients(gan, others)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    for one, other in zip(plain, mixed, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@tensorflow_only("its tensors and the form of its step")
def test_the_loss_is_the_mean_of_the_two_games():
    gan = build()
    logs = gan.compute_losses(tf.constant(PAIRS), None)
    real, fake = (np.float64(view["score"]) for view in (logs["round"].real, logs["round"].fake))
    assert real.shape == (6, 2)
    games = [np.log1p(np.exp(-real[:, i])) + np.log1p(np.exp(fake[:, i])) for i in (0, 1)]
    np.testing.assert_allclose(logs["discriminator_loss"], np.mean(games), rtol=1e-5)
    answers = [np.log1p(np.exp(-fake[:, i])) for i in (0, 1)]
    np.testing.assert_allclose(logs["generator_loss"], np.mean(answers), rtol=1e-5)


@tensorflow_only("its tapes")
def test_one_domains_score_moves_its_own_layers_and_the_shared_ones():
    gan = build()
    with tf.GradientTape(persistent=True) as tape:
        scores = gan.view(gan.synthesize(gan.sample_latents(4), training=True), training=True)
        first = tf.reduce_sum(scores["score"][:, 0])
    moved = {
        v.path: g is not None and np.any(tf.convert_to_tensor(g))
        for v in gan.discriminator_variables
        for g in [tape.gradient(first, v.value)]
    }
    assert [path for path, has_moved in moved.items() if not has_moved] == [
        "second/kernel",
        "second/bias",
    ]
    last = gan.generator.get_layer("both").layers[-2]
    own, other = np.moveaxis(tape.gradient(first, last.kernel.value), 2, 0)
    assert np.any(own) and not np.any(other)


def test_domains_are_the_halves_of_what_is_generated():
    gan = build()
    pairs = gan.generate(3, seed=5)
    assert pairs.shape == (3, *SHAPE)
    np.testing.assert_array_equal(np.concatenate(gan.domains(pairs), axis=2), pairs)


def test_saving(tmp_path):
    gan = build()
    gan.fit(PAIRS, batch_size=6, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert type(loaded) is CoGAN
    np.testing.assert_array_equal(loaded.generate(2, seed=1), gan.generate(2, seed=1))


def test_bad_arguments():
    generator = CoupledGenerator(SHAPE, latent_dim=4, width=4)
    with pytest.raises(ValueError, match=r"Received: \(8, 16, 1\) and \(None, 1\)"):
        CoGAN(generator, kgan.backbones.DCGANDiscriminator(SHAPE, width=4))
    labelled = kgan.backbones.DCGANGenerator(SHAPE, latent_dim=4, width=4, num_classes=3)
    judge = kgan.backbones.DCGANDiscriminator(SHAPE, width=4, num_classes=3)
    with pytest.raises(ValueError, match="takes no labels.* Received: num_classes=3"):
        CoGAN(labelled, judge, num_classes=3)


def test_docstring():
    check_docstring(CoGAN)
