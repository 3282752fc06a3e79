import numpy as np
import pytest
import scipy.linalg

import kgan
from kgan.metrics.frechet import frechet_distance
from tests.conformance import run_metric_test

RNG = np.random.default_rng(0)


def normal(shape, mean=0.0, scale=1.0):
    return RNG.normal(mean, scale, shape).astype("float32")


def rotation(dim):
    return np.linalg.qr(RNG.normal(size=(dim, dim)))[0]


def by_sqrtm(first, second):
    """The formula as published code has it."""
    (mean1, covariance1), (mean2, covariance2) = first, second
    root = scipy.linalg.sqrtm(covariance1 @ covariance2)
    traces = np.trace(covariance1) + np.trace(covariance2) - 2 * np.trace(root).real
    return np.sum((mean1 - mean2) ** 2) + traces


def fit(values):
    return np.mean(values, axis=0), np.cov(values, rowvar=False)


@pytest.mark.parametrize("features", [None, "pixels"])
def test_conformance(two_replicas, features):
    shape = (3, 3, 1) if features else (5,)
    run_metric_test(
        kgan.metrics.FrechetDistance,
        {"features": features},
        normal((40, *shape)),
        normal((40, *shape), 1, 2),
        two_replicas,
    )


@pytest.mark.parametrize("smallest", [1.0, 1e-3, 1e-6], ids=lambda x: f"spread {x}")
@pytest.mark.parametrize("n", [200, 20], ids=["more samples", "fewer samples than dimensions"])
def test_equals_the_root_of_the_product(n, smallest):
    dim = 32
    scales = np.geomspace(1, smallest, dim)
    real = (RNG.normal(size=(n, dim)) * scales @ rotation(dim)).astype("float32")
    fake = (RNG.normal(size=(n, dim)) * scales @ rotation(dim)).astype("float32") + 0.1
    metric = kgan.metrics.FrechetDistance()
    for part in np.split(np.arange(n), [n // 3, n // 2]):
        metric.update_state(real[part], fake[part])
    expected = by_sqrtm(fit(real.astype("float64")), fit(fake.astype("float64")))
    assert metric.result() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("rank", [12, 5], ids=["full", "singular"])
def test_gaussians_whose_covariances_commute(rank):
    """(√λ - √μ)² is what each common axis adds; sqrtm itself cannot do the singular ones."""
    axes = rotation(12)
    variances = np.geomspace(1e-8, 10, 12), RNG.permutation(np.geomspace(1e-6, 3, 12))
    variances[0][rank:] = variances[1][: 12 - rank] = 0
    mean = RNG.normal(size=12)
    expected = np.sum(mean**2) + np.sum((np.sqrt(variances[0]) - np.sqrt(variances[1])) ** 2)
    gaussians = [(mean * i, axes * v @ axes.T) for i, v in enumerate(variances)]
    assert frechet_distance(*gaussians) == pytest.approx(expected, rel=1e-9)


def test_fewer_samples_than_dimensions_against_their_cross_products():
    """The root's trace is the sum of the singular values of what is centred, too."""
    real, fake = RNG.normal(size=(15, 40)), RNG.normal(size=(25, 40)) * 3
    centred = [(x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (real, fake)]
    root = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    expected = np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)
    expected += sum(np.sum(x**2) for x in centred) - 2 * root
    assert frechet_distance(fit(real), fit(fake)) == pytest.approx(expected, rel=1e-11)


def test_a_mean_that_is_large_against_the_spread():
    """float64 sums lose no more than the float32 features have lost themselves."""
    spread = RNG.normal(size=(500, 8)) * np.geomspace(1, 10, 8)
    real, fake = (spread + 1e4).astype("float32"), (2 * spread + 1e4).astype("float32")
    metric = kgan.metrics.FrechetDistance()
    metric.update_state(real, fake)
    expected = by_sqrtm(fit(real.astype("float64")), fit(fake.astype("float64")))
    assert metric.result() == pytest.approx(expected, rel=1e-6)


def test_nothing_between_equal_sides():
    metric = kgan.metrics.FrechetDistance()
    metric.update_state(real := normal((50, 8)), real)
    assert 0 <= metric.result() < 1e-12


def test_falls_with_the_number_of_samples():
    """The bias that the docstring warns of: equal distributions, and yet a distance."""
    distances = []
    for n in (50, 500):
        metric = kgan.metrics.FrechetDistance()
        metric.update_state(normal((n, 10)), normal((n, 10)))
        distances.append(metric.result())
    assert distances[0] > 5 * distances[1] > 0


@pytest.mark.parametrize("constant", ["real", "fake"])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e4])
def test_a_constant_side_is_refused(constant, value):
    metric = kgan.metrics.FrechetDistance()
    sides = {"real": normal((300, 4)), "fake": normal((300, 4))}
    sides[constant][:] = value
    for start in range(0, 300, 7):
        metric.update_state(**{side: values[start : start + 7] for side, values in sides.items()})
    with pytest.raises(ValueError, match=f"no spread. Received: constant {constant} features"):
        metric.result()


def test_one_constant_feature_is_no_trouble():
    metric = kgan.metrics.FrechetDistance()
    real, fake = normal((300, 4)), normal((300, 4), 1)
    real[:, 2] = fake[:, 2] = 7
    metric.update_state(real, fake)
    rest = kgan.metrics.FrechetDistance()
    rest.update_state(np.delete(real, 2, axis=1), np.delete(fake, 2, axis=1))
    assert metric.result() == pytest.approx(rest.result(), rel=1e-9)


LABELS = np.arange(40) % 3


@pytest.mark.parametrize("features", [None, "pixels"])
def test_classes_conformance(two_replicas, features):
    shape = (3, 3, 1) if features else (5,)
    run_metric_test(
        kgan.metrics.IntraClassFrechetDistance,
        {"features": features, "max_samples": 50},
        normal((40, *shape)),
        normal((40, *shape), 1, 2),
        two_replicas,
        labels=LABELS,
    )


@pytest.mark.parametrize("dim", [4, 30], ids=["more samples", "fewer samples than dimensions"])
def test_classes_one_by_one(dim):
    real, fake = normal((40, dim)), normal((40, dim), 1, 2)
    expected = []
    for label in range(3):
        metric = kgan.metrics.FrechetDistance()
        metric.update_state(real[label == LABELS], fake[label == LABELS])
        expected.append(metric.result())
    metric = kgan.metrics.IntraClassFrechetDistance()
    metric.update_state(real, labels=LABELS)
    metric.update_state(fake=fake[::-1], labels=LABELS[::-1, None])
    result = metric.result()
    assert result["intra_class_frechet_distance"] == pytest.approx(np.mean(expected), rel=1e-9)
    assert result["intra_class_frechet_distance_worst"] == pytest.approx(max(expected), rel=1e-9)


def test_swapped_classes_show_within_classes_only():
    real = normal((400, 4)) + 10 * (np.arange(400) % 2)[:, None].astype("float32")
    whole, within = kgan.metrics.FrechetDistance(), kgan.metrics.IntraClassFrechetDistance()
    for metric in (whole, within):
        metric.update_state(real, labels=np.arange(400) % 2)
        metric.update_state(fake=real, labels=(np.arange(400) + 1) % 2)
    assert whole.result() < 1e-9
    assert within.results()["intra_class_frechet_distance"] == pytest.approx(400, rel=0.1)


@pytest.mark.parametrize("side", ["real", "fake"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_class_without_examples_is_named(side, number):
    metric = kgan.metrics.IntraClassFrechetDistance()
    metric.update_state(normal((40, 5)), normal((40, 5)), LABELS)
    metric.update_state(normal((10, 5)), normal((10, 5)), np.full(10, 7))
    metric.update_state(**{"real" if side == "fake" else "fake": normal((5, 5))}, labels=[8] * 5)
    if number:
        metric.update_state(**{side: normal((1, 5))}, labels=[8])
    message = f"2 {side} examples of each class. Received: {number} of class 8"
    with pytest.raises(ValueError, match=message):
        metric.result()


def test_a_constant_class_is_named():
    metric = kgan.metrics.IntraClassFrechetDistance()
    fake = normal((40, 5))
    fake[LABELS == 1] = 3
    metric.update_state(normal((40, 5)), fake, LABELS)
    with pytest.raises(ValueError, match="Received: constant fake class 1 features"):
        metric.result()


def test_max_samples_must_be_a_number():
    with pytest.raises(ValueError, match="`max_samples` must be a positive integer. Received"):
        kgan.metrics.IntraClassFrechetDistance(max_samples=0)
