"""The Keras 3 / TensorFlow home of GANs: a library and a model zoo."""

import os

from kgan.quiet import hidden, quiet_start, unused

# What TensorFlow's C++ code logs is not news to who trains a GAN: even at its level "error" come
# notes of its graph optimizers, while real errors reach Python as exceptions. This must stand
# before its first import; a value that the user has set wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

with quiet_start(), hidden(*unused()):
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

from kgan import (  # noqa: E402
    augment,
    backbones,
    callbacks,
    data,
    dynamics,
    games,
    grid,
    layers,
    losses,
    metrics,
    optimizers,
    penalties,
)
from kgan.gan import GAN  # noqa: E402
from kgan.loading import load_gan  # noqa: E402
from kgan.round import Round  # noqa: E402
from kgan.version import __version__  # noqa: E402

__all__ = [
    "GAN",
    "Round",
    "__version__",
    "augment",
    "backbones",
    "callbacks",
    "data",
    "dynamics",
    "games",
    "grid",
    "layers",
    "load_gan",
    "losses",
    "metrics",
    "optimizers",
    "penalties",
]
