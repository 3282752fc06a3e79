"""Images to features and logits, as published numbers are computed."""

import os

import keras
from keras import ops

from kgan.metrics.features.base import FEATURES, FeatureNetwork, rgb
from kgan.metrics.features.inception_2015.graph import IMAGE_SIZE, build_inception
from kgan.metrics.features.inception_2015.resize import resize_tf1_bilinear
from kgan.metrics.features.inception_2015.weights import fetch_weights, load_weights


@keras.saving.register_keras_serializable(package="kgan")
@FEATURES.register
class Inception2015(FeatureNetwork):
    """The network that published FIDs and Inception Scores are computed with.

    Images are rounded to 8 bits, as one would save them; grey ones are repeated in three
    channels; pixels p in [0, 255] are resized to 299x299 as TensorFlow 1 did it, and become
    (p - 128) / 128. "features" is the average pool (`pool_3:0` in the graph), `(batch, 2048)`;
    "logits" is `(batch, 1008)`, without the bias of the last layer, since the published
    Inception Scores are computed so (Salimans et al. 2016, arXiv 1606.03498).

    Which numbers compare with which is said in `kgan.metrics.features.inception_2015`.

    Args:
        checkpoint: `"published"`, the graph's own weights in PyTorch's port, which are fetched
            once (91 MiB); the path of such a file; or None, random weights, for tests. Defaults
            to `"published"`.
        name: str. Defaults to `"inception_2015"`.

    Raises:
        FileNotFoundError: if the weights are neither in Keras's cache nor to be fetched.
        ValueError: if a file is not that of such weights; when called, if the images have
            neither one nor three channels, or no known size.

    Example:
    >>> network = kgan.metrics.features.get("inception_2015:checkpoint=None")
    >>> {name: x.shape for name, x in network(np.zeros((2, 32, 32, 3), "float32")).items()}
    {'features': TensorShape([2, 2048]), 'logits': TensorShape([2, 1008])}
    """

    outputs = ("features", "logits")

    def __init__(self, checkpoint="published", name=None):
        super().__init__(name=name)
        path = fetch_weights() if checkpoint == "published" else checkpoint
        self.network = build_inception()
        if path is not None:
            load_weights(self.network, path)

        # === Config ===
        self.checkpoint = None if checkpoint is None else os.fspath(checkpoint)

    def call(self, images):
        """Returns the outputs for float32 images in [-1, 1]."""
        features, logits = self.network(self.prepare(images), training=False)
        # Rectifiers turn NaN into zero on some devices, and a number would come of it.
        is_image = ops.all(ops.isfinite(images), axis=(1, 2, 3))[:, None]
        nan = float("nan")
        return {
            "features": ops.where(is_image, features, nan),
            "logits": ops.where(is_image, logits, nan),
        }

    def prepare(self, images):
        """Returns images in [-1, 1] as the network takes them, `(batch, 299, 299, 3)`."""
        if None in images.shape[1:3]:
            raise ValueError(
                f"The {self.name!r} features take images of a known size. "
                f"Received: images of shape {tuple(images.shape)}"
            )
        pixels = ops.round((ops.clip(rgb(self, images), -1, 1) + 1) * 127.5)
        return (resize_tf1_bilinear(pixels, (IMAGE_SIZE, IMAGE_SIZE)) - 128) / 128

    def weights(self):
        """Returns what identifies the network: all of its weights."""
        return [ops.convert_to_numpy(weight) for weight in self.network.weights]

    def get_config(self):
        """Returns the arguments that make an equal network."""
        return {**super().get_config(), "checkpoint": self.checkpoint}
