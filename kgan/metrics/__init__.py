"""How good samples are: measures of generated images against real ones."""

from kgan.metrics import features
from kgan.metrics.base import METRICS, GANMetric
from kgan.metrics.classification_accuracy import ClassificationAccuracyScore
from kgan.metrics.classifier import ClassifierScore, LabelAccuracy, ModeCoverage
from kgan.metrics.evaluation import Evaluation
from kgan.metrics.frechet import FrechetDistance, IntraClassFrechetDistance
from kgan.metrics.kernel import KernelDistance
from kgan.metrics.nearest import Memorization, NearestNeighborError, TwoSampleAccuracy
from kgan.metrics.parzen import ParzenLogLikelihood
from kgan.metrics.path_length import PerceptualPathLength
from kgan.metrics.precision_recall import PrecisionRecall
from kgan.metrics.readings import ClassificationError, Clustering, CodeNeighbors
from kgan.metrics.realness import auroc, gives_probability, realness
from kgan.metrics.ssim import MultiScaleSSIM
from kgan.metrics.wasserstein import SlicedWasserstein

__all__ = [
    "ClassificationAccuracyScore",
    "ClassificationError",
    "ClassifierScore",
    "Clustering",
    "CodeNeighbors",
    "LabelAccuracy",
    "ModeCoverage",
    "Evaluation",
    "FrechetDistance",
    "GANMetric",
    "IntraClassFrechetDistance",
    "KernelDistance",
    "Memorization",
    "MultiScaleSSIM",
    "NearestNeighborError",
    "ParzenLogLikelihood",
    "PerceptualPathLength",
    "PrecisionRecall",
    "SlicedWasserstein",
    "TwoSampleAccuracy",
    "auroc",
    "features",
    "get",
    "gives_probability",
    "names",
    "realness",
]


def names():
    """Returns the names that `get` knows, sorted."""
    return METRICS.names()


def get(identifier):
    """Returns a metric by name, by config, or as it is.

    Args:
        identifier: str, one of `names()` or its short form (`"fd"`), with arguments after a colon
            if wished (`"fd:features=mnist"`); a dict made by
            `keras.saving.serialize_keras_object`; or a `GANMetric`.

    Raises:
        ValueError: if no metric has this name (the message lists near names and all names), or it
            does not take these arguments.
        TypeError: if `identifier` is of another type.

    Example:
    >>> kgan.metrics.get("fd:features=pixels").name
    'frechet_distance'
    """
    return METRICS.get(identifier, GANMetric)
