"""What looks at images for a metric."""

import hashlib
import json

import keras
import numpy as np
from keras import ops

from kgan.registry import Registry, snake_case

FEATURES = Registry("feature network")
# What errors about weights that cannot be fetched end with.
OFFLINE = "Features that need no network: 'pixels', 'mnist' and any model, 'keras_model:PATH'."


class FeatureNetwork:
    """Base of what turns images into the numbers that metrics compare.

    A subclass writes `call`, lists its `outputs`, and lets `weights` return what identifies it.
    Numbers computed with different networks do not compare.

    Args:
        name: str. Defaults to the class name in snake case.

    Example:
    >>> network = kgan.metrics.features.get("pixels")
    >>> network(np.zeros((2, 8, 8, 1), "float32"))["features"].shape
    TensorShape([2, 64])
    """

    # What `call` returns: "features", and "logits" where it is a classifier.
    outputs = ("features",)

    def __init__(self, name=None):
        self.name = name or snake_case(type(self).__name__)

    def __call__(self, images):
        """Returns the outputs for a batch, a dict of float32 tensors `(batch, dim)`.

        Args:
            images: float `(batch, height, width, channels)` in [-1, 1].

        Raises:
            ValueError: if they are no images, or not of a size or number of channels that the
                network takes.
        """
        images = ops.convert_to_tensor(images)
        dtype = keras.backend.standardize_dtype(images.dtype)
        if len(images.shape) != 4 or not keras.backend.is_float_dtype(dtype):
            raise ValueError(
                f"{type(self).__name__} looks at images, floats in [-1, 1] of shape "
                f"(batch, height, width, channels). Received: {dtype} {tuple(images.shape)}"
            )
        outputs = self.call(ops.cast(images, "float32"))
        return {name: ops.cast(outputs[name], "float32") for name in self.outputs}

    def call(self, images):
        """Returns the outputs for a batch of float32 images in [-1, 1], as a dict."""
        raise NotImplementedError(f"{type(self).__name__} must implement call().")

    def weights(self):
        """Returns the arrays that, with the config, identify this network."""
        return []

    def key(self):
        """Returns a str that is the same for equal networks only, for caches on disk."""
        digest = hashlib.sha256(json.dumps(self.get_config(), sort_keys=True, default=str).encode())
        for array in self.weights():
            digest.update(np.ascontiguousarray(array).tobytes())
        return f"{snake_case(type(self).__name__)}-{digest.hexdigest()[:16]}"

    def get_config(self):
        """Returns the arguments that make an equal network."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config):
        """Makes the network that `get_config` described."""
        return cls(**config)

    def __repr__(self):
        return f"{type(self).__name__}(name={self.name!r})"


def rgb(network, images):
    """Returns images with three channels, of which grey ones have three times the same.

    Args:
        network: `FeatureNetwork`, for the message.
        images: tensor `(batch, height, width, channels)`.

    Raises:
        ValueError: if there are neither one nor three channels.
    """
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise ValueError(
            f"The {network.name!r} features take images of 3 channels (RGB) or 1 (grey). "
            f"Received: images of shape {tuple(images.shape)}"
        )
    return images if channels == 3 else ops.repeat(images, 3, axis=-1)
