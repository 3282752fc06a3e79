"""The classifier of handwritten digits, asked about each colour of an image."""

import keras
from keras import ops

from kgan.metrics.features import mnist
from kgan.metrics.features.base import FEATURES, FeatureNetwork

IMAGE_SHAPE = (*mnist.IMAGE_SHAPE[:2], 3)


@keras.saving.register_keras_serializable(package="kgan")
@FEATURES.register
class StackedMNIST(FeatureNetwork):
    """The digits in red, green and blue, for `kgan.data`'s `"stacked_mnist"` of 1,000 classes.

    Each channel is seen by the `"mnist"` network. The log-probability of class 100 r + 10 g + b is
    log p(r | red) + log p(g | green) + log p(b | blue), and so the likeliest class has the
    likeliest digit of each: Metz et al. 2016, "Unrolled Generative Adversarial Networks" (arXiv
    1611.02163, section 3.3.1), count modes in this way.

    "features" is the three channels' in a row, `(batch, 192)`; "logits" is `(batch, 1000)`.

    Args:
        name: str. Defaults to `"stacked_mnist"`.

    Raises:
        ValueError: when called, if the images are not 28x28 in three channels.

    Example:
    >>> network = kgan.metrics.features.get("stacked_mnist")
    >>> {name: x.shape for name, x in network(np.zeros((2, 28, 28, 3), "float32")).items()}
    {'features': TensorShape([2, 192]), 'logits': TensorShape([2, 1000])}
    """

    outputs = ("features", "logits")

    def call(self, images):
        """Returns features and logits of float32 images `(batch, 28, 28, 3)` in [-1, 1]."""
        if tuple(images.shape[1:]) != IMAGE_SHAPE:
            raise ValueError(
                "The stacked MNIST features take images of 28x28 in three channels, (batch, 28, "
                f"28, 3). Received: images of shape {tuple(images.shape)}"
            )
        digits = ops.reshape(ops.transpose(images, (0, 3, 1, 2)), (-1, *mnist.IMAGE_SHAPE))
        seen = mnist.classify(digits, mnist.load(mnist.WEIGHTS))
        log_p = ops.log_softmax(seen["logits"], axis=-1)
        red, green, blue = ops.unstack(ops.reshape(log_p, (-1, 3, mnist.NUM_CLASSES)), axis=1)
        logits = red[:, :, None, None] + green[:, None, :, None] + blue[:, None, None, :]
        return {
            "features": ops.reshape(seen["features"], (-1, 3 * mnist.FEATURE_DIM)),
            "logits": ops.reshape(logits, (-1, mnist.NUM_CLASSES**3)),
        }

    def weights(self):
        """Returns the arrays of the file that comes with the package."""
        return list(mnist.load(mnist.WEIGHTS).values())
