import numpy as np
import pytest
import tensorflow as tf

from kgan.layers import Pack
from tests.conformance import run_layer_test
from tests.frameworks import tensorflow_only


@pytest.mark.parametrize("places", [(), (3, 5)])
def test_conforms(places):
    run_layer_test(
        cls=Pack,
        init_kwargs={"size": 2},
        input_data=np.random.default_rng(0).normal(size=(6, *places, 4)).astype("float32"),
        expected_output_shape=(3, *places, 8),
    )


@pytest.mark.parametrize("places", [(), (7,), (3, 5)])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_consecutive_examples_stand_side_by_side(places, size):
    x = np.random.default_rng(0).normal(size=(6, *places, 2)).astype("float32")
    expected = [np.concatenate(x[i : i + size], axis=-1) for i in range(0, len(x), size)]
    np.testing.assert_array_equal(Pack(size)(x), expected)


@tensorflow_only("its graphs")
def test_a_batch_of_unknown_size_and_images_of_unknown_size():
    x = np.random.default_rng(0).normal(size=(4, 3, 5, 2)).astype("float32")
    packed = tf.function(Pack(2), input_signature=[tf.TensorSpec((None, None, None, 2))])
    np.testing.assert_array_equal(packed(x), Pack(2)(x))


@tensorflow_only("its graphs")
def test_a_batch_that_does_not_divide():
    with pytest.raises(ValueError, match="multiple of size=3.* Received: a batch of 4"):
        Pack(3)(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="multiple of size=3.* Received: a batch of 4"):
        Pack(3).compute_output_shape((4, 2))
    packed = tf.function(Pack(3), input_signature=[tf.TensorSpec((None, 2))])
    with pytest.raises(tf.errors.InvalidArgumentError, match="8 values"):
        packed(tf.zeros((4, 2)))


@pytest.mark.parametrize("size", [0, 1.5])
def test_bad_size(size):
    with pytest.raises(ValueError, match=f"`size` must be a positive .* Received: size={size}"):
        Pack(size)
