"""Computing in float32 where a network's own policy computes in less."""

import contextlib

HALF = ("float16", "bfloat16")


@contextlib.contextmanager
def float32(network):
    """Within it, calls of a network compute in float32, whatever the policies of its layers.

    A penalty's gradients are far smaller than those that train a network, and no loss scaling
    reaches them: in float16 they would vanish.

    Args:
        network: built `keras.Model` or layer.
    """
    halves = [layer for layer in network._flatten_layers() if layer.compute_dtype in HALF]
    policies = [layer.dtype_policy for layer in halves]
    try:
        for layer in halves:
            layer.dtype_policy = "float32"
        yield
    finally:
        for layer, policy in zip(halves, policies, strict=True):
            layer.dtype_policy = policy
