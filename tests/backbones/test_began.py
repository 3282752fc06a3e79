import keras
import numpy as np
import pytest

from kgan.backbones import BEGANEncoder, BEGANGenerator
from tests.conformance import run_backbone_test

LATENT = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
IMAGE = np.random.default_rng(1).uniform(-1, 1, (3, 16, 24, 2)).astype("float32")


def test_generator():
    arguments = {"image_shape": (16, 24, 2), "latent_dim": 5, "width": 3}
    run_backbone_test(BEGANGenerator, arguments, LATENT, (3, 16, 24, 2))


def test_encoder():
    arguments = {"image_shape": (16, 24, 2), "code_dim": 5, "width": 3}
    run_backbone_test(BEGANEncoder, arguments, IMAGE, (3, 5))


def convolutions(model):
    """Returns (channels, stride, height of the output) of each convolution, in order."""
    found = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert all(layer.kernel_size == (3, 3) for layer in found)
    return [(layer.filters, layer.strides[0], layer.output.shape[1]) for layer in found]


def test_figure_1():
    """Two convolutions a size; the encoder's channels grow by n where its maps shrink."""
    assert convolutions(BEGANGenerator((32, 32, 3), 6, width=7)) == [
        (7, 1, 4), (7, 1, 4), (7, 1, 8), (7, 1, 8),
        (7, 1, 16), (7, 1, 16), (7, 1, 32), (7, 1, 32), (3, 1, 32),
    ]  # fmt: skip
    assert convolutions(BEGANEncoder((32, 32, 3), 6, width=7)) == [
        (7, 1, 32), (7, 1, 32), (14, 2, 16), (14, 1, 16), (14, 1, 16), (21, 2, 8),
        (21, 1, 8), (21, 1, 8), (28, 2, 4), (28, 1, 4), (28, 1, 4),
    ]  # fmt: skip


def test_stages_double_repeated_pixels():
    """Each stage after the first sees the one before with every pixel four times."""
    model = BEGANGenerator((16, 16, 1), latent_dim=5, width=3)
    for variable in model.trainable_variables:  # biases too
        variable.assign(np.random.default_rng(2).normal(size=variable.shape, scale=0.3))
    x = keras.Model(model.inputs, model.get_layer("reshape").output)(LATENT)
    for stage in range(3):
        if stage > 0:
            x = keras.ops.repeat(keras.ops.repeat(x, 2, axis=1), 2, axis=2)
        for i in range(2):
            layer = model.get_layer(f"convolution_{stage}_{i}")
            x = keras.ops.elu(keras.ops.conv(x, layer.kernel, padding="same") + layer.bias)
    layer = model.get_layer("to_image")
    image = keras.ops.tanh(keras.ops.conv(x, layer.kernel, padding="same") + layer.bias)
    np.testing.assert_allclose(model(LATENT), image, atol=1e-5)


@pytest.mark.parametrize("cls", [BEGANGenerator, BEGANEncoder])
def test_bad_arguments(cls):
    with pytest.raises(ValueError, match="Nearest: 28x28, 32x32"):
        cls((30, 30, 1))
    with pytest.raises(ValueError, match="`width` must be .* Received: width=0"):
        cls((8, 8, 1), width=0)
