"""Checks that every feature network must pass: a new one gets them all by naming itself."""

import inspect
import json

import keras
import numpy as np
import tensorflow as tf

import kgan
from tests.conformance import POLICIES, check_docstring


def run_features_test(cls, init_kwargs, images, expected_dims, wrong_images=()):
    """Checks outputs, batches, graphs, precisions, config, key, errors and docstring.

    Args:
        cls: subclass of `kgan.metrics.features.FeatureNetwork`.
        init_kwargs: dict. Arguments of its constructor.
        images: float32 array `(5, height, width, channels)` in [-1, 1].
        expected_dims: dict of int. The width of each output.
        wrong_images: list of arrays that it must refuse.
    """
    network = cls(**init_kwargs)
    assert kgan.metrics.features.names().count(network.name) == 1
    expected = check_outputs(network, images, expected_dims)
    check_batches(network, images, expected)
    check_graphs(network, images, expected)
    check_precisions(cls, init_kwargs, images, expected)
    check_config(cls, init_kwargs)
    check_key(cls, init_kwargs)
    for wrong in wrong_images:
        check_refuses(network, wrong)
    check_docstring(cls)


def check_outputs(network, images, expected_dims):
    """What is returned is finite, float32, the same each time, and differs between images."""
    outputs = network(images)
    assert tuple(outputs) == network.outputs
    assert {name: tuple(x.shape) for name, x in outputs.items()} == {
        name: (len(images), dim) for name, dim in expected_dims.items()
    }
    again = network(tf.constant(images))
    for name, x in outputs.items():
        assert x.dtype == tf.float32
        assert np.all(np.isfinite(x))
        assert np.any(np.ptp(x, axis=0) > 0), f"{name} is constant"
        np.testing.assert_array_equal(x, again[name])
    return outputs


def check_batches(network, images, expected):
    """An image has the same outputs alone as among others."""
    for name, x in network(images[:1]).items():
        np.testing.assert_allclose(x, expected[name][:1], rtol=1e-4, atol=1e-5)


def check_graphs(network, images, expected):
    """A graph, of batches of any size too, and XLA compute what eager execution does."""
    spec = tf.TensorSpec((None, *images.shape[1:]), tf.float32)
    graph = tf.function(network.__call__, input_signature=[spec])
    for name, x in graph.get_concrete_function().structured_outputs.items():
        assert tuple(x.shape) == (None, *expected[name].shape[1:]), "the width must be known"
    for function in (graph, tf.function(network.__call__, jit_compile=True)):
        for name, x in function(tf.constant(images)).items():
            np.testing.assert_allclose(x, expected[name], rtol=1e-3, atol=1e-4)


def check_precisions(cls, init_kwargs, images, expected):
    """The policy of the networks in training is nothing to the network that looks at them."""
    for policy in POLICIES:
        keras.config.set_dtype_policy(policy)
        network = same_weights(cls, init_kwargs)
        assert keras.config.dtype_policy().name == policy
        for name, x in network(images).items():
            assert x.dtype == tf.float32
            np.testing.assert_allclose(x, expected[name], rtol=1e-4, atol=1e-5)
    keras.config.set_dtype_policy("float32")


def check_config(cls, init_kwargs):
    """Every argument is an attribute, comes back from `get_config`, and survives JSON."""
    network = cls(**init_kwargs)
    for name in inspect.signature(cls).parameters:
        assert name in network.get_config(), name
        assert hasattr(network, name), name
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(network)))
    revived = keras.saving.deserialize_keras_object(stored)
    assert type(revived) is cls
    assert json.dumps(revived.get_config()) == json.dumps(network.get_config())
    assert cls(**{**init_kwargs, "name": "another"}).name == "another"


def check_key(cls, init_kwargs):
    """Equal networks have one key, which is fit for a file's name."""
    key = same_weights(cls, init_kwargs).key()
    assert key == same_weights(cls, init_kwargs).key()
    assert key == "".join(c for c in key if c.isalnum() or c in "_-")


def check_refuses(network, images):
    """The error says what is taken and what was received."""
    try:
        network(images)
    except ValueError as error:
        assert "Received: " in str(error) and str(tuple(images.shape)) in str(error)
    else:
        raise AssertionError(f"{network!r} takes images of shape {images.shape}")


def same_weights(cls, init_kwargs):
    """Another network of these arguments; random weights are drawn from the seed of each test."""
    keras.utils.set_random_seed(0)
    return cls(**init_kwargs)
