"""The likelihood of real images under a density that is spread out from the samples."""

import warnings

import keras
import numpy as np

from kgan.layers.checks import check_positive_int, check_positive_number
from kgan.metrics.adapted import AdaptedMetric
from kgan.metrics.base import METRICS, check_varies
from kgan.metrics.states import Samples

# What Goodfellow et al. chose from, and by how many validation images.
BANDWIDTHS = tuple(np.logspace(-1, 0, 10).tolist())
VALIDATION_IMAGES = 1000
# Distances in float64 that are in memory at a time, with a few copies of them.
_BLOCK = 2**22


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class ParzenLogLikelihood(AdaptedMetric):
    """Mean log-likelihood of test images under Gaussians around the samples, in nats; more is good.

    log p(x) = log 1/m Σⱼ N(x; sⱼ, σ² I) for m samples sⱼ, averaged over the reals x. Breuleux et
    al. 2011, "Quickly Generating Representative Samples from an RBM-Derived Process"; for GANs,
    Goodfellow et al. 2014 (arXiv 1406.2661, section 5) with 10,000 samples, pixels in [0, 1], and
    σ the best of ten from 0.1 to 1 on 1,000 validation images, which `adapt` takes here. It is
    what early papers report, and says little about the quality of samples (Theis et al. 2016,
    arXiv 1511.01844).

    The reals are to be test images, which neither the GAN nor σ has seen. The result is a dict:
    `parzen_log_likelihood`, `parzen_standard_error` (standard deviation over the reals by the
    root of their number) and `parzen_bandwidth`, which is σ.

    Args:
        features: what looks at the images, as in `GANMetric`. Defaults to `"pixels"`; None: it is
            given features.
        bandwidth: float > 0 or None, σ in units of the features. Defaults to None: the likeliest
            of `kgan.metrics.parzen.BANDWIDTHS` for what `adapt` was given.
        max_samples: int >= 2, how many of each side are kept. Defaults to 10,000.
        name: str. Defaults to `"parzen_log_likelihood"`.
        dtype: as in Keras.

    Raises:
        ValueError: if an argument is out of range; from `result`, if there is neither a bandwidth
            nor validation data, or a side has fewer than 2 examples, NaN, or no spread.

    Example:
    >>> metric = kgan.metrics.ParzenLogLikelihood(features=None, bandwidth=1.0)
    >>> metric.update_state(real=np.array([[-1.0], [1.0]]), fake=np.array([[-1.0], [1.0]]))
    >>> round(metric.result()["parzen_log_likelihood"], 3)  # log((1 + exp(-2)) / 2 / sqrt(2 pi))
    -1.485
    """

    alias = "parzen"
    split = "test"
    adapts_to = "validation"
    most_adapted = VALIDATION_IMAGES
    best = ("↑", "", "")

    def __init__(
        self, features="pixels", bandwidth=None, max_samples=10_000, name=None, dtype=None
    ):
        super().__init__(features=features, name=name, dtype=dtype)
        if bandwidth is not None:
            check_positive_number("`bandwidth`", bandwidth)
        check_positive_int("max_samples", max_samples)

        # === Config ===
        self.bandwidth = bandwidth
        self.max_samples = max_samples

        if bandwidth is not None:
            self.adapts_to = None  # There is nothing left to choose.

    def make_state(self, side, shape):
        """Returns the examples of one side."""
        return Samples(self, side, shape, self.max_samples)

    @property
    def result_names(self):
        """Tuple of str, the keys of the result."""
        prefix = self.name.removesuffix("_log_likelihood")
        return self.name, f"{prefix}_standard_error", f"{prefix}_bandwidth"

    def result(self):
        """Returns log-likelihood, standard error and bandwidth, a dict of floats."""
        sides = {side: self.seen(side, least=2).values() for side in ("real", "fake")}
        for side, values in sides.items():
            check_varies(self, side, values.var(0, "float64"), values.mean(0, "float64"))
        bandwidth = self.bandwidth or self._likeliest(sides["fake"])
        scores = log_densities(sides["real"], sides["fake"], [bandwidth])[0]
        values = np.mean(scores), np.std(scores) / np.sqrt(len(scores)), bandwidth
        return dict(zip(self.result_names, map(float, values), strict=True))

    def _likeliest(self, samples):
        """Returns the bandwidth of the grid under which validation data is likeliest."""
        if self.adapted is None:
            raise ValueError(
                "ParzenLogLikelihood chooses its bandwidth by validation data: call "
                "adapt(images), or give bandwidth=… Received: bandwidth=None and no adapt"
            )
        if self.adapted.shape[1:] != samples.shape[1:]:
            raise ValueError(
                f"Validation data must be like the samples, of shape {samples.shape[1:]}. "
                f"Received: {self.adapted.shape[1:]}"
            )
        means = np.mean(log_densities(self.adapted, samples, BANDWIDTHS), axis=1)
        best = int(np.argmax(means))
        if best in (0, len(BANDWIDTHS) - 1):
            warnings.warn(
                f"The likeliest bandwidth, {BANDWIDTHS[best]:g}, is an end of what was tried: one "
                "beyond it may be likelier, and may be given as bandwidth=…",
                stacklevel=2,
            )
        return BANDWIDTHS[best]

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        own = {"bandwidth": self.bandwidth, "max_samples": self.max_samples}
        return {**super().get_config(), **own}


def log_densities(points, samples, bandwidths):
    """Returns the log of the Parzen density at each point, float64 `(bandwidths, points)`.

    Args:
        points: float32 array `(n, dim)`.
        samples: float32 array `(m, dim)`, where the Gaussians stand.
        bandwidths: list of float, their standard deviations.

    Example:
    >>> point = np.zeros((1, 2), "float32")
    >>> float(np.exp(kgan.metrics.parzen.log_densities(point, point, [1.0])[0, 0]) * np.pi)
    0.5
    """
    m, dim = samples.shape
    points, samples = points.astype("float64"), samples.astype("float64")
    squares = np.sum(np.square(samples), axis=1)
    bandwidths = np.asarray(bandwidths, "float64")[:, None]
    log_sums = np.empty((len(bandwidths), len(points)))
    rows = max(1, _BLOCK // m)
    for start in range(0, len(points), rows):
        block = points[start : start + rows]
        distances = squares - 2 * block @ samples.T
        # Counted from the nearest sample, the sum of exponentials does not underflow.
        nearest = np.min(distances, axis=1, keepdims=True)
        distances -= nearest
        nearest = nearest[:, 0] + np.sum(np.square(block), axis=1)
        for i, scale in enumerate(0.5 / np.square(bandwidths)):
            # What is smaller than exp(-700) adds nothing to 1, and underflows slowly.
            sums = np.sum(np.exp(np.maximum(-scale * distances, -700)), axis=1)
            log_sums[i, start : start + rows] = np.log(sums) - scale * nearest
    return log_sums - np.log(m) - dim / 2 * np.log(2 * np.pi * np.square(bandwidths))
