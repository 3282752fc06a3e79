import keras
import numpy as np
import pytest

import kgan
from kgan.optimizers import ScheduledSGD, growth


def test_steps_are_those_of_the_formula():
    rates, momenta = growth(0.1, 0.3, steps=4), growth(0.5, 0.9, steps=2)
    optimizer = ScheduledSGD(rates, momentum=momenta)
    weight = keras.Variable([1.0, -2.0])
    optimizer.build([weight])
    w, v = np.float64([1, -2]), np.zeros(2)
    for k, gradient in enumerate(np.float64([[1, 2], [0.5, -1], [-3, 1], [2, 2]])):
        optimizer.apply([np.float32(gradient)])
        v = [0.5, 0.7, 0.9, 0.9][k] * v - [0.1, 0.15, 0.2, 0.25][k] * gradient
        w = w + v
        np.testing.assert_allclose(weight, w, rtol=1e-6)


def test_momentum_that_stays_is_that_of_keras():
    weights = [keras.Variable([1.0, -2.0]) for _ in range(2)]
    optimizers = ScheduledSGD(0.1, growth(0.6, 0.6, 10)), keras.optimizers.SGD(0.1, momentum=0.6)
    for optimizer, weight in zip(optimizers, weights, strict=True):
        for gradient in ([1.0, 2.0], [0.5, -1.0], [-3.0, 1.0]):
            optimizer.apply([np.float32(gradient)], [weight])
    np.testing.assert_allclose(*weights, rtol=1e-6)


def test_a_saved_optimizer_goes_on_with_its_momentum(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(ScheduledSGD(0.05, momentum=growth(0.0, 0.9, steps=6)), "mse")
    data = np.random.default_rng(0).normal(size=(2, 8, 3)), np.ones((8, 2))
    for _ in range(3):
        model.train_on_batch(data[0][0], data[1])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert float(loaded.optimizer.current_momentum) == pytest.approx(0.45)
    for _ in range(2):
        model.train_on_batch(data[0][1], data[1])
        loaded.train_on_batch(data[0][1], data[1])
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
    assert float(loaded.optimizer.current_momentum) == pytest.approx(0.75)


def test_config_comes_back():
    optimizer = ScheduledSGD(0.2, growth(0.1, 0.2, 5), name="mine", global_clipnorm=3.0)
    stored = keras.saving.serialize_keras_object(optimizer)
    revived = keras.saving.deserialize_keras_object(stored)
    assert type(revived) is ScheduledSGD
    assert revived.get_config() == optimizer.get_config()
    assert "nesterov" not in revived.get_config()


def test_nesterov_is_refused():
    with pytest.raises(ValueError, match="no Nesterov momentum"):
        ScheduledSGD(nesterov=True)


def test_a_number_is_refused():
    with pytest.raises(TypeError, match="must be a schedule .* Received: 0.9"):
        kgan.optimizers.ScheduledSGD(0.1, momentum=0.9)
