"""The sampler against convolutions and loops in float64, and against maps known by eye."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.augment import geometry
from kgan.augment.matrices import product
from tests.frameworks import tensorflow_only

HEIGHT, WIDTH = 7, 9
IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, HEIGHT, WIDTH, 2)).astype("float32")


def numbers(*values):
    return keras.ops.convert_to_tensor(values, "float32")


def batched(one):
    """The same map for each image."""
    return keras.ops.repeat(one, len(IMAGES), axis=0)


# --- Maps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (lambda: geometry.translation(numbers(2), numbers(-3)), [7, 1]),
        (lambda: geometry.scaling(numbers(2), -1), [10, -4]),
        (lambda: geometry.rotation(numbers(np.pi / 2)), [-4, 5]),
        (lambda: geometry.quarter_rotation(numbers(3)), [4, -5]),
    ],
    ids=["translation", "scaling", "rotation", "quarter_rotation"],
)
def test_maps_of_a_point(one, expected):
    moved = one()[0] @ numbers(5, 4, 1)[:, None]
    np.testing.assert_allclose(moved[:, 0], [*expected, 1], atol=1e-5)


def test_maps_without_change_are_the_identity_to_the_last_bit():
    one, zero = numbers(1), numbers(0)
    maps = (
        geometry.scaling(one, 1),
        geometry.rotation(zero),
        geometry.quarter_rotation(zero),
        geometry.translation(zero, zero),
    )
    np.testing.assert_array_equal(product(*maps)[0], np.eye(3))


def test_product_acts_from_the_right():
    a, b = np.random.default_rng(1).normal(size=(2, 4, 3, 3)).astype("float32")
    np.testing.assert_allclose(product(a, b, a), a @ b @ a, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("last", [1, 4])
def test_mirror_is_numpys_reflection(last):
    row = np.pad(np.arange(last + 1), 9, mode="reflect")
    np.testing.assert_array_equal(geometry.mirror(np.arange(-9.0, last + 10), last), row)


# --- Pixels moved as they are -------------------------------------------------------------------


def test_blit_flips():
    inverse = batched(geometry.scaling(numbers(-1), 1))
    np.testing.assert_array_equal(geometry.blit(IMAGES, inverse), IMAGES[:, :, ::-1])


def test_blit_translates_and_mirrors():
    inverse = batched(geometry.translation(numbers(-2), numbers(1)))
    padded = np.pad(IMAGES, ((0, 0), (1, 1), (2, 2), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(geometry.blit(IMAGES, inverse), padded[:, 2:, :WIDTH])


@pytest.mark.parametrize("turns", range(4))
def test_blit_turns(turns):
    square = IMAGES[:, :, :HEIGHT]
    inverse = batched(geometry.quarter_rotation(numbers(turns)))
    np.testing.assert_array_equal(
        geometry.blit(square, inverse), np.rot90(square, turns, axes=(1, 2))
    )


def test_each_image_has_its_own_map():
    inverse = geometry.translation(numbers(0, 1, 2), numbers(0, 0, 0))
    moved = geometry.blit(IMAGES, inverse)
    for i in range(3):
        np.testing.assert_array_equal(moved[i][:, : WIDTH - i], IMAGES[i][:, i:])


# --- Any map ------------------------------------------------------------------------------------


MARGIN = 40  # more pixels than the maps below reach beyond the border


def convolved_double(row):
    """A row padded by reflection, with zeros between, convolved; pixel i is at 2 (i + MARGIN)."""
    spread = np.zeros(2 * (len(row) + 2 * MARGIN))
    spread[::2] = np.pad(row, MARGIN, mode="reflect")
    # The filter's middle is its sixth number.
    return np.convolve(spread, np.sqrt(2) * geometry.LOW_PASS)[5 : 5 + len(spread)]


def correlated_half(row, n):
    taps = len(geometry.LOW_PASS)
    return [row[2 * i : 2 * i + taps] @ geometry.LOW_PASS / np.sqrt(2) for i in range(n)]


def read(image, place):
    """One bilinear look at an image, place by place; `place` is (row, column) of doubled pixels."""
    at = place + 2 * MARGIN
    low = np.floor(at).astype(int)
    # Neither a place that the padding lacks nor one that its end has changed.
    assert (low >= 12).all() and (low < np.array(image.shape) - 14).all()
    a, b = at[0] - low[0], at[1] - low[1]
    box = image[low[0] : low[0] + 2, low[1] : low[1] + 2]
    return np.array([1 - a, a]) @ box @ np.array([1 - b, b])


def reference(image, inverse):
    """One channel of one image under one map, in float64."""
    height, width = image.shape
    doubled = np.apply_along_axis(convolved_double, 0, image)
    doubled = np.apply_along_axis(convolved_double, 1, doubled)
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    moved = np.zeros((2 * height + 2 * geometry.REACH, 2 * width + 2 * geometry.REACH))
    for row in range(moved.shape[0]):
        for column in range(moved.shape[1]):
            seen = (np.array([column, row]) - geometry.REACH) / 2 - center
            source = (inverse @ [*seen, 1])[:2] + center
            moved[row, column] = read(doubled, 2 * source[::-1])
    halved = np.apply_along_axis(correlated_half, 0, moved, height)
    return np.apply_along_axis(correlated_half, 1, halved, width)


def some_maps():
    return product(
        geometry.scaling(numbers(1.0, 0.8, 1.7), numbers(1.0, 0.8, 0.9)),
        geometry.rotation(numbers(0.0, 0.5, -2.0)),
        geometry.translation(numbers(0.25, -1.5, 20.0), numbers(0.5, 0.1, -3.0)),
    )


def test_resample_equals_the_reference():
    inverse = some_maps()
    moved = geometry.resample(IMAGES, inverse)
    for i in range(len(IMAGES)):
        for channel in range(IMAGES.shape[-1]):
            expected = reference(IMAGES[i, :, :, channel].astype("float64"), np.array(inverse[i]))
            np.testing.assert_allclose(moved[i, :, :, channel], expected, atol=3e-5)


def test_small_images_are_mirrored_over_and_over():
    small = IMAGES[:, :2, :3]
    inverse = some_maps()
    moved = geometry.resample(small, inverse)
    for i in range(len(small)):
        expected = reference(small[i, :, :, 0].astype("float64"), np.array(inverse[i]))
        np.testing.assert_allclose(moved[i, :, :, 0], expected, atol=3e-5)


def test_halving_undoes_doubling():
    identity = batched(np.eye(3, dtype="float32")[None])
    np.testing.assert_allclose(geometry.resample(IMAGES, identity), IMAGES, atol=2e-6)


def test_a_constant_stays_constant():
    moved = geometry.resample(np.full_like(IMAGES, 0.3), some_maps())
    np.testing.assert_allclose(moved, np.full_like(IMAGES, 0.3), atol=2e-6)


def test_a_smooth_image_is_neither_blurred_nor_displaced():
    """A wave of 8 pixels, moved by a third of one: bilinear reading alone is twice as wrong."""
    columns = np.arange(32.0)
    wave = np.broadcast_to(np.sin(2 * np.pi / 8 * columns), (1, 32, 32))[..., None]
    inverse = geometry.translation(numbers(1 / 3), numbers(0))
    expected = np.sin(2 * np.pi / 8 * (columns + 1 / 3))
    moved = geometry.resample(wave.astype("float32"), inverse)[0, 16, 8:24, 0]
    np.testing.assert_allclose(moved, expected[8:24], atol=0.03)
    bilinear = 2 / 3 * wave[0, 16, 8:24, 0] + 1 / 3 * wave[0, 16, 9:25, 0]
    assert np.abs(moved - expected[8:24]).max() < np.abs(bilinear - expected[8:24]).max() / 2


def test_shrinking_does_not_alias():
    """A chessboard of single pixels, at 0.6 of its size, is grey; without filters it is not."""
    board = np.indices((32, 32)).sum(0)[None, :, :, None] % 2 * 2.0 - 1
    inverse = geometry.scaling(numbers(1 / 0.6), 1 / 0.6)
    moved = geometry.resample(board.astype("float32"), inverse)[0, 8:24, 8:24]
    assert np.std(moved) < 0.1


@tensorflow_only("its tapes")
def test_its_second_derivative_exists():
    inverse = some_maps()
    images = tf.constant(IMAGES)
    with tf.GradientTape() as outer:
        outer.watch(images)
        with tf.GradientTape() as inner:
            inner.watch(images)
            y = tf.reduce_sum(geometry.resample(images, inverse) ** 3)
        gradient = inner.gradient(y, images)
        squared = tf.reduce_sum(gradient**2)
    second = outer.gradient(squared, images)
    assert np.isfinite(second).all() and np.abs(second).max() > 0.1
    # y is of degree 3 in the images, and its squared gradient of degree 4: Euler's theorem.
    np.testing.assert_allclose(tf.reduce_sum(second * images), 4 * squared, rtol=1e-4)


@tensorflow_only("its graphs")
def test_unknown_batch_size():
    moved = tf.function(
        geometry.resample,
        input_signature=[
            tf.TensorSpec((None, HEIGHT, WIDTH, 2)),
            tf.TensorSpec((None, 3, 3)),
        ],
    )(IMAGES, some_maps())
    np.testing.assert_allclose(moved, geometry.resample(IMAGES, some_maps()), atol=1e-5)
