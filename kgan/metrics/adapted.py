"""Metrics that know more than reals and fakes: images which they are told of beforehand."""

import numpy as np
from keras import ops

from kgan.metrics.base import GANMetric

# How many images a network looks at together.
_BATCH = 1000


class AdaptedMetric(GANMetric):
    """Base of a metric that looks at a third kind of images, of the split that `adapts_to` names.

    They are no part of the config: a loaded metric needs them again.

    Args:
        features: as in `GANMetric`. Defaults to None.
        name: str. Defaults to the class name in snake case.
        dtype: as in Keras.
    """

    # How many images are kept; None keeps all.
    most_adapted = None

    def __init__(self, features=None, name=None, dtype=None):
        super().__init__(features=features, name=name, dtype=dtype)
        # What `adapt` was given, float32 `(n, dim)`, or None.
        self.adapted = None

    def adapt(self, images):
        """Takes in the images that this metric knows beforehand, in place of others.

        Args:
            images: float `(n, height, width, channels)` in [-1, 1], features `(n, dim)` where the
                metric has no network, a tuple of these and their labels, or a dataset of batches
                of either.

        Raises:
            ValueError: if there are none, not of one shape, or NaN or infinity among them.
        """
        parts, missing = [], self.most_adapted or np.inf
        for batch in _batches(images):
            values = self._check(self.adapts_to, self.extract(batch))
            parts.append(ops.convert_to_numpy(ops.cast(values, "float32")))
            missing -= len(values)
            if missing <= 0:
                break
        shapes = sorted({str(part.shape[1:]) for part in parts})
        if len(shapes) > 1:
            raise ValueError(
                f"The {self.adapts_to} images must be of one shape. "
                f"Received: {self.looks_at} of shapes {' and '.join(shapes)}"
            )
        adapted = np.concatenate(parts)[: self.most_adapted] if parts else np.zeros((0, 0))
        if not adapted.size or not np.isfinite([adapted.min(), adapted.max()]).all():
            raise ValueError(
                f"adapt needs {self.adapts_to} images, all finite. Received: {len(adapted)} images"
                f"{', NaN or infinity among them' * bool(len(adapted))}"
            )
        self.adapted = adapted


def _batches(images):
    """Returns batches of images, without labels, of an array or a dataset of these."""
    if isinstance(images, tuple) and len(images) == 2:
        images = images[0]
    if hasattr(images, "shape"):
        return (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))
    return (batch[0] if isinstance(batch, (tuple, list)) else batch for batch in images)
