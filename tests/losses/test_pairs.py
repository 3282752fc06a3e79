"""What every registered pair of losses must do; a new one gets these tests by its name."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from tests.frameworks import tensorflow_only

NAMES = kgan.losses.names()
CLASSES = 4
# What separates reals from fakes; 0 where nothing else is said.
BOUNDARIES = {"least_squares": 0.5}


def views(real_scores, fake_scores, seed=0):
    """A view of reals and one of fakes, with all that any pair needs: K + 1 class logits."""
    rng = np.random.default_rng(seed)
    made = []
    for scores in (real_scores, fake_scores):
        n = len(scores)
        logits = rng.normal(size=(n, CLASSES + 1)).astype("float32")
        labels = rng.integers(CLASSES, size=n).astype("int32")
        made.append({"score": scores, "class_logits": logits, "labels": labels})
    return made


def judged_well(name, n=8, seed=0):
    """Scores of reals above the game's boundary, and of fakes below it."""
    rng = np.random.default_rng(seed)
    boundary = BOUNDARIES.get(name, 0.0)
    real, fake = rng.uniform(0.1, 0.4, (2, n)).astype("float32")
    return boundary + real, boundary - fake


def tensors(real, fake):
    return tf.nest.map_structure(tf.convert_to_tensor, [real, fake])


def losses_and_gradients(pair, real, fake):
    """Both losses, and the gradients of each in everything that the discriminator said."""
    real, fake = tensors(real, fake)
    said = [view[key] for view in (real, fake) for key in ("score", "class_logits")]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(said)
        terms = pair.terms(real, fake)
        losses = terms["discriminator_loss"], terms["generator_loss"]
    return losses, [tape.gradient(loss, said, unconnected_gradients="zero") for loss in losses]


def realness(score, class_logits, labels):
    """What a pair may call high: the score, the label's own logit, and that against "fake"."""
    right = np.take_along_axis(class_logits, labels[:, None], axis=1)[:, 0]
    return np.stack([np.reshape(score, (-1,)), right, right - class_logits[:, -1]])


@tensorflow_only("its tapes")
@pytest.mark.parametrize("name", NAMES)
def test_each_player_moves_scores_its_own_way(name):
    """One step down the discriminator's loss raises reals and lowers fakes; the generator's, fakes.

    Each example either moves the right way or not at all, and some of them do move.
    """
    pair = kgan.losses.get(name)
    real, fake = views(*judged_well(name))
    _, (discriminator, generator) = losses_and_gradients(pair, real, fake)

    def moves(view, gradients):
        before = realness(**view)
        after = [view["score"] - 0.01 * gradients[0], view["class_logits"] - 0.01 * gradients[1]]
        return realness(*map(np.array, after), view["labels"]) - before

    used = [0] if not pair.needs else [2] if name == "multi_hinge" else [0, 1]
    for change in moves(real, discriminator[:2])[used], moves(fake, generator[2:])[used]:
        assert np.all(change >= 0) and np.all(change.max(axis=1) > 0)
    lowered = moves(fake, discriminator[2:])[used[:1]]
    assert np.all(lowered <= 0) and np.all(lowered.min(axis=1) < 0)


@tensorflow_only("its graphs")
@pytest.mark.parametrize("name", NAMES)
def test_xla_computes_what_eager_execution_does(name):
    pair = kgan.losses.get(name)
    rng = np.random.default_rng(1)
    real, fake = views(*rng.normal(size=(2, 8)).astype("float32"))
    expected = losses_and_gradients(pair, real, fake)
    compiled = tf.function(lambda: losses_and_gradients(pair, real, fake), jit_compile=True)()
    for value, other in zip(tf.nest.flatten(expected), tf.nest.flatten(compiled), strict=True):
        np.testing.assert_allclose(other, value, rtol=1e-5, atol=1e-7)


@tensorflow_only("its graphs")
@pytest.mark.parametrize("name", NAMES)
def test_two_replicas_equal_one(name, two_replicas):
    """Losses are means, and gradients are as large as one replica's with the whole batch."""
    pair = kgan.losses.get(name)
    rng = np.random.default_rng(2)
    whole = views(*rng.normal(size=(2, 8)).astype("float32"))
    values, gradients = losses_and_gradients(pair, *whole)

    def on_replica():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        half = tf.nest.map_structure(lambda x: tf.constant(x)[replica * 4 : replica * 4 + 4], whole)
        return losses_and_gradients(pair, *half)

    shares, parts = two_replicas.run(tf.function(on_replica))
    for value, share in zip(values, shares, strict=True):
        average = np.mean(two_replicas.experimental_local_results(share))
        np.testing.assert_allclose(average, value, rtol=1e-6)
    parts = tf.nest.flatten(tf.nest.map_structure(two_replicas.experimental_local_results, parts))
    for i, gradient in enumerate(tf.nest.flatten(gradients)):
        # The optimizers sum what each replica finds of its loss divided by their number.
        both = np.concatenate(parts[2 * i : 2 * i + 2]) / 2
        np.testing.assert_allclose(both, gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_pair_comes_back_from_its_config(name):
    pair = kgan.losses.get(name)
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(pair)))
    copy = kgan.losses.get(stored)
    assert type(copy) is type(pair) and keras.saving.serialize_keras_object(copy) == stored


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_computed_in_float32(name, dtype):
    """Half-precision scores lose nothing but their own rounding, which these have not."""
    pair = kgan.losses.get(name)
    real, fake = views(np.arange(8.0, dtype="float32"), np.arange(8.0, dtype="float32") - 4)
    for view in (real, fake):
        view["class_logits"] = np.round(view["class_logits"])
    expected = pair.terms(*tensors(real, fake))
    half = [
        {k: v if k == "labels" else tf.cast(v, dtype) for k, v in view.items()}
        for view in (real, fake)
    ]
    for key, value in pair.terms(*half).items():
        assert value.dtype == "float32"
        np.testing.assert_array_equal(value, expected[key])


@tensorflow_only("its tapes")
@pytest.mark.parametrize("name", NAMES)
def test_losses_are_finite_at_extreme_scores(name):
    pair = kgan.losses.get(name)
    extremes = np.random.default_rng(0).permuted([-50.0, 50.0] * 8).reshape(2, 8).astype("float32")
    real, fake = views(*extremes)
    real["class_logits"], fake["class_logits"] = 50 * np.sign(np.random.default_rng(0).normal(
        size=(2, 8, CLASSES + 1)
    )).astype("float32")  # fmt: skip
    for x in tf.nest.flatten(losses_and_gradients(pair, real, fake)):
        assert np.all(np.isfinite(x))


@pytest.mark.parametrize("name", NAMES)
def test_patch_maps_are_flattened(name):
    pair = kgan.losses.get(name)
    maps = np.random.default_rng(3).normal(size=(2, 4, 3, 2, 1)).astype("float32")
    expected = pair.terms(*views(*maps.reshape(2, 4, 6)))
    for key, value in pair.terms(*views(*maps)).items():
        assert value.shape == ()
        np.testing.assert_allclose(value, expected[key], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_terms_are_what_the_pair_says(name):
    pair = kgan.losses.get(name)
    terms = pair.terms(*views(*np.zeros((2, 4), "float32")))
    assert list(terms) == ["generator_loss", "discriminator_loss", *pair.term_names]


@pytest.mark.parametrize("name", NAMES)
def test_probability_grows_with_the_score(name):
    scores = np.linspace(-3, 3, 7, dtype="float32")
    assert np.all(np.diff(kgan.losses.get(name).probability(scores)) > 0)
