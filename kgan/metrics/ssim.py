"""How alike samples are to each other."""

import keras
import numpy as np

from kgan.layers.checks import check_positive_int
from kgan.metrics.base import METRICS, GANMetric
from kgan.metrics.states import Samples

# Wang et al. 2003, section 3.2: the weight of each scale, the finest first.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# Wang et al. 2004: the Gaussian window, and what keeps the quotients of flat areas stable.
WINDOW, DEVIATION = 11, 1.5
_LUMINANCE, _CONTRAST = 0.01**2, 0.03**2
# Pairs that are compared at a time.
_PAIRS = 64


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class MultiScaleSSIM(GANMetric):
    """Mean similarity (MS-SSIM) of pairs of samples; lower is more diverse, 1 is all the same.

    For two images, lᴹ^wᴹ Πⱼ csⱼ^wⱼ over M scales, each half as large as the one before, with the
    luminances compared at the last one and contrast and structure at each, in Gaussian windows of
    11x11 pixels. Wang et al. 2003, "Multi-Scale Structural Similarity for Image Quality
    Assessment"; as a measure of diversity, Odena et al. 2016 (arXiv 1610.09585, section 4.2), who
    pair images of one class. It finds collapse, not quality: noise is diverse too, so compare it
    with the value of the reals beside it. The result is a dict: `ms_ssim_real`, `ms_ssim_fake`.

    Images of less than 161 pixels have no room for all 5 scales: those count whose smaller side is
    11 pixels or more (28x28: 2 scales), their weights divided by their sum. Below 11 pixels there
    is one scale, in a window of the largest odd size that fits, with its deviation in proportion.
    Such values only compare with others of the same size.

    Args:
        within_classes: bool, whether both images of a pair are of one class, which needs labels.
            Defaults to False.
        max_samples: int >= 2, how many images of each side are kept, in float32 (64x64 in color:
            0.2 GB a side); each is in one pair, at random but each time the same. Defaults to
            4,096.
        name: str. Defaults to `"ms_ssim"`.
        dtype: as in Keras.

    Raises:
        ValueError: if an argument is out of range, or labels are missing; from `result`, if a
            side has no two images (of one class, where asked), or NaN among them.

    Example:
    >>> metric = kgan.metrics.MultiScaleSSIM()
    >>> real = np.random.default_rng(0).uniform(-1, 1, (8, 28, 28, 1))
    >>> metric.update_state(real=real, fake=np.repeat(real[:1], 8, axis=0))
    >>> {name: round(value, 1) for name, value in metric.result().items()}
    {'ms_ssim_real': 0.0, 'ms_ssim_fake': 1.0}
    """

    alias = "msssim"
    looks_at = "images"
    best = ("", "→ real")

    def __init__(self, within_classes=False, max_samples=4096, name="ms_ssim", dtype=None):
        super().__init__(name=name, dtype=dtype)
        if not isinstance(within_classes, bool):
            raise ValueError(f"`within_classes` must be a bool. Received: {within_classes!r}")
        check_positive_int("max_samples", max_samples)

        # === Config ===
        self.within_classes = within_classes
        self.max_samples = max_samples

        self.needs_labels = within_classes

    def make_state(self, side, shape):
        """Returns the images of one side, with their labels if these matter."""
        return Samples(self, side, shape, self.max_samples, has_labels=self.within_classes)

    @property
    def result_names(self):
        """Tuple of str, the keys of the result."""
        return f"{self.name}_real", f"{self.name}_fake"

    def result(self):
        """Returns the mean similarity of reals to reals and of fakes to fakes, a dict of floats."""
        values = [self._mean_similarity(side) for side in ("real", "fake")]
        return dict(zip(self.result_names, values, strict=True))

    def _mean_similarity(self, side):
        state = self.seen(side, least=2)
        images = (state.values() + 1) / 2
        # Data may come ordered by class, where neighbours are more alike than others.
        order = np.random.default_rng(0).permutation(len(images))
        labels = state.labels() if self.within_classes else np.zeros(len(images))
        first, second = (order[side] for side in pairs(labels[order]))
        if not len(first):
            raise ValueError(
                "MultiScaleSSIM compares images of one class, so one must have two of them. "
                f"Received: {len(images)} {side} images of as many classes"
            )
        similarities = [
            ms_ssim(images[first[i : i + _PAIRS]], images[second[i : i + _PAIRS]])
            for i in range(0, len(first), _PAIRS)
        ]
        return float(np.mean(np.concatenate(similarities)))

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        own = {"within_classes": self.within_classes, "max_samples": self.max_samples}
        return {**super().get_config(), **own}


def pairs(labels):
    """Returns the places of disjoint pairs of equal labels, the first with the second and so on.

    Args:
        labels: array `(n,)`.

    Returns:
        Tuple of two int arrays; what is left over of a class is in no pair.

    Example:
    >>> kgan.metrics.ssim.pairs([0, 1, 0, 0, 1])
    (array([0, 1]), array([2, 4]))
    """
    labels = np.asarray(labels)
    order = np.argsort(labels, kind="stable")
    _, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    places = np.arange(len(labels)) - np.repeat(starts, counts)
    is_first = (places % 2 == 0) & (places + 1 < np.repeat(counts, counts))
    first = np.flatnonzero(is_first)
    return order[first], order[first + 1]


def ms_ssim(first, second):
    """Returns the similarity of each pair, float64 `(n,)` in [0, 1]; the mean over the channels.

    Args:
        first: float array `(n, height, width, channels)` in [0, 1].
        second: likewise.

    Example:
    >>> images = np.random.default_rng(0).uniform(size=(2, 28, 28, 1))
    >>> kgan.metrics.ssim.ms_ssim(images, images).round(6)
    array([1., 1.])
    """
    # Channels are compared one by one.
    x, y = (np.moveaxis(images, 3, 1).astype("float64") for images in (first, second))
    weights = scale_weights(first.shape[1:3])
    similarity = 1.0
    for i, weight in enumerate(weights):
        whole, structure = _similarities(x, y)
        is_last = i == len(weights) - 1
        similarity = similarity * np.maximum(whole if is_last else structure, 0) ** weight
        x, y = _half(x), _half(y)
    return np.mean(similarity, axis=1)


def scale_weights(shape):
    """Returns the weights of the scales that images of this size have room for, float64.

    Args:
        shape: tuple of int, `(height, width)`.

    Example:
    >>> kgan.metrics.ssim.scale_weights((28, 28)).round(3)
    array([0.136, 0.864])
    """
    side, scales = min(shape), 1
    while scales < len(WEIGHTS) and (side + 1) // 2 >= WINDOW:
        side, scales = (side + 1) // 2, scales + 1
    # In the paper they sum to 1.0001 and are not divided.
    weights = np.array(WEIGHTS[:scales])
    return weights if scales == len(WEIGHTS) else weights / weights.sum()


def _similarities(x, y):
    """Returns the mean of luminance times structure, and of structure alone, each `(n, c)`."""
    down, across = _window(x.shape[2]), _window(x.shape[3]).T

    def local(values):
        return down @ values @ across

    mean_x, mean_y = local(x), local(y)
    products, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    structure = 2 * (local(x * y) - products) + _CONTRAST
    structure /= local(x**2 + y**2) - squares + _CONTRAST
    luminance = (2 * products + _LUMINANCE) / (squares + _LUMINANCE)
    return np.mean(luminance * structure, axis=(2, 3)), np.mean(structure, axis=(2, 3))


def _window(side):
    """Returns the matrix that takes Gaussian means along one axis, where all of them fits in."""
    size = min(WINDOW, side - 1 + side % 2)
    places = np.arange(size) - size // 2
    weights = np.exp(-0.5 * np.square(places / (DEVIATION * size / WINDOW)))
    weights /= weights.sum()
    return np.stack([np.pad(weights, (i, side - size - i)) for i in range(side - size + 1)])


def _half(images):
    """Returns means of 2x2 pixels; the last row or column of an odd number counts twice."""
    height, width = images.shape[2:]
    images = np.pad(images, ((0, 0), (0, 0), (0, height % 2), (0, width % 2)), "symmetric")
    rows = images[:, :, ::2] + images[:, :, 1::2]
    return (rows[..., ::2] + rows[..., 1::2]) / 4
