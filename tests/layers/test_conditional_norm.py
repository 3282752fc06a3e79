import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.layers import AdaptiveInstanceNormalization, ConditionalBatchNormalization
from tests.conformance import run_layer_test
from tests.frameworks import tensorflow_only

RNG = np.random.default_rng(0)
MAPS = RNG.normal(2, 3, size=(6, 3, 4, 5)).astype("float32")
ROWS = RNG.normal(2, 3, size=(6, 5)).astype("float32")
CLASSES = np.array([2, 0, 2, 1, 1, 0], "int32")
VECTORS = RNG.normal(size=(6, 4)).astype("float32")
STYLES = RNG.normal(size=(6, 7)).astype("float32")


def normalized(x, axes, epsilon):
    x = x.astype("float64")
    centred = x - x.mean(axes, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axes, keepdims=True) + epsilon)


@pytest.mark.parametrize("x", [MAPS, ROWS])
@pytest.mark.parametrize(
    "condition, label", [({"num_classes": 3}, CLASSES), ({"condition_dim": 4}, VECTORS)]
)
def test_conditional_batch_norm_conforms(x, condition, label):
    run_layer_test(
        cls=ConditionalBatchNormalization,
        init_kwargs={**condition, "momentum": 0.8, "epsilon": 1e-3},
        input_data=[x, label],
        expected_output_shape=x.shape,
    )


@pytest.mark.parametrize("x", [MAPS, ROWS])
def test_one_class_is_batch_norm(x):
    layer = ConditionalBatchNormalization(num_classes=1, momentum=0.7, epsilon=1e-3)
    plain = keras.layers.BatchNormalization(momentum=0.7, epsilon=1e-3)
    labels = np.zeros(len(x), "int32")
    layer.build([x.shape, labels.shape])
    plain.build(x.shape)
    gamma, beta = np.random.default_rng(1).normal(size=(2, 5))
    layer.scales.assign([gamma - 1])
    layer.offsets.assign([beta])
    plain.gamma.assign(gamma)
    plain.beta.assign(beta)
    for training in (True, True, False):
        outputs = layer([x, labels], training=training)
        np.testing.assert_allclose(outputs, plain(x, training=training), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.norm.moving_mean, plain.moving_mean, rtol=1e-6)
    np.testing.assert_allclose(layer.norm.moving_variance, plain.moving_variance, rtol=1e-6)


@pytest.mark.parametrize(
    "condition, label, rows",
    [
        ({"num_classes": 3}, CLASSES, np.eye(3)[CLASSES]),
        ({"condition_dim": 4}, VECTORS, VECTORS.astype("float64")),
    ],
)
def test_conditional_batch_norm_matches_numpy(condition, label, rows):
    layer = ConditionalBatchNormalization(**condition, epsilon=1e-2)
    layer.build([MAPS.shape, label.shape])
    scales, offsets = np.random.default_rng(1).normal(size=(2, rows.shape[1], 5))
    layer.scales.assign(scales)
    layer.offsets.assign(offsets)
    expected = normalized(MAPS, (0, 1, 2), 1e-2)
    for n, row in enumerate(rows):
        expected[n] = expected[n] * (1 + row @ scales) + row @ offsets
    np.testing.assert_allclose(layer([MAPS, label], training=True), expected, rtol=1e-4, atol=1e-5)


def test_every_label_starts_with_batch_norm():
    layer = ConditionalBatchNormalization(num_classes=3)
    outputs = layer([MAPS, CLASSES], training=True)
    np.testing.assert_allclose(outputs, normalized(MAPS, (0, 1, 2), 1e-5), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_statistics_survive_half_precision(policy):
    x = np.random.default_rng(0).normal(200, 100, size=(4, 8, 8, 2)).astype("float32")
    rounded = np.array(tf.cast(tf.cast(x, policy.removeprefix("mixed_")), tf.float32))
    # The sum of squares is far beyond the largest float16.
    expected = normalized(rounded, (0, 1, 2), 1e-5)
    layer = ConditionalBatchNormalization(num_classes=1, momentum=0, dtype=policy)
    outputs = layer([x, np.zeros(4, "int32")], training=True)
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected, rtol=0.01, atol=0.01)
    assert layer.norm.moving_variance.dtype == "float32"
    np.testing.assert_allclose(layer.norm.moving_variance, rounded.var((0, 1, 2)), rtol=1e-4)
    expected = normalized(rounded, (1, 2), 1e-5)
    layer = AdaptiveInstanceNormalization(kernel_initializer="zeros", dtype=policy)
    outputs = layer([x, np.zeros((4, 1), "float32")])
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), expected, rtol=0.01, atol=0.01)


@tensorflow_only("its graphs")
def test_conditional_batch_norm_trains_under_xla():
    layer = ConditionalBatchNormalization(num_classes=3, momentum=0.5)
    other = ConditionalBatchNormalization(num_classes=3, momentum=0.5)
    layer.build([MAPS.shape, CLASSES.shape])
    compiled = tf.function(lambda x, y: layer([x, y], training=True), jit_compile=True)
    outputs = compiled(MAPS, CLASSES)
    np.testing.assert_allclose(outputs, other([MAPS, CLASSES], training=True), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.norm.moving_mean, other.norm.moving_mean, rtol=1e-5)


def test_conditional_batch_norm_needs_one_kind_of_label():
    with pytest.raises(ValueError, match="Received: num_classes=None, condition_dim=None"):
        ConditionalBatchNormalization()
    with pytest.raises(ValueError, match="not both. Received: num_classes=3, condition_dim=4"):
        ConditionalBatchNormalization(3, 4)


@pytest.mark.parametrize("name", ["momentum", "epsilon"])
def test_conditional_batch_norm_bad_numbers(name):
    with pytest.raises(ValueError, match=f"`{name}` must be .* Received: {name}=1"):
        ConditionalBatchNormalization(3, **{name: 1})


@pytest.mark.parametrize("x", [MAPS, MAPS[:, 0], MAPS[:, None]])
def test_adaptive_instance_norm_conforms(x):
    run_layer_test(
        cls=AdaptiveInstanceNormalization,
        init_kwargs={
            "epsilon": 1e-3,
            "kernel_initializer": keras.initializers.HeNormal(seed=1),
        },
        input_data=[x, STYLES],
        expected_output_shape=x.shape,
    )


def test_output_has_the_mean_and_standard_deviation_of_the_style():
    layer = AdaptiveInstanceNormalization(epsilon=0)
    layer.build([MAPS.shape, STYLES.shape])
    kernel, bias = np.random.default_rng(1).normal(size=(8, 10))[:7], np.arange(10.0)
    layer.style.set_weights([kernel, bias])
    outputs = np.array(layer([MAPS, STYLES]), "float64")
    styles = STYLES.astype("float64") @ kernel + bias
    np.testing.assert_allclose(outputs.mean((1, 2)), styles[:, 5:], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(outputs.std((1, 2)), abs(1 + styles[:, :5]), rtol=1e-4, atol=1e-4)


def test_adaptive_instance_norm_matches_numpy():
    layer = AdaptiveInstanceNormalization(epsilon=1e-2)
    layer.build([MAPS.shape, STYLES.shape])
    kernel, bias = np.random.default_rng(1).normal(size=(7, 10)), np.arange(10.0)
    layer.style.set_weights([kernel, bias])
    styles = (STYLES.astype("float64") @ kernel + bias)[:, None, None]
    expected = normalized(MAPS, (1, 2), 1e-2) * (1 + styles[..., :5]) + styles[..., 5:]
    np.testing.assert_allclose(layer([MAPS, STYLES]), expected, rtol=1e-4, atol=1e-4)


def test_instance_norm_needs_positions():
    with pytest.raises(ValueError, match=r"at least 3 axes. Received: \(6, 5\)"):
        AdaptiveInstanceNormalization()([ROWS, STYLES])
    with pytest.raises(ValueError, match="`epsilon` must be .* Received: epsilon=-1"):
        AdaptiveInstanceNormalization(epsilon=-1)
