import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kgan.layers import BatchNormalization
from tests.conformance import run_layer_test
from tests.frameworks import tensorflow_only

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(2, 3, size=(6, 3, 4, 5)).astype("float32")
WEIGHTS = RNG.normal(size=IMAGES.shape).astype("float32")


def both(**kwargs):
    """Returns Keras's layer and this one, with the same weights."""
    layers = [
        cls(momentum=0.8, **kwargs) for cls in (keras.layers.BatchNormalization, BatchNormalization)
    ]
    for layer in layers:
        layer.build(IMAGES.shape)
    moved = [w + RNG.uniform(0.1, 1.0, w.shape) for w in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(moved)
    return layers


def test_conforms():
    run_layer_test(
        BatchNormalization,
        {"momentum": 0.8, "epsilon": 1e-3},
        IMAGES,
        IMAGES.shape,
    )


@tensorflow_only("its tapes")
@pytest.mark.parametrize("kwargs", [{}, {"center": False, "scale": False}, {"epsilon": 0.1}])
@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_equals_keras_s_forwards_backwards_and_in_its_statistics(kwargs, jit_compile):
    results = []
    for layer in both(**kwargs):

        def step(layer=layer):
            variables = [v.value for v in layer.trainable_variables]
            with tf.GradientTape() as tape:
                images = tf.constant(IMAGES)
                tape.watch([images, *variables])
                outputs = layer(images, training=True)
                total = tf.reduce_sum(outputs**2 * WEIGHTS)
            return outputs, *tape.gradient(total, [images, *variables])

        run = step if jit_compile is None else tf.function(step, jit_compile=jit_compile)
        results.append([*run(), *layer.non_trainable_variables])
    for expected, value in zip(*results, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=2e-5)


@tensorflow_only("its tapes")
@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_second_derivatives_are_keras_s(jit_compile):
    """As a penalty on gradients takes them: of the squared norm of the gradient by the inputs."""
    results = []
    for layer in both():

        def step(layer=layer):
            gamma, beta = layer.gamma.value, layer.beta.value
            with tf.GradientTape() as outer:
                images = tf.constant(IMAGES)
                outer.watch([images, gamma, beta])
                with tf.GradientTape() as inner:
                    inner.watch(images)
                    total = tf.reduce_sum(tf.tanh(layer(images, training=True)) * WEIGHTS)
                penalty = tf.reduce_sum(inner.gradient(total, images) ** 2)
            return penalty, *outer.gradient(penalty, [images, gamma, beta])

        results.append(
            (step if jit_compile is None else tf.function(step, jit_compile=jit_compile))()
        )
    for expected, value in zip(*results, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_in_half_precision_moments_are_those_of_float32(policy):
    """Images of a large mean: their squares have no small difference left in half precision."""
    plain, layer = both(dtype=policy)
    halved = ops.cast(ops.cast(IMAGES + 100, layer.compute_dtype), "float32")
    halved = ops.convert_to_numpy(halved).astype("float64")
    expected = [
        0.8 * moving.numpy() + 0.2 * new
        for moving, new in (
            (layer.moving_mean, halved.mean((0, 1, 2))),
            (layer.moving_variance, halved.var((0, 1, 2))),
        )
    ]
    outputs = layer(IMAGES + 100, training=True)
    assert outputs.dtype == layer.compute_dtype
    for moving, value in zip((layer.moving_mean, layer.moving_variance), expected, strict=True):
        np.testing.assert_allclose(moving, value, rtol=1e-3)
    keras_s = ops.cast(plain(IMAGES + 100, training=True), "float32")
    np.testing.assert_allclose(ops.cast(outputs, "float32"), keras_s, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    ("shape", "kwargs"),
    [((6, 5), {}), ((6, 3, 4, 5), {"axis": 1}), ((6, 3, 4, 5), {"renorm": True})],
)
def test_what_is_no_plain_image_is_left_to_keras(shape, kwargs):
    x = RNG.normal(size=shape).astype("float32")
    plain, layer = keras.layers.BatchNormalization(**kwargs), BatchNormalization(**kwargs)
    np.testing.assert_array_equal(layer(x, training=True), plain(x, training=True))


def test_inference_and_a_frozen_layer_use_the_moving_statistics():
    plain, layer = both()
    layer.trainable = False
    before = layer.get_weights()
    np.testing.assert_array_equal(layer(IMAGES, training=True), plain(IMAGES, training=False))
    for value, expected in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_takes_keras_s_place_in_files(tmp_path):
    plain, other = (
        keras.Sequential([keras.Input(IMAGES.shape[1:]), cls()])
        for cls in (keras.layers.BatchNormalization, BatchNormalization)
    )
    plain.layers[0].set_weights([w + 0.5 for w in plain.layers[0].get_weights()])
    plain.save_weights(tmp_path / "plain.weights.h5")
    other.load_weights(tmp_path / "plain.weights.h5")
    np.testing.assert_array_equal(other(IMAGES), plain(IMAGES))


def test_float64_is_left_to_keras():
    """The kernel has no form of it."""
    plain, layer = both(dtype="float64")
    np.testing.assert_array_equal(layer(IMAGES, training=True), plain(IMAGES, training=True))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_weights_are_left_to_keras(dtype):
    ours, keras_s = (
        cls(dtype=dtype)(IMAGES, training=True)
        for cls in (BatchNormalization, keras.layers.BatchNormalization)
    )
    np.testing.assert_array_equal(ops.cast(ours, "float32"), ops.cast(keras_s, "float32"))
