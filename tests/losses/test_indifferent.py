import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.losses import IndifferentGenerator, Minimax, MinimaxDiscriminatorLoss
from tests.conformance import check_docstring
from tests.frameworks import tensorflow_only

SCORES = tf.constant([[1.0], [2.0]])


@tensorflow_only("its tapes")
def test_the_generator_s_loss_is_zero_and_flat():
    pair = IndifferentGenerator(MinimaxDiscriminatorLoss())
    with tf.GradientTape() as tape:
        tape.watch(SCORES)
        loss = pair.generator(SCORES, SCORES)
    assert float(loss) == 0 and not np.any(tape.gradient(loss, SCORES))


def test_the_discriminator_s_loss_is_the_one_given():
    pair = IndifferentGenerator(MinimaxDiscriminatorLoss(label_smoothing=0.1))
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(pair))
    assert copy.get_config() == pair.get_config()
    for one in (pair, copy):
        expected = Minimax(label_smoothing=0.1).discriminator(SCORES, -SCORES)
        assert float(one.discriminator(SCORES, -SCORES)) == pytest.approx(float(expected))


def test_docstring_and_what_is_no_loss():
    check_docstring(IndifferentGenerator)
    with pytest.raises(TypeError):
        IndifferentGenerator("minimax")
