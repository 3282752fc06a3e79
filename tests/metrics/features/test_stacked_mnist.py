import numpy as np
import pytest
import tensorflow as tf

import kgan
from tests.metrics.features.harness import run_features_test


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(-1, 1, (5, 28, 28, 3)).astype("float32")


def test_conformance(images):
    wrong = [np.zeros((2, 28, 28, 1), "float32"), np.zeros((2, 32, 32, 3), "float32")]
    dims = {"features": 192, "logits": 1000}
    run_features_test(kgan.metrics.features.StackedMNIST, {}, images, dims, wrong)


def test_a_class_is_as_likely_as_its_three_digits_together(images):
    outputs = kgan.metrics.features.StackedMNIST()(images)
    mnist = kgan.metrics.features.MNIST()
    channels = [mnist(images[..., i : i + 1]) for i in range(3)]
    red, green, blue = (np.float64(tf.nn.softmax(x["logits"])) for x in channels)
    expected = np.log(np.einsum("nr,ng,nb->nrgb", red, green, blue)).reshape(5, 1000)
    np.testing.assert_allclose(outputs["logits"], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(tf.reduce_sum(tf.exp(outputs["logits"]), axis=1), 1, rtol=1e-4)
    features = np.concatenate([x["features"] for x in channels], axis=1)
    np.testing.assert_allclose(outputs["features"], features, rtol=1e-4, atol=1e-5)


def test_real_stacks_are_read_and_their_modes_counted(mnist_dir):
    source = kgan.data.ImageSource.find("stacked_mnist", data_dir=mnist_dir)
    images, labels = next(iter(source.dataset(2000)))
    network = kgan.metrics.features.StackedMNIST()
    logits = network(images)["logits"]
    assert np.mean(np.argmax(logits, axis=1) == labels) > 0.98
    metric = kgan.metrics.ModeCoverage("stacked_mnist")
    metric.update_state(real=images)
    one_mode = np.repeat(images[:1], 10, axis=0)
    metric.update_state(fake=one_mode)
    share = np.mean(np.argmax(logits, axis=1) == np.argmax(logits[0]))
    results = metric.result()
    assert results["modes_covered"] == 1
    assert results["mode_kl"] == pytest.approx(-np.log(share))
