import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from tests import networks


def make_round(score, reals, fakes=None):
    return kgan.Round(real={"images": reals}, fake={"images": fakes}, score=score)


def test_r1_of_a_linear_discriminator():
    w = np.array([[1.0], [2.0], [2.0]], "float32")
    images = tf.random.normal((5, 3))
    penalty = kgan.penalties.R1(4.0)(make_round(lambda x: x @ w, images))
    np.testing.assert_allclose(penalty, 4.0 / 2 * 9.0, rtol=1e-6)


def test_r1_of_a_quadratic_uses_reals_only():
    """D(x) = ‖x‖²/2 has the gradient x, so the penalty is weight/2 E[‖x‖²] of the reals."""
    reals = np.random.default_rng(0).normal(size=(6, 2, 2, 1)).astype("float32")
    fakes = 100 * np.ones_like(reals)

    def score(x):
        return keras.ops.sum(x**2, axis=(1, 2)) / 2

    penalty = kgan.penalties.R1(1.0)(make_round(score, reals, fakes))
    np.testing.assert_allclose(penalty, np.mean(np.sum(reals**2, (1, 2, 3))) / 2, rtol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_r1_has_the_right_gradient_in_the_weights(jit_compile):
    """d/dw of weight/2 ‖w‖² is weight · w: the tape outside sees through the one inside."""
    w = tf.Variable([[1.0], [-3.0]])

    @tf.function(jit_compile=jit_compile)
    def gradient():
        with tf.GradientTape() as tape:
            penalty = kgan.penalties.R1(2.0)(make_round(lambda x: x @ w, tf.ones((4, 2))))
        return tape.gradient(penalty, w)

    np.testing.assert_allclose(gradient(), 2.0 * w.numpy(), rtol=1e-6)


def test_gradients_are_taken_in_float32():
    """In float16 a gradient of 300 would overflow when squared."""
    images = tf.ones((2, 1), "float16")
    penalty = kgan.penalties.R1(2.0)(make_round(lambda x: 300.0 * x, images))
    assert penalty.dtype == tf.float32
    np.testing.assert_allclose(penalty, 90000.0, rtol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_lazy_penalty_keeps_its_mean_value_and_gradient(jit_compile):
    w = tf.Variable([[1.0], [-3.0]])
    lazy = kgan.penalties.R1(2.0, every=4)

    @tf.function(jit_compile=jit_compile)
    def step(number):
        with tf.GradientTape() as tape:
            penalty = lazy(make_round(lambda x: x @ w, tf.ones((4, 2))), number)
        return penalty, tape.gradient(penalty, w)

    penalties, gradients = zip(*[step(tf.constant(i)) for i in range(8)], strict=True)
    np.testing.assert_allclose(penalties, 4 * np.array([10.0, 0, 0, 0, 10.0, 0, 0, 0]))
    np.testing.assert_allclose(np.mean(gradients, axis=0), 2.0 * w.numpy(), rtol=1e-6)


def test_lazy_penalty_counts_the_discriminators_steps():
    inputs = keras.Input((2,))
    gan = kgan.GAN(networks.generator(), keras.Model(inputs, keras.layers.Dense(1)(inputs)))
    gan.compile(
        keras.optimizers.SGD(0.0),
        keras.optimizers.SGD(0.0),
        penalties=[kgan.penalties.R1(2.0, every=3)],
    )
    squared_norm = float(keras.ops.sum(gan.discriminator.layers[-1].kernel ** 2))
    logs = gan.fit(np.zeros((8, 2), "float32"), batch_size=8, epochs=6, verbose=0).history
    expected = [3 * squared_norm, 0, 0] * 2
    np.testing.assert_allclose(logs["r1"], expected, rtol=1e-5)


def test_config_round_trip():
    penalty = kgan.penalties.R1(3.0, every=2, name="smooth")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(penalty))
    assert isinstance(copy, kgan.penalties.R1)
    assert (copy.weight, copy.every, copy.name) == (3.0, 2, "smooth")


@pytest.mark.parametrize("weight", [0, -1.0])
def test_weight_must_be_positive(weight):
    with pytest.raises(ValueError, match=f"Received: {weight}"):
        kgan.penalties.R1(weight)


@pytest.mark.parametrize("every", [0, 1.5])
def test_every_must_be_a_positive_int(every):
    with pytest.raises(ValueError, match=f"Received: {every}"):
        kgan.penalties.R1(1.0, every=every)
