"""The most operations a second that a machine does: what a step's are a fraction of."""

import tensorflow as tf
from common import alternate
from flops import count

# Sides of square matrices; and the batch, side, channels and kernel of convolutions with padding.
MATRICES = {"CPU": (512, 1024, 2048), "GPU": (2048, 4096, 8192)}
CONVOLUTIONS = {
    "CPU": ((64, 28, 64, 3), (64, 14, 128, 3), (32, 16, 256, 3), (64, 16, 128, 5)),
    "GPU": ((256, 32, 128, 3), (256, 32, 256, 3), (512, 16, 512, 3), (256, 32, 256, 5)),
}


def measure(dtype, rounds=5, quick=False):
    """Returns the most operations a second of a plain matrix product and a plain convolution.

    Each shape runs as a `tf.function` of four in a row, with and without XLA; the best round of the
    best one counts: what disturbs a round is no property of the machine.

    Args:
        dtype: str, a dtype or a Keras policy, of which the compute dtype counts.
        rounds: int >= 1. Defaults to 5.
        quick: bool, the first shape of each alone. Defaults to False.
    """
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    dtype = dtype.removeprefix("mixed_")
    keep = slice(1 if quick else None)
    matrices = [_matrix_case(side, dtype) for side in MATRICES[kind][keep]]
    convolutions = [_convolution_case(*sides, dtype) for sides in CONVOLUTIONS[kind][keep]]
    return {
        "matrix_product": max((_speed(*case, rounds) for case in matrices), key=_flops),
        "convolution": max((_speed(*case, rounds) for case in convolutions), key=_flops),
    }


def _flops(result):
    return result["flops_per_second"]


def _matrix_case(side, dtype):
    first = tf.cast(tf.random.normal((side, side)) / side**0.5, dtype)
    return f"{side}x{side} by {side}x{side}", lambda x: x @ first, first


def _convolution_case(batch, side, channels, kernel, dtype):
    weights = tf.random.normal((kernel, kernel, channels, channels)) / (kernel * channels**0.5)
    weights = tf.cast(weights, dtype)
    images = tf.cast(tf.random.normal((batch, side, side, channels)), dtype)
    name = f"{batch}x{side}x{side}x{channels}, {kernel}x{kernel}"
    return name, lambda x: tf.nn.conv2d(x, weights, 1, "SAME"), images


def _speed(name, operation, start, rounds):
    def four(x):
        for _ in range(4):
            x = operation(x)
        return x

    functions = {xla: tf.function(four, jit_compile=xla, autograph=False) for xla in (False, True)}
    operations = count(functions[False].get_concrete_function(start))
    ways = {xla: lambda f=f: f(start).numpy() for xla, f in functions.items()}
    seconds = {xla: min(spent) for xla, spent in alternate(ways, rounds).items()}
    xla = min(seconds, key=seconds.get)
    return {"shape": name, "xla": xla, "flops_per_second": operations / seconds[xla]}
