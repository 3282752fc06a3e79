"""What is noted of a step, against the step itself; what it means, against numbers by hand."""

import dataclasses

import keras
import numpy as np
import pytest

import kgan
from kgan.callbacks.collapse import signals
from tests import networks

IMAGES = np.random.default_rng(0).uniform(-1, 1, (48, 2)).astype("float32")


def measure(reals, fakes, real_scores=(0.0,), fake_scores=(0.0,), gradients=(1.0, 2.0)):
    return signals.measure(10, [reals, fakes], [real_scores, fake_scores], gradients)


# --- Measuring ----------------------------------------------------------------------------------


def test_signals_by_hand():
    reals = [[0.0, 0.0], [4.0, 0.0], [0.0, 3.0]]  # distances 4, 3, 5; nearest 3, 4, 3
    fakes = [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]  # distances 1, 0, 1; nearest 0, 1, 0
    reading = measure(reals, fakes, [2.0, 1.0], [-3.0, 1.0])
    across = (0 + 1 + 0 + 4 + 3 + 4 + 3 + np.sqrt(10) + 3) / 9
    assert reading.spread == pytest.approx((2 / 3) / 4)
    assert reading.variety == pytest.approx((1 / 3) / (10 / 3))
    assert reading.distance == pytest.approx((2 * across - 4 - 2 / 3) / 4)
    assert reading.accuracy == pytest.approx((1 + 1 + 1 + 0.5) / 4)
    assert reading.score_gap == pytest.approx(2.5) and reading.score_size == 3
    assert (reading.generator_gradient, reading.discriminator_gradient) == (1, 2)
    assert reading.step == 10 and reading.is_finite


def test_fakes_like_reals():
    draw = np.random.default_rng(1).normal
    reading = measure(draw(size=(4000, 3)), draw(size=(4000, 3)))
    assert reading.spread == pytest.approx(1, abs=0.02)
    assert reading.variety == pytest.approx(1, abs=0.04)
    assert reading.distance == pytest.approx(0, abs=0.005)


def test_distance_is_unbiased():
    """Of one distribution its mean is 0, also for small batches."""
    draw = np.random.default_rng(1).normal
    distances = [measure(draw(size=(8, 2)), draw(size=(8, 2))).distance for _ in range(2000)]
    assert np.mean(distances) == pytest.approx(0, abs=0.01)


def test_one_fake_for_all():
    reals = np.random.default_rng(1).normal(size=(64, 50))
    reading = measure(reals, np.repeat(reals[:1], 64, axis=0))
    assert reading.spread == pytest.approx(0, abs=1e-6)
    assert reading.variety == pytest.approx(0, abs=1e-6)
    assert reading.distance == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("real, fake, accuracy", [(1, 0, 1.0), (0, 1, 0.0), (0, 0, 0.5)])
def test_accuracy(real, fake, accuracy):
    assert measure(IMAGES, IMAGES, [real] * 3, [fake] * 3).accuracy == accuracy


def test_reals_that_do_not_vary_tell_nothing():
    reading = measure(np.ones((4, 2)), np.arange(8.0).reshape(4, 2))
    assert (reading.spread, reading.variety, reading.distance) == (1, 1, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", ["images", "scores", "gradients"])
def test_what_is_not_finite(value, place):
    arguments = {"images": np.ones((2, 4, 2)), "scores": np.zeros((2, 4)), "gradients": [1.0, 1.0]}
    arguments[place] = np.array(arguments[place])
    arguments[place][-1] = value
    reading = signals.measure(30, **arguments)
    assert not reading.is_finite and reading.step == 30


# --- Noting -------------------------------------------------------------------------------------


class Witness(keras.callbacks.Callback):
    """Reads a snapshot after each batch."""

    def __init__(self, every_steps=1):
        super().__init__()
        self.snapshot = signals.Snapshot(every_steps)
        self.seen = []

    def on_train_begin(self, logs=None):
        self.model.observe(self.snapshot)

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(self.snapshot.read())


def make_gan(network_kwargs=None, rate=0.1, **compile_kwargs):
    keras.utils.set_random_seed(1)
    gan = kgan.GAN(
        networks.generator(**(network_kwargs or {})),
        networks.discriminator(**(network_kwargs or {})),
        num_classes=(network_kwargs or {}).get("num_classes"),
        average_half_life_images=None,
        seed=7,
    )
    rates = keras.optimizers.SGD(rate), keras.optimizers.SGD(rate)
    gan.compile(*rates, **compile_kwargs)
    return gan


def fit(gan, witness, images=IMAGES, labels=None, batch_size=16, **kwargs):
    callbacks = [witness]
    gan.fit(
        images,
        labels,
        batch_size=batch_size,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
        **kwargs,
    )
    return witness.seen


@pytest.mark.parametrize(
    "how",
    [{}, {"run_eagerly": True}, {"jit_compile": True}, {"updates": "alternating"}],
    ids=["graph", "eager", "jit", "alternating"],
)
def test_notes_the_batch_the_scores_and_the_gradients(how):
    gan = make_gan(**how)
    before = {p: getattr(gan, f"{p}_variables") for p in signals.PLAYERS}
    before = {p: [v.numpy() for v in variables] for p, variables in before.items()}
    score = keras.models.clone_model(gan.discriminator)
    score.set_weights(gan.discriminator.get_weights())
    ((steps, kept),) = fit(gan, Witness(), IMAGES[:16])
    assert steps == 1
    np.testing.assert_array_equal(kept["images"][0], IMAGES[:16])
    assert kept["images"].shape == (2, 16, 2) and kept["scores"].shape == (2, 16)
    assert np.abs(kept["images"][1]).max() > 0
    judge = gan.discriminator if how.get("updates") == "alternating" else score
    for images, scores in zip(kept["images"], kept["scores"], strict=True):
        np.testing.assert_allclose(judge(images)[:, 0], scores, atol=1e-5)
    # Plain gradient descent moves along the gradient, by 0.1 of it.
    for player, norm in zip(signals.PLAYERS, kept["gradients"], strict=True):
        after = [v.numpy() for v in getattr(gan, f"{player}_variables")]
        moved = sum(np.sum((a - b) ** 2) for a, b in zip(after, before[player], strict=True))
        assert norm == pytest.approx(np.sqrt(moved) / 0.1, rel=1e-3)


def test_looks_at_every_kth_step_only():
    seen = fit(make_gan(), Witness(2), epochs=2)
    assert [steps for steps, _ in seen] == [1, 2, 3, 4, 5, 6]
    firsts = [kept["images"][0] for _, kept in seen]
    assert firsts[0].size == 0
    for step, batch in ((2, 1), (3, 1), (4, 0), (5, 0), (6, 2)):
        np.testing.assert_array_equal(firsts[step - 1], IMAGES[16 * batch : 16 * batch + 16])
    gradients = [kept["gradients"] for _, kept in seen]
    assert gradients[1] == gradients[2] != gradients[3] == gradients[4]


def test_several_steps_an_execution():
    ((steps, kept),) = fit(make_gan(steps_per_execution=3), Witness(2))
    assert steps == 3
    np.testing.assert_array_equal(kept["images"][0], IMAGES[16:32])


def test_a_large_batch_and_a_small_one():
    gan = make_gan()
    images = np.random.default_rng(0).normal(size=(103, 2)).astype("float32")
    (_, large), (_, small) = fit(gan, Witness(), images, batch_size=100)
    np.testing.assert_array_equal(large["images"][0], images[:64])
    np.testing.assert_array_equal(small["images"][0], images[100:])
    assert small["scores"].shape == (2, 3)


def test_large_images_are_looked_at_all_over():
    gan = make_gan({"shape": (32, 32, 3)})
    images = np.tile(np.arange(32 * 32 * 3, dtype="float32") / 3072, (8, 1)).reshape(8, 32, 32, 3)
    ((_, kept),) = fit(gan, Witness(), images)
    places = kept["images"][0, 0] * 3072
    assert len(places) == 256 and places[0] == 0 and places[-1] == pytest.approx(3071)
    assert np.diff(places).max() <= 13


@pytest.mark.parametrize("score", ["map", "pack", "dict"])
def test_scores_of_all_kinds(score):
    inputs = keras.Input((2,))
    x = inputs if score != "pack" else kgan.layers.Pack(2)(inputs)
    said = keras.layers.Dense(4 if score == "map" else 1)(x)
    said = keras.layers.Reshape((2, 2, 1))(said) if score == "map" else said
    said = {"score": said} if score == "dict" else said
    gan = kgan.GAN(networks.generator(), keras.Model(inputs, said))
    gan.compile("sgd", "sgd")
    ((_, kept),) = fit(gan, Witness(), IMAGES[:16])
    assert kept["scores"].shape == (2, 8 if score == "pack" else 16)
    assert np.isfinite(kept["scores"]).all()


def test_conditional_with_several_discriminator_steps():
    gan = make_gan({"num_classes": 3}, discriminator_steps=2)
    ((_, kept),) = fit(gan, Witness(), IMAGES[:16], np.arange(16) % 3)
    np.testing.assert_array_equal(kept["images"][0], IMAGES[1:16:2])  # the last turn's
    assert signals.measure(1, **kept).is_finite


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_has_the_gradients_of_float32(policy):
    (_, expected), *_ = fit(make_gan(), Witness(), IMAGES[:16])
    keras.config.set_dtype_policy(policy)
    (_, kept), *_ = fit(make_gan(), Witness(), IMAGES[:16])
    assert kept["gradients"] == pytest.approx(expected["gradients"], rel=0.05)


def test_a_step_that_float16_skips_is_no_trouble():
    """Where its loss scale was too high, the optimizer halves it and goes on."""
    keras.config.set_dtype_policy("mixed_float16")
    gan = make_gan()
    gan.generator_optimizer.dynamic_scale.assign(1e30)
    gan.discriminator_optimizer.dynamic_scale.assign(1e30)
    for _, kept in fit(gan, Witness()):
        assert np.isfinite(kept["gradients"]).all()


def test_two_replicas_read_the_first(two_replicas):
    latents = np.random.default_rng(1).normal(size=(8, networks.LATENT_DIM)).astype("float32")
    with two_replicas.scope():
        gan = make_gan(rate=0.0)
    alone = make_gan(rate=0.0)
    gan.sample_latents = alone.sample_latents = lambda n, training=True: latents
    steps, kept = fit(gan, Witness(2))[-1]
    ((_, expected),) = fit(alone, Witness(), IMAGES[16:24], batch_size=8)
    assert steps == 3
    for name, values in expected.items():
        np.testing.assert_allclose(kept[name], values, rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_gradient_of_nothing_is_left_out():
    snapshot = signals.Snapshot(1)
    gan = make_gan()
    snapshot.build(gan)
    assert float(snapshot._norm("generator", [None, np.array([3.0, 4.0])])) == pytest.approx(5)


def test_a_reading_is_plain_data():
    reading = measure(IMAGES, IMAGES)
    assert all(isinstance(v, float | int) for v in dataclasses.asdict(reading).values())
