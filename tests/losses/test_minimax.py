import keras
import numpy as np
import pytest

import kgan
from tests.conformance import run_loss_test

SCORES = [np.random.default_rng(0).normal(size=(8,)), np.random.default_rng(1).normal(size=(8,))]
EXTREMES = [np.array([-50.0, 50.0, -50.0, 50.0]), np.array([50.0, -50.0, -50.0, 50.0])]


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, "float64")))


def log_d(x):
    return -np.logaddexp(0, -np.asarray(x, "float64"))


def log_not_d(x):
    return -np.logaddexp(0, np.asarray(x, "float64"))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_minimax_discriminator(smoothing):
    def formula(real, fake):
        target = 1 - smoothing
        real_loss = -target * log_d(real) - (1 - target) * log_not_d(real)
        return real_loss - log_not_d(fake)

    run_loss_test(kgan.losses.MinimaxDiscriminatorLoss, {"label_smoothing": smoothing}, formula)


def test_minimax_generator():
    run_loss_test(kgan.losses.MinimaxGeneratorLoss, {}, lambda real, fake: log_not_d(fake))


def test_non_saturating_generator():
    run_loss_test(kgan.losses.NonSaturatingGeneratorLoss, {}, lambda real, fake: -log_d(fake))


def test_minimax_is_zero_sum():
    pair = kgan.losses.Minimax()
    real, fake = SCORES
    value = float(np.mean(log_d(real) + log_not_d(fake)))
    np.testing.assert_allclose(pair.discriminator(real, fake), -value, rtol=1e-6)
    # The reals' term does not depend on the generator, so its loss leaves it out.
    np.testing.assert_allclose(pair.generator(real, fake), value - np.mean(log_d(real)), rtol=1e-6)


def test_saturation_is_what_sets_the_generators_apart():
    sure_fakes = np.full((4,), -8.0)
    saturating = _gradient(kgan.losses.MinimaxGeneratorLoss(), sure_fakes)
    non_saturating = _gradient(kgan.losses.NonSaturatingGeneratorLoss(), sure_fakes)
    np.testing.assert_allclose(saturating, -sigmoid(sure_fakes) / 4, rtol=1e-5)
    np.testing.assert_allclose(non_saturating, -sigmoid(-sure_fakes) / 4, rtol=1e-5)


def _gradient(loss, fake):
    import tensorflow as tf

    fake = tf.constant(fake, "float32")
    with tf.GradientTape() as tape:
        tape.watch(fake)
        value = loss(tf.zeros_like(fake), fake)
    return tape.gradient(value, fake).numpy()


def test_smoothing_is_one_sided():
    """At the smoothed optimum D(x) = 0.9 the reals' gradient is zero; the fakes' is as before."""
    loss = kgan.losses.MinimaxDiscriminatorLoss(label_smoothing=0.1, reduction=None)
    logit = np.log(0.9 / 0.1)
    around = [float(loss([logit + e], [0.0])[0]) for e in (-0.1, 0.0, 0.1)]
    assert around[1] < around[0] and around[1] < around[2]


@pytest.mark.parametrize("smoothing", [-0.1, 0.5, 1.0])
def test_smoothing_out_of_range(smoothing):
    with pytest.raises(ValueError, match=f"Received: {smoothing}"):
        kgan.losses.NonSaturating(label_smoothing=smoothing)


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_probability_is_the_sigmoid(name):
    pair = kgan.losses.get(name)
    np.testing.assert_allclose(pair.probability(SCORES[0]), sigmoid(SCORES[0]), rtol=1e-5)


def test_pair_comes_back_from_its_config():
    pair = kgan.losses.NonSaturating(label_smoothing=0.2)
    copy = kgan.losses.get(keras.saving.serialize_keras_object(pair))
    assert isinstance(copy, kgan.losses.NonSaturating)
    assert copy.discriminator.label_smoothing == 0.2
