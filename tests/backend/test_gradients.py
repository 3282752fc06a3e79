"""What penalties differentiate twice, against central differences."""

import keras
import numpy as np
import pytest
from keras import ops

import kgan
from kgan import backend
from tests.frameworks import variable_gradients

INPUTS = np.random.default_rng(0).uniform(-1, 1, (8, 6)).astype("float32")


@pytest.mark.parametrize("shape", [(16,), (2, 2, 4)], ids=str)
@pytest.mark.parametrize("cls", [keras.layers.BatchNormalization, kgan.layers.BatchNormalization])
def test_a_penalty_through_batch_norm_has_the_gradient_of_central_differences(cls, shape):
    """TensorFlow's own moments, whose gradient stops at the mean, are wrong by a fifth here."""
    layers = [
        keras.layers.Dense(8, activation="tanh"),
        keras.layers.Dense(16, use_bias=False),
        keras.layers.Reshape(shape),
        cls(),
        keras.layers.Activation("tanh"),
        keras.layers.Flatten(),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential([keras.Input(INPUTS.shape[1:]), *layers])
    random = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape))

    def penalty():
        inputs = ops.convert_to_tensor(INPUTS)
        score = lambda x: model(x, training=True)  # noqa: E731
        return ops.sum(ops.square(backend.input_gradients(score, inputs)))

    kernel = model.trainable_variables[2]
    (gradient,) = variable_gradients(penalty, [kernel])
    start, way = np.array(kernel), random.normal(size=kernel.shape)
    values = []
    for step in (3e-3, -3e-3):
        kernel.assign(start + step * way)
        values.append(float(penalty()))
    slope = np.sum(gradient * way)
    np.testing.assert_allclose(slope, (values[0] - values[1]) / 6e-3, rtol=1e-2)
