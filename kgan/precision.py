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
        super().__init__("float32")
        self.own = layer._dtype_policy  # of several layers, where it is a DTypePolicyMap
        self.own_compute_dtype = layer.compute_dtype
        self._variable_dtype = layer.variable_dtype
        self.threads = []

    @property
    def compute_dtype(self):
        return "float32" if threading.get_ident() in self.threads else self.own_compute_dtype


def _is_half(layer):
    """A Sequential gives its input, which has no policy, what its first layer computes in."""
    dtype = layer.dtype if isinstance(layer, keras.layers.InputLayer) else layer.compute_dtype
    return dtype in HALF or isinstance(layer._dtype_policy, _Float32InThreads)


def _enter(layer, thread):
    if not isinstance(layer._dtype_policy, _Float32InThreads):
        layer._dtype_policy = _Float32InThreads(layer)
        if isinstance(layer, keras.layers.InputLayer):
            # Other threads need no turn here: their first layer casts if its input does not.
            layer._dtype_policy.own_dtype = layer.dtype
            _set_input_dtype(layer, "float32")
    layer._dtype_policy.threads.append(thread)


def _leave(layer, thread):
    policy = layer._dtype_policy
    policy.threads.remove(thread)
    if not policy.threads:
        layer._dtype_policy = policy.own
        if isinstance(layer, keras.layers.InputLayer):
            _set_input_dtype(layer, policy.own_dtype)


def _set_input_dtype(layer, dtype):
    layer._dtype = layer.output._dtype = dtype


@contextlib.contextmanager
def float32(network):
    """Within it, calls of a network compute in float32, whatever the policies of its layers.

    A penalty's gradients are far smaller than those that train a network, and no loss scaling
    reaches them: in float16 they would vanish. Layers that compute in float32 or float64 by their
    own choice stay as they are, and other threads notice nothing.

    Args:
        network: built `keras.Model` or layer.
    """
    halves = [layer for layer in network._flatten_layers() if _is_half(layer)]
    thread = threading.get_ident()
    for layer in halves:
        _enter(layer, thread)
    try:
        yield
    finally:
        for layer in halves:
            _leave(layer, thread)
