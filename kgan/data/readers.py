"""What images are read from: memory here, files and prepared data sets in the modules beside."""

import os

import numpy as np
import tensorflow as tf

from kgan.data import pixels

# Not tf.data.AUTOTUNE. With its tuner on, TensorFlow 2.21 made calls of `fit` last until the next
# of 2.55, 5.1 and 10.2 s (3.2 s of steps took 5.1 s), as if an iterator's end waited for a tuner
# that sleeps twice as long each time. With the tuner off they lasted as long as their steps.
PARALLEL_CALLS = os.cpu_count() or 1


class Reader:
    """Where `ImageSource` gets its images from: keys in an order, and images for keys.

    Args:
        name: string, as what messages and folders call the images.
        image_shape: (height, width, channels) of every image that is read.
        dtype: tf.uint8, tf.uint16 or tf.float32, the type that pixels are stored in.
        num_examples: integer, number of images.
        class_names: tuple of strings, or None where there are not two classes or more.
    """

    # The error with which an image could not be read, as TensorFlow passes on only its text.
    failure = None

    def __init__(self, name, image_shape, dtype, num_examples, class_names):
        self.name = name
        self.image_shape = tuple(int(length) for length in image_shape)
        self.dtype = dtype
        self.num_examples = int(num_examples)
        several = class_names is not None and len(class_names) > 1
        self.class_names = tuple(class_names) if several else None

    @property
    def num_bytes(self):
        """Bytes that the decoded images fill."""
        return self.num_examples * int(np.prod(self.image_shape)) * self.dtype.size

    def keys(self, seed=None, epoch=0):
        """Returns a dataset of one key per image, in an order that (seed, epoch) alone decides.

        Args:
            seed: integer, or None for the order in which the images are stored.
            epoch: scalar int64 tensor.
        """
        if seed is None:
            return tf.data.Dataset.range(self.num_examples)
        indices = tf.range(self.num_examples, dtype=tf.int64)
        order = tf.random.experimental.stateless_shuffle(indices, seed=[seed, 2 * epoch])
        return tf.data.Dataset.from_tensor_slices(order)

    def read(self, keys, batch_size, drop_remainder=False):
        """Turns a dataset of (key, extra) into one of batches (stored pixels, label, extra)."""
        raise NotImplementedError


class MemoryReader(Reader):
    """Images that are in memory, decoded.

    Args:
        name: string.
        images: array (n, height, width, channels) of uint8, uint16, or float32 in [-1, 1].
        labels: array (n,) of int32.
        class_names: tuple of strings, or None.
    """

    def __init__(self, name, images, labels, class_names):
        # On a GPU they would take memory from the networks, and have to come back for each batch.
        with tf.device("/CPU:0"):
            self._images = tf.convert_to_tensor(images)
            self._labels = tf.convert_to_tensor(labels)
        super().__init__(name, images.shape[1:], self._images.dtype, len(images), class_names)

    @classmethod
    def of(cls, reader):
        """Returns all that another reader reads."""
        images = np.empty((reader.num_examples, *reader.image_shape), reader.dtype.as_numpy_dtype)
        labels = np.empty(reader.num_examples, np.int32)
        keys = tf.data.Dataset.zip((reader.keys(), tf.data.Dataset.from_tensors(False).repeat()))
        start = 0
        try:
            for batch_images, batch_labels, _ in reader.read(keys, batch_size=256).prefetch(2):
                stop = start + len(batch_labels)
                images[start:stop], labels[start:stop] = batch_images, batch_labels
                start = stop
        except tf.errors.OpError as error:
            raise (reader.failure or error) from None
        return cls(reader.name, images, labels, reader.class_names)

    def read(self, keys, batch_size, drop_remainder=False):
        """Gathers whole batches: work on single images would keep a trainer waiting."""

        def gather(indices, extra):
            return tf.gather(self._images, indices), tf.gather(self._labels, indices), extra

        batches = keys.batch(batch_size, drop_remainder=drop_remainder)
        return batches.map(gather, num_parallel_calls=PARALLEL_CALLS)


def digits(split, size, channels):
    """Returns a reader of scikit-learn's 1,797 handwritten digits of 8x8 pixels."""
    from sklearn.datasets import load_digits

    if split != "train":
        raise ValueError(
            "Expected split='train', the only one that 'digits' has: its 1,797 images are not "
            f"divided. Received: split={split!r}"
        )
    images, labels = load_digits(return_X_y=True)
    images = tf.constant(images.reshape(-1, 8, 8, 1) / 8 - 1, tf.float32)  # Ink is from 0 to 16.
    images = pixels.fit(images, (*(size or (8, 8)), channels or 1))
    names = tuple(str(digit) for digit in range(10))
    return MemoryReader("digits", images.numpy(), labels.astype(np.int32), names)
