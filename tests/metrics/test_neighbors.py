import numpy as np
import pytest
import scipy.spatial
import tensorflow as tf

from kgan.metrics import neighbors


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks that a few points fill several times, and not to the last row."""
    monkeypatch.setattr(neighbors, "QUERIES", 8)
    monkeypatch.setattr(neighbors, "REFERENCES", 16)


@pytest.fixture
def searched(monkeypatch):
    """The dtypes in which points were compared."""
    dtypes, centred = set(), neighbors._centred
    monkeypatch.setattr(
        neighbors, "_centred", lambda *args: dtypes.add(np.dtype(args[2]).name) or centred(*args)
    )
    return dtypes


def by_hand(queries, references, k, skip_self=False):
    """The plain form: all differences at once, in float64."""
    queries, references = np.float64(queries), np.float64(references)
    distances = np.sqrt(np.sum((queries[:, None] - references[None]) ** 2, axis=-1))
    if skip_self:
        np.fill_diagonal(distances, np.inf)
    indices = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, indices, axis=1), indices


def check(queries, references, k, skip_self=False):
    distances, indices = neighbors.nearest(queries, references, k, skip_self)
    expected, places = by_hand(queries, references, k, skip_self)
    assert distances.dtype == np.float64 and indices.dtype == np.int64
    np.testing.assert_allclose(distances, expected, rtol=1e-12)
    np.testing.assert_array_equal(indices, places)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("n", "m", "dim"), [(1, 6, 1), (8, 16, 3), (21, 37, 5), (3, 50, 40)])
def test_equals_all_differences_in_float64(small_blocks, n, m, dim, k):
    rng = np.random.default_rng(0)
    check(rng.normal(size=(n, dim)).astype("float32"), rng.normal(size=(m, dim)), k)


def test_equals_a_tree(small_blocks):
    rng = np.random.default_rng(1)
    queries, references = rng.normal(size=(50, 4)), rng.normal(size=(333, 4))
    distances, indices = neighbors.nearest(queries, references, 3)
    expected, places = scipy.spatial.cKDTree(references).query(queries, 3)
    np.testing.assert_allclose(distances, expected, rtol=1e-12)
    np.testing.assert_array_equal(indices, places)


@pytest.mark.parametrize("k", [1, 4])
def test_a_point_is_not_its_own_neighbour(small_blocks, k):
    points = np.random.default_rng(2).normal(size=(37, 5)).astype("float32")
    check(points, points, k, skip_self=True)
    points[20] = points[3]
    distances, indices = neighbors.nearest(points, points, k, skip_self=True)
    assert not np.any(distances[[3, 20], 0]) and indices[[3, 20], 0].tolist() == [20, 3]


def test_as_many_references_as_neighbours(small_blocks):
    points = np.random.default_rng(3).normal(size=(5, 3))
    check(points, points, 5)
    check(points, points, 4, skip_self=True)


@pytest.mark.parametrize("offset", [0.0, 1e3, -1e6])
def test_an_offset_costs_no_digits(small_blocks, offset):
    rng = np.random.default_rng(4)
    queries, references = (offset + rng.normal(size=(n, 30)) for n in (20, 60))
    check(queries, references, 3)
    check(queries.astype("float32"), references.astype("float32"), 3)


def test_an_offset_costs_no_second_search(searched):
    rng = np.random.default_rng(4)
    queries, references = (1e3 + rng.normal(size=(n, 30)) for n in (50, 300))
    check(queries, references, 3)
    neighbors.count_within(queries, references, np.full(300, 6.0))
    assert searched == {"float32"}


def test_copies_are_at_distance_zero(small_blocks):
    references = np.random.default_rng(5).normal(7, 1, size=(100, 50)).astype("float32")
    distances, indices = neighbors.nearest(references[::-1], references)
    np.testing.assert_array_equal(distances, 0)
    np.testing.assert_array_equal(indices[:, 0], np.arange(100)[::-1])


def test_neighbours_closer_than_the_rounding_of_float32(small_blocks):
    """Two far clusters of many points, whose own distances drown in those between them."""
    rng = np.random.default_rng(6)
    points = 1e-5 * rng.normal(size=(120, 30))
    points[::2] += 1.0
    check(points, points, 3, skip_self=True)


def test_more_near_ties_than_candidates(small_blocks):
    directions = np.random.default_rng(6).normal(size=(50, 30))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radii = 1 + 1e-9 * np.random.default_rng(7).permutation(50)
    check(np.zeros((1, 30)), radii[:, None] * directions, 3)


def test_more_copies_than_candidates(small_blocks):
    points = np.repeat(np.random.default_rng(7).normal(size=(3, 6)), 40, axis=0)
    distances, indices = neighbors.nearest(points, points, 5, skip_self=True)
    np.testing.assert_array_equal(distances, 0)
    np.testing.assert_array_equal(indices // 40, np.repeat([0, 1, 2], 40)[:, None] * [[1] * 5])
    assert not np.any(indices == np.arange(120)[:, None])


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_numbers_whose_squares_float32_lacks(small_blocks, scale):
    rng = np.random.default_rng(8)
    check(scale * rng.normal(size=(9, 4)), scale * rng.normal(size=(40, 4)), 2)


def test_tensors_are_points_too(small_blocks):
    points = np.random.default_rng(9).normal(size=(12, 3)).astype("float32")
    check(points, points, 2)
    distances, _ = neighbors.nearest(tf.constant(points), tf.constant(points), 2)
    np.testing.assert_array_equal(distances, neighbors.nearest(points, points, 2)[0])


def test_new_sizes_are_not_traced_again():
    rng = np.random.default_rng(10)
    for n in (3, 5):
        neighbors.nearest(rng.normal(size=(n, n)), rng.normal(size=(3 * n, n)))
        neighbors.count_within(rng.normal(size=(n, n)), rng.normal(size=(3 * n, n)), np.ones(3 * n))
    functions = neighbors._search_block, neighbors._compare_block
    before = [function.experimental_get_tracing_count() for function in functions]
    for n in (2, 4, 7):
        neighbors.nearest(rng.normal(size=(n, n)), rng.normal(size=(5 * n, n)), k=2)
        neighbors.count_within(rng.normal(size=(n, n)), rng.normal(size=(2 * n, n)), np.ones(2 * n))
    assert before == [function.experimental_get_tracing_count() for function in functions]


def test_tensor_float_32_is_left_as_it_was():
    for enabled in (False, True):
        tf.config.experimental.enable_tensor_float_32_execution(enabled)
        neighbors.nearest(np.eye(3), np.eye(3))
        assert tf.config.experimental.tensor_float_32_execution_enabled() == enabled


def test_balls_hold_what_float64_says(small_blocks):
    rng = np.random.default_rng(11)
    queries, centers = rng.normal(size=(35, 6)), rng.normal(size=(50, 6)).astype("float32")
    radii = rng.uniform(-0.5, 4, 50)
    distances = np.linalg.norm(queries[:, None] - centers[None], axis=-1)
    expected = np.sum(distances <= radii, axis=1)
    assert 0 < expected.min() < expected.max()
    np.testing.assert_array_equal(neighbors.count_within(queries, centers, radii), expected)


@pytest.mark.parametrize("clusters", [1, 2])
def test_a_radius_reaches_the_neighbour_that_it_was_taken_from(clusters, searched):
    points = np.random.default_rng(12).normal(size=(60, 20)).astype("float32")
    if clusters == 2:
        points = 1e-4 * points + np.float32(np.arange(60) % 2)[:, None]
    radii = neighbors.nearest(points, points, 3, skip_self=True)[0][:, -1]
    distances = np.stack([neighbors._distances(points, center[None]) for center in points])
    searched.clear()
    for ball in (radii, np.nextafter(radii, -np.inf)):
        expected = np.sum(distances <= ball[:, None], axis=0)
        np.testing.assert_array_equal(neighbors.count_within(points, points, ball), expected)
    # Each ball holds its center and 3 neighbours, or without its surface only 2.
    assert neighbors.count_within(points, points, radii).sum() == 60 * 4
    assert neighbors.count_within(points, points, np.nextafter(radii, -np.inf)).sum() == 60 * 3
    # Where the clusters are smaller than float32's rounding, whole blocks are compared in float64.
    assert searched == ({"float32"} if clusters == 1 else {"float32", "float64"})


def test_a_ball_of_radius_zero_holds_copies(small_blocks):
    points = np.repeat([[1.0, 2.0], [3.0, 5.0]], [25, 7], axis=0)
    counts = neighbors.count_within(points, points, np.zeros(32))
    np.testing.assert_array_equal(counts, np.repeat([25, 7], [25, 7]))
    assert not neighbors.count_within(points, points, np.full(32, -1.0)).any()


@pytest.mark.parametrize(
    ("queries", "references", "options", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 3)), {"k": 3}, "at least k=3 .*Received: 2 references"),
        (np.ones((2, 3)), np.ones((2, 3)), {"k": 2, "skip_self": True}, "others than itself"),
        (np.ones((2, 3)), np.ones((4, 3)), {"skip_self": True}, "2 queries and 4 references"),
        (np.ones((2, 3)), np.ones((2, 4)), {}, "one width.*Received: 3 and 4"),
        (np.ones((2, 3)), np.ones((2, 3)), {"k": 0}, "`k` must be a positive integer"),
        (np.ones(3), np.ones((2, 3)), {}, r"shape \(n, dim\)"),
        (np.ones((0, 3)), np.ones((2, 3)), {}, "at least one"),
        (np.ones((2, 3)), np.array([[np.nan] * 3]), {}, "NaN or infinity in references"),
        (np.array([[-np.inf] * 3]), np.ones((2, 3)), {}, "NaN or infinity in queries"),
    ],
)
def test_bad_points_are_named(queries, references, options, message):
    with pytest.raises(ValueError, match=message):
        neighbors.nearest(queries, references, **options)


@pytest.mark.parametrize("radii", [np.ones(3), 1.0, np.full(2, np.nan)])
def test_bad_radii_are_named(radii):
    with pytest.raises(ValueError, match="`radii` must be finite numbers, one for each center"):
        neighbors.count_within(np.ones((4, 2)), np.ones((2, 2)), radii)
