"""A step in micro-batches is the plain step, from less memory."""

import keras
import numpy as np
import pytest

import kgan
from tests.steps import GAMES, IMAGES, N, make, peak_memory, states, train, wide


@pytest.mark.parametrize("micro_batches", [2, 4])
@pytest.mark.parametrize("game", GAMES)
def test_steps_are_those_of_whole_batches(game, micro_batches):
    plain, split = make(**GAMES[game]), make(micro_batches=micro_batches, **GAMES[game])
    logs, split_logs = train(plain), train(split)
    for name, values in logs.items():
        np.testing.assert_allclose(split_logs[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    for (name, one), other in zip(states(plain).items(), states(split).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("game", ["perceptrons", "noise", "spectral norm", "critic steps"])
def test_each_of_two_replicas_takes_its_part_in_parts(two_replicas, game):
    plain = make(**GAMES[game])
    with two_replicas.scope():
        split = make(micro_batches=2, **GAMES[game])
    trained = [[*train(gan).values(), *states(gan).values()] for gan in (plain, split)]
    for one, other in zip(*trained, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


def test_a_step_takes_less_memory():
    plain, split = (peak_memory(wide(micro_batches=count)) for count in (1, 4))
    assert plain > 1e6 and split < 0.5 * plain


def test_a_remainder_is_left_out():
    plain, split = make(), make(micro_batches=4)
    plain.fit(IMAGES[:20], batch_size=20, verbose=0, shuffle=False)
    split.fit(IMAGES[:23], batch_size=23, verbose=0, shuffle=False)
    assert int(split.images_seen) == 23
    # The average counts images, not what is learned from.
    for one, other in zip(plain.networks.values(), split.networks.values(), strict=True):
        for a, b in zip(one.weights, other.weights, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_batch_norm_has_the_statistics_of_the_whole_batch():
    plain, split = (make(micro_batches=k, discriminator=batch_norm_discriminator) for k in (1, 3))
    train(plain, 1)
    train(split, 1)
    means = [np.array(gan.discriminator.layers[1].moving_mean) for gan in (plain, split)]
    assert abs(means[0]) > 1e-3
    np.testing.assert_allclose(means[1], means[0], rtol=1e-4)


def batch_norm_discriminator():
    """Its first layer normalises images, so that its statistics do not depend on weights."""
    images = keras.Input((8, 8, 1))
    x = keras.layers.BatchNormalization(momentum=0.5)(images)
    return keras.Model(images, keras.layers.Dense(1)(keras.layers.Flatten()(x)))


@pytest.mark.parametrize("value", [0, -1, 2.0, "2", True])
def test_bad_counts(value):
    with pytest.raises(ValueError, match="micro_batches must be an int of 1 or more. Received: "):
        make(micro_batches=value)


def test_what_looks_at_the_whole_batch_is_refused():
    make(dynamics=["top_k"])
    with pytest.raises(ValueError, match="TopK looks at the whole batch.*micro_batches=2, TopK"):
        make(micro_batches=2, dynamics=["top_k"])
    with pytest.raises(ValueError, match="MaxGradient looks at the whole batch"):
        make(micro_batches=2, penalties=["max_gradient"])
    with pytest.raises(ValueError, match="ReferenceBatch looks at the whole batch"):
        make(micro_batches=2, discriminator=reference_discriminator)


def reference_discriminator():
    images = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(kgan.layers.ReferenceBatch(2)(images))
    return keras.Model(images, keras.layers.Dense(1)(x)[:-2, ...])


def test_batches_that_are_too_small():
    with pytest.raises(ValueError, match="micro_batches=4: a batch needs at least 8 images"):
        make(micro_batches=4, discriminator_steps=2).fit(IMAGES[:7], batch_size=7, verbose=0)


class Scorer(kgan.dynamics.Dynamics):
    """What wants more of a round than its parts can give."""

    def after_update(self, round):
        round.score(round.fake["images"])


def test_nothing_can_be_scored_after_an_update():
    make(dynamics=[Scorer()], run_eagerly=True).fit(IMAGES, batch_size=N, verbose=0)
    with pytest.raises(ValueError, match="played in parts. Received: micro_batches"):
        make(micro_batches=2, dynamics=[Scorer()], run_eagerly=True).fit(
            IMAGES, batch_size=N, verbose=0
        )


def test_a_saved_game_keeps_its_micro_batches(tmp_path):
    gan = make(micro_batches=2)
    train(gan, 1)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.micro_batches == 2
    train(gan, 2)
    train(loaded, 2)
    for (name, one), other in zip(states(gan).items(), states(loaded).values(), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)
