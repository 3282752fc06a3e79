"""Names and paths of images to `tf.data.Dataset`s of `(image in [-1, 1], label)`."""

from kgan.data.semi_supervised import SemiSupervised
from kgan.data.source import ImageSource, load

__all__ = ["ImageSource", "SemiSupervised", "load"]
