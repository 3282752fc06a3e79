"""Penalties in float32 although the networks compute in float16; and choosing a type."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan import precision
from tests import networks

IMAGES = np.random.default_rng(0).uniform(-1, 1, (6, 2)).astype("float32")


def deep_discriminator(policy):
    """Layers in a Sequential in a Functional model, wrapped ones, and one that stays in float32.

    Its gradients are about 1e-5, of which float16 keeps few digits, and their squares vanish.
    """
    keras.utils.set_random_seed(3)
    images = keras.Input((2,))
    wrapped = keras.layers.SpectralNormalization(keras.layers.Dense(8, dtype=policy), dtype=policy)
    block = keras.Sequential([keras.layers.Dense(8, "tanh", dtype=policy), wrapped], name="block")
    x = keras.layers.Dense(8, "tanh", dtype="float32", name="by_choice")(images)
    x = keras.layers.Reshape((2, 4), dtype=policy)(block(x) * 1e-3)
    x = keras.layers.MultiHeadAttention(2, 4, dtype=policy)(x, x)
    x = keras.layers.Flatten(dtype=policy)(x)
    small = keras.initializers.RandomNormal(stddev=0.1)
    return keras.Model(images, keras.layers.Dense(1, kernel_initializer=small, dtype=policy)(x))


def penalty_and_gradients(discriminator, score=None):
    """R1 as a game computes it, and its gradients in the discriminator's weights."""
    gan = kgan.GAN(networks.generator(), discriminator)
    gan.compile()
    penalty = kgan.penalties.R1(1.0)
    with tf.GradientTape() as tape:
        round = gan.play(IMAGES, None, training=False)
        if score is not None:
            round = kgan.Round(real=round.real, fake=round.fake, score=score)
        value = penalty(round)
    variables = [v.value for v in discriminator.trainable_variables]
    gradients = tape.gradient(value, variables, unconnected_gradients="zero")
    return value.numpy(), [gradient.numpy() for gradient in gradients]


def test_tiny_gradients_equal_those_of_float32():
    expected, expected_gradients = penalty_and_gradients(deep_discriminator("float32"))
    discriminator = deep_discriminator("mixed_float16")
    value, gradients = penalty_and_gradients(discriminator)
    assert 1e-11 < expected < 1e-9
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert any(np.any(gradient) for gradient in gradients)
    for gradient, reference in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(
            gradient, reference, rtol=1e-5, atol=1e-5 * np.abs(reference).max()
        )
    # The proof is worth something: in float16 the digits are gone.
    in_half, _ = penalty_and_gradients(discriminator, score=discriminator)
    assert abs(in_half - expected) > 1e-3 * expected


def test_bfloat16_keeps_tiny_gradients():
    """They are as small as in float32, where a penalty is computed as the network is."""
    expected, expected_gradients = penalty_and_gradients(deep_discriminator("float32"))
    discriminator = deep_discriminator("mixed_bfloat16")
    with precision.without_float16(discriminator):
        assert discriminator(IMAGES).dtype == "bfloat16"
    value, gradients = penalty_and_gradients(discriminator)
    np.testing.assert_allclose(value, expected, rtol=0.02)
    both = [np.concatenate([g.ravel() for g in one]) for one in (gradients, expected_gradients)]
    assert np.dot(*both) > 0.999 * np.linalg.norm(both[0]) * np.linalg.norm(both[1]) > 0


def test_every_nested_layer_computes_in_float32_and_gets_its_policy_back():
    policy = "mixed_float16"
    discriminator = deep_discriminator(policy)
    layers = discriminator._flatten_layers
    before = [layer.dtype_policy for layer in layers()]
    assert keras.DTypePolicy(policy).compute_dtype in {layer.compute_dtype for layer in layers()}
    with precision.without_float16(discriminator):
        assert {layer.compute_dtype for layer in layers()} == {"float32"}
        assert discriminator(IMAGES).dtype == "float32"
        assert (
            discriminator.get_layer("by_choice").dtype_policy
            is before[[layer.name for layer in layers()].index("by_choice")]
        )
    assert all(a is b for a, b in zip([x.dtype_policy for x in layers()], before, strict=True))
    assert discriminator(IMAGES).dtype == keras.DTypePolicy(policy).compute_dtype


def test_policies_come_back_after_an_error_and_when_nested():
    discriminator = deep_discriminator("mixed_float16")
    before = discriminator.get_config()
    with pytest.raises(RuntimeError), precision.without_float16(discriminator):
        with precision.without_float16(discriminator):
            pass
        assert discriminator(IMAGES).dtype == "float32"
        raise RuntimeError
    assert discriminator.get_config() == before
    assert discriminator(IMAGES).dtype == "float16"


def test_float64_by_choice_stays():
    layer = keras.layers.Dense(1, dtype="float64")
    model = keras.Sequential([keras.Input((2,)), layer])
    with precision.without_float16(model):
        assert layer.compute_dtype == "float64"


def test_a_map_of_policies_comes_back_as_it_was():
    policies = keras.dtype_policies.DTypePolicyMap(
        default_policy="mixed_float16", policy_map={"attention/softmax": "float32"}
    )
    attention = keras.layers.MultiHeadAttention(2, 4, dtype=policies, name="attention")
    x = keras.random.normal((1, 3, 4), seed=0)
    assert attention(x, x).dtype == "float16"
    before = dict(policies.items())
    with precision.without_float16(attention):
        assert attention(x, x).dtype == "float32"
    assert dict(policies.items()) == before
    assert attention.dtype_policy is policies
    assert attention(x, x).dtype == "float16"


def test_weights_in_half_precision_are_cast():
    discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, dtype="float16")])
    kernel = keras.ops.cast(discriminator.layers[0].kernel, "float32")
    value, _ = penalty_and_gradients(discriminator)
    np.testing.assert_allclose(value, np.sum(np.square(kernel)) / 2, rtol=1e-5)


def test_other_threads_keep_their_precision():
    """Replicas are traced by threads that take turns in the middle of a call."""
    discriminator = deep_discriminator("mixed_float16")
    entered, looked, dtypes = threading.Event(), threading.Event(), {}

    def other():
        entered.wait(60)
        dtypes["before"] = discriminator(IMAGES).dtype
        with precision.without_float16(discriminator):
            looked.set()
            first.join(60)  # The other leaves while this one is inside.
            dtypes["inside"] = discriminator(IMAGES).dtype
        dtypes["after"] = discriminator(IMAGES).dtype

    def one():
        with precision.without_float16(discriminator):
            entered.set()
            looked.wait(60)
            dtypes["one"] = discriminator(IMAGES).dtype

    first, second = threading.Thread(target=one), threading.Thread(target=other)
    first.start()
    second.start()
    second.join(60)
    assert dtypes == {
        "before": "float16",
        "one": "float32",
        "inside": "float32",
        "after": "float16",
    }


def test_inputs_in_half_precision_take_float32():
    """A Sequential casts its input to what its first layer computes in."""
    block = keras.Sequential([keras.layers.Dense(1, dtype="mixed_float16")])
    images = keras.Input((2,))
    model = keras.Model(images, block(images))
    x = np.full((1, 2), 1 + 2.0**-20, "float32")  # float16 rounds it to 1.
    expected = np.sum(x @ block.layers[0].kernel.numpy().astype("float64"))
    before = [layer.dtype for layer in model._flatten_layers()]
    with precision.without_float16(model):
        np.testing.assert_allclose(model(x)[0, 0], expected, rtol=2e-7)
    assert [layer.dtype for layer in model._flatten_layers()] == before
    assert "float16" in before


# --- Measuring ----------------------------------------------------------------------------------


class FakeClock:
    """Stands still but for steps, each of which takes as long as its policy says."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.now = 0.0
        self.steps = []

    def __call__(self):
        return self.now

    def make(self):
        policy = keras.config.dtype_policy().name
        gan = kgan.GAN(networks.generator(), networks.discriminator(), seed=1)
        gan.compile(run_eagerly=True)
        train_step = gan.train_step

        def timed(data):
            self.steps.append(policy)
            # A first step is slow, as it compiles.
            self.now += self.seconds[policy] * (1 if self.steps.count(policy) > 1 else 1000)
            return train_step(data)

        gan.train_step = timed
        return gan


@pytest.mark.parametrize(("bfloat16", "chosen"), [(0.01, "mixed_bfloat16"), (0.0196, "float32")])
def test_the_fastest_type_is_measured_in_turns(bfloat16, chosen):
    clock = FakeClock({"float32": 0.02, "mixed_bfloat16": bfloat16})
    data = tf.data.Dataset.from_tensors(IMAGES).repeat()
    measured = precision.seconds_per_step(clock.make, data, steps=2, rounds=3, clock=clock)
    assert measured == pytest.approx(clock.seconds)
    assert precision.fastest(measured) == chosen
    warm_up = ["float32"] * 2 + ["mixed_bfloat16"] * 2
    assert clock.steps == warm_up + 3 * (["float32"] * 3 + ["mixed_bfloat16"] * 3)
    assert keras.config.dtype_policy().name == "float32"


def test_measuring_slow_games_ends_after_a_round():
    clock = FakeClock({"float32": 20.0, "mixed_bfloat16": 10.0})
    data = tf.data.Dataset.from_tensors(IMAGES).repeat()
    precision.seconds_per_step(clock.make, data, steps=1, limit_seconds=10, clock=clock)
    assert len(clock.steps) == 8
