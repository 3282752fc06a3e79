"""Each map of colors against what it does to a color."""

import colorsys

import keras
import numpy as np
import pytest

from kgan.augment import color
from kgan.augment.matrices import product

PIXEL = np.array([0.5, -0.2, 0.3])
LUMA = PIXEL.mean()


def numbers(*values):
    return keras.ops.convert_to_tensor(values, "float32")


def recolored(pixel, maps):
    image = np.asarray(pixel, "float32").reshape(1, 1, 1, -1)
    return np.array(color.recolor(image, maps))[0, 0, 0]


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        (lambda: color.brightness(numbers(0.25)), PIXEL + 0.25),
        (lambda: color.contrast(numbers(1.5)), PIXEL * 1.5),
        (lambda: color.luma_flip(numbers(1)), PIXEL - 2 * LUMA),
        (lambda: color.luma_flip(numbers(0)), PIXEL),
        (lambda: color.saturation(numbers(3)), LUMA + 3 * (PIXEL - LUMA)),
        (lambda: color.hue(numbers(2 * np.pi / 3)), np.roll(PIXEL, 1)),
        (lambda: color.hue(numbers(-2 * np.pi / 3)), np.roll(PIXEL, -1)),
    ],
    ids=["brightness", "contrast", "luma_flip", "no_flip", "saturation", "hue", "hue_back"],
)
def test_maps_of_a_color(maps, expected):
    np.testing.assert_allclose(recolored(PIXEL, maps()), expected, atol=1e-6)


def test_hue_keeps_luma_and_the_distance_from_grey():
    turned = recolored(PIXEL, color.hue(numbers(0.7)))
    np.testing.assert_allclose(turned.mean(), LUMA, atol=1e-6)
    np.testing.assert_allclose(np.std(turned), np.std(PIXEL), rtol=1e-5)
    hues = [colorsys.rgb_to_hsv(*pixel)[0] for pixel in (PIXEL + 0.5, turned + 0.5)]
    assert 0.05 < (hues[1] - hues[0]) % 1 < 0.2  # 0.7 of 2 pi is 0.11


def all_maps(shift, gain, flip, angle, chroma):
    return product(
        color.saturation(chroma),
        color.hue(angle),
        color.luma_flip(flip),
        color.contrast(gain),
        color.brightness(shift),
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_maps_without_change_keep_the_last_bit(channels):
    images = np.random.default_rng(0).normal(size=(1, 5, 5, channels)).astype("float32")
    maps = all_maps(*map(numbers, (0, 1, 0, 0, 1)))
    np.testing.assert_array_equal(maps[0], np.eye(4))
    np.testing.assert_array_equal(color.recolor(images, maps), images)


def test_grey_is_three_equal_channels():
    maps = all_maps(*map(numbers, (0.2, 1.3, 1, 2.0, 0.4)))
    np.testing.assert_allclose(recolored([0.6], maps), [-(0.6 + 0.2) * 1.3], atol=1e-6)
    np.testing.assert_allclose(recolored([0.6] * 3, maps), [-(0.6 + 0.2) * 1.3] * 3, atol=1e-6)
