import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan import penalties, replicas
from tests import networks
from tests.frameworks import tensorflow_only

RNG = np.random.default_rng(0)
REALS = RNG.normal(size=(6, 3)).astype("float32")
FAKES = RNG.normal(size=(6, 3)).astype("float32") + 2
SEED = 5

# Every penalty of this file, where its gradient is taken, and what it makes of the norms.
PENALTIES = {
    "r1": (penalties.R1(2.0), "reals", lambda norms: norms**2),
    "r2": (penalties.R2(2.0), "fakes", lambda norms: norms**2),
    "two_sided": (penalties.GradientPenalty(3.0), "between", lambda norms: 3 * (norms - 1) ** 2),
    "one_sided": (
        penalties.GradientPenalty(3.0, one_sided=True, target=1.5),
        "between",
        lambda norms: 3 * np.maximum(0, norms / 1.5 - 1) ** 2,
    ),
    "other_target": (
        penalties.GradientPenalty(3.0, target=0.5),
        "between",
        lambda norms: 3 * (norms / 0.5 - 1) ** 2,
    ),
    "zero_centered": (penalties.ZeroCentered(3.0), "between", lambda norms: 3 * norms**2),
    "dragan": (penalties.DRAGAN(3.0), "near", lambda norms: 3 * (norms - 1) ** 2),
    "div": (penalties.WassersteinDivergence(0.5, power=4), "between", lambda n: n**4 / 2),
    "max": (penalties.MaxGradient(3.0), "between", lambda norms: 3 * np.max(norms) ** 2),
}
every_penalty = pytest.mark.parametrize(
    "penalty, where, formula", PENALTIES.values(), ids=list(PENALTIES)
)


def make_round(score, reals, fakes=None, seed=None):
    if seed is None and tf.executing_eagerly():  # A tf.function makes no variables.
        seed = keras.random.SeedGenerator(SEED)
    return kgan.Round(real={"images": reals}, fake={"images": fakes}, score=score, seed=seed)


def points(where, reals=REALS, fakes=FAKES):
    """Where a penalty takes its gradient, in float64, from the draws of the same seed."""
    seed = keras.random.SeedGenerator(SEED)
    reals, fakes = np.float64(reals), np.float64(fakes)
    if where in ("reals", "fakes"):
        return {"reals": reals, "fakes": fakes}[where]
    ones = (1,) * (reals.ndim - 1)
    if where == "between":
        epsilon = np.float64(keras.random.uniform((len(reals), *ones), seed=seed))
        return epsilon * reals + (1 - epsilon) * fakes
    delta = 0.5 * np.std(reals) * np.float64(keras.random.uniform(reals.shape, seed=seed))
    return reals + np.float64(keras.random.uniform((len(reals), *ones), seed=seed)) * delta


@tensorflow_only("its tapes")
@every_penalty
@pytest.mark.parametrize("w", [(1, 2, 2), (0.1, 0.2, -0.2), (0, 0, 0)])
def test_linear_discriminator(penalty, where, formula, w):
    """D(x) = x · w has the gradient w everywhere."""
    kernel = tf.Variable(np.float32(w)[:, None])
    with tf.GradientTape() as tape:
        value = penalty(make_round(lambda x: x @ kernel, REALS, FAKES))
    np.testing.assert_allclose(value, formula(np.linalg.norm(w)), rtol=1e-5, atol=1e-7)
    assert np.all(np.isfinite(tape.gradient(value, kernel)))


@tensorflow_only("its graphs")
@every_penalty
def test_quadratic_discriminator(penalty, where, formula):
    """D(x) = ½ xᵀ A x has the gradient A x, with a symmetric A."""
    a = RNG.normal(size=(3, 3))
    a = a + a.T

    def score(x):
        return keras.ops.sum(x * (x @ a.astype("float32")), axis=-1) / 2

    norms = np.linalg.norm(points(where) @ a, axis=1)
    value = penalty(make_round(score, REALS, FAKES))
    np.testing.assert_allclose(value, np.mean(formula(norms)), rtol=1e-5)


def two_layers(x, weights):
    """D(x) = vᵀ tanh(W x + b), for TensorFlow."""
    w, b, v = weights
    return tf.linalg.matvec(tf.tanh(x @ w + b), v)


def norms_of_two_layers(x, weights):
    """‖∇D(x)‖ = ‖W (v · (1 − tanh²))‖, in float64."""
    w, b, v = weights
    return np.linalg.norm(((1 - np.tanh(x @ w + b) ** 2) * v) @ w.T, axis=1)


@tensorflow_only("its tapes")
@every_penalty
def test_gradient_in_the_weights_equals_central_differences(penalty, where, formula):
    weights = [RNG.normal(size=shape) for shape in ((3, 4), (4,), (4,))]
    variables = [tf.Variable(np.float32(weight)) for weight in weights]
    with tf.GradientTape() as tape:
        value = penalty(make_round(lambda x: two_layers(x, variables), REALS, FAKES))
    x = points(where)

    def reference():
        return np.mean(formula(norms_of_two_layers(x, weights)))

    np.testing.assert_allclose(value, reference(), rtol=1e-5)
    for weight, gradient in zip(weights, tape.gradient(value, variables), strict=True):
        for index in np.ndindex(weight.shape):
            there, moved = weight[index], []
            for step in (1e-6, -1e-6):
                weight[index] = there + step
                moved.append(reference())
            weight[index] = there
            central = (moved[0] - moved[1]) / 2e-6
            np.testing.assert_allclose(gradient[index], central, rtol=1e-3, atol=1e-3)


@tensorflow_only("its tapes")
@every_penalty
@pytest.mark.parametrize("every", [1, 2])
def test_xla_equals_eager(penalty, where, formula, every, monkeypatch):
    """XLA draws other random numbers from the same state, so both are given theirs."""
    drawn = RNG.uniform(size=(6, 3)).astype("float32")
    monkeypatch.setattr(replicas, "uniform", lambda shape, seed: tf.constant(drawn)[:, : shape[1]])
    lazy = type(penalty).from_config({**penalty.get_config(), "every": every})
    weights = [tf.Variable(RNG.normal(size=shape), dtype="float32") for shape in ((3, 4), 4, 4)]
    round = make_round(lambda x: two_layers(x, weights), REALS, FAKES)

    def step():
        with tf.GradientTape() as tape:
            value = lazy(round, tf.constant(4))
        return value, *tape.gradient(value, weights)

    for xla, eager in zip(tf.function(step, jit_compile=True)(), step(), strict=True):
        np.testing.assert_allclose(xla, eager, rtol=1e-4, atol=1e-5)


@tensorflow_only("its graphs")
@pytest.mark.parametrize("shape", [(3,), (2, 3, 1)])
def test_interpolates_lie_on_segments_between_a_real_and_its_fake(shape):
    reals, fakes = RNG.normal(size=(2, 7, *shape)).astype("float32")
    seen = []

    def score(x):
        seen.append(x.numpy())
        return keras.ops.sum(x**2, axis=-1)

    penalties.ZeroCentered()(make_round(score, reals, fakes))
    epsilon = ((seen[0] - fakes) / (reals - fakes)).reshape(7, -1)
    np.testing.assert_allclose(epsilon, np.tile(epsilon[:, :1], epsilon.shape[1]), atol=1e-3)
    assert np.all((epsilon > -1e-4) & (epsilon < 1 + 1e-4))
    assert np.std(epsilon[:, 0]) > 0.05
    np.testing.assert_allclose(seen[0], points("between", reals, fakes), rtol=1e-4, atol=1e-5)


@tensorflow_only("its graphs")
def test_points_of_dragan_lie_above_the_reals():
    """δ is uniform from 0 to half a standard deviation of all pixels, as the authors have it."""
    reals = RNG.normal(3, 2, size=(500, 2, 2, 1)).astype("float32")
    seen = []

    def score(x):
        seen.append(x.numpy())
        return x

    penalties.DRAGAN()(make_round(score, reals))
    moved = seen[0] - reals
    assert np.all(moved > -1e-6) and np.all(moved < 0.5 * np.std(reals) + 1e-6)
    np.testing.assert_allclose(np.mean(moved), 0.5 * np.std(reals) / 4, rtol=0.1)
    np.testing.assert_allclose(seen[0], points("near", reals, reals), rtol=1e-5)


@tensorflow_only("its tapes")
def test_penalties_learn_nothing_about_the_generator():
    """Fakes are constants for the discriminator's penalties."""
    fakes = tf.Variable(FAKES)
    with tf.GradientTape() as tape:
        value = penalties.ZeroCentered()(make_round(lambda x: x**3, REALS, fakes))
    assert tape.gradient(value, fakes) is None


# --- Lazy ---------------------------------------------------------------------------------------


@tensorflow_only("its tapes")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_steps_between_execute_nothing_and_draw_the_same(jit_compile):
    """The discriminator is called in every third step only; the draws do not depend on it."""
    calls, seed = tf.Variable(0), keras.random.SeedGenerator(SEED)
    lazy = penalties.GradientPenalty(every=3)

    def score(x):
        calls.assign_add(1)
        return keras.ops.sum(x, axis=-1)

    @tf.function(jit_compile=jit_compile)
    def step(number):
        return lazy(make_round(score, REALS, FAKES, seed), number)

    counts, draws = [], []
    for number in range(6):
        step(tf.constant(number))
        counts.append(int(calls))
        draws.append(int(seed.state[1]))
    assert counts == [1, 1, 1, 2, 2, 2]
    assert draws == [1, 2, 3, 4, 5, 6]


def make_gan(discriminator, *penalties):
    keras.utils.set_random_seed(1)
    gan = kgan.GAN(networks.generator(), discriminator(), seed=7)
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2), penalties=penalties)
    return gan


def fit(gan, epochs=3):
    images = np.linspace(-1, 1, 32, dtype="float32").reshape(16, 2)
    return gan.fit(images, batch_size=16, epochs=epochs, verbose=0, shuffle=False).history


def test_two_replicas_equal_one(two_replicas):
    """Each penalty is logged under its own name; the lazy ones are those that draw or exchange."""

    def all_penalties():
        lazy = [penalties.GradientPenalty(), penalties.DRAGAN(), penalties.MaxGradient()]
        lazy.append(penalties.PathLength(decay=0.5))
        each = {name: (penalty, 1) for name, (penalty, *_) in PENALTIES.items()}
        each.update({f"lazy_{penalty.name}": (penalty, 2) for penalty in lazy})
        for name, (penalty, every) in each.items():
            config = {**penalty.get_config(), "weight": 0.1, "every": every, "name": name}
            yield type(penalty).from_config(config)

    one = make_gan(networks.discriminator, *all_penalties())
    with two_replicas.scope():
        two = make_gan(networks.discriminator, *all_penalties())
    expected, logs = fit(one), fit(two)
    assert set(PENALTIES) < set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(logs[name], values, rtol=1e-4, atol=1e-6, err_msg=name)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_lazy_penalty_on_layers_with_a_state_on_two_replicas(two_replicas):
    """Dropout's random state and batch norm's statistics change inside of the branch."""

    def discriminator():
        inputs = keras.Input((2,))
        x = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(inputs))
        return keras.Model(inputs, keras.layers.Dense(1)(x))

    with two_replicas.scope():
        gan = make_gan(discriminator, penalties.GradientPenalty(every=2))
    logs = fit(gan, epochs=4)
    assert [value > 0 for value in logs["gradient_penalty"]] == [True, False, True, False]
    assert np.all(np.isfinite(gan.discriminator.get_weights()[0]))
    for variable in gan.discriminator.non_trainable_variables:
        both = two_replicas.experimental_local_results(variable.value)
        np.testing.assert_array_equal(both[0], both[1], err_msg=variable.path)


# --- Single -------------------------------------------------------------------------------------


@tensorflow_only("its graphs")
def test_r1_of_a_linear_discriminator():
    w = np.array([[1.0], [2.0], [2.0]], "float32")
    images = tf.random.normal((5, 3))
    penalty = kgan.penalties.R1(4.0)(make_round(lambda x: x @ w, images))
    np.testing.assert_allclose(penalty, 4.0 / 2 * 9.0, rtol=1e-6)


@tensorflow_only("its graphs")
def test_r1_of_a_quadratic_uses_reals_only():
    """D(x) = ‖x‖²/2 has the gradient x, so the penalty is weight/2 E[‖x‖²] of the reals."""
    reals = np.random.default_rng(0).normal(size=(6, 2, 2, 1)).astype("float32")
    fakes = 100 * np.ones_like(reals)

    def score(x):
        return keras.ops.sum(x**2, axis=(1, 2)) / 2

    penalty = kgan.penalties.R1(1.0)(make_round(score, reals, fakes))
    np.testing.assert_allclose(penalty, np.mean(np.sum(reals**2, (1, 2, 3))) / 2, rtol=1e-5)


@tensorflow_only("its tapes")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_r1_has_the_right_gradient_in_the_weights(jit_compile):
    """d/dw of weight/2 ‖w‖² is weight · w: the tape outside sees through the one inside."""
    w = tf.Variable([[1.0], [-3.0]])

    @tf.function(jit_compile=jit_compile)
    def gradient():
        with tf.GradientTape() as tape:
            penalty = kgan.penalties.R1(2.0)(make_round(lambda x: x @ w, tf.ones((4, 2))))
        return tape.gradient(penalty, w)

    np.testing.assert_allclose(gradient(), 2.0 * w.numpy(), rtol=1e-6)


@tensorflow_only("its graphs")
def test_gradients_are_taken_in_float32():
    """In float16 a gradient of 300 would overflow when squared."""
    images = tf.ones((2, 1), "float16")
    penalty = kgan.penalties.R1(2.0)(make_round(lambda x: 300.0 * x, images))
    assert penalty.dtype == tf.float32
    np.testing.assert_allclose(penalty, 90000.0, rtol=1e-6)


@tensorflow_only("its tapes")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_lazy_penalty_keeps_its_mean_value_and_gradient(jit_compile):
    w = tf.Variable([[1.0], [-3.0]])
    lazy = kgan.penalties.R1(2.0, every=4)

    @tf.function(jit_compile=jit_compile)
    def step(number):
        with tf.GradientTape() as tape:
            penalty = lazy(make_round(lambda x: x @ w, tf.ones((4, 2))), number)
        return penalty, tape.gradient(penalty, w)

    penalties, gradients = zip(*[step(tf.constant(i)) for i in range(8)], strict=True)
    np.testing.assert_allclose(penalties, 4 * np.array([10.0, 0, 0, 0, 10.0, 0, 0, 0]))
    np.testing.assert_allclose(np.mean(gradients, axis=0), 2.0 * w.numpy(), rtol=1e-6)


def test_lazy_penalty_counts_the_discriminators_steps():
    inputs = keras.Input((2,))
    gan = kgan.GAN(networks.generator(), keras.Model(inputs, keras.layers.Dense(1)(inputs)))
    gan.compile(
        keras.optimizers.SGD(0.0),
        keras.optimizers.SGD(0.0),
        penalties=[kgan.penalties.R1(2.0, every=3)],
    )
    squared_norm = float(keras.ops.sum(gan.discriminator.layers[-1].kernel ** 2))
    logs = gan.fit(np.zeros((8, 2), "float32"), batch_size=8, epochs=6, verbose=0).history
    expected = [3 * squared_norm, 0, 0] * 2
    np.testing.assert_allclose(logs["r1"], expected, rtol=1e-5)


@pytest.mark.parametrize("name", kgan.penalties.names())
def test_config_round_trip(name):
    penalty = kgan.penalties.get(name)
    config = keras.saving.serialize_keras_object(penalty)
    copy = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    assert type(copy) is type(penalty)
    assert copy.get_config() == penalty.get_config()
    arguments = inspect.signature(type(penalty)).parameters
    assert set(arguments) == set(penalty.get_config())
    assert all(hasattr(penalty, argument) for argument in arguments)


def test_arguments_come_back():
    """Values that are not the defaults."""
    for penalty, *_ in PENALTIES.values():
        config = {**penalty.get_config(), "weight": 0.7, "every": 5, "name": "smooth"}
        assert type(penalty).from_config(config).get_config() == config


@every_penalty
@pytest.mark.parametrize("weight", [0, -1.0, np.inf, np.nan, True, "10", None])
def test_weight_must_be_positive(penalty, where, formula, weight):
    who = f"The weight of {type(penalty).__name__} must be a positive number"
    with pytest.raises(ValueError, match=f"{who}. Received: {weight!r}"):
        type(penalty)(weight)


@every_penalty
@pytest.mark.parametrize("every", [0, 1.5, True, "2"])
def test_every_must_be_a_positive_int(penalty, where, formula, every):
    with pytest.raises(ValueError, match=f"`every` must be.*Received: every={every!r}"):
        type(penalty)(every=every)


def test_numpy_numbers_are_numbers():
    penalty = penalties.R1(np.float32(2), every=np.int64(4))
    assert (penalty.weight, penalty.every, type(penalty.every)) == (2, 4, int)


@pytest.mark.parametrize(
    "cls, argument, value",
    [
        (penalties.GradientPenalty, "target", 0),
        (penalties.DRAGAN, "noise", -0.5),
        (penalties.WassersteinDivergence, "power", 1),
    ],
)
def test_bad_arguments(cls, argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be above.*Received: {value}"):
        cls(**{argument: value})
