import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.layers import PixelNormalization, ReferenceBatch, VirtualBatchNormalization
from kgan.layers.normalization import synchronize_batch_norm
from tests.conformance import run_layer_test
from tests.frameworks import tensorflow_only

RNG = np.random.default_rng(0)
MAPS = RNG.normal(1, 2, size=(7, 3, 4, 5)).astype("float32")
ROWS = RNG.normal(1, 2, size=(7, 5)).astype("float32")


@pytest.mark.parametrize("x", [MAPS, ROWS])
def test_pixel_norm_conforms(x):
    run_layer_test(
        cls=PixelNormalization,
        init_kwargs={"epsilon": 1e-4},
        input_data=x,
        expected_output_shape=x.shape,
    )


@pytest.mark.parametrize("x", [MAPS, ROWS])
def test_pixel_norm_matches_numpy(x):
    expected = x / np.sqrt((x.astype("float64") ** 2).mean(-1, keepdims=True) + 0.5)
    np.testing.assert_allclose(PixelNormalization(epsilon=0.5)(x), expected, rtol=1e-5)
    lengths = np.linalg.norm(PixelNormalization()(x), axis=-1)
    np.testing.assert_allclose(lengths, np.sqrt(5), rtol=1e-5)


@tensorflow_only("its tapes")
def test_pixel_norm_of_zeros_is_finite_and_so_is_its_gradient():
    x = tf.zeros((2, 3))
    layer = PixelNormalization()
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_allclose(tape.gradient(y, x), 1e4, rtol=1e-5)


def test_large_squares_survive_float16():
    x = np.array([[300.0, -400.0]], "float32")  # whose squares are beyond the largest float16
    outputs = PixelNormalization(dtype="mixed_float16")(x)
    np.testing.assert_allclose(outputs, x / np.sqrt(125000), rtol=1e-3)


@pytest.mark.parametrize("x", [MAPS, ROWS])
def test_reference_batch_conforms(x):
    run_layer_test(
        cls=ReferenceBatch,
        init_kwargs={"size": 3},
        input_data=x,
        expected_output_shape=(10, *x.shape[1:]),
    )


@tensorflow_only("its graphs")
@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_reference_is_the_first_batch_of_training(jit_compile):
    layer = ReferenceBatch(3)
    layer.build((None, 5))
    call = layer
    if jit_compile is not None:
        call = tf.function(layer, jit_compile=jit_compile)
    before = call(tf.constant(ROWS + 5), training=False)
    assert np.std(before[7:]) > 0.3  # normal numbers stand in, and nothing is chosen
    for batch in (ROWS, ROWS + 1):
        outputs = call(tf.constant(batch), training=True)
        np.testing.assert_array_equal(outputs, np.concatenate([batch, ROWS[:3]]))
    outputs = call(tf.constant(ROWS[::-1].copy()), training=False)
    np.testing.assert_array_equal(outputs, np.concatenate([ROWS[::-1], ROWS[:3]]))


def test_short_first_batch_is_repeated():
    layer = ReferenceBatch(7)
    outputs = layer(ROWS[:3], training=True)
    np.testing.assert_array_equal(outputs[3:], ROWS[[0, 1, 2, 0, 1, 2, 0]])


@tensorflow_only("its graphs")
def test_replicas_choose_the_same_reference(two_replicas):
    with two_replicas.scope():
        layer = ReferenceBatch(5)
        layer.build((None, 5))
    parts = two_replicas.experimental_distribute_values_from_function(
        lambda context: tf.constant(ROWS[3 * context.replica_id_in_sync_group :][:3])
    )
    outputs = two_replicas.run(tf.function(lambda x: layer(x, training=True)), args=(parts,))
    for i, output in enumerate(two_replicas.experimental_local_results(outputs)):
        expected = np.concatenate([ROWS[3 * i :][:3], ROWS[:5]])
        np.testing.assert_array_equal(output, expected)


def test_reference_is_saved(tmp_path):
    inputs = keras.Input((5,))
    model = keras.Model(inputs, ReferenceBatch(3)(inputs))
    model(ROWS, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    outputs = loaded(ROWS + 1, training=True)
    np.testing.assert_array_equal(outputs[7:], ROWS[:3])


@pytest.mark.parametrize("x", [MAPS, ROWS])
def test_virtual_batch_norm_conforms(x):
    run_layer_test(
        cls=VirtualBatchNormalization,
        init_kwargs={"reference_size": 3, "epsilon": 1e-3},
        input_data=x,
        expected_output_shape=x.shape,
    )


@pytest.mark.parametrize("x", [MAPS, ROWS])
def test_virtual_batch_norm_matches_numpy(x):
    """The paper's form: means and means of squares, weighted 1 / (n + 1) and n / (n + 1)."""
    layer = VirtualBatchNormalization(reference_size=3, epsilon=0.1)
    layer.build(x.shape)
    gamma, beta = np.random.default_rng(1).normal(size=(2, 5))
    layer.set_weights([gamma, beta])
    positions = tuple(range(x.ndim - 2))
    reference = x[4:].astype("float64").reshape(-1, 5)
    expected = []
    for n, example in enumerate(x.astype("float64")):
        mean, square = reference.mean(0), (reference**2).mean(0)
        if n < 4:
            mean = (example.mean(positions) + 3 * mean) / 4
            square = ((example**2).mean(positions) + 3 * square) / 4
        expected.append(gamma * (example - mean) / np.sqrt(square - mean**2 + 0.1) + beta)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_outputs_are_independent_of_the_other_examples():
    layer = VirtualBatchNormalization(reference_size=3)
    together = layer(MAPS, training=True)
    for n in range(4):
        alone = layer(np.concatenate([MAPS[n : n + 1], MAPS[4:]]), training=False)
        np.testing.assert_allclose(alone[0], together[n], rtol=1e-5, atol=1e-6)


def test_large_means_do_not_cancel():
    x = (1e4 + MAPS).astype("float32")
    layer = VirtualBatchNormalization(reference_size=3)
    rounded = x.astype("float64") - 1e4
    np.testing.assert_allclose(layer(x), layer(rounded.astype("float32")), atol=2e-3)


def test_reference_follows_the_weights_of_the_network():
    """Outputs keep the scale of the reference when layers before it change theirs."""
    inputs = keras.Input((5,))
    before = keras.layers.Dense(4, use_bias=False)
    x = before(ReferenceBatch(7)(inputs))
    outputs = VirtualBatchNormalization(7, epsilon=1e-9)(x)[:-7, ...]
    model = keras.Model(inputs, outputs)
    first = np.array(model(ROWS, training=True))
    before.kernel.assign(100 * before.kernel)
    np.testing.assert_allclose(model(ROWS), first, rtol=1e-4, atol=1e-4)


def test_bad_arguments():
    with pytest.raises(ValueError, match="`epsilon` must be .* Received: epsilon=-1"):
        PixelNormalization(epsilon=-1)
    with pytest.raises(ValueError, match="`size` must be .* Received: size=0"):
        ReferenceBatch(0)
    with pytest.raises(ValueError, match="`reference_size` must be .* Received: reference_size=0"):
        VirtualBatchNormalization(0)
    with pytest.raises(ValueError, match="`epsilon` must be .* Received: epsilon=1"):
        VirtualBatchNormalization(3, epsilon=1)
    with pytest.raises(ValueError, match="reference_size=8 .* Received: a batch of 7"):
        VirtualBatchNormalization(8)(ROWS)


@pytest.mark.parametrize("num_classes", [None, 3])
def test_synchronized_batch_norm_sees_the_batch_of_all_replicas(two_replicas, num_classes):
    def make():
        if num_classes is None:
            return keras.layers.BatchNormalization()
        return kgan.layers.ConditionalBatchNormalization(num_classes)

    def call(norm, x, labels):
        inputs = x if num_classes is None else [x, labels]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = norm(inputs, training=True)
            loss = tf.reduce_sum(y**3)
        return y, tape.gradient(loss, x)

    x = np.random.default_rng(0).normal([1.0, -2.0], [0.5, 3.0], (6, 4, 4, 2)).astype("float32")
    labels = np.arange(6) % 3
    inputs = [keras.Input((4, 4, 2)), keras.Input((), dtype="int32")]
    expected = call(make(), tf.constant(x), labels)
    with two_replicas.scope():
        norm = make()
        norm(x[:2] if num_classes is None else [x[:2], labels[:2]])
        model = keras.Model(inputs, norm(inputs[0] if num_classes is None else inputs))
        synchronize_batch_norm(model)
    halves, half_labels = (
        two_replicas.experimental_distribute_values_from_function(
            lambda context, rows=rows: tf.constant(rows[3 * context.replica_id_in_sync_group :][:3])
        )
        for rows in (x, labels)
    )
    results = two_replicas.run(tf.function(lambda *args: call(norm, *args)), (halves, half_labels))
    for result, whole in zip(results, expected, strict=True):
        both = np.concatenate(two_replicas.experimental_local_results(result))
        np.testing.assert_allclose(both, whole, atol=1e-4)


@tensorflow_only("synchronised batch norm")
def test_there_must_be_batch_norm_to_synchronize():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="critic")
    with pytest.raises(ValueError, match="There is batch norm to synchronise in none.*critic"):
        synchronize_batch_norm(network)
