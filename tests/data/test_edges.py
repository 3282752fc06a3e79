import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.data.edges import EdgePairs, edges
from tests.conformance import check_docstring


@pytest.fixture
def pairs():
    return EdgePairs(kgan.data.ImageSource.find("digits"))


def test_edges_are_what_dilation_adds():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 5, 6, 2)).astype("float32")
    expected = np.empty_like(images)
    for n, y, x, c in np.ndindex(images.shape):
        around = images[n, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2, c]
        expected[n, y, x, c] = around.max() - images[n, y, x, c] - 1
    np.testing.assert_allclose(edges(images), expected, atol=1e-6)
    assert np.abs(edges(images)).max() <= 1


def test_a_square_has_a_bright_frame():
    image = np.full((1, 5, 5, 1), -1.0, "float32")
    image[0, 2, 2] = 1
    frame = -np.ones((5, 5))
    frame[1:4, 1:4] = 1
    frame[2, 2] = -1
    np.testing.assert_array_equal(edges(image)[0, :, :, 0], frame)


def test_each_image_has_its_own_edges_to_the_right(pairs):
    images, labels = next(iter(pairs.dataset(7, shuffle=False)))
    plain, plain_labels = next(iter(pairs.source.dataset(7, shuffle=False)))
    np.testing.assert_array_equal(images[:, :, :8], plain)
    np.testing.assert_array_equal(images[:, :, 8:], edges(plain))
    np.testing.assert_array_equal(labels, plain_labels)
    assert pairs.image_shape == (8, 16, 1) and pairs.num_classes == 10
    assert (pairs.name, pairs.num_examples) == ("digits", 1797)
    assert len(pairs.dataset(100)) == len(pairs.source.dataset(100)) == 17


def test_the_stream_resumes_bit_for_bit(pairs):
    whole = list(pairs.stream(300, seed=3).take(8))
    rest = list(pairs.stream(300, seed=3, initial_step=4).take(4))
    assert pairs.stream(300).cardinality() == tf.data.INFINITE_CARDINALITY
    for (images, labels), (resumed, resumed_labels) in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(images, resumed)
        np.testing.assert_array_equal(labels, resumed_labels)


def test_docstring():
    check_docstring(EdgePairs)
