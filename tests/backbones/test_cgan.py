import keras
import numpy as np
import pytest

from kgan.backbones import CGANDiscriminator, CGANGenerator
from tests.conformance import run_backbone_test

RNG = np.random.default_rng(0)
# Positive, so that no unit of a tiny network is dead in the whole batch.
LATENT = RNG.uniform(0, 1, size=(4, 3)).astype("float32")
IMAGE = RNG.uniform(-1, 1, size=(4, 3, 2, 1)).astype("float32")
LABEL = np.array([0, 2, 1, 2], "int32")


@pytest.mark.parametrize("initializer", [None, keras.initializers.HeUniform(seed=1)])
def test_generator_conforms(initializer):
    run_backbone_test(
        cls=CGANGenerator,
        init_kwargs={
            "image_shape": (3, 2, 1),
            "latent_dim": 3,
            "num_classes": 3,
            "units": (2, 3, 2),
            "dropout": 0.25,
            "kernel_initializer": initializer,
        },
        input_data=[LATENT, LABEL],
        expected_output_shape=(4, 3, 2, 1),
    )


@pytest.mark.parametrize("initializer", [None, keras.initializers.GlorotUniform(seed=1)])
def test_discriminator_conforms(initializer):
    run_backbone_test(
        cls=CGANDiscriminator,
        init_kwargs={
            "image_shape": (3, 2, 1),
            "num_classes": 3,
            "units": (4, 5, 6),
            "pieces": (2, 3, 2),
            "dropout": 0.25,
            "kernel_initializer": initializer,
        },
        input_data=[IMAGE, LABEL],
        expected_output_shape=(4, 1),
    )


@pytest.mark.parametrize(("network", "limit"), [(CGANGenerator, 0.05), (CGANDiscriminator, 0.005)])
def test_initial_weights_are_the_first_gans(network, limit):
    kernels = [np.array(w) for w in network().trainable_weights if len(w.shape) == 2]
    assert len(kernels) == 4
    for kernel in kernels:
        assert 0.9 * limit < np.abs(kernel).max() <= limit


def test_the_sigmoid_is_stretched():
    generator = CGANGenerator((2,), 3, num_classes=3, units=(2, 3, 2))
    generator.get_layer("dense_3").bias.assign([3.0, -1.0])
    generator.get_layer("dense_3").kernel.assign(np.zeros((2, 2)))
    expected = 2 / (1 + np.exp([-3.0, 1.0])) - 1
    np.testing.assert_allclose(generator([LATENT, LABEL]), [expected] * 4, rtol=1e-5)


def test_a_label_of_its_own_layer_moves_the_output():
    generator = CGANGenerator(
        (2,), 3, num_classes=3, units=(16, 16, 16), kernel_initializer="he_normal"
    )
    images = np.array(generator([np.repeat(LATENT[:1], 3, axis=0), np.arange(3)]))
    assert len(np.unique(images, axis=0)) == 3


@pytest.mark.parametrize("network", [CGANGenerator, CGANDiscriminator])
@pytest.mark.parametrize(
    "arguments", [{"units": (1, 2)}, {"num_classes": 0}, {"dropout": 1.0}, {"image_shape": (0,)}]
)
def test_bad_arguments(network, arguments):
    with pytest.raises(ValueError, match="Received"):
        network(**arguments)
