"""The real digits that benchmarks compare with."""

import numpy as np

import kgan


def load_digits(split):
    """Returns all images in [-1, 1] and labels of MNIST's train or test split."""
    batches = kgan.data.load("mnist", 1000, split=split, shuffle=False, drop_remainder=False)
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)
