import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kgan.data import pixels


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (np.uint8([0, 51, 255]), [-1, -0.6, 1]),
        (np.uint16([0, 13107, 65535]), [-1, -0.6, 1]),
        (np.float32([-1, 0.25, 1]), [-1, 0.25, 1]),
    ],
)
def test_stored_pixels_fill_the_unit_range(stored, expected):
    images = pixels.to_unit_range(tf.constant(stored))
    assert images.dtype == tf.float32
    np.testing.assert_allclose(images, expected, atol=1e-6)


RED, SEEN_GREY = [200, 0, 40], round(0.299 * 200 + 0.114 * 40)


@pytest.mark.parametrize(
    ("stored", "channels", "expected"),
    [
        ([70], 1, [70]),
        ([70], 2, [70, 255]),
        ([70], 3, [70, 70, 70]),
        ([70], 4, [70, 70, 70, 255]),
        ([70, 0], 1, [255]),
        ([70, 51], 1, [218]),  # 0.2 * 70 + 0.8 * 255
        ([70, 51], 4, [70, 70, 70, 51]),
        (RED, 1, [SEEN_GREY]),
        (RED, 2, [SEEN_GREY, 255]),
        (RED, 4, [*RED, 255]),
        ([*RED, 255], 3, RED),
        ([*RED, 51], 3, [244, 204, 212]),
        ([*RED, 51], 2, [SEEN_GREY, 51]),
        ([*RED, 51], 4, [*RED, 51]),
    ],
)
def test_channels(stored, channels, expected):
    images = np.broadcast_to(np.uint8(stored), (2, 3, 4, len(stored)))
    converted = pixels.fit(tf.constant(images), (3, 4, channels))
    assert converted.dtype == tf.uint8
    np.testing.assert_array_equal(converted, np.broadcast_to(expected, (2, 3, 4, channels)))


def test_grey_of_16_bits_keeps_them():
    image = tf.fill((2, 2, 3), tf.constant(12345, tf.uint16))
    np.testing.assert_array_equal(pixels.fit(image, (2, 2, 1)), np.full((2, 2, 1), 12345))


def test_white_of_digits_is_one():
    image = tf.fill((2, 2, 1), 0.5)
    np.testing.assert_allclose(pixels.fit(image, (2, 2, 4))[0, 0], [0.5, 0.5, 0.5, 1])


@pytest.mark.parametrize("size", [(16, 16), (12, 20), (50, 50), (80, 30)])
def test_resize_is_that_of_pillow(size):
    # Noise shows whether it is antialiased: without, neighbours would be skipped.
    image = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    height, width = size
    crop_height, crop_width = min(40, 40 * height // width), min(40, 40 * width // height)
    top, left = (40 - crop_height) // 2, (40 - crop_width) // 2
    # As floats: with integers Pillow clips once more, between rows and columns.
    crop = Image.fromarray(image.astype(np.float32))
    crop = crop.crop((left, top, left + crop_width, top + crop_height))
    expected = np.asarray(crop.resize((width, height), Image.Resampling.BICUBIC)).clip(0, 255)
    resized = pixels.fit(tf.constant(image[..., None]), (height, width, 1))
    assert resized.dtype == tf.uint8
    np.testing.assert_allclose(resized[..., 0], expected, atol=0.51)


def test_resize_keeps_16_bits():
    image = np.random.default_rng(0).integers(0, 65536, (24, 24)).astype(np.float32)
    expected = Image.fromarray(image).resize((8, 8), Image.Resampling.BICUBIC)
    resized = pixels.fit(tf.constant(image[..., None].astype(np.uint16)), (8, 8, 1))
    np.testing.assert_allclose(resized[..., 0], np.asarray(expected), atol=1)


def test_overshoot_does_not_wrap_around():
    edge = np.zeros((8, 8, 1), np.uint8)
    edge[:, 4:] = 255
    resized = pixels.fit(tf.constant(edge), (32, 32, 1)).numpy()
    assert (resized[:, :14] < 60).all() and (resized[:, 18:] > 195).all()
    floats = pixels.fit(tf.constant(edge / np.float32(127.5) - 1), (32, 32, 1))
    assert floats.numpy().min() == -1 and floats.numpy().max() == 1


@pytest.mark.parametrize(
    ("shape", "size", "rows", "columns"),
    [
        ((4, 8), (4, 4), slice(0, 4), slice(2, 6)),
        ((8, 4), (4, 4), slice(2, 6), slice(0, 4)),
        ((6, 8), (3, 8), slice(1, 4), slice(0, 8)),
        ((4, 9), (4, 4), slice(0, 4), slice(2, 6)),
    ],
)
def test_crop_is_central_and_as_large_as_possible(shape, size, rows, columns):
    image = np.arange(np.prod(shape), dtype=np.uint8).reshape(*shape, 1)
    cropped = pixels.fit(tf.constant(image), (*size, 1))
    np.testing.assert_array_equal(cropped, image[rows, columns])


def test_crop_of_a_sliver_keeps_a_pixel():
    image = tf.fill((1, 50, 1), tf.constant(9, tf.uint8))
    np.testing.assert_array_equal(pixels.fit(image, (50, 1, 1)), np.full((50, 1, 1), 9))
