"""The Keras 3 / TensorFlow home of GANs: a library and a model zoo."""

import os

from kgan.quiet import quiet_start

# TensorFlow's notes on the processor's features are not news to who trains a GAN. This must stand
# before its first import; a value that the user has set wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

with quiet_start():
    import tensorflow  # noqa: F401

from kgan import backbones, layers, losses, penalties  # noqa: E402
from kgan.gan import GAN  # noqa: E402
from kgan.version import __version__  # noqa: E402

__all__ = ["GAN", "__version__", "backbones", "layers", "losses", "penalties"]
