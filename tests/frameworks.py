"""Gradients and compiled functions for tests, whatever the backend; and what is TensorFlow's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

BACKEND = keras.backend.backend()


def tensorflow_only(reason):
    """Returns the mark of a test, or of a file's `pytestmark`, that has nothing to say elsewhere.

    Args:
        reason: str, what in it is TensorFlow's alone.
    """
    return pytest.mark.skipif(BACKEND != "tensorflow", reason=f"TensorFlow only: {reason}")


def gradients(function, tensors):
    """Returns the gradients of a scalar function at these tensors or arrays, zeros where none.

    Args:
        function: callable, of as many tensors as there are.
        tensors: list of float arrays or tensors.
    """
    tensors = [keras.ops.convert_to_tensor(x) for x in tensors]
    if BACKEND == "jax":
        import jax

        def stateless(x):  # What is assigned means nothing outside of what JAX traces.
            with keras.StatelessScope():
                return function(*x)

        return [np.asarray(x) for x in jax.grad(stateless)(tensors)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    return [np.asarray(x) for x in tape.gradient(value, tensors, unconnected_gradients="zero")]


def variable_gradients(function, variables):
    """Returns the gradients of a scalar with respect to variables, zeros where it has none.

    Args:
        function: callable without arguments.
        variables: list of `keras.Variable`.
    """
    if BACKEND == "jax":

        def of_values(*values):
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return function()

        return gradients(of_values, [v.value for v in variables])
    values = [v.value for v in variables]
    with tf.GradientTape() as tape:
        value = function()
    return [
        np.asarray(tf.convert_to_tensor(x))
        for x in tape.gradient(value, values, unconnected_gradients="zero")
    ]


def xla(function):
    """Returns a function of arrays, compiled by XLA."""
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    compiled = tf.function(function, jit_compile=True)
    return lambda *inputs: compiled(*keras.tree.map_structure(tf.constant, inputs))
