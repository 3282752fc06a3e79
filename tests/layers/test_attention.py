import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.layers import SelfAttention
from tests.conformance import run_layer_test
from tests.frameworks import tensorflow_only

RNG = np.random.default_rng(0)
MAPS = RNG.normal(size=(2, 4, 6, 16)).astype("float32")
ODD_MAPS = RNG.normal(size=(2, 5, 3, 9)).astype("float32")


@pytest.mark.parametrize("x", [MAPS, ODD_MAPS])
def test_conforms(x):
    run_layer_test(
        cls=SelfAttention,
        init_kwargs={"kernel_initializer": keras.initializers.HeNormal(seed=1)},
        input_data=x,
        expected_output_shape=x.shape,
    )


def test_starts_as_the_identity():
    layer = SelfAttention()
    np.testing.assert_array_equal(layer(MAPS), MAPS)
    assert layer.attended.kernel.shape == (1, 1, 8, 16)
    assert layer.queries.kernel.shape == layer.keys.kernel.shape == (1, 1, 16, 2)
    assert not np.allclose(layer.queries.kernel, layer.keys.kernel)


def attend(x, queries, keys, values, attended):
    """The example's attention, one position after the other."""
    height, width, _ = x.shape
    squares = [(i, j) for i in range(0, height - 1, 2) for j in range(0, width - 1, 2)]

    def pooled(kernel):
        maps = x @ kernel
        return np.array([maps[i : i + 2, j : j + 2].max((0, 1)) for i, j in squares])

    outputs = np.empty_like(x)
    for i in range(height):
        for j in range(width):
            weights = np.exp(pooled(keys) @ (x[i, j] @ queries))
            outputs[i, j] = weights @ pooled(values) / weights.sum() @ attended
    return outputs


@pytest.mark.parametrize("x", [MAPS, ODD_MAPS])
def test_matches_numpy(x):
    layer = SelfAttention()
    layer.build(x.shape)
    layer.gamma.assign(1.5)
    convolutions = (layer.queries, layer.keys, layer.values, layer.attended)
    kernels = [np.array(c.kernel, "float64")[0, 0] for c in convolutions]
    expected = [example + 1.5 * attend(example, *kernels) for example in x.astype("float64")]
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


@tensorflow_only("its tapes")
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_has_second_derivatives(policy, jit_compile):
    """A gradient penalty differentiates the gradient."""
    layer = SelfAttention(dtype=policy)
    layer.build(MAPS.shape)
    layer.gamma.assign(1.0)

    @tf.function(jit_compile=jit_compile)
    def penalty_gradients(x):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_mean(tf.cast(layer(x), tf.float32) ** 2)
            penalty = tf.reduce_sum(inner.gradient(y, x) ** 2)
        return outer.gradient(penalty, [v.value for v in layer.trainable_variables])

    for gradient in penalty_gradients(tf.constant(MAPS)):
        assert np.all(np.isfinite(gradient)) and np.any(gradient)


def test_large_scores_survive_float16():
    halves = keras.initializers.Constant(0.5)
    layer = SelfAttention(kernel_initializer=halves, dtype="mixed_float16")
    outputs = layer(20 * MAPS)
    assert np.all(np.isfinite(outputs))


@pytest.mark.parametrize("shape", [(2, 4, 4, 7), (2, 1, 4, 8), (2, 4, 8), (2, None, 4, 8)])
def test_bad_shapes(shape):
    with pytest.raises(ValueError, match="at least 8 channels. Received: "):
        SelfAttention().build(shape)
