"""Maximum mean discrepancy of features."""

import keras
import numpy as np

from kgan.layers.checks import check_positive_int
from kgan.metrics.base import METRICS, GANMetric, check_varies
from kgan.metrics.states import Samples


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class KernelDistance(GANMetric):
    """Squared maximum mean discrepancy under a cubic kernel, without bias; 0 is the best.

    Bińkowski et al. 2018, "Demystifying MMD GANs" (arXiv 1801.01401), section 4: the unbiased
    estimate, for k(x, y) = (x·y / dim + 1)³, is averaged over random subsets of reals and fakes.
    With Inception features it is known as KID. Samples of the same distribution have a distance of
    0 on average, however few they are; single results may be negative.

    The result has the keys `kernel_distance` and `kernel_distance_standard_error`, which is not
    the spread s of the subsets' values that published code shows. Subsets of m of the n examples
    (the smaller side's) overlap, so that their mean does not settle at the truth as they grow in
    number: s √(1 / subsets + m / (n - m)) is how far it may be off, by the drawing of the subsets
    and of the examples themselves. It holds where the distributions differ, and is too cautious,
    by up to √(n / m), where they do not.

    Args:
        features: what looks at the images, as in `GANMetric`. Defaults to None: it is given
            features.
        subsets: int >= 2, how many subsets are drawn. Defaults to 100.
        subset_size: int >= 2, examples of each side in a subset; half of the smaller side, if
            that is less, for subsets must differ. Defaults to 1,000.
        max_samples: int >= 4, how many examples of each side are kept. Defaults to 50,000.
        seed: int, of the subsets. Defaults to 0.
        name: str. Defaults to `"kernel_distance"`.
        dtype: as in Keras.

    Raises:
        ValueError: if an argument is out of range; from `result`, if a side has fewer than 4
            examples, NaN, or no spread.

    Example:
    >>> metric = kgan.metrics.KernelDistance()
    >>> x = np.random.normal(size=(200, 3))
    >>> metric.update_state(x[:100], x[100:] + 1)
    >>> sorted(metric.result())
    ['kernel_distance', 'kernel_distance_standard_error']
    """

    alias = "kd"
    best = ("↓", "")

    def __init__(
        self,
        features=None,
        subsets=100,
        subset_size=1000,
        max_samples=50_000,
        seed=0,
        name=None,
        dtype=None,
    ):
        super().__init__(features, name=name, dtype=dtype)
        sizes = {"subsets": subsets, "subset_size": subset_size, "max_samples": max_samples}
        for argument, value in sizes.items():
            check_positive_int(argument, value)
        if subsets < 2 or subset_size < 2:
            raise ValueError(
                "A spread needs 2 subsets, and an estimate without bias 2 examples in each. "
                f"Received: subsets={subsets}, subset_size={subset_size}"
            )
        # === Config ===
        self.subsets = subsets
        self.subset_size = subset_size
        self.max_samples = max_samples
        self.seed = seed

    def make_state(self, side, shape):
        """Returns the examples of one side."""
        return Samples(self, side, shape, self.max_samples)

    @property
    def result_names(self):
        """The distance's key and its error's."""
        return (self.name, f"{self.name}_standard_error")

    def result(self):
        """Returns the distance and its standard error, a dict of floats."""
        real, fake = self._examples("real"), self._examples("fake")
        n = min(len(real), len(fake))
        size = min(self.subset_size, n // 2)
        rng = np.random.default_rng(self.seed)
        distances = [
            squared_mmd(
                real[rng.choice(len(real), size, replace=False)],
                fake[rng.choice(len(fake), size, replace=False)],
            )
            for _ in range(self.subsets)
        ]
        error = np.std(distances, ddof=1) * np.sqrt(1 / self.subsets + size / (n - size))
        return dict(zip(self.result_names, (float(np.mean(distances)), float(error)), strict=True))

    def _examples(self, side):
        values = self.seen(side, least=4).values().astype("float64")
        check_varies(self, side, np.var(values, axis=0), np.mean(values, axis=0))
        return values

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        return {
            **super().get_config(),
            "subsets": self.subsets,
            "subset_size": self.subset_size,
            "max_samples": self.max_samples,
            "seed": self.seed,
        }


def squared_mmd(first, second):
    """Returns the unbiased estimate of the squared maximum mean discrepancy, a float.

    Σ_{i≠j} k(xᵢ, xⱼ) / (n (n - 1)) + Σ_{i≠j} k(yᵢ, yⱼ) / (m (m - 1)) - 2 Σ k(xᵢ, yⱼ) / (n m), for
    k(x, y) = (x·y / dim + 1)³. Gretton et al. 2012, "A Kernel Two-Sample Test", equation 3.

    Args:
        first: float array `(n, dim)`, n >= 2.
        second: float array `(m, dim)`, m >= 2.

    Example:
    >>> kgan.metrics.kernel.squared_mmd(np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]]))
    7.0
    """
    within = _mean_of_pairs(first) + _mean_of_pairs(second)
    return float(within - 2 * np.mean(_kernel(first, second)))


def _mean_of_pairs(x):
    """Returns the mean of the kernel over all pairs of two different examples."""
    kernel = _kernel(x, x)
    return (np.sum(kernel) - np.trace(kernel)) / (len(x) * (len(x) - 1))


def _kernel(x, y):
    base = x @ y.T / x.shape[1] + 1
    return base * base * base
