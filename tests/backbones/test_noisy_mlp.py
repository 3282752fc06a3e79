import keras
import numpy as np
import pytest

from kgan.backbones import BatchNormMLPGenerator, NoisyMLPDiscriminator
from tests.conformance import run_backbone_test

RNG = np.random.default_rng(0)
LATENT = RNG.normal(size=(4, 5)).astype("float32")
IMAGE = RNG.uniform(-1, 1, size=(4, 3, 2, 1)).astype("float32")


@pytest.mark.parametrize("image_shape", [(3, 2, 1), (7,)])
def test_generator_conforms(image_shape):
    run_backbone_test(
        cls=BatchNormMLPGenerator,
        init_kwargs={"image_shape": image_shape, "latent_dim": 5, "units": (6, 4)},
        input_data=LATENT,
        expected_output_shape=(4, *image_shape),
    )


@pytest.mark.parametrize("image_shape", [(3, 2, 1), (6,)])
def test_discriminator_conforms(image_shape):
    run_backbone_test(
        cls=NoisyMLPDiscriminator,
        init_kwargs={
            "image_shape": image_shape,
            "num_classes": 3,
            "units": (8, 6),
            "pixel_noise": 0.1,
            "noise": 0.2,
        },
        input_data=IMAGE.reshape(4, *image_shape),
        expected_output_shape=(4, 3),
    )


def test_networks_are_those_of_the_mnist_experiment():
    discriminator = NoisyMLPDiscriminator()
    noises = [x.stddev for x in discriminator.layers if isinstance(x, keras.layers.GaussianNoise)]
    assert noises == [0.3] + [0.5] * 5
    widths = [784, 1000, 500, 250, 250, 250, 10]
    parameters = sum(a * b + b for a, b in zip(widths, widths[1:], strict=False))
    assert discriminator.count_params() == parameters + 10  # the logits' gains
    generator = BatchNormMLPGenerator()
    norms = 2 * 4 * 500
    assert generator.count_params() == 100 * 500 + 500 * 500 + 500 * 784 + 2 * 784 + norms
    assert sum(layer.name.startswith("softplus") for layer in generator.layers) == 2


def test_features_start_about_as_large_as_the_noise_expects():
    """Pre-activations of a standard deviation of about 1, as a first batch gives the authors'."""
    model = NoisyMLPDiscriminator(units=(500, 300, 300))
    # As sparse as digits: a fifth of the pixels is bright.
    images = np.where(RNG.random((200, 28, 28, 1)) < 0.2, 0.5, -1.0).astype("float32")
    layers = [model.get_layer(f"dense_{i}").output for i in range(3)]
    for x in keras.Model(model.input, layers)(images, training=True):
        assert 0.6 < np.std(x - np.mean(x, axis=0)) < 1.4


def test_noise_is_for_training():
    model = NoisyMLPDiscriminator((6,), units=(8,))
    images = IMAGE.reshape(4, 6)
    np.testing.assert_array_equal(model(images), model(images))
    assert np.any(np.array(model(images, training=True)) != np.array(model(images, training=True)))


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (NoisyMLPDiscriminator, {"noise": 0}),
        (NoisyMLPDiscriminator, {"pixel_noise": -1.0}),
        (NoisyMLPDiscriminator, {"num_classes": 0}),
        (NoisyMLPDiscriminator, {"units": ()}),
        (BatchNormMLPGenerator, {"latent_dim": 0}),
        (BatchNormMLPGenerator, {"image_shape": (0,)}),
    ],
)
def test_bad_arguments(cls, arguments):
    with pytest.raises(ValueError, match=f"`{next(iter(arguments))}` must be.*Received"):
        cls(**arguments)
