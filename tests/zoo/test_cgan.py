import numpy as np
import pytest
from keras import ops

import kgan
from kgan.zoo import cgan
from kgan.zoo.recipe import Task

SMALL = cgan.DEFAULT.but(generator_units=(5, 6, 7), discriminator_units=(5, 6, 7))


def build(recipe, shape=(4, 4, 1)):
    return cgan.build(recipe, Task(image_shape=shape, num_classes=3, steps=10))


def shapes(network):
    return [tuple(w.shape) for w in network.trainable_weights]


def test_networks_are_those_of_section_4():
    gan = build(cgan.DEFAULT, (28, 28, 1))
    assert (gan.latent_dim, gan.latent_distribution) == (100, "uniform")
    dense = [(100, 200), (200,), (3, 1000), (1000,), (1200, 1200), (1200,), (1200, 784), (784,)]
    assert sorted(shapes(gan.generator)) == sorted(dense)
    maxout = [(784, 240 * 5), (1200,), (3, 50 * 5), (250,), (290, 240 * 4), (960,), (240, 1), (1,)]
    assert sorted(shapes(gan.discriminator)) == sorted(maxout)
    for network in (gan.generator, gan.discriminator):
        rates = [x.rate for x in network.layers if type(x).__name__ == "Dropout"]
        assert rates == [0.5] * 3


def test_rates_and_momentum_are_those_of_section_4():
    gan = build(SMALL)
    for optimizer, rate in ((gan.generator_optimizer, 0.1), (gan.discriminator_optimizer, 0.05)):
        assert float(optimizer.current_momentum) == pytest.approx(0.5)
        optimizer.iterations.assign(10**6)
        assert float(optimizer.current_momentum) == pytest.approx(0.7)
        optimizer.iterations.assign(25_000)
        expected = rate / 1.00004**25_000
        assert float(optimizer.learning_rate) == pytest.approx(expected, rel=1e-4)


def test_the_label_enters_both_networks_by_a_layer_of_its_own():
    gan = build(SMALL)
    rng = np.random.default_rng(0)
    for network in (gan.generator, gan.discriminator):
        network.set_weights([rng.normal(size=w.shape) for w in network.get_weights()])
    latents = np.repeat(rng.uniform(-1, 1, (1, 100)), 3, axis=0).astype("float32")
    images = np.repeat(rng.uniform(-1, 1, (1, 4, 4, 1)), 3, axis=0).astype("float32")
    labels = np.arange(3)
    np.testing.assert_allclose(gan.generator([latents, labels]), drawn(gan, latents), rtol=1e-4)
    np.testing.assert_allclose(gan.discriminator([images, labels]), said(gan, images), rtol=1e-4)


def by_shape(network):
    """The kernels and biases of a network, by the shapes of the kernels."""
    weights = network.get_weights()
    return {k.shape: (k, b) for k, b in zip(weights[::2], weights[1::2], strict=True)}


def drawn(gan, latents):
    """The generator by hand, of the labels 0, 1 and 2."""
    layers = by_shape(gan.generator)
    relu = lambda x, shape: np.maximum(x @ layers[shape][0] + layers[shape][1], 0)  # noqa: E731
    x = np.concatenate([relu(latents, (100, 5)), relu(np.eye(3), (3, 6))], axis=1)
    kernel, bias = layers[7, 16]
    return np.tanh((relu(x, (11, 7)) @ kernel + bias) / 2).reshape(3, 4, 4, 1)


def said(gan, images):
    """The discriminator by hand, of the labels 0, 1 and 2."""
    layers = by_shape(gan.discriminator)

    def maxout(x, units, pieces):
        kernel, bias = layers[x.shape[1], units * pieces]
        return np.max((x @ kernel + bias).reshape(-1, units, pieces), axis=2)

    pixels = (images.reshape(3, 16) + 1) / 2
    x = np.concatenate([maxout(pixels, 5, 5), maxout(np.eye(3), 6, 5)], axis=1)
    kernel, bias = layers[7, 1]
    return maxout(x, 7, 4) @ kernel + bias


def test_both_players_learn_with_dropout():
    gan = build(SMALL)
    latents, labels = np.ones((1, 100), "float32"), np.array([1])
    quiet, loud = (gan.generator([latents, labels], training=t) for t in (False, True))
    assert np.any(ops.convert_to_numpy(quiet) != ops.convert_to_numpy(loud))


def test_published_number_names_a_result():
    (name,) = cgan.PUBLISHED["mnist"]
    assert name in kgan.metrics.get("parzen").result_names
    assert (cgan.PUBLISHED["mnist"][name].value, cgan.PUBLISHED["mnist"][name].spread) == (132, 1.8)
