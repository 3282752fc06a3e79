import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.games import BEGAN
from tests.conformance import check_docstring
from tests.frameworks import tensorflow_only

SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (8, *SHAPE)).astype("float32")


def build(balance_gain=0.1, dtype=None, seed=1, **options):
    shared = {"image_shape": SHAPE, "width": 4, "dtype": dtype}
    generator, decoder = (
        kgan.backbones.BEGANGenerator(latent_dim=3, name=name, **shared) for name in "gd"
    )
    encoder = kgan.backbones.BEGANEncoder(code_dim=3, **shared)
    discriminator = kgan.backbones.AutoencodingDiscriminator(encoder, decoder, "absolute")
    gan = BEGAN(generator, discriminator, diversity=0.7, balance_gain=balance_gain, seed=seed)
    gan.compile(loss="wasserstein", **options)
    return gan


def errors(gan, round):
    """L(x) and L(G(z)), from what the auto-encoder draws."""
    autoencode = gan.discriminator
    return [
        np.abs(np.float64(autoencode(view["images"])["reconstruction"]) - view["images"]).mean()
        for view in (round.real, round.fake)
    ]


@pytest.mark.parametrize("k", [0.0, 0.3, 1.0])
def test_losses_and_measure_are_the_papers(k):
    gan = build()
    gan.k.assign(k)
    logs = gan.compute_losses(tf.constant(IMAGES), None)
    real, fake = errors(gan, logs["round"])
    assert real > 0.1 and fake > 0.01
    np.testing.assert_allclose(logs["discriminator_loss"], real - k * fake, rtol=1e-4)
    np.testing.assert_allclose(logs["generator_loss"], fake, rtol=1e-4)
    np.testing.assert_allclose(logs["convergence"], real + abs(0.7 * real - fake), rtol=1e-4)
    np.testing.assert_allclose(logs["k"], k)


@pytest.mark.parametrize("updates", ["simultaneous", "alternating"])
@tensorflow_only("its tensors and the form of its step")
def test_k_moves_once_a_step_by_the_imbalance(updates):
    gan = build(updates=updates)
    gan.generator_optimizer.learning_rate = gan.discriminator_optimizer.learning_rate = 0.0
    gan.k.assign(0.5)
    logs = gan.train_step((tf.constant(IMAGES), None))
    real, fake = -float(logs["real_score"]), -float(logs["fake_score"])
    np.testing.assert_allclose(gan.k, 0.5 + 0.1 * (0.7 * real - fake), rtol=1e-5)
    assert abs(float(gan.k) - 0.5) > 1e-3


@pytest.mark.parametrize(("real", "fake", "end"), [(1.0, 0.0, 1.0), (0.0, 1.0, 0.0)])
def test_k_stays_between_0_and_1(real, fake, end):
    gan = build(balance_gain=0.4)
    score = lambda error: {"score": tf.fill((4, 1), -error)}  # noqa: E731
    round = kgan.Round(real=score(real), fake=score(fake))
    gan.k.assign(0.5)
    zeros = [tf.zeros_like(v.value) for v in gan.discriminator_variables]
    for _ in range(4):
        gan._move("discriminator", zeros, round)
    assert float(gan.k) == end
    gan.k.assign(0.5)
    gan._move("generator", [tf.zeros_like(v.value) for v in gan.generator_variables], round)
    assert float(gan.k) == 0.5


def test_k_is_saved_and_training_goes_on_as_if_never_interrupted(tmp_path):
    data = tf.data.Dataset.from_tensors(IMAGES).repeat()
    gan = build()
    gan.k.assign(0.4)
    gan.fit(data, steps_per_epoch=2, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert (loaded.diversity, loaded.balance_gain) == (0.7, 0.1)
    assert float(loaded.k) == float(gan.k) != 0.4
    for one in (gan, loaded):
        one.fit(data, steps_per_epoch=2, verbose=0)
    assert float(loaded.k) == float(gan.k)


def test_evaluation_leaves_k_alone():
    gan = build()
    gan.k.assign(0.5)
    logs = gan.evaluate(IMAGES, return_dict=True, verbose=0)
    assert logs["k"] == 0.5 and logs["convergence"] > 0
    assert float(gan.k) == 0.5


def test_two_replicas_move_k_as_one(two_replicas):
    def train(gan):
        # Shares of two replicas differ: bright images and noise.
        images = np.concatenate([IMAGES, np.ones_like(IMAGES)])
        data = tf.data.Dataset.from_tensors(images).unbatch().batch(16).repeat()
        logs = gan.fit(data, steps_per_epoch=3, verbose=0).history
        return float(keras.ops.convert_to_numpy(gan.k)), logs["convergence"][-1]

    plain = {"generator_optimizer": "sgd", "discriminator_optimizer": "sgd"}
    keras.utils.set_random_seed(3)
    one = train(build(**plain))
    keras.utils.set_random_seed(3)
    with two_replicas.scope():
        gan = build(**plain)
    np.testing.assert_allclose(train(gan), one, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_and_xla(dtype):
    gan = build(dtype=dtype, jit_compile=True)
    logs = gan.fit(IMAGES, batch_size=8, epochs=2, verbose=0).history
    assert all(np.isfinite(values).all() for values in logs.values())
    assert gan.k.dtype == "float32"


def test_bad_arguments():
    gan = build()
    for name, value, words in (
        ("diversity", 1.5, r"diversity must lie in \(0, 1\]. Received: 1.5"),
        ("balance_gain", 0, "balance_gain must be a positive number. Received: 0"),
    ):
        with pytest.raises(ValueError, match=words):
            BEGAN(gan.generator, gan.discriminator, **{name: value})
    with pytest.raises(ValueError, match='must be "wasserstein". Received: <.*Hinge'):
        gan.compile(loss="hinge")


def test_docstring():
    check_docstring(BEGAN)
