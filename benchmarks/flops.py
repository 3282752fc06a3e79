"""Floating-point operations: how many a compiled function has.

Matrix products and convolutions count, with 2 operations for a product and its sum, on the shapes
that TensorFlow has traced; padding counts as any other input, as in papers. All else (activations,
norms, optimizers) is left out: it is less than a hundredth of a convolutional step's operations.
"""

import math

import tensorflow as tf

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
    return _Body(function.graph).count(function.graph.outputs)


class _Body:
    """A traced function, as it is called at one place.

    Args:
        graph: its `FuncGraph`.
        given: list of tensors of the outermost function, what its inputs are there; None for the
            outermost function itself. Defaults to None.
        decided: dict, by the `ref()` of a condition in the outermost function, whether it holds
            here. Defaults to none.
    """

    def __init__(self, graph, given=None, decided=None):
        self.graph = graph
        self.given = {x.ref(): y for x, y in zip(graph.inputs, given or graph.inputs, strict=True)}
        self.decided = decided or {}

    def count(self, outputs):
        """Returns the operations on which these outputs, and side effects, depend."""
        used = _used(outputs, self.graph.control_outputs)
        return sum(self._count_one(operation, numbers) for operation, numbers in used.items())

    def _count_one(self, operation, numbers):
        if operation.type in PRODUCTS:
            return 2.0 * PRODUCTS[operation.type](operation)
        if operation.type in CALLS:
            return self._count_called("f", operation, numbers, operation.inputs)
        if operation.type in CONDITIONALS:
            return self._count_conditional(operation, numbers)
        is_loop = operation.type in LOOPS
        if is_loop and not self._count_called("body", operation, numbers, operation.inputs):
            return 0.0
        if is_loop or "Conv" in operation.type or "MatMul" in operation.type:
            raise ValueError(f"Expected one of {sorted(PRODUCTS)}. Received: {operation.type}")
        return 0.0

    def _count_conditional(self, operation, numbers):
        condition, *inputs = operation.inputs
        condition = self._origin(condition)
        due, idle = (
            self._count_called(branch, operation, numbers, inputs, {condition.ref(): holds})
            for branch, holds in (("then_branch", True), ("else_branch", False))
        )
        if condition.ref() in self.decided:
            return due if self.decided[condition.ref()] else idle
        return due if due == idle else idle + (due - idle) / _period(condition.op)

    def _count_called(self, attribute, operation, numbers, inputs, decided=()):
        body = self._called(attribute, operation, inputs, decided)
        return body.count([body.graph.outputs[number] for number in numbers])

    def _called(self, attribute, operation, inputs, decided=()):
        graph = self.graph._get_function(operation.get_attr(attribute).name).graph
        return _Body(graph, list(map(self._origin, inputs)), self.decided | dict(decided))

    def _origin(self, tensor):
        """Follows a tensor out of, and into, what only hands it on."""
        operation = tensor.op
        if operation.type == "Identity":
            return self._origin(operation.inputs[0])
        if operation.type in CALLS:
            body = self._called("f", operation, operation.inputs)
            return body._origin(body.graph.outputs[tensor.value_index])
        return self.given.get(tensor.ref(), tensor)


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


def _period(condition):
    """Returns the k of `step % k == 0`, which decides when a lazy penalty is due."""
    if condition.type == "Equal" and condition.inputs[0].op.type == "FloorMod":
        period, rest = condition.inputs[0].op.inputs[1], condition.inputs[1]
        period, rest = tf.get_static_value(period), tf.get_static_value(rest)
        if period is not None and rest == 0:
            return int(period)
    raise ValueError(f"Expected a condition step % k == 0. Received: {condition.name}")
