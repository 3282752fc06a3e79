"""Distances between Gaussians that are fitted to features."""

import keras
import numpy as np
from scipy.linalg import lapack

from kgan.layers.checks import check_positive_int
from kgan.metrics.base import METRICS, GANMetric, check_varies
from kgan.metrics.states import Moments, Samples


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class FrechetDistance(GANMetric):
    """Fréchet distance of Gaussians fitted to the features of reals and fakes; 0 is the best.

    ‖μ₁ - μ₂‖² + tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½). Heusel et al. 2017, "GANs Trained by a Two Time-Scale
    Update Rule Converge to a Local Nash Equilibrium" (arXiv 1706.08500), equation 6. With
    Inception features it is known as FID. It is biased: samples of the same distribution have a
    positive distance, which falls with their number (Bińkowski et al. 2018, arXiv 1801.01401,
    appendix D), so compare only distances of equal numbers.

    Args:
        features: what looks at the images, as in `GANMetric`. Defaults to None: it is given
            features.
        name: str. Defaults to `"frechet_distance"`.
        dtype: as in Keras.

    Raises:
        ValueError: from `result`, if a side has fewer than 2 examples, NaN, or no spread.

    Example:
    >>> metric = kgan.metrics.FrechetDistance()
    >>> x = np.random.normal(size=(500, 3))
    >>> metric.update_state(x, x + [1, 0, 2])
    >>> round(metric.result(), 3)
    5.0
    """

    alias = "fd"
    best = "↓"

    def make_state(self, side, shape):
        """Returns the mean and covariance of one side."""
        return Moments(self, side, *shape)

    def result(self):
        """Returns the distance, a float."""
        gaussians = []
        for side in ("real", "fake"):
            state = self.seen(side, least=2)
            mean, covariance = state.mean(), state.covariance()
            check_varies(self, side, np.diag(covariance), mean)
            gaussians.append((mean, covariance))
        return frechet_distance(*gaussians)


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class IntraClassFrechetDistance(GANMetric):
    """Mean over the classes of the Fréchet distance within each; 0 is the best.

    1/K Σ_c d(reals of c, fakes of c), with the distance of `FrechetDistance`: it tells how well a
    conditional GAN fills each class, where the distance of all may hide that one has collapsed.
    Miyato and Koyama 2018, "cGANs with Projection Discriminator" (arXiv 1802.05637), section 5.1.
    The classes are those that were seen on either side. Few images of a class make its distance
    large, as in `FrechetDistance`.

    The result has the keys `intra_class_frechet_distance`, the mean, and
    `intra_class_frechet_distance_worst`, that of the farthest class.

    Args:
        features: what looks at the images, as in `GANMetric`. Defaults to None: it is given
            features.
        max_samples: int >= 2, how many examples of each side are kept, of all classes together.
            Defaults to 50,000.
        name: str. Defaults to `"intra_class_frechet_distance"`.
        dtype: as in Keras.

    Raises:
        ValueError: from `result`, if a class has on one side fewer than 2 examples or no spread,
            or there is NaN among all.

    Example:
    >>> metric = kgan.metrics.IntraClassFrechetDistance()
    >>> x, labels = np.random.normal(size=(500, 3)), np.arange(500) % 2
    >>> metric.update_state(x, x + labels[:, None], labels)
    >>> {name: round(value, 3) for name, value in metric.result().items()}
    {'intra_class_frechet_distance': 1.5, 'intra_class_frechet_distance_worst': 3.0}
    """

    alias = "icfd"
    needs_labels = True
    best = ("↓", "↓")

    def __init__(self, features=None, max_samples=50_000, name=None, dtype=None):
        super().__init__(features, name=name, dtype=dtype)
        check_positive_int("max_samples", max_samples)
        # === Config ===
        self.max_samples = max_samples

    def make_state(self, side, shape):
        """Returns the examples and labels of one side."""
        return Samples(self, side, shape, self.max_samples, has_labels=True)

    @property
    def result_names(self):
        """The mean's key and the worst's."""
        return (self.name, f"{self.name}_worst")

    def result(self):
        """Returns the mean and the greatest distance of the classes, a dict of floats."""
        sides = {side: self._classes(side) for side in ("real", "fake")}
        distances = []
        for label in sorted({*sides["real"], *sides["fake"]}):
            gaussians = [self._gaussian(side, label, sides[side].get(label, ())) for side in sides]
            distances.append(_distance(*gaussians))
        return dict(
            zip(self.result_names, (float(np.mean(distances)), max(distances)), strict=True)
        )

    def _classes(self, side):
        """Returns the examples of each class of a side, float64 `(n, dim)`, by label."""
        state = self.seen(side, least=2)
        values, labels = state.values(), state.labels()
        return {int(label): values[labels == label] for label in np.unique(labels)}

    def _gaussian(self, side, label, values):
        """Returns the mean of a class's examples, and a factor of their covariance."""
        if len(values) < 2:
            raise ValueError(
                f"IntraClassFrechetDistance needs at least 2 {side} examples of each class. "
                f"Received: {len(values)} of class {label}"
            )
        values = np.asarray(values, "float64")
        mean = np.mean(values, axis=0)
        check_varies(self, f"{side} class {label}", np.var(values, axis=0), mean)
        factor = (values - mean).T / np.sqrt(len(values) - 1)
        return mean, factor if len(values) <= len(mean) else _factor(factor @ factor.T)

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        return {**super().get_config(), "max_samples": self.max_samples}


def frechet_distance(first, second):
    """Returns the Fréchet distance of two Gaussians, a float.

    tr (Σ₁ Σ₂)^½ is the sum of the singular values of A₁ᵀ A₂ for any Σ = A Aᵀ, which needs no root
    of a product that is not symmetric, and does not square the rounding of small eigenvalues.

    Args:
        first: tuple of mean `(dim,)` and covariance `(dim, dim)`.
        second: likewise.

    Example:
    >>> kgan.metrics.frechet.frechet_distance((np.zeros(2), np.eye(2)), (np.ones(2), np.eye(2)))
    2.0
    """
    (mean1, covariance1), (mean2, covariance2) = first, second
    return _distance((mean1, _factor(covariance1)), (mean2, _factor(covariance2)))


def _distance(first, second):
    """Returns the distance of two Gaussians, each a mean and a factor of its covariance."""
    (mean1, factor1), (mean2, factor2) = first, second
    singular_values = np.linalg.svd(factor1.T @ factor2, compute_uv=False)
    traces = np.sum(np.square(factor1)) + np.sum(np.square(factor2)) - 2 * np.sum(singular_values)
    # Rounding may leave less than nothing of traces that are equal.
    return float(np.sum(np.square(mean1 - mean2)) + max(traces, 0.0))


def _factor(covariance):
    """Returns A `(dim, rank)` with A Aᵀ the covariance: Cholesky's, with the largest pivots first.

    It stops where no pivot is above the rounding of the largest one, as after n - 1 columns for n
    examples in more dimensions.
    """
    lower, pivots, rank, _ = lapack.dpstrf(covariance, lower=1)
    factor = np.zeros((len(covariance), rank))
    factor[pivots - 1] = np.tril(lower)[:, :rank]
    return factor
