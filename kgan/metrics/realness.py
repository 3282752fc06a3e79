"""The discriminator after training: how real it takes an image to be."""

import math

import numpy as np
from keras import ops

from kgan import backend, batches


def realness(gan, images, labels=None, batch_size=128):
    """Scores images with a trained discriminator: the higher, the more real they look to it.

    D(x) in [0, 1] where the loss of the game gives the scores that meaning (0.5 is then what a
    discriminator says that cannot tell), and else the score itself, as it is for a GAN that is not
    compiled. A patch map counts as the mean over its positions.

    At the equilibrium D(x) = 1/2 everywhere (Goodfellow et al. 2014, arXiv 1406.2661, section
    4.1): the better the generator has learnt, the less its discriminator has to say.

    Args:
        gan: `kgan.GAN`. A discriminator that judges several images together (`kgan.layers.Pack`)
            says nothing of one of them: whether the others are as real, or the same one again,
            decides as much.
        images: float `(n, height, width, channels)` in [-1, 1], or of whatever shape the GAN's
            samples have.
        labels: if the GAN is conditional, one class number for all, or an array `(n,)`, or float
            `(n, condition_dim)`. Defaults to None.
        batch_size: int >= 1, how many are computed at once. Defaults to 128.

    Returns:
        float64 NumPy array `(n,)`: high probabilities keep their order, which float32 would end
        at 1.

    Raises:
        ValueError: if the images are of another shape than the GAN's, labels are missing, too
            many or out of range, the discriminator is packed, or a score is not finite.

    Example:
    >>> gan = kgan.GAN(
    ...     kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[8]),
    ... )
    >>> gan.compile(loss="non_saturating")
    >>> probabilities = kgan.metrics.realness(gan, np.zeros((3, 2), "float32"))
    >>> bool(np.all((0 < probabilities) & (probabilities < 1)))
    True
    """
    images = np.asarray(images)
    if not (isinstance(batch_size, int) and batch_size >= 1):
        raise ValueError(f"batch_size must be an int of 1 or more. Received: {batch_size!r}")
    batches.check_images(images, gan.image_shape)
    if gan.images_per_score > 1:
        raise ValueError(
            "realness is that of one image, and this discriminator judges several together "
            f"(kgan.layers.Pack). Received: packs of {gan.images_per_score}"
        )
    labels = _labels(gan, len(images), labels)
    parts = [np.empty(0)]
    for first in range(0, len(images), batch_size):
        part = slice(first, first + batch_size)
        inputs = [images] if labels is None else [images, labels]
        scores = gan.score(*(ops.convert_to_tensor(values[part]) for values in inputs))
        parts.append(_probability(gan, scores))
    values = np.concatenate(parts)
    if not np.all(np.isfinite(values)):
        bad = int(np.sum(~np.isfinite(values)))
        raise ValueError(
            "Scores must be finite, and so must images and weights. Received: NaN or infinity for "
            f"{bad} of {len(images)} images"
        )
    return values


def gives_probability(gan):
    """Returns whether `realness` is a probability for this GAN, and not a score.

    Args:
        gan: `kgan.GAN`.

    Example:
    >>> gan = kgan.GAN(
    ...     kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[8]),
    ... )
    >>> gan.compile(loss="wasserstein")
    >>> kgan.metrics.gives_probability(gan)
    False
    """
    # A score is left as it is, and no probability is far from [0, 1].
    extremes = _probability(gan, ops.convert_to_tensor([[-100.0], [100.0]]))
    return bool(np.all((extremes >= 0) & (extremes <= 1)))


def auroc(positives, negatives):
    """Returns the area under the ROC curve: P(positive > negative) + P(both alike) / 2.

    Counted by ranks over all pairs, as Mann and Whitney 1947 do ("On a Test of Whether one of Two
    Random Variables is Stochastically Larger than the Other"): 1 where all positives lie above
    all negatives, 0.5 where values do not tell them apart.

    Args:
        positives: array `(n,)`, such as the realness of reals.
        negatives: array `(m,)`, such as that of generated images.

    Returns:
        float in [0, 1].

    Raises:
        ValueError: if either is empty, of more than one dimension, or holds NaN.

    Example:
    >>> kgan.metrics.auroc([3.0, 2.0], [1.0, 2.0])
    0.875
    """
    sides = {"positives": np.asarray(positives), "negatives": np.asarray(negatives)}
    for name, values in sides.items():
        if values.ndim != 1 or not values.size:
            raise ValueError(
                f"{name} must be an array (n,) of at least one number. "
                f"Received: shape {values.shape}"
            )
        if np.any(np.isnan(values)):
            raise ValueError(f"{name} must be numbers, which rank. Received: NaN among them")
    positives, negatives = sides["positives"], np.sort(sides["negatives"])
    below = np.searchsorted(negatives, positives, side="left")
    not_above = np.searchsorted(negatives, positives, side="right")
    pairs = positives.size * negatives.size
    return float((below.sum() + not_above.sum()) / (2 * pairs))


def _probability(gan, scores):
    """Returns what each example's scores mean, `(n,)` in float64."""
    places = math.prod(scores.shape[1:])
    with backend.precise():
        scores = ops.reshape(ops.cast(scores, "float64"), (-1, places))
        if gan.compiled:
            scores = gan.loss.probability(scores)
    return ops.convert_to_numpy(scores).mean(axis=1)


def _labels(gan, n, labels):
    if gan.is_conditional and labels is None:
        raise ValueError(
            "A conditional discriminator judges an image beside its label: "
            "realness(gan, images, labels). Received: labels=None"
        )
    if not gan.is_conditional and labels is not None:
        raise ValueError(
            "This GAN is unconditional (num_classes=None), so realness takes no labels. "
            f"Received: labels={labels!r}"
        )
    return batches.labels_for(n, labels, 0, gan.num_classes, gan.condition_dim)
