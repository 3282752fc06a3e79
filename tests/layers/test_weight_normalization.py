import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.layers import WeightNormalization
from tests.conformance import run_layer_test
from tests.frameworks import tensorflow_only

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("layer", "inputs", "shape"),
    [
        (keras.layers.Dense(3), (4, 5), (4, 3)),
        (keras.layers.Conv2D(3, 2), (4, 5, 5, 2), (4, 4, 4, 3)),
    ],
)
@pytest.mark.parametrize("learn_gain", [False, True])
def test_conforms(layer, inputs, shape, learn_gain):
    run_layer_test(
        cls=WeightNormalization,
        init_kwargs={"layer": layer, "gain": 1.5, "learn_gain": learn_gain},
        input_data=RNG.normal(size=inputs).astype("float32"),
        expected_output_shape=shape,
    )


@tensorflow_only("its tapes")
def test_output_and_gradient_equal_torch():
    torch = pytest.importorskip("torch")
    inputs = RNG.normal(size=(4, 5)).astype("float32")
    wrapper = WeightNormalization(keras.layers.Dense(3, bias_initializer="normal"), gain=1.3)
    wrapper.build((4, 5))
    kernel, bias = wrapper.layer.kernel, wrapper.layer.bias
    with tf.GradientTape() as tape:
        outputs = wrapper(inputs)
        loss = tf.reduce_sum(outputs**2)
    gradient = tape.gradient(loss, kernel.value)
    linear = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(5, 3))
    linear.parametrizations.weight.original1.data = torch.tensor(np.array(kernel).T.copy())
    linear.parametrizations.weight.original0.data = torch.full((3, 1), 1.3)
    linear.bias.data = torch.tensor(np.array(bias))
    expected = linear(torch.tensor(inputs))
    expected.square().sum().backward()
    np.testing.assert_allclose(outputs, expected.detach(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        gradient, linear.parametrizations.weight.original1.grad.T, rtol=1e-4, atol=1e-5
    )


def test_the_length_of_the_stored_kernel_does_not_matter():
    wrapper = WeightNormalization(keras.layers.Dense(3))
    inputs = RNG.normal(size=(4, 5)).astype("float32")
    before = np.array(wrapper(inputs))
    wrapper.layer.kernel.assign(7.0 * wrapper.layer.kernel)
    np.testing.assert_allclose(wrapper(inputs), before, rtol=1e-5)


def test_gains_are_learned():
    wrapper = WeightNormalization(keras.layers.Dense(2), gain=1.5, learn_gain=True)
    inputs = RNG.normal(size=(4, 3)).astype("float32")
    fixed = WeightNormalization(keras.layers.Dense(2), gain=1.5)
    fixed.build((4, 3))
    wrapper.build((4, 3))
    fixed.layer.kernel.assign(wrapper.layer.kernel)
    np.testing.assert_allclose(wrapper(inputs), fixed(inputs), rtol=1e-6)
    (gain,) = wrapper.gains.values()
    gain.assign([3.0, 0.75])
    expected = np.array(fixed(inputs)) * [2.0, 0.5]
    np.testing.assert_allclose(wrapper(inputs), expected, rtol=1e-5)
    assert len(wrapper.trainable_variables) == 3 and len(fixed.trainable_variables) == 2


@pytest.mark.parametrize("gain", [0, -1.0, "1"])
def test_bad_gain(gain):
    with pytest.raises(ValueError, match="`gain` must be a positive number. Received"):
        WeightNormalization(keras.layers.Dense(3), gain=gain)
