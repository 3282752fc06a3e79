"""The Keras 3 / TensorFlow home of GANs: a library and a model zoo."""

import os

# TensorFlow's C++ start-up notes (oneDNN, CPU features) are not news to who trains a GAN. This
# must stand before the first import of TensorFlow; a value that the user has set wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from kgan import backbones, layers, losses, penalties  # noqa: E402
from kgan.gan import GAN  # noqa: E402
from kgan.version import __version__  # noqa: E402

__all__ = ["GAN", "__version__", "backbones", "layers", "losses", "penalties"]
