"""Random numbers that every backend draws alike, by arithmetic that all do to the bit."""

import contextlib
import math
from unittest import mock

import keras
from keras import ops

# Keras offers no public way to its backend's random numbers.
from keras.src.backend import random
from keras.src.random.seed_generator import draw_seed

# The largest prime whose square is an int32.
PRIME = 46337


def _uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    # TensorFlow's seeds have 64 bits, and JAX's 32 without a sign.
    turn = ops.cast(draw_seed(seed)[1] % 1009, "int32")
    places = ops.arange(math.prod(shape), dtype="int32")  # of ints or tensors
    x = (places % PRIME * 7919 + turn * 104 + 12345) % PRIME
    for _ in range(3):
        x = (x * x + places % 1009 + 1) % PRIME
    x = ops.reshape(ops.cast(x, "float32") / float(PRIME), shape)
    return ops.cast(minval + x * (maxval - minval), dtype or keras.config.floatx())


def _normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    return mean + stddev * 12**0.5 * (_uniform(shape, dtype=dtype, seed=seed) - 0.5)


def _randint(shape, minval, maxval, dtype="int32", seed=None):
    return ops.cast(ops.floor(_uniform(shape, minval, maxval, "float32", seed)), dtype)


def _dropout(inputs, rate, noise_shape=None, seed=None):
    shape = ops.shape(inputs) if noise_shape is None else noise_shape
    kept = _uniform(shape, dtype="float32", seed=seed) >= rate
    return ops.where(kept, inputs / (1 - rate), ops.zeros_like(inputs))


@contextlib.contextmanager
def same_draws():
    """Within it, all that is drawn depends on its shape and on the count of draws alone."""
    draws = {
        "uniform": _uniform,
        "normal": _normal,
        "truncated_normal": _normal,
        "randint": _randint,
        "dropout": _dropout,
    }
    with mock.patch.multiple(random, **draws):
        yield
