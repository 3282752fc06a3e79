import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.metrics import ssim
from tests.conformance import run_metric_test


def images(n=10, shape=(28, 28, 1), seed=0):
    """Images whose neighbouring pixels are alike, in [-1, 1]."""
    coarse = np.random.default_rng(seed).uniform(-1, 1, (n, *(-(-x // 4) for x in shape[:2]), 3))
    fine = np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2)
    return fine[:, : shape[0], : shape[1], : shape[2]].astype("float32")


def direct_similarities(x, y, size=11, deviation=1.5):
    """Similarity and structure of two grey images, window by window, by their definition."""
    places = np.arange(size) - size // 2
    window = np.exp(-(places[:, None] ** 2 + places**2) / (2 * deviation**2))
    window /= window.sum()
    whole, structure = [], []
    for row in range(x.shape[0] - size + 1):
        for column in range(x.shape[1] - size + 1):
            a, b = (z[row : row + size, column : column + size] for z in (x, y))
            mean_a, mean_b = np.sum(window * a), np.sum(window * b)
            variance = np.sum(window * ((a - mean_a) ** 2 + (b - mean_b) ** 2))
            covariance = np.sum(window * (a - mean_a) * (b - mean_b))
            structure.append((2 * covariance + 0.03**2) / (variance + 0.03**2))
            luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
            whole.append(luminance * structure[-1])
    return np.mean(whole), np.mean(structure)


@pytest.mark.parametrize("labels", [None, np.arange(10) % 3])
def test_conformance(labels, two_replicas):
    arguments = {"within_classes": labels is not None, "max_samples": 20}
    run_metric_test(
        kgan.metrics.MultiScaleSSIM,
        arguments,
        images(shape=(12, 14, 1)),
        images(shape=(12, 14, 1), seed=1),
        two_replicas,
        labels=labels,
        order_matters=True,
    )


@pytest.mark.parametrize("shape", [(176, 176, 1), (161, 190, 3), (163, 167, 2)])
def test_large_images_are_compared_as_tensorflow_does(shape):
    first = images(2, shape)
    second = np.clip(first + 0.7 * images(2, shape, seed=1), -1, 1)
    first, second = (first + 1) / 2, (second + 1) / 2
    expected = tf.image.ssim_multiscale(first, second, max_val=1.0)
    similarity = ssim.ms_ssim(first, second)
    assert 0.1 < similarity.min() < similarity.max() < 0.95
    np.testing.assert_allclose(similarity, expected, atol=1e-5)


def test_small_images_have_fewer_scales():
    x, y = ((image + 1) / 2 for image in images(2)[..., 0].astype("float64"))
    y = 0.6 * x + 0.4 * y
    _, structure = direct_similarities(x, y)
    half_x, half_y = (z.reshape(14, 2, 14, 2).mean((1, 3)) for z in (x, y))
    whole, _ = direct_similarities(half_x, half_y)
    total = 0.0448 + 0.2856
    expected = structure ** (0.0448 / total) * whole ** (0.2856 / total)
    similarity = ssim.ms_ssim(x[None, ..., None], y[None, ..., None])
    assert 0.1 < expected < 0.9
    np.testing.assert_allclose(similarity, expected, rtol=1e-10)


@pytest.mark.parametrize(("side", "size"), [(8, 7), (9, 9), (3, 3)])
def test_tiny_images_have_a_smaller_window(side, size):
    x, y = np.random.default_rng(0).uniform(0.3, 0.5, (2, side, side))
    y = 0.7 * x + 0.3 * y
    expected, _ = direct_similarities(x, y, size, 1.5 * size / 11)
    similarity = ssim.ms_ssim(x[None, ..., None], y[None, ..., None])
    np.testing.assert_allclose(similarity, expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("side", "scales"), [(8, 1), (20, 1), (21, 2), (28, 2), (64, 3), (128, 4), (160, 4), (161, 5)]
)
def test_scales_are_those_that_hold_the_window(side, scales):
    weights = ssim.scale_weights((side, 500))
    assert len(weights) == scales
    assert abs(weights.sum() - 1) < 1.1e-4
    np.testing.assert_allclose(weights / weights[0], np.array(ssim.WEIGHTS[:scales]) / 0.0448)


def test_channels_are_compared_one_by_one():
    first, second = (images(3, (28, 28, 3), seed) / 2 + 0.5 for seed in (0, 1))
    each = [ssim.ms_ssim(first[..., [c]], second[..., [c]]) for c in range(3)]
    np.testing.assert_allclose(ssim.ms_ssim(first, second), np.mean(each, axis=0), rtol=1e-12)


def test_pairs_are_disjoint_and_of_one_class():
    labels = np.random.default_rng(0).integers(0, 4, 101)
    first, second = ssim.pairs(labels)
    np.testing.assert_array_equal(labels[first], labels[second])
    together = np.concatenate([first, second])
    assert len(set(together)) == len(together) == sum(n // 2 * 2 for n in np.bincount(labels))
    # Within a class they are neighbours.
    for a, b in zip(first, second, strict=True):
        assert a < b and labels[a] not in labels[a + 1 : b]
    np.testing.assert_array_equal(ssim.pairs(np.zeros(5)), [[0, 2], [1, 3]])


def test_the_result_is_the_mean_over_pairs(monkeypatch):
    monkeypatch.setattr(ssim, "_PAIRS", 2)
    real, labels = images(7), np.array([0, 1, 0, 1, 2, 0, 0])
    order = np.random.default_rng(0).permutation(7)
    for within_classes in (False, True):
        metric = kgan.metrics.MultiScaleSSIM(within_classes)
        metric.update_state(real, images(seed=1)[:7], labels)
        groups = [[i for i in order if labels[i] == c] for c in range(3)]
        groups = groups if within_classes else [list(order)]
        pairs = [pair for group in groups for pair in zip(group[::2], group[1::2], strict=False)]
        assert len(pairs) == 3
        first, second = ((real[list(side)] + 1) / 2 for side in zip(*pairs, strict=True))
        expected = ssim.ms_ssim(first, second).mean()
        np.testing.assert_allclose(metric.result()["ms_ssim_real"], expected, rtol=1e-6)


def test_collapsed_classes_show_within_classes_alone():
    # One image a class: pairs across classes differ, pairs within are the same.
    labels = np.arange(60) % 3
    collapsed = images(3)[labels]
    results = {}
    for within_classes in (False, True):
        metric = kgan.metrics.MultiScaleSSIM(within_classes)
        metric.update_state(images(60, seed=1), collapsed, labels)
        results[within_classes] = metric.result()
    assert abs(results[True]["ms_ssim_fake"] - 1) < 1e-9
    # By chance a third of the pairs are of one class all the same.
    assert results[False]["ms_ssim_fake"] < 0.6
    assert results[True]["ms_ssim_real"] < 0.3


def test_images_in_the_order_of_their_classes():
    # Ten images, twenty times each: a random pair is of one image in a tenth of the cases.
    metric = kgan.metrics.MultiScaleSSIM()
    metric.update_state(np.repeat(images(10), 20, axis=0), images(10, seed=1))
    assert metric.result()["ms_ssim_real"] < 0.5


def test_refusals():
    metric = kgan.metrics.MultiScaleSSIM(within_classes=True)
    metric.update_state(images(3), images(3), np.arange(3))
    with pytest.raises(ValueError, match="Received: 3 real images of as many classes"):
        metric.result()
    with pytest.raises(ValueError, match="max_samples.*Received"):
        kgan.metrics.MultiScaleSSIM(max_samples=0)
    with pytest.raises(ValueError, match="within_classes.*Received: 'digits'"):
        kgan.metrics.MultiScaleSSIM("digits")
