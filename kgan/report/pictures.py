"""What a generator draws on purpose: between two latents, over a surface of them, beside reals."""

import dataclasses

import numpy as np
from keras import ops

from kgan.metrics import neighbors

# Beyond these the normal distribution has one sample in forty: pictures get strange there.
OUTERMOST_PROBABILITY = 0.025
# The part of the sphere that a latent grid shows, up and down and to both sides.
GRID_RADIANS = np.pi / 3
# Training images that are compared at once.
BLOCK = 4096


def draw(gan, latents, labels=None):
    """Returns the averaged generator's images of these latents.

    Args:
        gan: `kgan.GAN`.
        latents: float array `(n, latent_dim)`.
        labels: int array `(n,)`, if conditional. Defaults to None.
    """
    inputs = latents.astype("float32")
    inputs = inputs if labels is None else [inputs, labels.astype("int32")]
    return gan.predict(inputs, batch_size=128, verbose=0)


def draw_latents(gan, n, seed):
    """Returns `n` latents as the GAN is trained on, `(n, latent_dim)`.

    Args:
        gan: `kgan.GAN`.
        n: int >= 1.
        seed: int.
    """
    return ops.convert_to_numpy(gan.draw_latents(n, seed)).astype("float64")


# --- Between two latents ------------------------------------------------------------------------


def slerp(start, end, t):
    """Returns the points of the great circle from one vector to the other.

    (sin((1 - t) w) start + sin(t w) end) / sin w, where w is the angle between the two (Shoemake
    1985, "Animating Rotation with Quaternion Curves"; White 2016, arXiv 1609.04468, for latents).
    Normal latents of many dimensions lie near a sphere, which a straight line leaves.

    Args:
        start: float array `(dim,)`.
        end: float array `(dim,)`.
        t: float array `(n,)`, 0 at the start and 1 at the end.

    Returns:
        Float array `(n, dim)`.

    Example:
    >>> kgan.report.pictures.slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.5]))
    array([[0.70710678, 0.70710678]])
    """
    cosine = start @ end / (np.linalg.norm(start) * np.linalg.norm(end))
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    # Of one direction there is no circle, and of opposite ones no single one.
    if np.sin(angle) < 1e-6:
        return lerp(start, end, t)
    weights = np.sin(np.stack([1 - t, t], axis=1) * angle) / np.sin(angle)
    return weights @ np.stack([start, end])


def lerp(start, end, t):
    """Returns the points of the straight line from one vector to the other.

    Args:
        start: float array `(dim,)`.
        end: float array `(dim,)`.
        t: float array `(n,)`, 0 at the start and 1 at the end.
    """
    return np.outer(1 - t, start) + np.outer(t, end)


def interpolations(gan, rows, columns, seed):
    """Returns latents and labels of rows that each lead from one latent to another.

    Args:
        gan: `kgan.GAN`. Normal latents go along great circles, uniform ones along lines. If it is
            conditional, each row keeps one class, and the classes take turns.
        rows: int >= 1.
        columns: int >= 2, images in a row, both ends included.
        seed: int.

    Returns:
        Tuple of latents `(rows * columns, latent_dim)` and labels, or None.
    """
    between = slerp if gan.latent_distribution == "normal" else lerp
    ends = draw_latents(gan, 2 * rows, seed).reshape(rows, 2, -1)
    t = np.linspace(0, 1, columns)
    latents = np.concatenate([between(start, end, t) for start, end in ends])
    labels = None
    if gan.num_classes is not None:
        labels = np.repeat(np.arange(rows) % gan.num_classes, columns)
    return latents, labels


# --- A surface of latents -----------------------------------------------------------------------


def latent_grid(gan, side, seed):
    """Returns the latents of a grid that spans two directions, row by row.

    Normal latents of three dimensions or more: a patch of the sphere of radius √latent_dim, which
    they lie near, between three directions at right angles. Of fewer dimensions: all of them, at
    equal steps of probability, by the inverse of the normal distribution (as Kingma and Welling
    2014, arXiv 1312.6114, appendix A). Uniform latents: the whole square if there are two
    dimensions, and else the surface between four of them.

    Args:
        gan: `kgan.GAN`.
        side: int >= 2, images in a row and in a column.
        seed: int.

    Returns:
        Float array `(side * side, latent_dim)`; `(side, 1)` where latents have one dimension.
    """
    if gan.latent_dim <= 2:
        return _all_latents(gan, side)
    if gan.latent_distribution == "normal":
        return _sphere_patch(draw_latents(gan, 3, seed), side)
    corners = draw_latents(gan, 4, seed)
    t = np.linspace(0, 1, side)
    left, right = lerp(corners[0], corners[2], t), lerp(corners[1], corners[3], t)
    return np.concatenate([lerp(*ends, t) for ends in zip(left, right, strict=True)])


def _all_latents(gan, side):
    from scipy.special import ndtri

    quantiles = np.linspace(OUTERMOST_PROBABILITY, 1 - OUTERMOST_PROBABILITY, side)
    steps = ndtri(quantiles) if gan.latent_distribution == "normal" else 2 * quantiles - 1
    return np.stack(np.meshgrid(*[steps] * gan.latent_dim, indexing="ij"), -1).reshape(
        -1, gan.latent_dim
    )


def _sphere_patch(directions, side):
    middle, right, up = np.linalg.qr(directions.T)[0].T
    angles = np.linspace(-GRID_RADIANS, GRID_RADIANS, side)
    # The first row is the top one.
    height, width = np.meshgrid(-angles, angles, indexing="ij")
    points = (
        np.multiply.outer(np.cos(height) * np.cos(width), middle)
        + np.multiply.outer(np.cos(height) * np.sin(width), right)
        + np.multiply.outer(np.sin(height), up)
    )
    return np.sqrt(len(middle)) * points.reshape(side * side, -1)


# --- Beside reals -------------------------------------------------------------------------------


@dataclasses.dataclass
class Neighbors:
    """The training images nearest to some others.

    Args:
        images: float array `(n, k, height, width, channels)`, the nearest first.
        distances: float array `(n, k)`, in the pixels' space.
    """

    images: np.ndarray
    distances: np.ndarray


def nearest_images(queries, references, k):
    """Returns the k references nearest to each query, by the distance of their pixels.

    Args:
        queries: float array `(n, height, width, channels)`.
        references: iterable of such arrays, batches of which one at a time is looked at.
        k: int >= 1. Fewer are returned if there are fewer.

    Returns:
        `Neighbors`.
    """
    points = queries.reshape(len(queries), -1)
    best = Neighbors(
        np.empty((len(queries), 0, *queries.shape[1:]), "float32"), np.empty((len(queries), 0))
    )
    for batch in references:
        batch = np.asarray(batch)
        distances, places = neighbors.nearest(
            points, batch.reshape(len(batch), -1), min(k, len(batch))
        )
        distances = np.concatenate([best.distances, distances], axis=1)
        images = np.concatenate([best.images, batch[places]], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        rows = np.arange(len(queries))[:, None]
        best = Neighbors(images[rows, order], distances[rows, order])
    return best


def batches_of(source, n=None):
    """Yields the images of a data set, one block after the other, in the data set's order.

    Args:
        source: `kgan.data.ImageSource`.
        n: int, how many at most. Defaults to None: all.
    """
    left = source.num_examples if n is None else min(n, source.num_examples)
    dataset = source.dataset(min(BLOCK, left), shuffle=n is not None, drop_remainder=False)
    for images, _ in dataset.as_numpy_iterator():
        yield images[:left]
        left -= len(images)
        if left <= 0:
            return
