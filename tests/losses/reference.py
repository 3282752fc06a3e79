"""The formulas' building blocks in float64 NumPy."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, "float64")))


def log_d(x):
    """log D, D = sigmoid(x)."""
    return -np.logaddexp(0, -np.asarray(x, "float64"))


def log_not_d(x):
    """log(1 - D)."""
    return -np.logaddexp(0, np.asarray(x, "float64"))


def relu(x):
    return np.maximum(0, x)
