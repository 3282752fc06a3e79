import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.layers import MinibatchDiscrimination, MinibatchStandardDeviation
from tests.conformance import run_layer_test
from tests.frameworks import tensorflow_only

RNG = np.random.default_rng(0)
MAPS = RNG.normal(size=(8, 3, 2, 6)).astype("float32")
ROWS = RNG.normal(size=(8, 6)).astype("float32")


@pytest.mark.parametrize("x", [MAPS, ROWS])
def test_standard_deviation_conforms(x):
    run_layer_test(
        cls=MinibatchStandardDeviation,
        init_kwargs={"group_size": 2, "num_features": 3, "epsilon": 1e-6},
        input_data=x,
        expected_output_shape=(*x.shape[:-1], 9),
    )


def deviations(x, size, features):
    """The layer's statistics, group by group."""
    x = x.astype("float64").reshape(len(x), -1, x.shape[-1])
    groups = len(x) // size
    result = np.empty((len(x), features))
    for i in range(groups):
        group = x[[i + groups * k for k in range(size)]]
        deviation = np.sqrt(group.var(0) + 1e-8)
        for f, part in enumerate(np.split(deviation, features, axis=-1)):
            result[i::groups, f] = part.mean()
    return result


@pytest.mark.parametrize("x", [MAPS, ROWS])
@pytest.mark.parametrize("size, features", [(4, 1), (2, 3), (8, 2), (1, 1)])
def test_standard_deviation_matches_numpy(x, size, features):
    outputs = np.array(MinibatchStandardDeviation(size, features)(x))
    np.testing.assert_array_equal(outputs[..., :6], x)
    added = outputs[..., 6:].reshape(8, -1, features)
    expected = deviations(x, size, features)[:, None]
    np.testing.assert_allclose(added, np.broadcast_to(expected, added.shape), rtol=1e-5)


@tensorflow_only("its graphs")
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("batch, size", [(8, 4), (7, 1), (6, 3), (5, 1), (3, 3), (2, 2), (1, 1)])
def test_groups_are_of_the_largest_size_that_divides_the_batch(batch, size, jit_compile):
    layer = MinibatchStandardDeviation(group_size=4)
    spec = tf.TensorSpec((None, 6))
    call = tf.function(layer, jit_compile=jit_compile, input_signature=[spec])
    expected = deviations(ROWS[:batch], size, 1)
    for outputs in (call(tf.constant(ROWS[:batch])), layer(ROWS[:batch])):
        np.testing.assert_allclose(outputs[:, 6:], expected, rtol=1e-5)
    assert call.get_concrete_function().structured_outputs.shape == (None, 7)


def test_model_with_standard_deviation_takes_any_batch():
    inputs = keras.Input((3, 2, 6))
    x = MinibatchStandardDeviation()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    assert model.predict(MAPS, batch_size=5, verbose=0).shape == (8, 1)


@tensorflow_only("its tapes")
def test_equal_examples_deviate_by_the_root_of_epsilon():
    x = tf.ones((4, 3))
    layer = MinibatchStandardDeviation()
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)[:, 3]
    np.testing.assert_allclose(y, 1e-4, rtol=1e-5)
    np.testing.assert_array_equal(tape.gradient(y, x), 0)


def test_large_squares_survive_float16():
    x = np.array([[1000.0], [-1000.0]], "float32")
    outputs = MinibatchStandardDeviation(dtype="mixed_float16")(x)
    np.testing.assert_array_equal(outputs, [[1000, 1000], [-1000, 1000]])


def test_discrimination_conforms():
    run_layer_test(
        cls=MinibatchDiscrimination,
        init_kwargs={
            "kernels": 3,
            "kernel_dim": 2,
            "kernel_initializer": keras.initializers.HeNormal(seed=1),
        },
        input_data=ROWS,
        expected_output_shape=(8, 9),
    )


def test_discrimination_matches_a_loop():
    layer = MinibatchDiscrimination(kernels=3, kernel_dim=2)
    layer.build((None, 6))
    kernel = np.random.default_rng(1).normal(size=(6, 6)) / 4
    layer.set_weights([kernel])
    tensor = kernel.reshape(6, 3, 2)
    expected = np.zeros((8, 3))
    for i in range(8):
        for j in set(range(8)) - {i}:
            for b in range(3):
                difference = (ROWS[i] - ROWS[j]).astype("float64") @ tensor[:, b]
                expected[i, b] += np.exp(-np.abs(difference).sum())
    outputs = np.array(layer(ROWS))
    np.testing.assert_array_equal(outputs[:, :6], ROWS)
    np.testing.assert_allclose(outputs[:, 6:], expected, rtol=1e-4)


def test_discrimination_tells_a_collapsed_batch():
    layer = MinibatchDiscrimination(kernels=4, kernel_initializer="random_normal")
    collapsed = np.repeat(ROWS[:1], 8, axis=0)
    np.testing.assert_allclose(layer(collapsed)[:, 6:], 7)
    far = 1e4 * ROWS
    np.testing.assert_array_equal(layer(far)[:, 6:], 0)


@pytest.mark.parametrize("name", ["group_size", "num_features"])
def test_bad_sizes_of_standard_deviation(name):
    with pytest.raises(ValueError, match=f"`{name}` must be .* Received: {name}=0"):
        MinibatchStandardDeviation(**{name: 0})


def test_features_that_do_not_divide_the_channels():
    with pytest.raises(ValueError, match="Received: num_features=4, 6 channels"):
        MinibatchStandardDeviation(num_features=4)(ROWS)
    with pytest.raises(ValueError, match="`epsilon` must be .* Received: epsilon=-1"):
        MinibatchStandardDeviation(epsilon=-1)


@pytest.mark.parametrize("name", ["kernels", "kernel_dim"])
def test_bad_sizes_of_discrimination(name):
    with pytest.raises(ValueError, match=f"`{name}` must be .* Received: {name}=0"):
        MinibatchDiscrimination(**{name: 0})


def test_discrimination_needs_rows():
    with pytest.raises(ValueError, match=r"flatten .* Received: \(8, 3, 2, 6\)"):
        MinibatchDiscrimination()(MAPS)
