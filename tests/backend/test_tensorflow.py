"""What the TensorFlow backend mends."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.frameworks import tensorflow_only

pytestmark = tensorflow_only("mends its kernels")


def bias_gradient(layer, x):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.cast(layer(x), "float32"))
    return tape.gradient(loss, layer.bias.value)


@pytest.mark.parametrize("kind", ["Dense", "Conv2D"])
@pytest.mark.parametrize("compiled", [False, True])
def test_biases_in_bfloat16_learn_from_all_positions(kind, compiled):
    if kind == "Dense":
        shape, make = (4096, 2), lambda dtype: keras.layers.Dense(3, dtype=dtype)
    else:
        shape, make = (4096, 1, 1, 2), lambda dtype: keras.layers.Conv2D(3, 1, dtype=dtype)
    x = tf.random.stateless_normal(shape, (1, 2))
    gradients = []
    for dtype in ("float32", "mixed_bfloat16"):
        layer = make(dtype)
        layer.build(shape)
        step = tf.function(bias_gradient) if compiled else bias_gradient
        gradients.append(step(layer, x))
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=0.01)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize(("layout", "shape"), [("NHWC", (5, 4, 6, 3)), ("NCHW", (5, 3, 4, 6))])
def test_biases_are_added_as_before(layout, shape, dtype):
    x = tf.cast(tf.random.stateless_normal(shape, (1, 2)), dtype)
    bias = tf.cast([0.5, -1.0, 2.0], dtype)
    axis = layout.index("C")
    expected = x + tf.reshape(bias, [3 if i == axis else 1 for i in range(4)])
    np.testing.assert_array_equal(tf.nn.bias_add(x, bias, data_format=layout), expected)
