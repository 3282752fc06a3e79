"""The pixels themselves."""

import math

import keras
from keras import ops

from kgan.metrics.features.base import FEATURES, FeatureNetwork


@keras.saving.register_keras_serializable(package="kgan")
@FEATURES.register
class Pixels(FeatureNetwork):
    """The pixels in a row, in [0, 1] as papers that compare pixels have them.

    So Parzen windows do since Goodfellow et al. 2014 (arXiv 1406.2661, section 5). "features" is
    (x + 1) / 2, `(batch, height * width * channels)`, of images x of any size and channels.

    Args:
        name: str. Defaults to `"pixels"`.

    Example:
    >>> network = kgan.metrics.features.Pixels()
    >>> float(network(np.ones((1, 2, 2, 1), "float32"))["features"][0, 0])
    1.0
    """

    def call(self, images):
        """Returns `features` `(batch, height * width * channels)`."""
        return {"features": ops.reshape((images + 1) / 2, (-1, math.prod(images.shape[1:])))}
