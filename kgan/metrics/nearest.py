"""What the nearest neighbours of samples tell: their class, their side, the training set."""

import keras
import numpy as np

from kgan.layers.checks import check_positive_int, check_positive_number
from kgan.metrics.adapted import AdaptedMetric
from kgan.metrics.base import METRICS, GANMetric, check_varies, of_equal_number
from kgan.metrics.neighbors import nearest
from kgan.metrics.states import Samples


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class NearestNeighborError(GANMetric):
    """Share of reals whose nearest fake is of another class, in [0, 1]; 0 is the best.

    A classifier that learns from samples alone, tested on real test data: Radford et al. 2015,
    "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks"
    (arXiv 1511.06434, the table on MNIST in the supplementary material), where 50,000 samples of a
    conditional DCGAN give 2.98 %, and 50,000 real training digits in their place 3.1 %. It falls
    with the number of samples, so compare only equal numbers.

    The reals are to be test images.

    Args:
        features: what looks at the images, as in `GANMetric`. Defaults to `"pixels"`; None: it is
            given features.
        max_samples: int >= 1, how many of each side are kept. Defaults to 50,000.
        name: str. Defaults to `"nearest_neighbor_error"`.
        dtype: as in Keras.

    Raises:
        ValueError: if `max_samples` is no positive integer; from `update_state`, without labels;
            from `result`, if a side is empty, or has NaN or no spread.

    Example:
    >>> metric = kgan.metrics.NearestNeighborError(features=None)
    >>> metric.update_state(fake=np.array([[1.0], [2.0], [8.0]]), labels=np.array([0, 0, 1]))
    >>> metric.update_state(real=np.array([[0.0], [4.0]]), labels=np.array([0, 1]))
    >>> metric.result()
    0.5
    """

    alias = "nne"
    needs_labels = True
    split = "test"
    best = "↓"

    def __init__(self, features="pixels", max_samples=50_000, name=None, dtype=None):
        super().__init__(features=features, name=name, dtype=dtype)
        check_positive_int("max_samples", max_samples)

        # === Config ===
        self.max_samples = max_samples

    def make_state(self, side, shape):
        """Returns the examples of one side and their labels."""
        return Samples(self, side, shape, self.max_samples, has_labels=True)

    def result(self):
        """Returns the error, a float."""
        real, fake = (examples(self, side) for side in ("real", "fake"))
        _, indices = nearest(real, fake)
        predictions = self.states["fake"].labels()[indices[:, 0]]
        return float(np.mean(predictions != self.states["real"].labels()))

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        return {**super().get_config(), "max_samples": self.max_samples}


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class TwoSampleAccuracy(GANMetric):
    """How well one's nearest neighbour tells whether it is real or fake, in [0, 1]; 0.5 is best.

    The leave-one-out accuracy of a 1-nearest-neighbour classifier on as many reals as fakes:
    Lopez-Paz and Oquab 2017, "Revisiting Classifier Two-Sample Tests" (arXiv 1610.06545), and Xu
    et al. 2018, "An empirical study on evaluation metrics of generative adversarial networks"
    (arXiv 1806.07755). At 1 the sides lie apart; at 0 each fake is a copy of a real.

    The result is a dict: `two_sample_accuracy`, its part on the reals, `two_sample_accuracy_real`,
    and that on the fakes, `two_sample_accuracy_fake`. Fakes of a few modes have fakes for
    neighbours, and so have the reals of these modes: a high share on fakes, and a low one on reals.

    Of sides of unequal numbers, a random part of the longer is compared, each time the same.

    Args:
        features: what looks at the images, as in `GANMetric`. Defaults to None: it is given
            features.
        max_samples: int >= 1, how many of each side are kept. Defaults to 10,000.
        name: str. Defaults to `"two_sample_accuracy"`.
        dtype: as in Keras.

    Raises:
        ValueError: if `max_samples` is no positive integer; from `result`, if a side has fewer
            than 2 examples, NaN, or no spread.

    Example:
    >>> metric = kgan.metrics.TwoSampleAccuracy()
    >>> metric.update_state(real=np.array([[0.0], [1.0], [8.0]]))
    >>> metric.update_state(fake=np.array([[5.0], [6.0], [7.2]]))
    >>> [round(value, 2) for value in metric.result().values()]
    [0.67, 0.67, 0.67]
    """

    alias = "nn"
    best = "→ 0.5"

    def __init__(self, features=None, max_samples=10_000, name=None, dtype=None):
        super().__init__(features=features, name=name, dtype=dtype)
        check_positive_int("max_samples", max_samples)

        # === Config ===
        self.max_samples = max_samples

    def make_state(self, side, shape):
        """Returns the examples of one side."""
        return Samples(self, side, shape, self.max_samples)

    @property
    def result_names(self):
        """Tuple of str, the keys of the result."""
        return self.name, f"{self.name}_real", f"{self.name}_fake"

    def result(self):
        """Returns the accuracies on all, on reals and on fakes, a dict of floats."""
        sides = [examples(self, side, least=2) for side in ("real", "fake")]
        points = np.concatenate(of_equal_number(*sides))
        n = len(points) // 2
        _, indices = nearest(points, points, skip_self=True)
        is_fake = np.arange(2 * n) >= n
        is_right = (indices[:, 0] >= n) == is_fake
        values = is_right.mean(), is_right[:n].mean(), is_right[n:].mean()
        return dict(zip(self.result_names, map(float, values), strict=True))

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        return {**super().get_config(), "max_samples": self.max_samples}


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class Memorization(AdaptedMetric):
    """Whether fakes are nearer to the training set than reals that were held out of it.

    With d(x) the distance of x to its nearest training example, the result is a dict:

    - `memorization_z`: the Mann-Whitney statistic of the distances of n held-out reals r and m
      fakes f, (U - nm/2) / (nm (n+m+1) / 12)^½ where U counts the pairs with d(f) > d(r), and ties
      half. Where nothing is copied it is normal with mean 0 and deviation 1; below -3 the fakes
      copy, above 3 they are farther off than reals. Meehan et al. 2020, "A Non-Parametric Test to
      Detect Data-Copying in Generative Models" (arXiv 2004.05675, section 3), with one cell. It
      grows with the root of the numbers.
    - `memorization_nearer`: the share of fakes nearer to the training set than the median
      held-out real: 0.5 where nothing is copied, 1 where all is.
    - `memorization_copies`: the share of fakes whose d is at most `copy_ratio` of the median
      held-out real's, such as copies rounded to 8 bits.

    Poor fakes are far from the training set, which hides copies among them from the first two.

    The reals are to be test images, and `adapt` takes the training set. That is no part of the
    config: a loaded metric needs it again.

    Args:
        features: what looks at the images, as in `GANMetric`. Defaults to `"pixels"`; None: it is
            given features.
        copy_ratio: float > 0, see above. Defaults to 0.05.
        max_samples: int >= 1, how many of each side are kept; of the training set all are.
            Defaults to 10,000.
        name: str. Defaults to `"memorization"`.
        dtype: as in Keras.

    Raises:
        ValueError: if an argument is out of range; from `result`, if `adapt` was not called, a
            side is empty, or has NaN or no spread.

    Example:
    >>> metric = kgan.metrics.Memorization(features=None)
    >>> metric.adapt(np.array([[0.0], [1.0], [2.0], [3.0]]))
    >>> metric.update_state(real=np.array([[0.3], [1.4], [2.2]]))
    >>> metric.update_state(fake=np.array([[0.0], [1.01], [2.35]]))
    >>> {name: round(value, 2) for name, value in metric.result().items()}
    {'memorization_z': -1.09, 'memorization_nearer': 0.67, 'memorization_copies': 0.67}
    """

    alias = "memo"
    split = "test"
    adapts_to = "training"
    best = ("→ 0", "→ 0.5", "→ 0")

    def __init__(
        self, features="pixels", copy_ratio=0.05, max_samples=10_000, name=None, dtype=None
    ):
        super().__init__(features=features, name=name, dtype=dtype)
        check_positive_number("`copy_ratio`", copy_ratio)
        check_positive_int("max_samples", max_samples)

        # === Config ===
        self.copy_ratio = copy_ratio
        self.max_samples = max_samples

    def make_state(self, side, shape):
        """Returns the examples of one side."""
        return Samples(self, side, shape, self.max_samples)

    @property
    def result_names(self):
        """Tuple of str, the keys of the result."""
        return tuple(f"{self.name}_{name}" for name in ("z", "nearer", "copies"))

    def result(self):
        """Returns the statistic and the two shares, a dict of floats."""
        sides = [examples(self, side) for side in ("real", "fake")]
        if self.adapted is None:
            raise ValueError(
                "Memorization compares with the training set: call adapt(images) first, after "
                "loading too, since the training set is no part of the config. Received: no adapt"
            )
        if self.adapted.shape[1:] != sides[0].shape[1:]:
            raise ValueError(
                f"The training set must be like the reals, of shape {sides[0].shape[1:]}. "
                f"Received: {self.adapted.shape[1:]}"
            )
        real, fake = (nearest(values, self.adapted)[0][:, 0] for values in sides)
        median = np.median(real)
        nearer, copies = np.mean(fake < median), np.mean(fake <= self.copy_ratio * median)
        values = mann_whitney_z(fake, real), nearer, copies
        return dict(zip(self.result_names, map(float, values), strict=True))

    def get_config(self):
        """Returns the arguments that make an equal, empty, unadapted metric."""
        own = {"copy_ratio": self.copy_ratio, "max_samples": self.max_samples}
        return {**super().get_config(), **own}


def mann_whitney_z(values, others):
    """Returns by how many deviations the values are larger than others, a float; 0: alike.

    (U - nm/2) / (nm (n+m+1) / 12)^½ where U is the number of pairs with value > other, and ties
    count half (Mann and Whitney 1947). Ties are not taken from the deviation, and nothing is
    corrected for continuity.

    Args:
        values: float array `(n,)`.
        others: float array `(m,)`.

    Example:
    >>> kgan.metrics.nearest.mann_whitney_z(np.array([1.0, 2.0]), np.array([2.0, 1.0]))
    0.0
    """
    others = np.sort(others)
    below, not_above = (np.searchsorted(others, values, side) for side in ("left", "right"))
    n, m = len(values), len(others)
    u = np.sum(below + not_above) / 2
    return float((u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12))


def examples(metric, side, least=1):
    """Returns what a metric has kept of one side, float32 `(n, dim)`, if distances mean something.

    Args:
        metric: `GANMetric` that keeps `Samples`.
        side: `"real"` or `"fake"`.
        least: int, examples that are needed. Defaults to 1.

    Raises:
        ValueError: if there are fewer examples, NaN or infinity among them, or several that are all
            the same.
    """
    values = metric.seen(side, least).values()
    if len(values) > 1:
        spreads = np.max(values, axis=0).astype("float64") - np.min(values, axis=0)
        check_varies(metric, side, np.square(spreads), values[0].astype("float64"))
    return values
