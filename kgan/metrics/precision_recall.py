"""Whether samples look real, and whether they show all that is real: two numbers for each."""

import keras
import numpy as np

from kgan.layers.checks import check_positive_int
from kgan.metrics.base import METRICS, GANMetric
from kgan.metrics.nearest import examples
from kgan.metrics.neighbors import count_within, nearest
from kgan.metrics.states import Samples


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class PrecisionRecall(GANMetric):
    """Shares of fakes among the reals and of reals among the fakes, as balls around them tell.

    A ball around each example of one side reaches to its k-th nearest neighbour of that side.

    - `precision`: the share of fakes in a ball of a real; `recall`: the share of reals in a ball
      of a fake. Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing
      Generative Models" (arXiv 1904.06991, equations 1 and 2), where k is 3 and a ball's surface
      is part of it.
    - `density`: the mean number of reals' balls that a fake lies in, divided by k; `coverage`: the
      share of reals with a fake in their ball. Naeem et al. 2020, "Reliable Fidelity and Diversity
      Metrics for Generative Models" (arXiv 2002.09797, section 3), where k is 5 and, as in their
      code, the surface is not part of a ball. One odd real spoils them less.

    All are in [0, 1] and 1 is the best, but the density, which is 1 on average where both sides
    are alike, and may be above. For n alike examples a side, expect a coverage of
    1 - (n-1)…(n-k) / ((2n-1)…(2n-k)), 0.97 for large n. They change with n and k: compare only
    what has the same.

    Args:
        features: what looks at the images, as in `GANMetric`. Defaults to None: it is given
            features.
        neighbors: int >= 1, the k of precision and recall. Defaults to 3.
        density_neighbors: int >= 1, the k of density and coverage. Defaults to 5.
        max_samples: int >= 1, how many of each side are kept. Defaults to 10,000.
        name: str. Defaults to `"precision_recall"`; the keys of the result begin with another one.
        dtype: as in Keras.

    Raises:
        ValueError: if an argument is no positive integer; from `result`, if a side does not have
            more examples than neighbours, or has NaN or no spread.

    Example:
    >>> metric = kgan.metrics.PrecisionRecall(neighbors=1, density_neighbors=1)
    >>> metric.update_state(real=np.array([[0.0], [1.0], [5.0], [7.0]]))
    >>> metric.update_state(fake=np.array([[0.5], [0.7], [0.9], [9.5]]))
    >>> metric.result()
    {'precision': 0.75, 'recall': 0.75, 'density': 1.5, 'coverage': 0.5}
    """

    alias = "prdc"
    best = ("↑", "↑", "→ 1", "↑")

    def __init__(
        self,
        features=None,
        neighbors=3,
        density_neighbors=5,
        max_samples=10_000,
        name=None,
        dtype=None,
    ):
        super().__init__(features=features, name=name, dtype=dtype)
        check_positive_int("neighbors", neighbors)
        check_positive_int("density_neighbors", density_neighbors)
        check_positive_int("max_samples", max_samples)

        # === Config ===
        self.neighbors = neighbors
        self.density_neighbors = density_neighbors
        self.max_samples = max_samples

    def make_state(self, side, shape):
        """Returns the examples of one side."""
        return Samples(self, side, shape, self.max_samples)

    @property
    def result_names(self):
        """Tuple of str, the keys of the result."""
        prefix = "" if self.name == "precision_recall" else f"{self.name}_"
        return tuple(f"{prefix}{name}" for name in ("precision", "recall", "density", "coverage"))

    def result(self):
        """Returns precision, recall, density and coverage, a dict of floats."""
        k, density_k = self.neighbors, self.density_neighbors
        most = max(k, density_k)
        real = examples(self, "real", least=most + 1)
        fake = examples(self, "fake", least=most + 1)
        real_distances, _ = nearest(real, real, most, skip_self=True)
        fake_distances, _ = nearest(fake, fake, k, skip_self=True)
        precision = np.mean(count_within(fake, real, real_distances[:, k - 1]) > 0)
        recall = np.mean(count_within(real, fake, fake_distances[:, k - 1]) > 0)
        radii = real_distances[:, density_k - 1]
        inner = np.nextafter(radii, -np.inf)  # without the surface
        density = np.mean(count_within(fake, real, inner)) / density_k
        coverage = np.mean(nearest(real, fake)[0][:, 0] < radii)
        values = precision, recall, density, coverage
        return dict(zip(self.result_names, map(float, values), strict=True))

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        own = {
            "neighbors": self.neighbors,
            "density_neighbors": self.density_neighbors,
            "max_samples": self.max_samples,
        }
        return {**super().get_config(), **own}
