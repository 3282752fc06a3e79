import keras
import numpy as np
import pytest
import tensorflow as tf

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


# --- Adam ---------------------------------------------------------------------------------------

ADAMS = (keras.optimizers.Adam, kgan.optimizers.Adam)


def trained(cls, jit_compile, **kwargs):
    """Returns weights and an optimizer's variables after five steps."""
    rng = np.random.default_rng(0)
    weights = [keras.Variable(rng.normal(size=shape)) for shape in ((3, 4), (4,), ())]
    optimizer = cls(growth(0.1, 0.2, steps=4), beta_1=0.5, beta_2=0.9, **kwargs)
    optimizer.build(weights)
    step = tf.function(lambda gradients: optimizer.apply(gradients), jit_compile=jit_compile)
    for _ in range(5):
        step([tf.constant(rng.normal(size=w.shape), "float32") for w in weights])
    return [np.array(v) for v in (*weights, *optimizer.variables)]


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    "kwargs",
    [{}, {"epsilon": 0.1}, {"clipnorm": 0.5}, {"weight_decay": 0.1}, {"amsgrad": True}],
    ids=str,
)
def test_adam_is_keras_s(kwargs, jit_compile):
    expected, values = (trained(cls, jit_compile, **kwargs) for cls in ADAMS)
    for value, one in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, one, rtol=2e-6, atol=1e-7)


def test_adam_takes_gradients_of_some_rows():
    tables = []
    for cls in ADAMS:
        table = keras.Variable(np.arange(6.0).reshape(3, 2))
        optimizer = cls(0.1)
        rows = tf.IndexedSlices(tf.constant([[1.0, -2.0]]), tf.constant([1]), (3, 2))
        optimizer.apply([rows], [table])
        tables.append(table)
    np.testing.assert_allclose(*tables, rtol=1e-6)


def test_adam_on_two_replicas(two_replicas):
    results = []
    for cls in ADAMS:
        with two_replicas.scope():
            weight = keras.Variable([1.0, -2.0])
            optimizer = cls(0.1)
            optimizer.build([weight])
        step = tf.function(lambda: optimizer.apply([tf.constant([0.5, 2.0])]))  # noqa: B023
        for _ in range(2):
            two_replicas.run(step)
        results.append(weight.numpy())
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_keras_s_adam_goes_on_as_this_one(tmp_path):
    """Their states are the same in files."""
    models = []
    for cls in ADAMS:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile(cls(0.05), "mse")
        models.append(model)
    data = np.random.default_rng(0).normal(size=(8, 3)), np.ones((8, 2))
    models[0].train_on_batch(*data)
    models[0].save_weights(tmp_path / "model.weights.h5")
    models[1].train_on_batch(*data)
    models[1].load_weights(tmp_path / "model.weights.h5")
    for model in models:
        model.train_on_batch(*data)
    for value, expected in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5)
