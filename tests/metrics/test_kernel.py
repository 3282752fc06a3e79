import numpy as np
import pytest

import kgan
from kgan.metrics.kernel import squared_mmd
from tests.conformance import run_metric_test

RNG = np.random.default_rng(0)


def normal(shape, mean=0.0, scale=1.0):
    return RNG.normal(mean, scale, shape).astype("float32")


def distance(real, fake, **arguments):
    metric = kgan.metrics.KernelDistance(**{"max_samples": len(real), **arguments})
    metric.update_state(real, fake)
    return tuple(metric.result().values())


def by_loops(first, second):
    """The definition, pair by pair."""

    def mean(pairs):
        return np.mean([(x @ y / len(x) + 1) ** 3 for x, y in pairs])

    def others(points):
        return [(x, y) for i, x in enumerate(points) for j, y in enumerate(points) if i != j]

    across = [(x, y) for x in first for y in second]
    return mean(others(first)) + mean(others(second)) - 2 * mean(across)


@pytest.mark.parametrize("features", [None, "pixels"])
def test_conformance(two_replicas, features):
    shape = (2, 2, 1) if features else (5,)
    run_metric_test(
        kgan.metrics.KernelDistance,
        {"features": features, "subsets": 7, "subset_size": 6, "max_samples": 50, "seed": 3},
        normal((40, *shape)),
        normal((40, *shape), 1, 2),
        two_replicas,
        least=4,
        order_matters=True,
    )


def test_equals_the_definition():
    first, second = RNG.normal(size=(7, 3)), RNG.normal(1, 2, size=(5, 3))
    assert squared_mmd(first, second) == pytest.approx(by_loops(first, second), rel=1e-12)


def test_two_points_by_hand():
    # k(1, 3) = 4³, k(0, 2) = 1, and across 1, 3³, 1, 7³.
    first, second = np.array([[1.0], [3.0]]), np.array([[0.0], [2.0]])
    assert squared_mmd(first, second) == pytest.approx(64 + 1 - 2 * (1 + 27 + 1 + 343) / 4)


def test_averages_subsets_of_the_definition():
    real, fake = normal((12, 3)), normal((9, 3), 1)
    mean, error = distance(real, fake, subsets=5, subset_size=4, seed=2)
    rng = np.random.default_rng(2)
    values = []
    for _ in range(5):
        rows = rng.choice(12, 4, replace=False), rng.choice(9, 4, replace=False)
        values.append(by_loops(real[rows[0]].astype("float64"), fake[rows[1]].astype("float64")))
    assert mean == pytest.approx(np.mean(values), rel=1e-9)
    assert error == pytest.approx(np.std(values, ddof=1) * np.sqrt(1 / 5 + 4 / 5), rel=1e-9)


def test_has_no_bias():
    """The mean over many draws of one distribution is 0 within its error; some are negative."""
    draws = [distance(normal((40, 4)), normal((40, 4)), subsets=10)[0] for _ in range(100)]
    assert abs(np.mean(draws)) < 3 * np.std(draws) / np.sqrt(len(draws))
    assert min(draws) < 0 < max(draws)


def test_the_expectation_is_known():
    """E k(x, y) in one dimension, of normal x and y with means a, b: 1 + 3 ab + 3 E x² E y² + …"""

    def moments(mean):
        return mean, mean**2 + 1, mean**3 + 3 * mean

    def kernel(a, b):
        return 1 + sum(c * x * y for c, x, y in zip((3, 3, 1), moments(a), moments(b), strict=True))

    expected = kernel(0, 0) + kernel(1, 1) - 2 * kernel(0, 1)
    mean, error = distance(normal((20_000, 1)), normal((20_000, 1), 1), subsets=50)
    assert abs(mean - expected) < 4 * error < expected


def test_the_error_is_that_of_new_examples():
    """Results of new examples spread as the standard error says, where the sides differ."""
    draws = [
        distance(normal((200, 3)), normal((200, 3), 0.7), subsets=20, subset_size=40)
        for _ in range(150)
    ]
    means, errors = np.transpose(draws)
    assert np.std(means) == pytest.approx(np.sqrt(np.mean(errors**2)), rel=0.25)


def test_seeds():
    real, fake = normal((50, 3)), normal((50, 3))
    assert distance(real, fake) == distance(real, fake)
    assert distance(real, fake) != distance(real, fake, seed=1)


def test_the_spread_of_the_features_may_be_small():
    metric = kgan.metrics.KernelDistance()
    metric.update_state(normal((50, 3)), np.full((50, 3), 0.3, "float32"))
    with pytest.raises(ValueError, match="Received: constant fake features"):
        metric.result()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subsets": 0}, "`subsets` must be a positive integer. Received: subsets=0"),
        ({"subset_size": 1.5}, "`subset_size` must be a positive integer. Received"),
        ({"max_samples": -1}, "`max_samples` must be a positive integer. Received"),
        ({"subsets": 1}, "A spread needs 2 subsets.*Received: subsets=1, subset_size=1000"),
        ({"subset_size": 1}, "2 examples in each. Received: subsets=100, subset_size=1$"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        kgan.metrics.KernelDistance(**arguments)
