import keras
import numpy as np
import pytest

from kgan.backbones import MLPDiscriminator, MLPGenerator
from kgan.layers import Maxout
from tests.conformance import run_backbone_test

RNG = np.random.default_rng(0)
LATENT = RNG.normal(size=(4, 5)).astype("float32")
IMAGE = RNG.uniform(-1, 1, size=(4, 3, 2, 1)).astype("float32")
LABELS = {
    "none": ({}, None),
    "classes": ({"num_classes": 3}, np.array([0, 2, 1, 2], "int32")),
    "vectors": ({"condition_dim": 2}, RNG.normal(size=(4, 2)).astype("float32")),
}


def with_label(x, label):
    return x if label is None else [x, label]


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("image_shape", [(3, 2, 1), (7,)])
def test_generator_conforms(kind, image_shape):
    condition, label = LABELS[kind]
    run_backbone_test(
        cls=MLPGenerator,
        init_kwargs={"image_shape": image_shape, "latent_dim": 5, "units": (6, 4), **condition},
        input_data=with_label(LATENT, label),
        expected_output_shape=(4, *image_shape),
    )


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("image_shape", [(3, 2, 1), (6,)])
def test_discriminator_conforms(kind, image_shape):
    condition, label = LABELS[kind]
    run_backbone_test(
        cls=MLPDiscriminator,
        init_kwargs={
            "image_shape": image_shape,
            "units": (8, 16),
            "pieces": 3,
            "input_dropout": 0.1,
            "dropout": 0.3,
            **condition,
        },
        input_data=with_label(IMAGE.reshape(4, *image_shape), label),
        expected_output_shape=(4, 1),
    )


def test_generator_is_that_of_the_mnist_experiment():
    model = MLPGenerator()
    dense = [x for x in model.layers if isinstance(x, keras.layers.Dense)]
    assert [x.units for x in dense] == [1200, 1200, 784]
    assert sum(isinstance(x, keras.layers.ReLU) for x in model.layers) == 2
    assert model.count_params() == 100 * 1200 + 1200 + 1200 * 1200 + 1200 + 1200 * 784 + 784
    check_uniform([x.kernel for x in dense], 0.05)
    assert all(np.all(x.bias == 0) for x in dense)


def test_discriminator_is_that_of_the_mnist_experiment():
    model = MLPDiscriminator()
    maxout = [x for x in model.layers if isinstance(x, Maxout)]
    assert [(x.units, x.pieces) for x in maxout] == [(240, 5), (240, 5)]
    dropout = [x.rate for x in model.layers if isinstance(x, keras.layers.Dropout)]
    assert dropout == [0.2, 0.5, 0.5]
    weights = 784 * 1200 + 1200 + 240 * 1200 + 1200 + 240 + 1
    assert sum(np.prod(w.shape) for w in model.trainable_weights) == weights
    check_uniform([x.kernel for x in [*maxout, model.layers[-1]]], 0.005)


def test_sizes_and_shares_are_those_given():
    generator = MLPGenerator((3, 2, 1), units=(8, 16))
    dense = [x.units for x in generator.layers if isinstance(x, keras.layers.Dense)]
    assert dense == [8, 16, 6]
    model = MLPDiscriminator((3, 2, 1), (8, 16), pieces=3, input_dropout=0.1, dropout=0.3)
    maxout = [(x.units, x.pieces) for x in model.layers if isinstance(x, Maxout)]
    assert maxout == [(8, 3), (16, 3)]
    dropout = [x.rate for x in model.layers if isinstance(x, keras.layers.Dropout)]
    assert dropout == [0.1, 0.3, 0.3]


def check_uniform(kernels, limit):
    for kernel in kernels:
        assert np.abs(kernel).max() == pytest.approx(limit, rel=0.02)
        assert np.std(kernel) == pytest.approx(limit / np.sqrt(3), rel=0.1)


def test_a_sigmoid_is_half_as_steep():
    tanh, sigmoid = (
        MLPGenerator((3, 2, 1), latent_dim=5, units=(6,), activation=name)
        for name in ("tanh", "sigmoid")
    )
    tanh.set_weights(sigmoid.get_weights())
    to_image = tanh.get_layer("dense_1")
    to_image.kernel.assign(to_image.kernel / 2)
    np.testing.assert_allclose(sigmoid(LATENT), tanh(LATENT), rtol=1e-5, atol=1e-6)


def test_images_fill_the_open_range():
    model = MLPGenerator((3, 2, 1), latent_dim=5, units=(6,))
    model.layers[-3].bias.assign([-9, 9, 0, 0, 0, 0])
    image = np.array(model(LATENT)).reshape(4, 6)
    np.testing.assert_allclose(image[:, :2], [[-1, 1]] * 4, atol=1e-3)


@pytest.mark.parametrize("kind", ["classes", "vectors"])
@pytest.mark.parametrize("cls, first", [(MLPGenerator, LATENT), (MLPDiscriminator, IMAGE)])
def test_the_label_matters(cls, first, kind):
    condition, label = LABELS[kind]
    own = {"latent_dim": 5} if cls is MLPGenerator else {}
    model = cls((3, 2, 1), units=(8,), **own, **condition)
    first = np.repeat(first[:1], 4, axis=0)
    outputs = np.array(model([first, label])).reshape(4, -1)
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-6
    if kind == "classes":
        np.testing.assert_array_equal(outputs[1], outputs[3])


def test_dropout_acts_in_training_only():
    model = MLPDiscriminator((3, 2, 1), units=(8,))
    assert np.array_equal(model(IMAGE), model(IMAGE))
    assert not np.array_equal(model(IMAGE, training=True), model(IMAGE, training=True))


@pytest.mark.parametrize(
    "cls, arguments, message",
    [
        (MLPGenerator, {"image_shape": ()}, r"Received: image_shape=\(\)"),
        (MLPGenerator, {"image_shape": 28}, "Received: image_shape=28"),
        (MLPGenerator, {"image_shape": (28, None)}, r"Received: image_shape=\(28, None\)"),
        (MLPGenerator, {"latent_dim": 0}, "`latent_dim` .* Received: latent_dim=0"),
        (MLPGenerator, {"units": ()}, r"`units` .* Received: units=\(\)"),
        (MLPGenerator, {"num_classes": 2, "condition_dim": 2}, "not both"),
        (MLPGenerator, {"activation": "relu"}, "`activation` .* Received: activation='relu'"),
        (MLPDiscriminator, {"image_shape": (0,)}, r"Received: image_shape=\(0,\)"),
        (MLPDiscriminator, {"units": (8, -1)}, r"`units` .* Received: units=\(8, -1\)"),
        (MLPDiscriminator, {"pieces": 0}, "`pieces` .* Received: pieces=0"),
        (MLPDiscriminator, {"dropout": 1.0}, r"`dropout` .*\[0, 1\)\. Received: dropout=1.0"),
        (MLPDiscriminator, {"input_dropout": -1}, "`input_dropout` .* Received: input_dropout=-1"),
        (MLPDiscriminator, {"num_classes": 2, "condition_dim": 2}, "not both"),
    ],
)
def test_bad_arguments(cls, arguments, message):
    with pytest.raises(ValueError, match=message):
        cls(**arguments)


@pytest.mark.parametrize("cls", [MLPGenerator, MLPDiscriminator], ids=lambda x: x.__name__)
def test_other_initial_weights(cls):
    initializer = keras.initializers.RandomUniform(-2.0, 2.0)
    network = cls(image_shape=(6,), units=(6, 6), kernel_initializer=initializer)
    kernels = [np.array(v) for v in network.trainable_variables if len(v.shape) == 2]
    assert all(1 < np.abs(kernel).max() <= 2 for kernel in kernels)
    assert not np.array_equal(kernels[0][:, :6], kernels[1][:6, :6])  # layers start apart
    same = cls.from_config(network.get_config())
    assert same.kernel_initializer.get_config() == initializer.get_config()
    assert cls(image_shape=(6,), kernel_initializer="he_uniform").count_params() > 0
