import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.layers import NoiseInjection
from tests.conformance import run_layer_test
from tests.frameworks import tensorflow_only

MAPS = np.random.default_rng(0).normal(size=(4, 8, 6, 5)).astype("float32")
ROWS = MAPS[:, 0, 0]


def noisy(strength=1.0, shape=(None, 8, 6, 5), **kwargs):
    layer = NoiseInjection(**kwargs)
    layer.build(shape)
    layer.strength.assign(tf.broadcast_to(strength, (shape[-1],)))
    return layer


@pytest.mark.parametrize("x", [MAPS, ROWS])
@pytest.mark.parametrize("seed", [None, 3])
def test_conforms(x, seed):
    run_layer_test(
        cls=NoiseInjection,
        init_kwargs={"seed": seed},
        input_data=x,
        expected_output_shape=x.shape,
    )


@pytest.mark.parametrize("training", [False, True])
def test_starts_as_the_identity(training):
    np.testing.assert_array_equal(NoiseInjection()(MAPS, training=training), MAPS)


@pytest.mark.parametrize("training", [False, True])
def test_channels_share_the_noise_by_their_strength(training):
    strength = np.array([1, 2, 0, -1, 0.5], "float32")
    added = np.array(noisy(strength)(np.zeros_like(MAPS), training=training))
    np.testing.assert_allclose(added, added[..., :1] * strength)


def test_noise_is_standard_normal():
    shape = (None, 64, 64, 1)
    layer = noisy(shape=shape)
    x = np.zeros((4, 64, 64, 1), "float32")
    for training in (False, True):
        noise = np.array(layer(x, training=training))[..., 0]
        assert abs(noise.mean()) < 0.06
        assert noise.std() == pytest.approx(1, abs=0.03)
        # Neighbours are independent: their product is 0 on average.
        assert abs((noise[:, 1:] * noise[:, :-1]).mean()) < 0.05


@tensorflow_only("its graphs")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_training_draws_anew_for_each_example_and_step(jit_compile):
    layer = noisy()
    call = tf.function(lambda x: layer(x, training=True), jit_compile=jit_compile)
    zeros = tf.zeros_like(MAPS)
    draws = np.concatenate([call(zeros), call(zeros)])[..., 0].reshape(8, -1)
    correlations = np.corrcoef(draws) - np.eye(8)
    assert np.all(abs(correlations) < 0.7)


def test_an_image_depends_on_its_own_features_alone_outside_of_training():
    layer = noisy()
    expected = np.array(layer(MAPS, training=False))
    layer(MAPS, training=True)
    np.testing.assert_array_equal(layer(MAPS, training=False), expected)
    np.testing.assert_array_equal(layer(MAPS[2:3], training=False), expected[2:3])


def test_seed_gives_the_same_noise():
    for training in (False, True):
        outputs = [noisy(seed=seed)(MAPS, training=training) for seed in (1, 1, 2)]
        np.testing.assert_array_equal(outputs[0], outputs[1])
        assert not np.allclose(outputs[0], outputs[2])


def test_seedless_layers_differ():
    for training in (False, True):
        a, b = (noisy()(MAPS, training=training) for _ in range(2))
        assert not np.allclose(a, b)


def test_random_state_is_one_that_a_gan_saves():
    states = [v for v in noisy().non_trainable_variables if v.name == "seed_generator_state"]
    assert len(states) == 1


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("training", [False, True])
def test_outputs_keep_the_compute_dtype(policy, training):
    outputs = noisy(dtype=policy)(MAPS, training=training)
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")


@tensorflow_only("its graphs")
def test_two_replicas_draw_what_one_would(two_replicas):
    expected = noisy(seed=1)(MAPS, training=True)
    with two_replicas.scope():
        layer = noisy(seed=1)
    parts = two_replicas.experimental_distribute_values_from_function(
        lambda context: tf.constant(MAPS[2 * context.replica_id_in_sync_group :][:2])
    )
    outputs = two_replicas.run(tf.function(lambda x: layer(x, training=True)), args=(parts,))
    outputs = np.concatenate(two_replicas.experimental_local_results(outputs))
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)


def test_unknown_sides():
    with pytest.raises(ValueError, match=r"must be known.* Received: \(None, None, 4, 3\)"):
        NoiseInjection().build((None, None, 4, 3))
