"""Distances between Gaussians that are fitted to features."""

import keras
import numpy as np

from kgan.metrics.base import METRICS, GANMetric, check_varies
from kgan.metrics.states import Moments


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class FrechetDistance(GANMetric):
    """Fréchet distance of Gaussians fitted to the features of reals and fakes; 0 is the best.

    ‖μ₁ - μ₂‖² + tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½). Heusel et al. 2017, "GANs Trained by a Two Time-Scale
    Update Rule Converge to a Local Nash Equilibrium" (arXiv 1706.08500), equation 6. With
    Inception features it is known as FID; it falls with the number of samples, so compare only
    distances of equal numbers.

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
    singular_values = np.linalg.svd(_factor(covariance1).T @ _factor(covariance2), compute_uv=False)
    traces = np.trace(covariance1) + np.trace(covariance2) - 2 * np.sum(singular_values)
    return float(np.sum(np.square(mean1 - mean2)) + traces)


def _factor(covariance):
    """Returns A with A Aᵀ the covariance, without the columns that are zero."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > values[-1] * len(values) * np.finfo("float64").eps
    return vectors[:, kept] * np.sqrt(values[kept])
