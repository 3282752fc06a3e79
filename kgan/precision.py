"""Computing in float32 where a network's own policy computes in less."""

import contextlib
import threading

import keras

HALF = ("float16", "bfloat16")


class _Float32InThreads(keras.DTypePolicy):
    """A layer's own policy, but computing in float32 in the threads that asked for it.

    Replicas are traced in threads of their own, which take turns wherever they exchange something:
    one may be in the middle of a call in float32 while another makes a call that is not.

    Args:
        layer: built `keras.layers.Layer`.
    """

    def __init__(self, layer):
        self.own = layer._dtype_policy  # of several layers, where it is a DTypePolicyMap
        self.threads = []
        self._half = layer.compute_dtype
        super().__init__(f"mixed_{self._half}")
        self._variable_dtype = layer.variable_dtype

    @property
    def compute_dtype(self):
        return "float32" if threading.get_ident() in self.threads else self._half


@contextlib.contextmanager
def float32(network):
    """Within it, calls of a network compute in float32, whatever the policies of its layers.

    A penalty's gradients are far smaller than those that train a network, and no loss scaling
    reaches them: in float16 they would vanish. Layers that compute in float32 or float64 by their
    own choice stay as they are, and other threads notice nothing.

    Args:
        network: built `keras.Model` or layer.
    """
    halves = [layer for layer in network._flatten_layers() if layer.compute_dtype in HALF]
    thread = threading.get_ident()
    for layer in halves:
        if not isinstance(layer._dtype_policy, _Float32InThreads):
            layer._dtype_policy = _Float32InThreads(layer)
        layer._dtype_policy.threads.append(thread)
    try:
        yield
    finally:
        for layer in halves:
            layer._dtype_policy.threads.remove(thread)
            if not layer._dtype_policy.threads:
                layer._dtype_policy = layer._dtype_policy.own
