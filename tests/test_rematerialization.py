"""A step whose activations are computed again is the plain step, from less memory."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan import rematerialization
from kgan.rematerialization import Rematerialized
from tests.frameworks import tensorflow_only
from tests.games import encoders
from tests.steps import GAMES, IMAGES, make, peak_memory, states, train, wide


def random_generator():
    """One with every kind of state: statistics, seeds, and a layer that it calls twice."""
    latents = keras.Input((4,))
    x = keras.layers.Dense(16)(latents)
    twice = keras.layers.Dense(16, activation="tanh")
    x = keras.layers.Dropout(0.2, seed=5)(twice(twice(x)))
    x = keras.layers.Reshape((4, 4, 1))(x)
    x = keras.layers.BatchNormalization()(kgan.layers.UpsampleConv2D(4, 3)(x))
    x = kgan.layers.NoiseInjection(seed=3)(x)
    return keras.Model(latents, keras.layers.Conv2D(1, 3, padding="same", activation="tanh")(x))


def regularized_discriminator():
    """One whose layers add to the loss, with two paths and a head that says two things."""
    images = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(3, 3, padding="same", activity_regularizer="l2")(images)
    y = keras.layers.Conv2D(3, 3, padding="same", kernel_regularizer="l2", name="features")(x)
    x = keras.layers.Flatten()(keras.layers.Add()([x, keras.layers.ReLU()(y)]))
    return keras.Model(images, {"score": keras.layers.Dense(1)(x), "sum": keras.layers.Dense(2)(x)})


class Subclassed(keras.Model):
    """A network that is no graph."""

    def __init__(self):
        super().__init__()
        self.flatten = keras.layers.Flatten()
        self.dense = keras.layers.Dense(1)
        self.dropout = keras.layers.Dropout(0.3, seed=9)

    def call(self, images, training=False):
        return self.dense(self.dropout(self.flatten(images), training=training))


def subclassed_discriminator():
    network = Subclassed()
    network(IMAGES[:1])
    return network


class Halved(keras.Model):
    """A graph, and more than that."""

    def __init__(self):
        images = keras.Input((8, 8, 1))
        x = keras.layers.Dense(3, name="features")(keras.layers.Flatten()(images))
        super().__init__(images, keras.layers.Dense(1)(x))

    def call(self, inputs, training=None, mask=None):
        return 0.5 * super().call(inputs, training=training, mask=mask)


class Unseeded(keras.layers.Layer):
    """Draws from the seeds that all the program shares."""

    def call(self, inputs):
        return inputs * keras.random.uniform(keras.ops.shape(inputs), 0.5, 1.5)


def unseeded_discriminator():
    images = keras.Input((8, 8, 1))
    x = Unseeded()(keras.layers.Dense(4)(keras.layers.Flatten()(images)))
    return keras.Model(images, keras.layers.Dense(1)(x))


FURTHER = {
    "every state": {"generator": random_generator},
    "layers' losses": {
        "discriminator": regularized_discriminator,
        "loss": "hinge",
        "auxiliary_losses": [kgan.losses.FeatureMatching(layers=["features"])],
    },
    "subclassed": {"discriminator": subclassed_discriminator},
    "a graph with a call of its own": {"discriminator": Halved},
    "in parts": {"generator": random_generator, "micro_batches": 2},
    "path length": {"penalties": ["path_length:1,every=2"]},
}


@pytest.mark.parametrize("game", [*GAMES, *FURTHER])
def test_steps_are_the_plain_ones(game):
    arguments = {**GAMES, **FURTHER}[game]
    plain, less = make(**arguments), make(rematerialize=True, **arguments)
    logs, less_logs = train(plain), train(less)
    for name, values in logs.items():
        np.testing.assert_allclose(less_logs[name], values, rtol=1e-5, atol=1e-5, err_msg=name)
    for (name, one), other in zip(states(plain).items(), states(less).values(), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-5, err_msg=name)


@tensorflow_only("JAX draws nothing without a seed")
def test_draws_without_a_seed_are_the_same():
    trained = []
    for rematerialize in (False, True):
        gan = make(discriminator=unseeded_discriminator, rematerialize=rematerialize)
        keras.utils.set_random_seed(4)
        trained.append([*train(gan).values(), *states(gan).values()])
    for one, other in zip(*trained, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-5)


def test_a_layer_that_assigns_its_kernel_is_refused():
    def discriminator():
        images = keras.Input((8, 8, 1))
        x = keras.layers.SpectralNormalization(keras.layers.Dense(4))(
            keras.layers.Flatten()(images)
        )
        return keras.Model(images, keras.layers.Dense(1)(x))

    train(make(discriminator=discriminator), steps=1)
    with pytest.raises(ValueError, match="kgan.layers.SpectralNorm.*Received: .* assigns .*kernel"):
        train(make(discriminator=discriminator, rematerialize=True), steps=1)
    with pytest.raises(ValueError, match="kgan.layers.SpectralNorm.*Received: micro_batches=2, <"):
        make(discriminator=discriminator, micro_batches=2)


def test_features_are_not_read_off_a_graph_that_is_not_all():
    with pytest.raises(ValueError, match="without a `call` of its own. Received: layers="):
        make(
            discriminator=Halved,
            auxiliary_losses=[kgan.losses.FeatureMatching(layers=["features"])],
        )


def test_every_state_moves():
    """What the comparison of `every state` rests on: seeds of dropout and noise, statistics."""
    gan = make(rematerialize=True, generator=random_generator)
    variables = [v for v in gan.generator.variables if not v.trainable]
    variables = [v for v in variables if v.name != "constant_noise"]
    before = [np.array(v) for v in variables]
    train(gan)
    for variable, value in zip(variables, before, strict=True):
        assert not np.array_equal(variable, value), variable.path


def test_two_replicas(two_replicas):
    trained = []
    for arguments in ({}, {"rematerialize": True}):
        with two_replicas.scope():
            gan = make(discriminator=GAMES["spectral norm"]["discriminator"], **arguments)
        trained.append([*train(gan).values(), *states(gan).values()])
    for one, other in zip(*trained, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-5)


@tensorflow_only("XLA's schedule for CPUs takes no less memory")
def test_a_step_takes_less_memory():
    plain, less = (peak_memory(wide(rematerialize=one)) for one in (False, True))
    assert plain > 1e6 and less < 0.85 * plain


@tensorflow_only("runs eagerly")
def test_activations_are_computed_again():
    """Counted where a layer's Python runs: once forward, and once more for each player."""
    calls = []

    class Counted(keras.layers.Dense):
        def call(self, inputs):
            calls.append(self.name)
            return super().call(inputs)

    def discriminator():
        images = keras.Input((8, 8, 1))
        return keras.Model(images, Counted(1)(keras.layers.Flatten()(images)))

    gan = make(discriminator=discriminator, rematerialize=True, run_eagerly=True)
    calls.clear()
    train(gan, steps=1)
    assert len(calls) == 2 + 3  # reals, fakes; both for the discriminator, fakes for the generator


@tensorflow_only("a tape")
def test_penalties_find_activations_in_memory():
    """They are differentiated twice."""
    less = make(rematerialize=True, penalties=["gradient_penalty:1"], run_eagerly=True)
    train(less, steps=1)
    with rematerialization.paused(), tf.GradientTape() as tape:
        x = tf.constant(IMAGES)
        tape.watch(x)
        score = Rematerialized(less.discriminator)(x, training=True)
    assert float(tf.reduce_sum(abs(tape.gradient(score, x)))) > 0


def test_a_deep_network_is_cut_where_little_crosses():
    """Eight blocks, each of three wide layers between narrow ones."""
    x = inputs = keras.Input((4,))
    for i in range(8):
        x = keras.layers.Dense(32, name=f"wide_{i}_a")(x)
        x = keras.layers.Dense(32, name=f"wide_{i}_b")(x)
        x = keras.layers.Dense(2, name=f"narrow_{i}")(x)
    parts = Rematerialized(keras.Model(inputs, x)).parts
    assert len(parts) > 2
    assert all(part.layers[-1].name.startswith("narrow") for part in parts)
    layers = [layer.name for part in parts for layer in part.layers]
    assert len(layers) == len(set(layers)) == 24


def test_cuts_are_the_best():
    """Compared with all ways to cut."""
    random = np.random.default_rng(0)
    for _ in range(100):
        n = int(random.integers(1, 9))
        sizes = random.integers(1, 100, n).tolist()
        crossing = [0, *random.integers(1, 100, n - 1).tolist()]
        ways = [
            [0, *cuts] for count in range(n) for cuts in itertools.combinations(range(1, n), count)
        ]
        least = min(memory(cuts, sizes, crossing) for cuts in ways)
        found = rematerialization._cuts(sizes, crossing)
        assert memory(found, sizes, crossing) == least, (sizes, crossing)


def memory(cuts, sizes, crossing):
    """Returns what is kept at the cuts, and what the largest part makes."""
    edges = itertools.pairwise([*cuts, len(sizes)])
    return sum(crossing[i] for i in cuts) + max(sum(sizes[a:b]) for a, b in edges)


def test_a_saved_game_keeps_it(tmp_path):
    gan = make(rematerialize=True)
    train(gan, 1)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.compile_arguments["rematerialize"] is True
    train(gan, 2)
    train(loaded, 2)
    for (name, one), other in zip(states(gan).items(), states(loaded).values(), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


def test_games_with_more_networks():
    """An encoder is computed again too."""
    trained = []
    for rematerialize in (False, True):
        keras.utils.set_random_seed(0)
        discriminator = encoders.judge(condition_dim=encoders.LATENT_DIM)
        gan = kgan.games.BiGAN(encoders.generator(), discriminator, encoders.encoder(), seed=1)
        gan.compile(*[keras.optimizers.SGD(0.1) for _ in range(2)], rematerialize=rematerialize)
        gan.fit(encoders.IMAGES, batch_size=len(encoders.IMAGES), epochs=3, verbose=0)
        trained.append(states(gan))
    assert set(gan._rematerialized) == {"generator", "encoder"}
    for one, other in zip(*map(dict.values, trained), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-5)


def test_bad_values():
    with pytest.raises(TypeError, match="rematerialize must be a bool. Received: 'full'"):
        make(rematerialize="full")
