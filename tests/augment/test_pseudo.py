"""APA: which reals are replaced, and who learns from it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kgan
from tests import networks
from tests.frameworks import tensorflow_only

REALS = np.random.default_rng(0).uniform(-1, 1, (400, 4, 4, 1)).astype("float32")
FAKES = REALS + 10


def replaced(probability, seed=1):
    augmentation = kgan.augment.APA(target=None, initial_probability=probability)
    shown = np.array(augmentation.replace_reals(REALS, FAKES, keras.random.SeedGenerator(seed)))
    pseudo = (shown == FAKES).all(axis=(1, 2, 3))
    # Each is either, whole.
    np.testing.assert_array_equal(shown[~pseudo], REALS[~pseudo])
    return pseudo


@pytest.mark.parametrize("probability", [0.2, 0.7, 1.0])
def test_reals_are_replaced_with_probability_p(probability):
    deviation = np.sqrt(probability * (1 - probability) / 400)
    assert abs(replaced(probability).mean() - probability) <= 4 * deviation


def test_at_first_none_is_replaced():
    shown = kgan.augment.APA().replace_reals(REALS, FAKES, keras.random.SeedGenerator(1))
    np.testing.assert_array_equal(shown, REALS)


def test_each_step_replaces_others():
    assert (replaced(0.5, seed=1) != replaced(0.5, seed=2)).any()


def test_images_pass_unchanged():
    np.testing.assert_array_equal(kgan.augment.APA()(REALS, None), REALS)


@tensorflow_only("its tapes")
def test_no_gradient_goes_through_the_pseudo_reals():
    augmentation = kgan.augment.APA(target=None, initial_probability=1.0)
    fakes = tf.constant(FAKES)
    with tf.GradientTape() as tape:
        tape.watch(fakes)
        shown = augmentation.replace_reals(REALS, fakes, keras.random.SeedGenerator(1))
        total = ops.sum(shown**2)
    assert tape.gradient(total, fakes) is None


def test_at_p_1_the_discriminator_sees_fakes_twice():
    keras.utils.set_random_seed(1)
    gan = kgan.GAN(networks.generator(num_classes=3), networks.discriminator(3), num_classes=3)
    gan.compile("sgd", "sgd", augment=[kgan.augment.APA(target=None, initial_probability=1.0)])
    labels = ops.convert_to_tensor(np.arange(16) % 3, "int32")
    round = gan.play(ops.zeros((16, 2)), labels)
    np.testing.assert_array_equal(round.real["images"], round.fake["images"])
    np.testing.assert_array_equal(round.real["score"], round.fake["score"])
    np.testing.assert_array_equal(round.real["labels"], round.fake["labels"])
