import numpy as np
import pytest
import scipy.ndimage
import scipy.stats

import kgan
from kgan.metrics import wasserstein
from kgan.metrics.base import of_equal_number
from tests.conformance import run_metric_test

# The binomial filter as a square, which is what the definition of the pyramid has.
SQUARE = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def images(n=6, side=32, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (n, side, side, channels)).astype("float32")


def pictures(n, side, seed, blur=0.0):
    """Clouds of 10 pixels under fine grain."""
    grain, noise = np.random.default_rng(seed).normal(size=(2, n, side, side, 1))
    clouds = scipy.ndimage.gaussian_filter(noise, (0, 5, 5, 0)) * 10
    blurred = scipy.ndimage.gaussian_filter(clouds + grain, (0, blur, blur, 0))
    return blurred.astype("float32")


def direct_pyramid(image, levels):
    """The Laplacian pyramid of one channel in float64, by convolutions with a square."""
    pyramid = [image.astype("float64")]
    for _ in range(levels - 1):
        coarse = scipy.ndimage.convolve(pyramid[-1], SQUARE, mode="mirror")[::2, ::2]
        dots = np.zeros_like(pyramid[-1])
        dots[::2, ::2] = coarse
        pyramid[-1] -= scipy.ndimage.convolve(dots, 4 * SQUARE, mode="mirror")
        pyramid.append(coarse)
    return pyramid


def test_conformance(two_replicas):
    real, fake = images(10), images(10, seed=1)
    arguments = {"patches_per_image": 8, "directions": 16, "max_samples": 20, "seed": 3}
    run_metric_test(
        kgan.metrics.SlicedWasserstein, arguments, real, fake, two_replicas, order_matters=True
    )


@pytest.mark.parametrize("shape", [(64, 64), (33, 48), (45, 70)])
def test_the_pyramid_is_the_direct_one(shape, monkeypatch):
    monkeypatch.setattr(wasserstein, "_IMAGES", 2)
    x = np.random.default_rng(0).uniform(-1, 1, (3, *shape, 2)).astype("float32")
    sides = wasserstein.level_sides(shape)
    pyramid = wasserstein.laplacian_pyramid(x, len(sides))
    assert [min(level.shape[1:3]) for level in pyramid] == sides
    for i in range(3):
        for channel in range(2):
            expected = direct_pyramid(x[i, ..., channel], len(sides))
            for level, one in zip(pyramid, expected, strict=True):
                np.testing.assert_allclose(level[i, ..., channel], one, atol=1e-6)


def test_levels_end_at_16_pixels():
    sides = {side: wasserstein.level_sides((side, side + 5)) for side in (8, 16, 28, 31, 32, 33)}
    assert sides == {8: [8], 16: [16], 28: [28], 31: [31], 32: [32, 16], 33: [33, 17]}
    assert wasserstein.level_sides((300, 128)) == [128, 64, 32, 16]


def test_patches_are_cut_from_their_image():
    # A pixel tells its image, row, column and channel.
    n, side = 3, 9
    x = np.arange(n * side * side * 2, dtype="float32").reshape(n, side, side, 2)
    patches = wasserstein.random_patches(x, 50, seed=0)
    assert patches.shape == (150, 2, 7, 7)
    places, origins = set(), np.empty(150, "int64")
    for i, patch in enumerate(patches):
        image, row, column, channel = np.unravel_index(int(patch[0, 0, 0]), x.shape)
        assert image == i // 50 and channel == 0
        expected = x[image, row : row + 7, column : column + 7]
        np.testing.assert_array_equal(patch, np.moveaxis(expected, 2, 0))
        places.add((image, row, column))
        origins[i] = row * side + column
    # Every place of every image is met: 3 x 3 places and 50 draws.
    assert len(places) == 27
    # Each image is cut at places of its own.
    assert len(np.unique(origins.reshape(3, 50), axis=0)) == 3


def test_the_distance_is_that_of_scipy(monkeypatch):
    monkeypatch.setattr(wasserstein, "_DIRECTIONS", 3)
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(50, 4)), rng.gamma(2.0, size=(50, 4))
    directions = rng.normal(size=(7, 4))
    expected = [scipy.stats.wasserstein_distance(first @ v, second @ v) for v in directions]
    distance = wasserstein.sliced_distance(first, second, directions)
    np.testing.assert_allclose(distance, np.mean(expected), rtol=1e-12)


def test_a_shift_is_its_mean_projection():
    rng = np.random.default_rng(0)
    points, shift = rng.normal(size=(40, 6)), rng.normal(size=6)
    directions = rng.normal(size=(20, 6))
    distance = wasserstein.sliced_distance(points, points + shift, directions)
    np.testing.assert_allclose(distance, np.mean(np.abs(directions @ shift)), rtol=1e-12)


def test_results_are_those_of_the_definition():
    metric = kgan.metrics.SlicedWasserstein(patches_per_image=16, directions=40, seed=5)
    sides = images(8, 32, 3), images(8, 32, 3, seed=1) ** 3
    metric.update_state(*sides)
    directions = np.random.default_rng(5).normal(size=(40, 147))
    directions /= np.sqrt((directions**2).sum(1, keepdims=True))
    expected = []
    for level in range(2):
        descriptors = []
        for x in sides:
            channels = [[direct_pyramid(one[..., c], 2)[level] for c in range(3)] for one in x]
            patches = wasserstein.random_patches(np.moveaxis(np.array(channels), 1, 3), 16, 5)
            for c in range(3):
                patches[:, c] = (patches[:, c] - patches[:, c].mean()) / patches[:, c].std()
            descriptors.append(patches.reshape(128, 147))
        projections = [np.sort(d @ directions.T, axis=0) for d in descriptors]
        expected.append(np.abs(projections[0] - projections[1]).mean())
    result = metric.result()
    assert list(result) == ["sliced_wasserstein", "sliced_wasserstein_32", "sliced_wasserstein_16"]
    np.testing.assert_allclose(list(result.values()), [np.mean(expected), *expected], rtol=1e-5)


def test_equal_sets_are_at_no_distance():
    metric = kgan.metrics.SlicedWasserstein(8, 16)
    metric.update_state(images(side=64), images(side=64))
    assert set(metric.result().values()) == {0.0}


def test_brightness_and_contrast_do_not_count():
    metric = kgan.metrics.SlicedWasserstein(8, 16)
    metric.update_state(images(), images() / 4 + 0.5)
    assert max(metric.result().values()) < 1e-5


def test_of_the_longer_side_a_random_part_counts():
    real, fake, results = images(9), images(4, seed=1), []
    for side in (real, of_equal_number(real, fake)[0]):
        metric = kgan.metrics.SlicedWasserstein(8, 16)
        metric.update_state(real=side, fake=fake)
        results.append(metric.result())
    assert results[0] == results[1]


def test_a_longer_side_in_the_order_of_its_classes():
    # Smooth images first, and noise after them; the fakes are of both kinds by turns.
    kinds = [pictures(80, 16, 0, blur=2.0), pictures(80, 16, 1)]
    metric = kgan.metrics.SlicedWasserstein(32, 64)
    metric.update_state(real=np.concatenate(kinds))
    metric.update_state(fake=np.stack([side[:40] for side in kinds], axis=1).reshape(80, 16, 16, 1))
    assert metric.result()["sliced_wasserstein"] < 0.1


def test_blur_shows_most_at_the_finest_level():
    real = pictures(64, 64, seed=0)
    results = []
    for fake in (pictures(64, 64, seed=1), pictures(64, 64, seed=1, blur=1.0)):
        metric = kgan.metrics.SlicedWasserstein(32, 64)
        metric.update_state(real, fake)
        results.append(metric.result())
    sharp, blurred = results
    ratios = [
        blurred[f"sliced_wasserstein_{side}"] / sharp[f"sliced_wasserstein_{side}"]
        for side in (64, 32, 16)
    ]
    assert ratios[0] > 2 and ratios[0] > ratios[1] > ratios[2] and ratios[2] < 1.1


def test_refusals():
    with pytest.raises(ValueError, match=r"7x7 pixels. Received: .*\(6, 9, 1\)"):
        kgan.metrics.SlicedWasserstein().build((6, 9, 1))
    for side in ("real", "fake"):
        for spoilt in (np.full((6, 32, 32, 1), 0.3), images() * [1, 0, 1]):
            good = images(channels=spoilt.shape[-1])
            metric = kgan.metrics.SlicedWasserstein(8, 16)
            metric.update_state(**{"real": good, "fake": good, side: spoilt.astype("float32")})
            with pytest.raises(ValueError, match=f"Received: constant {side} images, at"):
                metric.result()
    for name in ("patches_per_image", "directions", "max_samples"):
        with pytest.raises(ValueError, match=f"{name}.*Received"):
            kgan.metrics.SlicedWasserstein(**{name: 0})
