import math

import h5py
import keras
import numpy as np
import pytest

import kgan
from kgan.backbones import ResNetDiscriminator, ResNetGenerator
from kgan.backbones.resnet import GlobalSumPooling2D
from kgan.layers import ConditionalBatchNormalization, SpectralNormalization
from tests.conformance import run_backbone_test, run_layer_test

RNG = np.random.default_rng(0)
LATENT = RNG.normal(size=(4, 5)).astype("float32")
IMAGE = RNG.uniform(-1, 1, size=(4, 16, 24, 2)).astype("float32")
LABELS = {
    "none": ({}, None),
    "classes": ({"num_classes": 3}, np.array([0, 2, 1, 2], "int32")),
    "vectors": ({"condition_dim": 2}, RNG.normal(size=(4, 2)).astype("float32")),
}


def with_label(x, label):
    return x if label is None else [x, label]


def convolutions(model):
    """Every convolution, also one under spectral norm."""
    layers = [getattr(x, "layer", x) for x in model.layers]
    return [x for x in layers if isinstance(x, keras.layers.Conv2D)]


@pytest.mark.parametrize("kind", LABELS)
def test_generator_conforms(kind):
    condition, label = LABELS[kind]
    run_backbone_test(
        cls=ResNetGenerator,
        init_kwargs={
            "image_shape": (16, 24, 2),
            "latent_dim": 5,
            "width": 4,
            "max_width": 6,
            "kernel_initializer": keras.initializers.HeNormal(seed=1),
            **condition,
        },
        input_data=with_label(LATENT, label),
        expected_output_shape=(4, 16, 24, 2),
    )


@pytest.mark.parametrize("kind", LABELS)
def test_discriminator_conforms(kind):
    condition, label = LABELS[kind]
    run_backbone_test(
        cls=ResNetDiscriminator,
        init_kwargs={
            "image_shape": (16, 24, 2),
            "width": 4,
            "max_width": 6,
            "num_stages": 2,
            "num_flat_blocks": 1,
            "spectral_norm": kind != "vectors",
            "kernel_initializer": keras.initializers.HeNormal(seed=1),
            **condition,
        },
        input_data=with_label(IMAGE, label),
        expected_output_shape=(4, 1),
    )


def test_sum_pooling_conforms():
    run_layer_test(
        cls=GlobalSumPooling2D,
        init_kwargs={},
        input_data=IMAGE,
        expected_output_shape=(4, 2),
    )


# --- The blocks, by hand and in the order of the authors' code ------------------------------------


def relu(x):
    return np.maximum(x, 0)


def convolve(x, layer):
    """A convolution with zeros around, in float64."""
    kernel = np.array(layer.kernel, "float64")
    around = kernel.shape[0] // 2
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (around, around), (around, around), (0, 0)))
    outputs = sum(
        padded[:, i : i + height, j : j + width] @ kernel[i, j]
        for i in range(kernel.shape[0])
        for j in range(kernel.shape[1])
    )
    return outputs + np.array(layer.bias, "float64") if layer.use_bias else outputs


def halve(x):
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))


def double(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def normalize(x):
    return (x - x.mean(axis=(0, 1, 2))) / np.sqrt(x.var(axis=(0, 1, 2)) + 1e-5)


def output_of(model, layer, inputs, **kwargs):
    tensors = model.inputs if isinstance(inputs, list) else model.inputs[0]
    part = keras.Model(tensors, model.get_layer(layer).output)
    return np.array(part(inputs, **kwargs), "float64")


def test_blocks_of_the_discriminator_by_hand():
    model = ResNetDiscriminator(
        (16, 24, 2), width=3, max_width=6, num_stages=2, num_flat_blocks=1, spectral_norm=False
    )
    for variable in model.trainable_variables:  # biases too
        variable.assign(RNG.normal(size=variable.shape, scale=0.3))
    x = IMAGE.astype("float64")

    def parts(block):
        names = ("convolution_1", "convolution_2", "shortcut")
        found = {layer.name: layer for layer in model.layers}
        return [found.get(f"{block}_{name}") for name in names]

    first, second, shortcut = parts("block_0")  # the authors' OptimizedBlock
    x = halve(convolve(relu(convolve(x, first)), second)) + convolve(halve(x), shortcut)
    np.testing.assert_allclose(output_of(model, "block_0", IMAGE), x, atol=1e-5)
    first, second, shortcut = parts("block_1")
    x = halve(convolve(relu(convolve(relu(x), first)), second)) + halve(convolve(x, shortcut))
    np.testing.assert_allclose(output_of(model, "block_1", IMAGE), x, atol=1e-5)
    first, second, shortcut = parts("block_2")
    assert shortcut is None
    x = convolve(relu(convolve(relu(x), first)), second) + x
    np.testing.assert_allclose(output_of(model, "block_2", IMAGE), x, atol=1e-4)
    features = relu(x).sum(axis=(1, 2))
    np.testing.assert_allclose(output_of(model, "features", IMAGE), features, rtol=1e-4)
    score = features @ np.array(model.get_layer("score").kernel) + model.get_layer("score").bias
    np.testing.assert_allclose(model(IMAGE), score, rtol=1e-4)


def test_a_block_of_the_generator_by_hand():
    model = ResNetGenerator((8, 8, 1), latent_dim=5, width=3, max_width=6)
    x = output_of(model, "reshape", LATENT)
    first, second, shortcut = (
        model.get_layer(f"block_1_{name}")
        for name in ("convolution_1", "convolution_2", "shortcut")
    )
    residual = convolve(double(relu(normalize(x))), first)
    residual = convolve(relu(normalize(residual)), second)
    x = residual + convolve(double(x), shortcut)
    np.testing.assert_allclose(output_of(model, "block_1", LATENT, training=True), x, atol=1e-4)
    image = np.tanh(convolve(relu(normalize(x)), model.get_layer("to_image")))
    np.testing.assert_allclose(model(LATENT, training=True), image, atol=1e-4)


def with_weights(model):
    return [layer.name for layer in model.layers if layer.weights]


def test_files_keep_their_order(tmp_path):
    """Files of weights, and optimizers, know layers by the order in which they had them first."""
    generator = ResNetGenerator((8, 8, 1), latent_dim=5, width=1)
    assert with_weights(generator) == [
        "project", "block_1_norm_1", "block_1_convolution_1", "block_1_norm_2",
        "block_1_shortcut", "block_1_convolution_2", "norm", "to_image",
    ]  # fmt: skip
    discriminator = ResNetDiscriminator(
        (16, 16, 1), width=1, max_width=4, num_stages=2, num_flat_blocks=1, spectral_norm=False
    )
    assert with_weights(discriminator) == [
        "block_0_convolution_1", "block_0_convolution_2", "block_0_shortcut",
        "block_1_convolution_1", "block_1_convolution_2", "block_1_shortcut",
        "block_2_convolution_1", "block_2_shortcut", "block_2_convolution_2", "score",
    ]  # fmt: skip
    for model in (generator, discriminator):
        path = tmp_path / "model.weights.h5"
        model.save_weights(path)
        with h5py.File(path) as file:
            for i, layer in enumerate(convolutions(model)):
                stored = file[f"layers/conv2d_{i}/vars/0" if i else "layers/conv2d/vars/0"]
                np.testing.assert_array_equal(stored, layer.kernel)


# --- The tables of the paper ----------------------------------------------------------------------


def test_generator_is_that_of_table_4():
    model = ResNetGenerator()
    assert model.get_layer("reshape").target_shape == (4, 4, 256)
    shapes = [model.get_layer(f"block_{i}").output.shape[1:] for i in (1, 2, 3)]
    assert shapes == [(8, 8, 256), (16, 16, 256), (32, 32, 256)]
    block = (2 * 9 + 1) * 256**2 + 4 * 256
    expected = 128 * 4096 + 4096 + 3 * block + 2 * 256 + 9 * 256 * 3 + 3
    assert sum(math.prod(v.shape) for v in model.trainable_variables) == expected


def test_discriminator_is_that_of_table_4():
    model = ResNetDiscriminator()
    shapes = [model.get_layer(f"block_{i}").output.shape[1:] for i in range(4)]
    assert shapes == [(16, 16, 128), (8, 8, 128), (8, 8, 128), (8, 8, 128)]
    convolution = 9 * 128**2 + 128
    first = 9 * 3 * 128 + 128 + convolution + 3 * 128
    expected = first + 6 * convolution + 128**2 + 128 + 1
    assert sum(math.prod(v.shape) for v in model.trainable_variables) == expected


def test_networks_of_table_5():
    generator = ResNetGenerator((48, 48, 3), width=1, max_width=16)
    shapes = [generator.get_layer(f"block_{i}").output.shape[1:] for i in (1, 2, 3)]
    assert generator.get_layer("reshape").target_shape == (6, 6, 8)
    assert shapes == [(12, 12, 4), (24, 24, 2), (48, 48, 1)]
    discriminator = ResNetDiscriminator(
        (48, 48, 3), width=1, max_width=16, num_stages=4, num_flat_blocks=1
    )
    shapes = [discriminator.get_layer(f"block_{i}").output.shape[1:] for i in range(5)]
    assert shapes == [(24, 24, 1), (12, 12, 2), (6, 6, 4), (3, 3, 8), (3, 3, 16)]
    # Blocks after the first widen in their second convolution, in the authors' code.
    first = [x.filters for x in convolutions(discriminator) if x.name.endswith("convolution_1")]
    assert first == [1, 1, 2, 4, 8]


def test_layers_start_as_the_authors():
    """Glorot's limit is sqrt(6 / (inputs + outputs)), and sqrt(2) times that in the branches."""
    generator = ResNetGenerator((8, 8, 1), width=32)
    discriminator = ResNetDiscriminator((8, 8, 1), width=32)
    for layer in convolutions(generator) + convolutions(discriminator):
        *sides, inputs, outputs = layer.kernel.shape
        gain = 2 if "convolution" in layer.name else 1
        limit = np.sqrt(gain * 6 / (np.prod(sides) * (inputs + outputs)))
        assert np.abs(layer.kernel).max() == pytest.approx(limit, rel=0.05), layer.name
    first, second = (generator.get_layer(f"block_1_convolution_{i}").kernel.numpy() for i in (1, 2))
    assert not np.allclose(first, second)


def test_no_bias_is_in_vain():
    generator = ResNetGenerator((8, 8, 1), width=2)
    assert [x.name for x in convolutions(generator) if x.use_bias] == ["to_image"]
    discriminator = ResNetDiscriminator((8, 8, 1), width=2)
    without = [x.name for x in convolutions(discriminator) if not x.use_bias]
    assert without == ["block_0_shortcut"]


@pytest.mark.parametrize("size", [(8, 8, 1), (16, 16, 3), (28, 28, 1), (32, 32, 3), (24, 36, 4)])
def test_networks_fit_each_other(size):
    image = ResNetGenerator(size, latent_dim=5, width=1)(LATENT)
    assert tuple(image.shape) == (4, *size)
    assert tuple(ResNetDiscriminator(size, width=1)(image).shape) == (4, 1)


@pytest.mark.parametrize(
    "sides, last", [((8, 8), (4, 4)), ((16, 16), (8, 8)), ((28, 28), (7, 7)), ((33, 70), (5, 9))]
)
def test_a_discriminator_halves_to_8_or_less(sides, last):
    model = ResNetDiscriminator((*sides, 1), width=1)
    assert model.get_layer("relu").output.shape[1:3] == last


def test_stages_may_round_odd_sides_up():
    model = ResNetDiscriminator((28, 30, 1), width=1, num_stages=3, num_flat_blocks=0)
    shapes = [model.get_layer(f"block_{i}").output.shape[1:3] for i in range(3)]
    assert shapes == [(14, 15), (7, 8), (4, 4)]


# --- Labels ---------------------------------------------------------------------------------------


def test_a_label_chooses_the_scale_and_offset_of_each_batch_norm_in_a_block():
    model = ResNetGenerator((16, 16, 1), latent_dim=5, width=3, num_classes=3)
    norms = [x for x in model.layers if isinstance(x, ConditionalBatchNormalization)]
    assert [x.name for x in norms] == [f"block_{i}_norm_{j}" for i in (1, 2) for j in (1, 2)]
    labels = np.array([0, 1, 2, 1])
    before = output_of(model, "block_1_norm_1", [LATENT, labels])
    norms[0].scales.assign([[0, 0, 0], [1, 0, 2], [0, 0, 0]])
    norms[0].offsets.assign([[0, 0, 0], [0, 0, 0], [0, 5, 0]])
    after = output_of(model, "block_1_norm_1", [LATENT, labels])
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_allclose(after[1::2], before[1::2] * [2, 1, 3], rtol=1e-6)
    np.testing.assert_allclose(after[2], before[2] + [0, 5, 0], rtol=1e-6)


def test_all_labels_start_alike_and_learn_to_differ():
    model = ResNetGenerator((16, 16, 1), latent_dim=5, width=3, num_classes=3)
    same = np.repeat(LATENT[:1], 3, axis=0)
    images = np.array(model([same, np.arange(3)]))
    np.testing.assert_allclose(images[1:], images[:2], atol=1e-6)
    model.get_layer("block_2_norm_2").scales.assign(np.diag([0.0, 1.0, 2.0]))
    images = np.array(model([same, np.arange(3)]))
    assert np.abs(images[1] - images[0]).max() > 1e-3 < np.abs(images[2] - images[1]).max()


def test_a_label_adds_its_vectors_product_with_the_features():
    model = ResNetDiscriminator((16, 24, 2), width=4, num_classes=3, spectral_norm=False)
    one, other = (np.array(model([IMAGE, np.full(4, label)])) for label in (2, 0))
    features = output_of(model, "features", [IMAGE, np.zeros(4, "int32")])
    vectors = np.array(model.get_layer("score").projection)
    expected = features @ (vectors[2] - vectors[0])
    np.testing.assert_allclose((one - other)[:, 0], expected, rtol=1e-4, atol=1e-5)


# --- Spectral norm --------------------------------------------------------------------------------


def test_every_kernel_of_the_discriminator_has_spectral_norm_1():
    model = ResNetDiscriminator((16, 24, 2), width=4, num_flat_blocks=1, num_classes=3)
    for _ in range(40):
        model([IMAGE, np.array([0, 2, 1, 2])], training=True)
    wrapped = [x for x in model.layers if isinstance(x, SpectralNormalization)]
    kernels = [(x, kernel) for x in wrapped for kernel in x.kernels]
    assert len(kernels) == len([v for v in model.trainable_variables if len(v.shape) > 1])
    for layer, kernel in kernels:
        value = np.array(layer.effective_value(kernel, training=False))
        matrix = value.reshape(-1, value.shape[-1])
        assert np.linalg.norm(matrix, ord=2) == pytest.approx(1, rel=0.02), kernel.path


def test_without_spectral_norm():
    model = ResNetDiscriminator((16, 24, 2), width=4, spectral_norm=False)
    assert not [x for x in model.layers if isinstance(x, SpectralNormalization)]
    names = {x.name for x in convolutions(model)}
    assert {x.name for x in convolutions(ResNetDiscriminator((16, 24, 2), width=4))} == names


# --- What all discriminators take, and errors -----------------------------------------------------


def test_another_head_and_packs():
    head = SpectralNormalization(kgan.layers.ClassifierHead(3))
    said = ResNetDiscriminator((16, 24, 2), width=4, head=head)(IMAGE)
    assert {key: tuple(x.shape) for key, x in said.items()} == {
        "score": (4, 1),
        "class_logits": (4, 3),
    }
    assert tuple(ResNetDiscriminator((16, 24, 2), width=4, pack=2)(IMAGE).shape) == (2, 1)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"image_shape": (8, 8)}, r"tuple of 3 positive.* Received: image_shape=\(8, 8\)"),
        ({"width": 0}, "`width` must be .* Received: width=0"),
        ({"width": 8, "max_width": 4}, "at least `width`, or None. Received: width=8, max_width=4"),
        ({"max_width": 1.5}, "`max_width` must be .* Received: max_width=1.5"),
        ({"num_classes": 3, "condition_dim": 2}, "Received: num_classes=3, condition_dim=2"),
    ],
)
@pytest.mark.parametrize("cls", [ResNetGenerator, ResNetDiscriminator])
def test_bad_arguments(cls, arguments, message):
    with pytest.raises(ValueError, match=message):
        cls(**arguments)


@pytest.mark.parametrize(
    "cls, name, value",
    [
        (ResNetGenerator, "latent_dim", -3),
        (ResNetDiscriminator, "num_stages", 0),
        (ResNetDiscriminator, "num_flat_blocks", -1),
    ],
)
def test_bad_sizes_of_one_network(cls, name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be .* Received: {name}={value}"):
        cls((16, 16, 1), **{name: value})


def test_a_size_that_the_generator_cannot_make():
    with pytest.raises(ValueError, match=r"Received: image_shape=\(30, 30, 1\). Nearest: 28x28"):
        ResNetGenerator((30, 30, 1))
