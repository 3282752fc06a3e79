"""Floating-point operations: how many a compiled function has, and the most a machine does.

Matrix products and convolutions count, with 2 operations for a product and its sum, on the shapes
that TensorFlow has traced; padding counts as any other input, as in papers. All else (activations,
norms, optimizers) is left out: it is less than a hundredth of a convolutional step's operations.
"""

import math
import statistics

import tensorflow as tf
from common import alternate

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
CONDITIONALS = ("If", "StatelessIf")
LOOPS = ("While", "StatelessWhile")


def _matrix_product(operation):
    first, transposed = operation.inputs[0].shape, operation.get_attr("transpose_a")
    return operation.outputs[0].shape.num_elements() * first[-2 if transposed else -1]


def _batched_matrix_product(operation):
    first, transposed = operation.inputs[0].shape, operation.get_attr("adj_x")
    return operation.outputs[0].shape.num_elements() * first[-2 if transposed else -1]


def _einsum(operation):
    sides = {}
    terms = operation.get_attr("equation").decode().split("->")[0].split(",")
    for term, value in zip(terms, operation.inputs, strict=True):
        if "." in term:
            raise ValueError(f"Expected an einsum without an ellipsis. Received: {operation}")
        sides |= dict(zip(term, value.shape, strict=True))
    return math.prod(sides.values()) if len(terms) > 1 else 0


def _convolution(low, kernel):
    """A convolution and its two gradients multiply alike: each output with a window of inputs.

    Args:
        low: function of an operation to the tensor on the output's side of the convolution.
        kernel: function of an operation to the kernel, or to its gradient.
    """

    def count(operation):
        # The last side of a kernel is that of the output's channels, which `low` has as well.
        window = kernel(operation).shape[:-1].num_elements()
        return low(operation).shape.num_elements() * window

    return count


def _depthwise(low, kernel):
    def count(operation):
        return low(operation).shape.num_elements() * kernel(operation).shape[:2].num_elements()

    return count


def _input(number):
    return lambda operation: operation.inputs[number]


def _output(operation):
    return operation.outputs[0]


# Products of each kind of operation.
PRODUCTS = {
    "MatMul": _matrix_product,
    "BatchMatMul": _batched_matrix_product,
    "BatchMatMulV2": _batched_matrix_product,
    "Einsum": _einsum,
    "Conv2D": _convolution(_output, _input(1)),
    "Conv2DBackpropInput": _convolution(_input(2), _input(1)),
    "Conv2DBackpropFilter": _convolution(_input(2), _output),
    "DepthwiseConv2dNative": _depthwise(_output, _input(1)),
    "DepthwiseConv2dNativeBackpropInput": _depthwise(_input(2), _input(1)),
    "DepthwiseConv2dNativeBackpropFilter": _depthwise(_input(2), _output),
}


def count(function):
    """Returns the operations of a call, a float: what a lazy penalty adds counts by its share.

    What no output and no side effect depends on is not computed, and does not count.

    Args:
        function: `tf.types.experimental.ConcreteFunction`, not compiled by XLA.

    Raises:
        ValueError: if there is an operation whose number is not known.
    """
    return _count(function.graph, function.graph.outputs)


def _count(graph, outputs):
    used = _used(outputs, graph.control_outputs)
    return sum(_count_one(graph, operation, numbers) for operation, numbers in used.items())


def _used(tensors, operations):
    """Returns the operations that are needed, each with the set of its outputs that are read."""
    used, left = {}, [(operation, None) for operation in operations]
    left += [(tensor.op, tensor.value_index) for tensor in tensors]
    while left:
        operation, number = left.pop()
        if operation not in used:
            used[operation] = set()
            left += [(tensor.op, tensor.value_index) for tensor in operation.inputs]
            left += [(before, None) for before in operation.control_inputs]
        if number is not None:
            used[operation].add(number)
    return used


def _count_one(graph, operation, numbers):
    if operation.type in PRODUCTS:
        return 2.0 * PRODUCTS[operation.type](operation)
    if operation.type in CALLS:
        return _count_called(graph, operation, "f", numbers)
    if operation.type in CONDITIONALS:
        due, idle = (
            _count_called(graph, operation, f"{branch}_branch", numbers)
            for branch in ("then", "else")
        )
        return due if due == idle else idle + (due - idle) / _period(operation.inputs[0].op)
    if operation.type in LOOPS and not _count_called(graph, operation, "body", numbers):
        return 0.0
    if operation.type in LOOPS or "Conv" in operation.type or "MatMul" in operation.type:
        raise ValueError(f"Expected one of {sorted(PRODUCTS)}. Received: {operation.type}")
    return 0.0


def _count_called(graph, operation, attribute, numbers):
    called = graph._get_function(operation.get_attr(attribute).name).graph
    return _count(called, [called.outputs[number] for number in numbers])


def _period(predicate):
    """Returns the k of `step % k == 0`, which decides when a lazy penalty is due."""
    if predicate.type == "Equal" and predicate.inputs[0].op.type == "FloorMod":
        period, rest = predicate.inputs[0].op.inputs[1], predicate.inputs[1]
        period, rest = tf.get_static_value(period), tf.get_static_value(rest)
        if period is not None and rest == 0:
            return int(period)
    raise ValueError(f"Expected a condition step % k == 0. Received: {predicate}")


# --- The roofline -------------------------------------------------------------------------------

# Sides of square matrices; and the batch, side, channels and kernel of convolutions with padding.
MATRICES = {"CPU": (512, 1024, 2048), "GPU": (2048, 4096, 8192)}
CONVOLUTIONS = {
    "CPU": ((64, 28, 64, 3), (64, 14, 128, 3), (32, 16, 256, 3), (64, 16, 128, 5)),
    "GPU": ((256, 32, 128, 3), (256, 32, 256, 3), (512, 16, 512, 3), (256, 32, 256, 5)),
}


def roofline(dtype, rounds=5, quick=False):
    """Returns the most operations a second of a plain matrix product and a plain convolution.

    Each shape runs as a `tf.function` of four in a row, with and without XLA; the median round of
    the best one counts.

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
    seconds = {xla: statistics.median(s) for xla, s in alternate(ways, rounds).items()}
    xla = min(seconds, key=seconds.get)
    return {"shape": name, "xla": xla, "flops_per_second": operations / seconds[xla]}
