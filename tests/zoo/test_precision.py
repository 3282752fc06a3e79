"""Every game learns the same in half precision, but for rounding."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.zoo.recipe import Task
from tests.frameworks import tensorflow_only
from tests.zoo.test_conformance import (
    FORMS,
    MODULES,
    PLAYERS,
    mode,
    same_random_numbers,
    source_for,
    tiny,
)

pytestmark = [
    tensorflow_only("replaces its random numbers"),
    # Dropout draws in the type that it computes in.
    pytest.mark.usefixtures(same_random_numbers.__name__),
]

BATCH = 64
# What a game must keep of the direction in which each player moves.
LEAST_COSINE = 0.99
# Gradients of this share of a player's whole norm are looked at one by one: of smaller ones the
# rounding of the whole, about a hundredth of it, is a large part, and another on other processors.
LARGE = 0.1
FAST = ("dcgan", "sngan", "wgan_gp")


def build(name, conditional, policy):
    """Returns a module's tiny GAN under a policy, and a batch; weights are the same under all."""
    module = MODULES[name]
    recipe = tiny(module.RECIPES["digits"]).but(batch_size=BATCH)
    source = source_for(module, recipe)
    task = Task(source.image_shape, source.num_classes if conditional else None, steps=100)
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(policy)
    try:
        gan = module.build(recipe, task)
    finally:
        keras.config.set_dtype_policy("float32")
    return gan, next(iter(source.stream(BATCH * recipe.discriminator_steps, seed=0)))


def play(gan, batch):
    """Returns what a round of the game says, and both players' gradients of their losses."""
    for dynamics in gan.dynamics:
        dynamics.before_step(gan)
    turn = gan._turns(*gan.unpack(batch))[-1]
    logs, gradients = gan.differentiate(("discriminator", "generator"), *turn)
    scales = [float(getattr(gan, f"{player}_optimizer").scale_loss(1.0)) for player in PLAYERS]
    return logs, {
        player: [
            np.array(tf.convert_to_tensor(gradient), "float64") / scale
            for gradient in gradients[player]
            if gradient is not None
        ]
        for player, scale in zip(PLAYERS, scales, strict=True)
    }


def play_finitely(gan, batch):
    """Plays with the largest scales of float16's losses that overflow nothing, as training does."""
    variables = [*gan.variables, *gan._states().values()]
    start = [np.array(variable) for variable in variables]
    while True:
        logs, gradients = play(gan, batch)
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        overflown = [
            player
            for player in PLAYERS
            if not all(np.isfinite(gradient).all() for gradient in gradients[player])
        ]
        if not overflown:
            return logs, gradients
        for player in overflown:
            scale = getattr(gan, f"{player}_optimizer").dynamic_scale
            assert float(scale) > 1, "no scale of the losses helps"
            scale.assign(scale / 2)


def cosine(a, b):
    return np.sum(a * b) / (np.linalg.norm(a) * np.linalg.norm(b))


def whole(gradients):
    return np.concatenate([gradient.ravel() for gradient in gradients])


def check(name, conditional, policy):
    gan, batch = build(name, conditional, "float32")
    half, _ = build(name, conditional, policy)
    half.set_weights(gan.get_weights())
    computes = {layer.compute_dtype for layer in half._flatten_layers()}
    assert keras.DTypePolicy(policy).compute_dtype in computes
    _, expected = play(gan, batch)
    logs, gradients = play_finitely(half, batch)
    round = logs.pop("round")
    assert {keras.backend.standardize_dtype(value.dtype) for value in logs.values()} == {"float32"}
    for view in (round.real, round.fake):
        said = {key: value.dtype for key, value in view.items() if hasattr(value, "dtype")}
        assert {"images", "score"} <= said.keys() and set(said.values()) <= {tf.float32, tf.int32}
    for player in PLAYERS:
        check_gradients(expected[player], gradients[player])


def check_gradients(expected, gradients):
    assert cosine(whole(expected), whole(gradients)) > LEAST_COSINE
    norm = np.linalg.norm(whole(expected))
    for i, (one, other) in enumerate(zip(expected, gradients, strict=True)):
        if np.linalg.norm(one) > LARGE * norm:
            ratio = np.linalg.norm(other) / np.linalg.norm(one)
            assert cosine(one, other) > 0.95 and abs(ratio - 1) < 0.1, (i, ratio)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", FAST)
def test_games_learn_the_same_in_half_precision(name, policy):
    check(name, mode(name) == "always", policy)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(("name", "conditional"), FORMS)
def test_every_game_learns_the_same_in_half_precision(name, conditional, policy):
    check(name, conditional, policy)
