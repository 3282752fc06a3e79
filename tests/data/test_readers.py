import numpy as np
import pytest
from sklearn.datasets import load_digits

import kgan.data


def read_all(source, **options):
    """Returns all images and labels of a source in the order of its files."""
    dataset = source.dataset(1, shuffle=False, **options)
    images, labels = zip(*dataset.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def test_digits_are_those_of_scikit_learn():
    source = kgan.data.ImageSource.find("digits")
    images, labels = read_all(source)
    expected, expected_labels = load_digits(return_X_y=True)
    assert (source.name, source.num_examples, source.image_shape) == ("digits", 1797, (8, 8, 1))
    assert (source.num_classes, source.class_names) == (10, tuple("0123456789"))
    assert images.dtype == np.float32 and labels.dtype == np.int32
    np.testing.assert_allclose(images.reshape(-1, 64), expected / 16 * 2 - 1, atol=1e-6)
    np.testing.assert_array_equal(labels, expected_labels)
    assert images.min() == -1 and images.max() == 1


def test_digits_in_another_shape():
    source = kgan.data.ImageSource.find("digits", image_size=(32, 16), channels=3)
    images, _ = read_all(source)
    assert source.image_shape == images.shape[1:] == (32, 16, 3)
    assert images.min() >= -1 and images.max() <= 1
    # 32x16 of 8x8 is the middle half: its mean brightness stays.
    native, _ = read_all(kgan.data.ImageSource.find("digits"))
    np.testing.assert_allclose(images.mean(), native[:, :, 2:6].mean(), atol=0.01)


def test_digits_are_not_divided():
    with pytest.raises(ValueError, match="Expected split='train'.*Received: split='test'"):
        kgan.data.ImageSource.find("digits", split="test")
