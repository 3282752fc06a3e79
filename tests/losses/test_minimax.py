import keras
import numpy as np
import pytest

import kgan
from tests.conformance import run_loss_test
from tests.frameworks import tensorflow_only
from tests.losses.reference import log_d, log_not_d, sigmoid

SCORES = [np.random.default_rng(0).normal(size=(8,)), np.random.default_rng(1).normal(size=(8,))]
EXTREMES = [np.array([-50.0, 50.0, -50.0, 50.0]), np.array([50.0, -50.0, -50.0, 50.0])]


@pytest.mark.parametrize("real_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("fake_smoothing", [0.0, 0.2])
def test_minimax_discriminator(real_smoothing, fake_smoothing):
    def formula(real, fake):
        real_loss = -(1 - real_smoothing) * log_d(real) - real_smoothing * log_not_d(real)
        return real_loss - fake_smoothing * log_d(fake) - (1 - fake_smoothing) * log_not_d(fake)

    smoothing = {"label_smoothing": real_smoothing, "fake_label_smoothing": fake_smoothing}
    run_loss_test(kgan.losses.MinimaxDiscriminatorLoss, smoothing, formula)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_modified_generator(smoothing):
    def formula(real, fake):
        return -(1 - smoothing) * log_d(fake) - smoothing * log_not_d(fake)

    run_loss_test(kgan.losses.ModifiedGeneratorLoss, {"label_smoothing": smoothing}, formula)


def test_modified_is_what_tf_gan_computes():
    """TF-GAN's cross-entropy moves the target 1 by half its label_smoothing, 0.25, towards 1/2."""
    pair = kgan.losses.Modified()
    real, fake = SCORES
    target = 1 * (1 - 0.25) + 0.5 * 0.25
    expected = -target * log_d(real) - (1 - target) * log_not_d(real) - log_not_d(fake)
    np.testing.assert_allclose(pair.discriminator(real, fake), np.mean(expected), rtol=1e-6)
    np.testing.assert_allclose(pair.generator(real, fake), -np.mean(log_d(fake)), rtol=1e-6)


def test_modified_without_smoothing_is_non_saturating():
    modified, plain = kgan.losses.Modified(0.0), kgan.losses.NonSaturating()
    for player in ("discriminator", "generator"):
        np.testing.assert_array_equal(
            getattr(modified, player)(*EXTREMES), getattr(plain, player)(*EXTREMES)
        )


def test_minimax_generator():
    run_loss_test(kgan.losses.MinimaxGeneratorLoss, {}, lambda real, fake: log_not_d(fake))


def test_non_saturating_generator():
    run_loss_test(kgan.losses.NonSaturatingGeneratorLoss, {}, lambda real, fake: -log_d(fake))


def test_minimax_is_zero_sum():
    pair = kgan.losses.Minimax()
    real, fake = SCORES
    value = float(np.mean(log_d(real) + log_not_d(fake)))
    np.testing.assert_allclose(pair.discriminator(real, fake), -value, rtol=1e-6)
    # The reals' term does not depend on the generator, so its loss leaves it out.
    np.testing.assert_allclose(pair.generator(real, fake), value - np.mean(log_d(real)), rtol=1e-6)


@tensorflow_only("its tapes")
def test_saturation_is_what_sets_the_generators_apart():
    sure_fakes = np.full((4,), -8.0)
    saturating = _gradient(kgan.losses.MinimaxGeneratorLoss(), sure_fakes)
    non_saturating = _gradient(kgan.losses.NonSaturatingGeneratorLoss(), sure_fakes)
    np.testing.assert_allclose(saturating, -sigmoid(sure_fakes) / 4, rtol=1e-5)
    np.testing.assert_allclose(non_saturating, -sigmoid(-sure_fakes) / 4, rtol=1e-5)


def _gradient(loss, fake):
    import tensorflow as tf

    fake = tf.constant(fake, "float32")
    with tf.GradientTape() as tape:
        tape.watch(fake)
        value = loss(tf.zeros_like(fake), fake)
    return tape.gradient(value, fake).numpy()


def test_smoothing_is_one_sided():
    """At the smoothed optimum D(x) = 0.9 the reals' gradient is zero; the fakes' is as before."""
    loss = kgan.losses.MinimaxDiscriminatorLoss(label_smoothing=0.1, reduction=None)
    logit = np.log(0.9 / 0.1)
    around = [float(loss([logit + e], [0.0])[0]) for e in (-0.1, 0.0, 0.1)]
    assert around[1] < around[0] and around[1] < around[2]


NOISE = {
    "label_smoothing": 0.1,
    "fake_label_smoothing": 0.2,
    "real_flip_probability": 0.3,
    "fake_flip_probability": 0.4,
}


@pytest.mark.parametrize("value", [-0.1, 0.5, 1.0])
@pytest.mark.parametrize("name", NOISE)
def test_noise_out_of_range(name, value):
    with pytest.raises(ValueError, match=f"{name} must lie in .*Received: {name}={value}"):
        kgan.losses.NonSaturating(**{name: value})


def test_modified_noise_out_of_range():
    with pytest.raises(ValueError, match="Received: generator_label_smoothing=0.7"):
        kgan.losses.Modified(generator_label_smoothing=0.7)


def test_flips_exchange_whole_labels():
    """Each example has its own label's loss or the other's, at all of its positions alike."""
    loss = kgan.losses.MinimaxDiscriminatorLoss(**NOISE, reduction=None)
    seed = keras.random.SeedGenerator(3)
    real_target, fake_target = 0.9, 0.2
    maps = np.random.default_rng(0).normal(size=(2000, 3))
    sure = np.zeros_like(maps)

    def cross_entropy(scores, target):
        return np.mean(-target * log_d(scores) - (1 - target) * log_not_d(scores), axis=1)

    base = np.log(2)  # a score of 0 costs this, whatever its label
    for scores, target, other, share in (
        ((maps, sure), real_target, fake_target, 0.3),
        ((sure, maps), fake_target, real_target, 0.4),
    ):
        losses = np.array(loss(*scores, seed=seed)) - base
        kept = np.isclose(losses, cross_entropy(maps, target), atol=1e-5)
        flipped = np.isclose(losses, cross_entropy(maps, other), atol=1e-5)
        assert np.all(kept | flipped)
        # Five standard deviations of the share of 2,000 flips.
        assert abs(np.mean(flipped) - share) < 5 * np.sqrt(share * (1 - share) / 2000)


def test_flips_are_drawn_anew_in_each_call_and_never_without_a_seed():
    loss = kgan.losses.MinimaxDiscriminatorLoss(real_flip_probability=0.4, reduction=None)
    plain = kgan.losses.MinimaxDiscriminatorLoss(reduction=None)
    scores = np.linspace(1, 2, 64), np.zeros(64)
    np.testing.assert_array_equal(loss(*scores), plain(*scores))
    seed = keras.random.SeedGenerator(0)
    first, second = np.array(loss(*scores, seed=seed)), np.array(loss(*scores, seed=seed))
    assert not np.array_equal(first, second)
    again = np.array(loss(*scores, seed=keras.random.SeedGenerator(0)))
    np.testing.assert_array_equal(again, first)


def test_the_pair_flips_where_the_view_brings_a_seed():
    pair = kgan.losses.NonSaturating(real_flip_probability=0.4)
    real, fake = {"score": np.full(64, 3.0)}, {"score": np.zeros(64)}
    plain = kgan.losses.NonSaturating().terms(real, fake)
    assert float(pair.terms(real, fake)["discriminator_loss"]) == plain["discriminator_loss"]
    noisy = pair.terms({**real, "seed": keras.random.SeedGenerator(0)}, fake)
    assert float(noisy["discriminator_loss"]) > plain["discriminator_loss"] + 0.5
    assert float(noisy["generator_loss"]) == plain["generator_loss"]


@tensorflow_only("its graphs")
def test_replicas_flip_what_one_would(two_replicas):
    """Two replicas with half of the batch each flip what one with the whole batch does."""
    import tensorflow as tf

    loss = kgan.losses.MinimaxDiscriminatorLoss(**NOISE, reduction=None)
    real, fake = tf.random.stateless_normal((2, 32), seed=(0, 0))
    with two_replicas.scope():
        seed = keras.random.SeedGenerator(7)

    def on_replica():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        part = slice(replica * 16, replica * 16 + 16)
        return loss(real[part], fake[part], seed=seed)

    parts = two_replicas.experimental_local_results(two_replicas.run(tf.function(on_replica)))
    whole = loss(real, fake, seed=keras.random.SeedGenerator(7))
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-6)


@pytest.mark.parametrize("name", ["minimax", "non_saturating", "modified"])
def test_probability_is_the_sigmoid(name):
    pair = kgan.losses.get(name)
    np.testing.assert_allclose(pair.probability(SCORES[0]), sigmoid(SCORES[0]), rtol=1e-5)


def test_pair_comes_back_from_its_config():
    pair = kgan.losses.NonSaturating(**NOISE)
    copy = kgan.losses.get(keras.saving.serialize_keras_object(pair))
    assert isinstance(copy, kgan.losses.NonSaturating)
    for name, value in NOISE.items():
        assert getattr(copy, name) == getattr(copy.discriminator, name) == value
