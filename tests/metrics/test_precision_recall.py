import keras
import numpy as np
import pytest

import kgan
from tests.conformance import run_metric_test


def normal(n, dim, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim)).astype("float32")


def measure(real, fake, **options):
    metric = kgan.metrics.PrecisionRecall(**options)
    metric.update_state(np.float32(real), np.float32(fake))
    return metric.result()


def brute_force(real, fake, k, density_k):
    """The definitions of both papers, with all distances at once."""

    def distances(points, others):
        return np.linalg.norm(np.float64(points)[:, None] - np.float64(others)[None], axis=-1)

    def radii(points, k):
        # A point is its own nearest, at place 0.
        return np.sort(distances(points, points), axis=1)[:, k]

    between = distances(real, fake)
    inside = between < radii(real, density_k)[:, None]
    return {
        "precision": np.mean(np.any(between <= radii(real, k)[:, None], axis=0)),
        "recall": np.mean(np.any(between <= radii(fake, k)[None], axis=1)),
        "density": np.mean(np.sum(inside, axis=0)) / density_k,
        "coverage": np.mean(np.any(inside, axis=1)),
    }


def test_conformance(two_replicas):
    arguments = {"neighbors": 2, "density_neighbors": 1, "max_samples": 40}
    run_metric_test(
        kgan.metrics.PrecisionRecall, arguments, normal(15, 3), normal(15, 3, 1), two_replicas
    )


def test_conformance_with_a_network(two_replicas):
    images = [np.random.default_rng(i).uniform(-1, 1, (12, 3, 3, 1)) for i in range(2)]
    real, fake = (x.astype("float32") for x in images)
    arguments = {"features": "pixels"}
    run_metric_test(kgan.metrics.PrecisionRecall, arguments, real, fake, two_replicas, least=6)


def test_intervals_on_a_line():
    # Balls of k=1: [-1, 1], [0, 2], [3, 5], [4, 6] around reals, [-1.5, 0.5], [-0.5, 1.5] and
    # [-8, 9] around fakes. That of the odd fake holds each real; the last fake is in no ball.
    real, fake = [[0], [1], [4], [5]], [[-0.5], [0.5], [9]]
    result = measure(real, fake, neighbors=1, density_neighbors=1)
    # -0.5 is in one real's ball, 0.5 in two; only 0 and 1 have a fake inside.
    expected = {"precision": 2 / 3, "recall": 1.0, "density": 3 / 3, "coverage": 2 / 4}
    assert result == pytest.approx(expected)


def test_the_surface_is_part_of_precision_but_not_of_coverage():
    real, fake = [[0], [1], [10], [12]], [[2], [14], [30], [70]]
    # 2 is on the surface of 1's ball and 14 on that of 12's.
    result = measure(real, fake, neighbors=1, density_neighbors=1)
    assert result["precision"] == 0.5 and result["density"] == result["coverage"] == 0


@pytest.mark.parametrize(("k", "density_k"), [(3, 5), (1, 1), (5, 2)])
@pytest.mark.parametrize(("n", "m", "dim"), [(60, 60, 2), (40, 75, 6), (50, 20, 1)])
def test_equals_brute_force(n, m, dim, k, density_k):
    real, fake = normal(n, dim), 0.7 * normal(m, dim, 1) + 0.3
    result = measure(real, fake, neighbors=k, density_neighbors=density_k)
    expected = brute_force(real, fake, k, density_k)
    assert 0 < expected["coverage"] < 1
    assert result == pytest.approx(expected, rel=1e-12)


def test_identical_sets_are_the_best():
    points = normal(100, 8)
    expected = {"precision": 1.0, "recall": 1.0, "density": 1.0, "coverage": 1.0}
    assert measure(points, points[::-1]) == pytest.approx(expected)


def test_sets_apart_are_the_worst():
    expected = {"precision": 0.0, "recall": 0.0, "density": 0.0, "coverage": 0.0}
    assert measure(normal(50, 4), 100 + normal(50, 4, 1)) == expected


def test_half_of_the_modes():
    """Fakes of two of four clusters look real, and show half of what is."""
    clusters = 50 * np.eye(4)[np.arange(800) % 4]
    real, fake = clusters + normal(800, 4), clusters + normal(800, 4, 1)
    result = measure(real, fake[np.arange(800) % 4 < 2])
    assert result["precision"] > 0.9 and 0.9 < result["density"] < 1.1
    assert 0.43 < result["recall"] < 0.5 and 0.4 < result["coverage"] <= 0.5
    swapped = measure(fake[np.arange(800) % 4 < 2], real)
    assert swapped["recall"] > 0.9 and 0.43 < swapped["precision"] < 0.5


@pytest.mark.parametrize("k", [1, 5])
def test_what_is_expected_of_like_sides(k):
    """Lemmas 1 and 2 of Naeem et al., whatever the distribution."""
    n, results = 30, []
    for seed in range(60):
        points = np.exp(normal(2 * n, 2, seed))
        results.append(measure(points[:n], points[n:], density_neighbors=k))
    steps = np.arange(1, k + 1)
    expected = 1 - np.prod((n - steps) / (2 * n - steps))
    for name, value in (("density", 1.0), ("coverage", expected)):
        values = [result[name] for result in results]
        standard_error = np.std(values) / np.sqrt(len(values))
        assert 0 < standard_error < 0.03
        assert abs(np.mean(values) - value) < 3.5 * standard_error, name


def test_fewer_examples_than_neighbours():
    with pytest.raises(ValueError, match="at least 6 real examples. Received: 5"):
        measure(normal(5, 2), normal(9, 2))
    with pytest.raises(ValueError, match="at least 8 fake examples. Received: 7"):
        measure(normal(9, 2), normal(7, 2), neighbors=7)
    # The last that is enough.
    measure(normal(6, 2), normal(6, 2, 1))


@pytest.mark.parametrize("side", ["real", "fake"])
def test_constant_features_are_refused(side):
    points = {"real": normal(9, 2), "fake": normal(9, 2, 1), side: np.full((9, 2), 0.1)}
    with pytest.raises(ValueError, match=f"constant {side}"):
        measure(**points)


@pytest.mark.parametrize("name", ["neighbors", "density_neighbors", "max_samples"])
@pytest.mark.parametrize("value", [0, 2.5, True])
def test_bad_arguments_are_named(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer"):
        kgan.metrics.PrecisionRecall(**{name: value})


def test_keys():
    assert kgan.metrics.get("prdc").result_names == ("precision", "recall", "density", "coverage")
    names = kgan.metrics.PrecisionRecall(name="pixels").result_names
    assert names[0] == "pixels_precision"
    assert isinstance(kgan.metrics.get("prdc:features=pixels,neighbors=4"), keras.metrics.Metric)
