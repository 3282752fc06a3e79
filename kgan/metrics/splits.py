"""Which images of a data set each metric is given."""

import functools
import math
import re

import numpy as np
import tensorflow as tf

# The split of a data set that a metric's `adapts_to` speaks of.
ADAPTS_TO = {"training": "train", "validation": "validation"}
# Every sixth, which is 10,000 of MNIST's 60,000 as Goodfellow et al. 2014 held out, or fewer.
VALIDATION_EVERY, MOST_VALIDATION = 6, 10_000
READ_AT_ONCE = 500


def datasets_for(metrics, find):
    """Returns the data sets that these metrics need, by split, for `Evaluation.set_reals`.

    Validation images are every sixth of the training split, or fewer where these would be more
    than 10,000. Of a data set without a test split, the other training images stand for it.

    Args:
        metrics: list of `kgan.metrics.GANMetric`.
        find: function of `split` and `cache` to a `kgan.data.ImageSource`, as its `find`.

    Raises:
        ValueError: if a metric needs images that were held out of training, and there are none.

    Example:
    >>> find = functools.partial(kgan.data.ImageSource.find, "digits")
    >>> metrics = [kgan.metrics.get("fd"), kgan.metrics.get("parzen")]
    >>> sorted(kgan.metrics.splits.datasets_for(metrics, find))
    ['test', 'train', 'validation']
    """
    needed = {metric.split for metric in metrics}
    needed |= {ADAPTS_TO[metric.adapts_to] for metric in metrics if metric.adapts_to}
    find_train = functools.cache(lambda: find(split="train"))
    datasets = {}
    for split in sorted(needed):
        if split == "validation":
            datasets[split] = _validation(find_train())
        elif split == "test" and not _has_test_split(find):
            _check_not_held_out(metrics, find_train())
            datasets[split] = _thinned(find_train(), keep_validation=False)
        else:
            datasets[split] = in_order(find_train() if split == "train" else find(split=split))
    return datasets


def in_order(source):
    """Returns all images of a `kgan.data.ImageSource` as a data set, in an order that stays."""
    return source.dataset(READ_AT_ONCE, shuffle=False, drop_remainder=False)


def _has_test_split(find):
    try:
        find(split="test", cache=False)
    except ValueError as error:
        # Not where a file cannot be read.
        if re.search("Expected `?split", str(error)):
            return False
        raise
    return True


def _check_not_held_out(metrics, train):
    for metric in metrics:
        if metric.adapts_to == "training":
            raise ValueError(
                f"{type(metric).__name__} compares with images that were held out of training. "
                f"Received: {train.name}, which has no test split"
            )


def _thinned(source, keep_validation):
    """Returns the validation images of a training split as a data set, or the others."""
    every = max(VALIDATION_EVERY, math.ceil(source.num_examples / MOST_VALIDATION))
    # Each batch begins with a validation image.
    batch_size = every * max(1, READ_AT_ONCE // every)

    def thin(images, labels):
        is_validation = tf.range(tf.shape(images)[0]) % every == 0
        mask = is_validation if keep_validation else ~is_validation
        return tf.boolean_mask(images, mask), tf.boolean_mask(labels, mask)

    return source.dataset(batch_size, shuffle=False, drop_remainder=False).map(thin)


def _validation(source):
    """Returns the validation images, mixed: who takes the first of them sees all classes."""
    parts = zip(*_thinned(source, keep_validation=True).as_numpy_iterator(), strict=True)
    images, labels = map(np.concatenate, parts)
    order = np.random.default_rng(0).permutation(len(images))
    return images[order], labels[order]
