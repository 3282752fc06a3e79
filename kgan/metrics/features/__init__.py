"""Networks that look at images for a metric: `kgan.metrics.features.get("mnist")`."""

import keras

from kgan.metrics.features.base import FEATURES, FeatureNetwork
from kgan.metrics.features.inception_2015 import Inception2015
from kgan.metrics.features.keras_networks import InceptionV3, KerasCV, KerasModel
from kgan.metrics.features.mnist import MNIST
from kgan.metrics.features.pixels import Pixels
from kgan.metrics.features.stacked_mnist import StackedMNIST

__all__ = [
    "FeatureNetwork",
    "Inception2015",
    "InceptionV3",
    "KerasCV",
    "KerasModel",
    "MNIST",
    "Pixels",
    "StackedMNIST",
    "get",
    "names",
]


def names():
    """Returns the names that `get` knows, sorted."""
    return FEATURES.names()


def get(identifier):
    """Returns a feature network by name, by config, or as it is.

    Args:
        identifier: str, one of `names()`, with arguments after a colon if it takes some; a dict
            made by `keras.saving.serialize_keras_object`; a `keras.Model`, as `KerasModel` takes
            it; or a `FeatureNetwork`.

    Raises:
        ValueError: if no network has this name (the message lists near names and all names), or
            it does not take these arguments.
        TypeError: if `identifier` is of another type.

    Example:
    >>> kgan.metrics.features.get("pixels").outputs
    ('features',)
    """
    if isinstance(identifier, keras.Model):
        identifier = KerasModel(identifier)
    return FEATURES.get(identifier, FeatureNetwork)
