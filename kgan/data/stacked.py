"""Stacked MNIST: three digits as the colours of an image, a data set of 1,000 known modes."""

import numpy as np
import tensorflow as tf

from kgan.data.readers import PARALLEL_CALLS, MemoryReader
from kgan.data.tfds_reader import TfdsReader

NAME = "stacked_mnist"
# Of the triples that are drawn: runs are compared on one data set.
_SEED = 0


class StackedReader(MemoryReader):
    """Images that have three random digits for their channels; `of` makes it of a reader of digits.

    There are as many as digits. Each digit is in memory once, whatever the images that it is part
    of. The label reads as the digits do: 100 r + 10 g + b.

    Args:
        name: string, of the digits.
        images: array (n, height, width, 1), as of `MemoryReader`: the digits.
        labels: array (n,) of int32, from 0 to 9.
        class_names: tuple of strings, of the ten digits.
    """

    def __init__(self, name, images, labels, class_names):
        names = [f"{red}{green}{blue}" for red, green, blue in np.ndindex(10, 10, 10)]
        super().__init__(NAME, images, labels, names)
        self.image_shape = (*images.shape[1:3], 3)
        triples = np.random.default_rng(_SEED).integers(len(images), size=(len(images), 3))
        with tf.device("/CPU:0"):
            self._triples = tf.convert_to_tensor(triples)

    def read(self, keys, batch_size, drop_remainder=False):
        """Gathers whole batches of three digits an image."""

        def gather(indices, extra):
            triples = tf.gather(self._triples, indices)
            channels = tf.gather(self._images[..., 0], triples)
            labels = tf.tensordot(tf.gather(self._labels, triples), [100, 10, 1], 1)
            return tf.transpose(channels, [0, 2, 3, 1]), labels, extra

        batches = keys.batch(batch_size, drop_remainder=drop_remainder)
        return batches.map(gather, num_parallel_calls=PARALLEL_CALLS)


def stacked_mnist(split, size, channels, data_dir):
    """Returns a reader of stacked digits of one split of MNIST, the same in each process.

    The combinations of digits are the 1,000 modes that Metz et al. 2016, "Unrolled Generative
    Adversarial Networks" (arXiv 1611.02163, section 3.3.1) count in what a GAN draws. They draw
    endlessly, and Lin et al. 2018, "PacGAN" (arXiv 1712.04086) 128,000 times; here an epoch is
    MNIST's 60,000, in which the rarest mode has some 30 images.

    Args:
        split: string, as of `TfdsReader`.
        size: (height, width), or None for 28x28.
        channels: 3 or None.
        data_dir: as of `TfdsReader`.

    Raises:
        ValueError: if other channels are asked for, in which digits could not be told apart.
    """
    if channels not in (None, 3):
        raise ValueError(
            f"Expected `channels` as 3 or None, since each channel of {NAME!r} is a digit. "
            f"Received: channels={channels}"
        )
    return StackedReader.of(TfdsReader("mnist", split, size, 1, data_dir))
