"""Losses, penalties, augmentations, precisions and update orders together: one step of each.

Every two of them appear together in some row. In float32 the step compiled by XLA equals the eager
one to 1e-4. In half precision XLA keeps more digits inside what it fuses; there the eager step
stays within the type's rounding of the float32 one, and the compiled step of the eager one.
"""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kgan
from tests import pairwise

SHAPE = (8, 8, 1)
LATENT_DIM = 4
NUM_CLASSES = 3
RATES = {"generator": 0.05, "discriminator": 0.02}
IMAGES = np.random.default_rng(0).uniform(-1, 1, (8, *SHAPE)).astype("float32")
LABELS = np.arange(8) % NUM_CLASSES

# Arguments with which one step shows what there is to compare; other names are taken as they are.
ARGUMENTS = {
    "ada": "ada:0.05,interval=2,adjust_images=100,initial_probability=0.6",
    "apa": "apa:0.05,interval=2,adjust_images=100,initial_probability=0.4",
    "instance_noise": "instance_noise:0.2,decay_images=100",
    "latent_consistency": "latent_consistency:stddev=0.5",
    "latent_diversity": "latent_diversity:stddev=0.5",
    "le_cam": "le_cam:warm_up_steps=1",
    "orthogonal": "orthogonal:0.1",
    "weight_clipping": "weight_clipping:0.3",
}
# How many class logits a loss wants, where it is not one for each class.
NUM_LOGITS = {"multi_hinge": NUM_CLASSES + 1}

# rtol and atol of logs; rtol of what a player moves by, against the length of its whole step.
# bfloat16 rounds by at most 2^-8 of a number and float16 by 2^-11. Some 30 roundings lie on the
# way from the latents to a gradient; half of them all in one direction would be 16 times as much.
BOUNDS = {
    "float32": (1e-4, 1e-6),
    "mixed_bfloat16": (16 * 2**-8, 16 * 2**-8),
    "mixed_float16": (16 * 2**-11, 16 * 2**-11),
}


def deal(names, count):
    """Deals names out to groups: penalties of one row are logged each for itself."""
    return [tuple(names[i::count]) for i in range(count)]


FACTORS = {
    "loss": kgan.losses.names(),
    "penalties": deal(kgan.penalties.names(), 5),
    "augment": ["none", *kgan.augment.names()],
    "policy": list(BOUNDS),
    "updates": list(kgan.gan.UPDATES),
}
ROWS = pairwise.covering_array(FACTORS)
MAIN_LOSSES = ["non_saturating", "hinge", "wasserstein", "least_squares", "relativistic_paired"]
# A row of each main loss, each with other penalties.
FAST_ROWS = [[row for row in ROWS if row["loss"] == loss][i] for i, loss in enumerate(MAIN_LOSSES)]


def named(row):
    words = ["+".join(value) if isinstance(value, tuple) else value for value in row.values()]
    return pytest.param(row, id="-".join(words), marks=[] if row in FAST_ROWS else pytest.mark.slow)


# --- The rows -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "factors",
    [
        FACTORS,
        {"a": [1, 2], "b": [1, 2]},
        {"a": [1], "b": [1, 2, 3], "c": [1, 2, 3], "d": [1, 2, 3, 4]},
        {name: [0, 1] for name in "abcdefghij"},
    ],
    ids=["ours", "two", "uneven", "ten"],
)
def test_every_two_values_of_two_factors_meet(factors):
    rows = pairwise.covering_array(factors)
    for one, other in itertools.combinations(factors, 2):
        met = {(row[one], row[other]) for row in rows}
        assert met == set(itertools.product(factors[one], factors[other]))
    # No fewer rows than pairs of the two largest factors, and not many more.
    largest, second = sorted(map(len, factors.values()))[:-3:-1]
    assert largest * second <= len(rows) <= 1.1 * largest * second + 6
    assert all(list(row) == list(factors) for row in rows)


def test_every_name_is_in_a_row():
    assert sorted(itertools.chain(*FACTORS["penalties"])) == kgan.penalties.names()
    assert len(FAST_ROWS) == len({row["penalties"] for row in FAST_ROWS}) == 5


# --- Networks -----------------------------------------------------------------------------------


def conditioned(inputs, labels):
    return keras.layers.Concatenate()([inputs, keras.layers.Embedding(NUM_CLASSES, 3)(labels)])


def generator(is_conditional):
    latents = keras.Input((LATENT_DIM,))
    labels = keras.Input((), dtype="int32")
    x = conditioned(latents, labels) if is_conditional else latents
    x = keras.layers.Dense(8, activation="tanh")(x)
    x = keras.layers.Dense(64, activation="tanh")(x)
    x = keras.layers.Reshape(SHAPE)(x)
    return keras.Model([latents, labels] if is_conditional else latents, x)


def discriminator(is_conditional=False, num_logits=0, **kwargs):
    images = keras.Input(SHAPE)
    labels = keras.Input((), dtype="int32")
    x = keras.layers.Conv2D(4, 4, strides=4, activation="softplus")(images)
    x = keras.layers.Flatten()(x)
    x = conditioned(x, labels) if is_conditional else x
    x = keras.layers.Dense(8, activation="tanh")(x)
    said = keras.layers.Dense(1)(x)
    if num_logits:
        said = {"score": said, "class_logits": keras.layers.Dense(num_logits)(x)}
    return keras.Model([images, labels] if is_conditional else images, said, **kwargs)


def players(loss):
    """The networks that a loss plays with."""
    needs = kgan.losses.get(loss).needs
    if loss == "mixed":
        committee = kgan.backbones.Committee([discriminator(name=name) for name in "ab"])
        return generator(False), committee
    num_logits = NUM_LOGITS.get(loss, NUM_CLASSES) if "class_logits" in needs else 0
    is_conditional = "labels" in needs
    return generator(is_conditional), discriminator(is_conditional, num_logits)


def optimizer(rate, policy):
    """Plain descent: Adam's first step is a sign, which would make much of a rounding error."""
    descent = keras.optimizers.SGD(rate)
    if policy != "mixed_float16":
        return descent
    # From its default of 2^15 the scale would first have to fall, with a step skipped each time.
    return keras.optimizers.LossScaleOptimizer(descent, initial_scale=2**8)


def make_gan(row, policy, **how):
    """The same GAN at each call, whatever the policy."""
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(policy)
    networks = players(row["loss"])
    num_classes = NUM_CLASSES if len(networks[0].inputs) > 1 else None
    gan = kgan.GAN(*networks, num_classes=num_classes, average_half_life_images=20, seed=7)
    gan.compile(
        *(optimizer(rate, policy) for rate in RATES.values()),
        loss=row["loss"],
        penalties=[ARGUMENTS.get(name, name) for name in row["penalties"]],
        augment=[ARGUMENTS.get(name, name) for name in [row["augment"]] if name != "none"],
        updates=row["updates"],
        **how,
    )
    return gan


# --- Random numbers -----------------------------------------------------------------------------


def hashed(shape, seed, rounds):
    """Integers in [0, 2^24) that depend on the seed and the place alone, `(rounds, *shape)`."""
    shape = tf.concat([[rounds], tf.cast(shape, "int32")], 0)
    x = tf.reshape(tf.range(tf.reduce_prod(shape)), shape)
    seed = tf.cast(seed, "uint32")
    x = tf.cast(x, "uint32") + seed[0] * 7919 + seed[1] * 65537
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, tf.constant(shift, "uint32")))
        x *= tf.constant(factor, "uint32")
    return tf.cast(tf.bitwise.right_shift(x, tf.constant(8, "uint32")), "int32")


def uniform(shape, seed, minval=0.0, maxval=1.0, dtype="float32"):
    draws = tf.cast(hashed(shape, seed, 1)[0], "float32") / 2**24
    return tf.cast(minval + (maxval - minval) * draws, dtype)


def normal(shape, seed, mean=0.0, stddev=1.0, dtype="float32"):
    """The sum of four uniform draws, whose variance is 4 / 12."""
    total = tf.cast(tf.reduce_sum(hashed(shape, seed, 4), axis=0) - 2**25, "float32") / 2**24
    return tf.cast(mean + stddev * np.sqrt(3.0) * total, dtype)


@pytest.fixture(autouse=True)
def same_draws(monkeypatch):
    """XLA draws other random numbers from a seed than TensorFlow does; integers it hashes alike."""
    monkeypatch.setattr(tf.random, "stateless_uniform", uniform)
    monkeypatch.setattr(tf.random, "stateless_normal", normal)


# --- One step -----------------------------------------------------------------------------------


def fit(gan):
    """One step of `fit` on all images; returns the logs."""
    history = gan.fit(IMAGES, LABELS, batch_size=8, verbose=0, shuffle=False).history
    return {name: values[0] for name, values in history.items()}


def components(gan):
    return [*gan.penalties, *gan.augment]


def all_variables(gan):
    return [*gan.variables, *(v for one in components(gan) for v in one.variables)]


def values(variables):
    return [ops.convert_to_numpy(variable) for variable in variables]


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


def play(gan, start):
    """One step from these values: logs, by how much each player moves, and components' states."""
    for variable, value in zip(all_variables(gan), start, strict=True):
        variable.assign(value)
    names = ("generator", "discriminator", "averaged_generator")
    before = {name: values(getattr(gan, name).weights) for name in names}
    logs = fit(gan)
    moves = {name: flat(values(getattr(gan, name).weights)) - flat(before[name]) for name in names}
    return logs, moves, {one.name: values(one.variables) for one in components(gan)}


def assert_same(step, expected, policy):
    rtol, atol = BOUNDS[policy]
    (logs, moves, states), (expected_logs, expected_moves, expected_states) = step, expected
    assert logs.keys() == expected_logs.keys()
    for name, value in expected_logs.items():
        np.testing.assert_allclose(logs[name], value, rtol, atol, err_msg=name)
    for name, move in expected_moves.items():
        error = np.linalg.norm(moves[name] - move) / np.linalg.norm(move)
        assert error < rtol, f"{name} moves otherwise, by {error:.2g} of its step"
    for name, state in expected_states.items():
        for variable, value in zip(states[name], state, strict=True):
            np.testing.assert_allclose(variable, value, rtol, atol, err_msg=name)


@pytest.mark.parametrize("row", [named(row) for row in ROWS])
def test_xla_equals_eager_and_half_precision_is_near_float32(row):
    policy = row["policy"]
    eager = make_gan(row, "float32", run_eagerly=True)
    # After a first step all running means have begun.
    fit(eager)
    start = values(all_variables(eager))
    expected = play(eager, start)
    for name, value in expected[0].items():
        assert np.isfinite(value) and value != 0, f"{name} is {value}, which compares nothing"
    if policy != "float32":
        half = play(make_gan(row, policy, run_eagerly=True), start)
        assert_same(half, expected, policy)
        expected = half
    assert_same(play(make_gan(row, policy, jit_compile=True), start), expected, policy)
