"""Nearest neighbours among many points: in blocks on the device, right to the last tie."""

import contextlib

import numpy as np
import tensorflow as tf
from keras import ops

from kgan.layers.checks import check_positive_int

# A block of float32 products takes 32 MiB.
QUERIES, REFERENCES = 2048, 4096
# Candidates beside the k nearest, among which rounding may have mixed up the order.
SPARE = 7


def nearest(queries, references, k=1, skip_self=False):
    """Returns the k nearest references of each query, by Euclidean distance.

    The device ranks by float32 products of what is centred, |q|² - 2 q·r + |r|², in blocks of
    bounded memory. The distances of the k best and a few more are then computed as differences in
    float64, so that copies are at a distance of exactly 0. Queries for which the spare candidates
    do not prove that rounding hid nobody are searched again with float64 products.

    Args:
        queries: float array `(n, dim)`.
        references: float array `(m, dim)`.
        k: int in [1, m]. Defaults to 1.
        skip_self: bool, for queries that are the references: whether a point is not a neighbour of
            itself, which takes m > k. Defaults to False.

    Returns:
        Tuple of distances, float64 `(n, k)`, nearest first, and int64 `(n, k)`, the places of
        these neighbours among the references.

    Raises:
        ValueError: if there are fewer references than neighbours, the widths differ, or something
            is not finite.

    Example:
    >>> kgan.metrics.neighbors.nearest([[0.0], [9.0]], [[1.0], [5.0], [7.0]])
    (array([[1.],
           [2.]]), array([[0],
           [2]]))
    """
    queries, references = _check("queries", queries), _check("references", references)
    _check_width("queries", queries, "references", references)
    _check_number(k, skip_self, queries, references)
    center = np.mean(references, axis=0, dtype="float64")
    distances = np.empty((len(queries), k))
    indices = np.empty((len(queries), k), "int64")
    sure = np.zeros(len(queries), bool)
    for dtype in ("float32", "float64"):
        for rows in _blocks(np.flatnonzero(~sure), QUERIES):
            points = _centred(queries[rows], center, dtype)
            scores, candidates = _candidates(points, references, center, k + skip_self + SPARE)
            own = rows if skip_self else None
            found = _refine(queries[rows], references, candidates, k, own)
            distances[rows], indices[rows] = found
            sure[rows] = _is_sure(points, scores, distances[rows, -1])
    return distances, indices


def count_within(queries, centers, radii):
    """Returns how many balls each query lies in, int64 `(n,)`; a ball's surface is part of it.

    Pairs that float32 products do not decide, since they are nearly at the radius, are computed
    as differences in float64: a radius that `nearest` has returned reaches its neighbour.

    Args:
        queries: float array `(n, dim)`.
        centers: float array `(m, dim)`, of the balls.
        radii: float array `(m,)`. A ball of a negative radius is empty.

    Raises:
        ValueError: if the widths or numbers do not fit each other, or something is not finite.

    Example:
    >>> kgan.metrics.neighbors.count_within([[0.0], [2.0]], [[1.0], [5.0]], [1.0, 3.0])
    array([1, 2])
    """
    queries, centers = _check("queries", queries), _check("centers", centers)
    _check_width("queries", queries, "centers", centers)
    radii = np.asarray(radii, "float64")
    if radii.shape != (len(centers),) or not np.all(np.isfinite(radii)):
        raise ValueError(
            "`radii` must be finite numbers, one for each center. "
            f"Received: radii of shape {radii.shape} for {len(centers)} centers"
        )
    counts = np.zeros(len(queries), "int64")
    for columns in _blocks(np.flatnonzero(radii >= 0), REFERENCES):
        for rows in _blocks(np.arange(len(queries)), QUERIES):
            counts[rows] += _count_block(queries[rows], centers[columns], radii[columns])
    return counts


# --- Search -------------------------------------------------------------------------------------


def _candidates(points, references, center, number):
    """Returns the best of all references for centred queries: scores and places, best first."""
    number = min(number, len(references))
    scores = tf.fill((len(points), number), tf.constant(-np.inf, points.dtype))
    indices = tf.zeros((len(points), number), "int64")
    points = tf.constant(points)
    for columns in _blocks(np.arange(len(references)), REFERENCES):
        block = tf.constant(_centred(references[columns], center, points.dtype.as_numpy_dtype))
        with _whole_mantissas():
            scores, indices = _search_block(points, block, tf.constant(columns[0]), scores, indices)
    return scores.numpy(), indices.numpy()


@tf.function(reduce_retracing=True)
def _search_block(queries, references, offset, scores, indices):
    """Returns the best scores, and places of them, of what was found before and one block."""
    number = tf.shape(scores)[1]
    # |q - r|² is |q|² less this: the nearest has the highest score.
    norms = tf.reduce_sum(tf.square(references), axis=1)
    block_scores = tf.matmul(2 * queries, references, transpose_b=True) - norms
    new_scores, new_indices = tf.math.top_k(
        block_scores, tf.minimum(number, tf.shape(references)[0])
    )
    new_indices = tf.cast(new_indices, "int64") + offset
    scores, places = tf.math.top_k(tf.concat([scores, new_scores], axis=1), number)
    return scores, tf.gather(tf.concat([indices, new_indices], axis=1), places, batch_dims=1)


def _refine(queries, references, candidates, k, own=None):
    """Returns the k nearest of the candidates: distances and places; `own` are not their own."""
    distances = [_distances(queries, references[column]) for column in candidates.T]
    distances = np.stack(distances, axis=1)
    if own is not None:
        distances[candidates == own[:, None]] = np.inf
    order = np.lexsort((candidates, distances))[:, :k]
    return np.take_along_axis(distances, order, 1), np.take_along_axis(candidates, order, 1)


def _is_sure(points, scores, distances):
    """Returns for which queries no other reference than the candidates can be among the nearest.

    One that is as near as the k-th, at d, is no farther from the center than |q| + d, which bounds
    the rounding of its score; without that rounding its score is not above the worst candidate's.
    """
    norms = np.linalg.norm(points.astype("float64"), axis=1)
    worst = scores[:, -1].astype("float64")
    others = norms**2 - worst - _rounding(points, 2 * norms + distances)
    return np.isfinite(worst) & (others > distances**2)


# --- Balls --------------------------------------------------------------------------------------


def _count_block(queries, centers, radii):
    """Returns how many of these balls each query lies in."""
    center = np.mean(centers, axis=0, dtype="float64")
    for dtype in ("float32", "float64"):
        points, others = (_centred(x, center, dtype) for x in (queries, centers))
        # A query inside is no farther from the center than |c| + r, which bounds the rounding.
        norms = np.linalg.norm(others.astype("float64"), axis=1)
        margins = _rounding(points, 2 * norms + radii)
        low, high = ((radii**2 + sign * margins).astype(dtype) for sign in (-1, 1))
        with _whole_mantissas():
            block = map(tf.constant, (points, others, low, high))
            counts, doubtful = (x.numpy() for x in _compare_block(*block))
        # Where most pairs are doubtful it is float32 that is too coarse.
        if len(doubtful) <= max(len(queries), len(centers)) * 16:
            break
    for rows, columns in (pairs.T for pairs in _blocks(doubtful, QUERIES)):
        inside = _distances(queries[rows], centers[columns]) <= radii[columns]
        counts += np.bincount(rows[inside], minlength=len(queries))
    return counts


@tf.function(reduce_retracing=True)
def _compare_block(queries, centers, low, high):
    """Returns the balls that surely hold each query, and the pairs that are not sure."""
    norms = [tf.reduce_sum(tf.square(x), axis=1) for x in (queries, centers)]
    products = tf.matmul(2 * queries, centers, transpose_b=True)
    squares = norms[0][:, None] - products + norms[1]
    inside = squares < low
    doubtful = tf.logical_not(tf.logical_or(inside, squares > high))
    return tf.reduce_sum(tf.cast(inside, "int64"), axis=1), tf.where(doubtful)


# --- Numbers ------------------------------------------------------------------------------------


def _blocks(array, size):
    """Returns an array in parts of at most this many rows."""
    return [array[start : start + size] for start in range(0, len(array), size)]


def _centred(points, center, dtype):
    """Returns points less the center, rounded once."""
    return np.subtract(points, center, dtype="float64").astype(dtype)


def _distances(points, others):
    """Returns the distance of each pair of rows: exactly 0 for copies, the same both ways."""
    difference = np.subtract(points, others, dtype="float64")
    return np.sqrt(np.sum(np.square(difference, out=difference), axis=1))


def _rounding(points, reach):
    """Returns the error of |q|² - 2 q·r + |r|² where |q| + |r| is at most the reach.

    Errors of a sum of n products grow like its root, and stay under four times that in practice
    (Higham and Mary 2019, "A New Approach to Probabilistic Rounding Error Analysis").
    """
    dim, numbers = points.shape[1], np.finfo(points.dtype)
    return 2 * (np.sqrt(dim) + 4) * numbers.eps * reach**2 + 4 * dim * numbers.tiny


@contextlib.contextmanager
def _whole_mantissas():
    """Keeps GPUs from multiplying float32 with the 10 bits of TensorFloat-32."""
    was_enabled = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(was_enabled)


# --- Checks -------------------------------------------------------------------------------------


def _check(name, points):
    """Returns points as a float array `(n, dim)`, or raises `ValueError`."""
    points = np.asarray(ops.convert_to_numpy(points) if tf.is_tensor(points) else points)
    points = points if points.dtype == "float64" else points.astype("float32", copy=False)
    if points.ndim != 2 or not points.size:
        raise ValueError(
            f"`{name}` must be points of shape (n, dim), at least one. "
            f"Received: {name} of shape {points.shape}"
        )
    if not np.isfinite([points.min(), points.max()]).all():
        raise ValueError(f"`{name}` must be finite. Received: NaN or infinity in {name}")
    return points


def _check_width(name, points, other_name, others):
    if points.shape[1] != others.shape[1]:
        raise ValueError(
            f"`{name}` and `{other_name}` must have one width. "
            f"Received: {points.shape[1]} and {others.shape[1]}"
        )


def _check_number(k, skip_self, queries, references):
    check_positive_int("k", k)
    if skip_self and len(queries) != len(references):
        raise ValueError(
            "skip_self=True is for queries that are the references. "
            f"Received: {len(queries)} queries and {len(references)} references"
        )
    if len(references) < k + skip_self:
        others = " others than itself" if skip_self else ""
        raise ValueError(
            f"There must be at least k={k} references{others}. "
            f"Received: {len(references)} references"
        )
