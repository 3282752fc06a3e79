import numpy as np
import pytest
import tensorflow as tf

import kgan.data
from kgan.data.stacked import StackedReader


class Tens:
    """A data set of MNIST's kind: 40 grey images of 4x4, of brightness n and with label n % 10."""

    def __init__(self, name, split, size, channels, data_dir):
        self.asked = (name, split, size, channels, data_dir)
        self.name, self.image_shape, self.dtype = name, (4, 4, 1), tf.uint8
        self.num_examples, self.class_names = 40, tuple("0123456789")

    def keys(self):
        return tf.data.Dataset.range(40)

    def read(self, keys, batch_size):
        def image(key, extra):
            return tf.cast(tf.fill((4, 4, 1), key), tf.uint8), tf.cast(key % 10, tf.int32), extra

        return keys.map(image).batch(batch_size)


@pytest.fixture
def tens(monkeypatch):
    """Returns the list of what was read, which stands for MNIST."""
    made = []

    def make(*arguments):
        made.append(Tens(*arguments))
        return made[-1]

    monkeypatch.setattr("kgan.data.stacked.TfdsReader", make)
    return made


def read(source, **options):
    batches = source.dataset(8, shuffle=False, drop_remainder=False, **options)
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def test_channels_are_images_and_the_label_reads_as_their_digits(tens):
    source = kgan.data.ImageSource.find("stacked_mnist")
    assert (source.name, source.num_examples) == ("stacked_mnist", 40)
    assert source.image_shape == (4, 4, 3) and source.num_classes == 1000
    assert source.class_names[0] == "000" and source.class_names[307] == "307"
    images, labels = read(source)
    assert images.dtype == np.float32 and labels.dtype == np.int32
    numbers = np.round((images + 1) * 127.5).astype(int)
    np.testing.assert_array_equal(numbers, np.broadcast_to(numbers[:, :1, :1], (40, 4, 4, 3)))
    digits = numbers[:, 0, 0] % 10
    np.testing.assert_array_equal(labels, digits @ [100, 10, 1])
    # Channels are drawn apart from each other, from all of the images.
    assert len({tuple(row) for row in numbers[:, 0, 0]}) > 30
    assert all(len(set(numbers[:, 0, 0, channel])) > 15 for channel in range(3))


def test_each_process_has_the_same_images(tens):
    first, second = (read(kgan.data.ImageSource.find("stacked_mnist")) for _ in range(2))
    for values, others in zip(first, second, strict=True):
        np.testing.assert_array_equal(values, others)


def test_a_stream_goes_on_where_it_was(tens):
    source = kgan.data.ImageSource.find("stacked_mnist")
    *_, (expected, labels) = source.stream(8, seed=3).take(9)
    images, resumed = next(iter(source.stream(8, seed=3, initial_step=8)))
    np.testing.assert_array_equal(images, expected)
    np.testing.assert_array_equal(resumed, labels)


def test_what_is_asked_for_reaches_mnist_and_bytes_stay_bytes(tens):
    kgan.data.ImageSource.find(
        "stacked_mnist", split="test[:40]", image_size=4, channels=3, data_dir="there"
    )
    assert tens[0].asked == ("mnist", "test[:40]", (4, 4), 1, "there")
    reader = StackedReader.of(tens[0])
    assert reader.dtype == tf.uint8
    assert [tuple(x.shape) for x in (reader._images, reader._triples)] == [(40, 4, 4, 1), (40, 3)]


@pytest.mark.parametrize("channels", [1, 4])
def test_channels_that_hide_digits_are_refused(channels):
    with pytest.raises(
        ValueError, match=f"`channels` as 3 or None.* Received: channels={channels}"
    ):
        kgan.data.ImageSource.find("stacked_mnist", channels=channels)


def test_a_name_with_a_slip_brings_this_one(tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'stacked_mnist'"):
        kgan.data.ImageSource.find("staked_mnist", data_dir=tmp_path)


def test_all_modes_are_in_the_real_ones(mnist_dir):
    source = kgan.data.ImageSource.find("stacked_mnist", image_size=14, data_dir=mnist_dir)
    images, labels = next(iter(source.dataset(60_000, shuffle=False)))
    assert images.shape == (60_000, 14, 14, 3)
    counts = np.bincount(labels, minlength=1000)
    assert len(counts) == 1000 and counts.min() >= 25
