"""A classifier of handwritten digits, whose weights come with the package."""

import functools
import pathlib

import keras
import numpy as np
from keras import ops

from kgan.metrics.features.base import FEATURES, FeatureNetwork

WEIGHTS = pathlib.Path(__file__).with_name("mnist_classifier.npz")
IMAGE_SHAPE = (28, 28, 1)
# Filters and stride of each 3x3 convolution: 28x28, 14x14 twice, 7x7 twice, 4x4.
CONVOLUTIONS = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (96, 2))
FEATURE_DIM = 64
NUM_CLASSES = 10


@keras.saving.register_keras_serializable(package="kgan")
@FEATURES.register
class MNIST(FeatureNetwork):
    """A small convolutional classifier of MNIST, which needs no download.

    Six 3x3 convolutions (16, 32, 32, 64, 64 and 96 filters, of which the second, fourth and sixth
    have stride 2), a dense layer of 64 units and one of 10, with x * sigmoid(x) after each but
    the last; trained without label smoothing, which would pull the images of a class together
    until their features tell little about them (Müller et al. 2019, arXiv 1906.02629). It is
    right on 99.67 % of the test digits, with weights that `python -m
    kgan.metrics.features.train_mnist` made from the training digits alone. Its Fréchet distances
    are not those that are published under the name FID, nor those of other MNIST networks.

    "features" is what the last layer sees, `(batch, 64)`, smooth and at least -0.28 each;
    "logits" is `(batch, 10)`.

    Args:
        name: str. Defaults to `"mnist"`.

    Raises:
        ValueError: when called, if the images are not 28x28 in one channel.

    Example:
    >>> network = kgan.metrics.features.get("mnist")
    >>> {name: x.shape for name, x in network(np.zeros((2, 28, 28, 1), "float32")).items()}
    {'features': TensorShape([2, 64]), 'logits': TensorShape([2, 10])}
    """

    outputs = ("features", "logits")

    def call(self, images):
        """Returns features and logits of float32 images `(batch, 28, 28, 1)` in [-1, 1]."""
        if tuple(images.shape[1:]) != IMAGE_SHAPE:
            raise ValueError(
                "The MNIST features take grey images of 28x28, (batch, 28, 28, 1). "
                f"Received: images of shape {tuple(images.shape)}"
            )
        return classify(images, load(WEIGHTS))

    def weights(self):
        """Returns the arrays of the file that comes with the package."""
        return list(load(WEIGHTS).values())


def classify(images, weights):
    """Returns features and logits of images, as a dict.

    Args:
        images: float32 tensor `(batch, 28, 28, 1)` in [-1, 1].
        weights: dict of float32 arrays, as of `load`.

    Example:
    >>> images = np.zeros((2, 28, 28, 1), "float32")
    >>> classify(images, load(WEIGHTS))["logits"].shape
    TensorShape([2, 10])
    """
    # The paper is 0, and so is what the convolutions see around it.
    x = (images + 1) / 2
    for i, (_, stride) in enumerate(CONVOLUTIONS):
        x = ops.conv(x, weights[f"convolution_{i}/kernel"], stride, padding="same")
        x = ops.silu(x + weights[f"convolution_{i}/bias"])
    x = ops.reshape(x, (-1, weights["features/kernel"].shape[0]))
    features = ops.silu(x @ weights["features/kernel"] + weights["features/bias"])
    logits = features @ weights["logits/kernel"] + weights["logits/bias"]
    return {"features": features, "logits": logits}


@functools.cache
def load(path):
    """Returns the classifier's weights as a dict of float32 arrays, read once a process.

    Args:
        path: str or `os.PathLike`, a file of `save`.

    Example:
    >>> load(WEIGHTS)["logits/kernel"].shape
    (64, 10)
    """
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name].astype("float32") for name in sorted(stored.files)}
