import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from tests import networks
from tests.conformance import check_docstring
from tests.frameworks import tensorflow_only

REAL, FAKE = np.random.default_rng(0).normal(size=(2, 6, 3))


def softplus(x):
    return np.logaddexp(0, x)


def test_members_minimise_their_own_loss():
    loss = kgan.losses.Mixed("minimax").discriminator(REAL, FAKE)
    each = np.mean(softplus(-REAL) + softplus(FAKE), axis=0)
    np.testing.assert_allclose(loss, np.sum(each), rtol=1e-6)


@pytest.mark.parametrize(
    ("mixing", "sharpness"), [("mean", 1.0), ("max", 1.0), ("softmax", 0.0), ("softmax", 2.5)]
)
def test_generator_weighs_the_members(mixing, sharpness):
    loss = kgan.losses.Mixed("non_saturating", mixing, sharpness).generator(REAL, FAKE)
    each = np.mean(softplus(-FAKE), axis=0)
    soft = np.exp(sharpness * each) / np.sum(np.exp(sharpness * each))
    expected = {"mean": np.mean(each), "max": np.max(each), "softmax": np.sum(soft * each)}
    np.testing.assert_allclose(loss, expected[mixing], rtol=1e-6)


@tensorflow_only("its tapes")
def test_a_saturated_member_leaves_the_gradient_to_the_others():
    """Under the maximum, the gradient comes from the member that is hardest to fool alone."""
    fake = tf.constant([[-3.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(fake)
        loss = kgan.losses.Mixed("non_saturating", "max").generator(fake, fake)
    np.testing.assert_allclose(tape.gradient(loss, fake), [[-1 / (1 + np.exp(-3.0)), 0.0]])


@tensorflow_only("its tapes")
@pytest.mark.parametrize("mixing", kgan.losses.mixed.MIXINGS)
def test_two_replicas_equal_one(two_replicas, mixing):
    pair = kgan.losses.Mixed("non_saturating", mixing, 3.0)

    def value_and_gradient(fake):
        with tf.GradientTape() as tape:
            tape.watch(fake)
            loss = pair.generator(tf.zeros_like(fake), fake)
            share = loss / tf.distribute.get_strategy().num_replicas_in_sync
        return loss, tape.gradient(share, fake)

    fake = tf.constant(FAKE, tf.float32)
    expected, gradient = value_and_gradient(fake)
    parts = two_replicas.experimental_distribute_values_from_function(
        lambda context: fake[3 * context.replica_id_in_sync_group :][:3]
    )
    losses, gradients = two_replicas.run(tf.function(value_and_gradient), args=(parts,))
    for loss in losses.values:
        np.testing.assert_allclose(loss, expected, rtol=1e-6)
    np.testing.assert_allclose(np.concatenate(gradients.values), gradient, rtol=1e-5)


def test_config_round_trip():
    pair = kgan.losses.Mixed(kgan.losses.NonSaturating(label_smoothing=0.1), "max", 2.0)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(pair)))
    copy = kgan.losses.get(config)
    np.testing.assert_allclose(copy.discriminator(REAL, FAKE), pair.discriminator(REAL, FAKE))
    assert (copy.mixing, copy.sharpness) == ("max", 2.0)
    loss = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(pair.generator)
    )
    np.testing.assert_allclose(loss(REAL, FAKE), pair.generator(REAL, FAKE))


def test_bad_arguments():
    with pytest.raises(ValueError, match="Received: 'median'"):
        kgan.losses.Mixed(mixing="median")
    with pytest.raises(ValueError, match="Received: -1"):
        kgan.losses.Mixed(sharpness=-1)
    with pytest.raises(ValueError, match="Received: 'multi_hinge', which needs labels"):
        kgan.losses.Mixed("multi_hinge")


def test_a_committee_is_needed():
    gan = kgan.GAN(networks.generator(), networks.discriminator())
    with pytest.raises(ValueError, match="Committee. Received: discriminator="):
        gan.compile(loss="mixed")


def test_members_do_not_mix_in_losses_of_the_whole_batch():
    """A relativistic average is one of a member's scores, not of all members'."""
    pair = kgan.losses.get("relativistic_average")
    alone = [float(pair.discriminator(REAL[:, [i]], FAKE[:, [i]])) for i in range(3)]
    mixed = kgan.losses.Mixed("relativistic_average")
    np.testing.assert_allclose(mixed.discriminator(REAL, FAKE), sum(alone), rtol=1e-6)
    terms = mixed.terms({"score": REAL}, {"score": FAKE})
    np.testing.assert_allclose(terms["discriminator_loss"], sum(alone), rtol=1e-6)


def test_label_noise_and_weights_reach_the_members():
    seed = keras.random.SeedGenerator(0)
    pair = kgan.losses.Mixed(kgan.losses.NonSaturating(real_flip_probability=0.4), "mean")
    fake = {"score": FAKE, "weights": np.eye(6)[0] * 6}
    plain, noisy = (
        pair.terms({"score": REAL}, fake),
        pair.terms({"score": REAL, "seed": seed}, fake),
    )
    for terms in (plain, noisy):
        expected = np.mean(softplus(-FAKE[0]))
        np.testing.assert_allclose(terms["generator_loss"], expected, rtol=1e-6)
    assert float(noisy["discriminator_loss"]) != float(plain["discriminator_loss"])


@pytest.mark.parametrize(
    "cls",
    [
        kgan.losses.Mixed,
        kgan.losses.MixedDiscriminatorLoss,
        kgan.losses.MixedGeneratorLoss,
    ],
)
def test_docstrings(cls):
    check_docstring(cls)
