import keras
import numpy as np
import pytest

from kgan.backbones import DCGANDiscriminator, DCGANGenerator
from kgan.backbones.dcgan import plan_stages
from tests.conformance import run_backbone_test

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


def layers_of(model, cls):
    return [x for x in model.layers if isinstance(x, cls)]


@pytest.fixture(scope="module")
def paper_generator():
    return DCGANGenerator()


@pytest.fixture(scope="module")
def paper_discriminator():
    return DCGANDiscriminator()


@pytest.mark.parametrize("kind", LABELS)
def test_generator_conforms(kind):
    condition, label = LABELS[kind]
    run_backbone_test(
        cls=DCGANGenerator,
        init_kwargs={
            "image_shape": (16, 24, 2),
            "latent_dim": 5,
            "width": 4,
            "kernel_size": 3,
            "max_width": 6,
            "kernel_initializer": keras.initializers.HeNormal(seed=1),
            **condition,
        },
        input_data=with_label(LATENT, label),
        expected_output_shape=(4, 16, 24, 2),
    )


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("batch_norm", [True, False])
def test_discriminator_conforms(kind, batch_norm):
    condition, label = LABELS[kind]
    run_backbone_test(
        cls=DCGANDiscriminator,
        init_kwargs={
            "image_shape": (16, 24, 2),
            "width": 4,
            "kernel_size": 3,
            "max_width": 6,
            "kernel_initializer": keras.initializers.HeNormal(seed=1),
            "batch_norm": batch_norm,
            "num_stages": 3,
            **condition,
        },
        input_data=with_label(IMAGE, label),
        expected_output_shape=(4, 1),
    )


def test_generator_is_that_of_figure_1(paper_generator):
    assert paper_generator.get_layer("reshape").target_shape == (4, 4, 1024)
    convolutions = layers_of(paper_generator, keras.layers.Conv2DTranspose)
    assert [x.filters for x in convolutions] == [512, 256, 128, 3]
    assert {x.kernel_size for x in convolutions} == {(5, 5)}
    assert {x.strides for x in convolutions} == {(2, 2)}
    assert [x.output.shape[1:3] for x in convolutions] == [(8, 8), (16, 16), (32, 32), (64, 64)]


def test_generator_has_the_parameters_counted_by_hand(paper_generator):
    kernels = 100 * 16384 + 25 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3)
    norms = 4 * (1024 + 512 + 256 + 128)
    assert paper_generator.count_params() == kernels + norms + 3


def test_discriminator_mirrors_figure_1(paper_discriminator):
    convolutions = layers_of(paper_discriminator, keras.layers.Conv2D)
    assert [x.filters for x in convolutions] == [128, 256, 512, 1024]
    assert {x.kernel_size for x in convolutions} == {(5, 5)}
    assert {x.strides for x in convolutions} == {(2, 2)}
    assert [x.output.shape[1:3] for x in convolutions] == [(32, 32), (16, 16), (8, 8), (4, 4)]
    assert [x.negative_slope for x in layers_of(paper_discriminator, keras.layers.LeakyReLU)] == (
        pytest.approx([0.2] * 4)
    )


def test_discriminator_has_the_parameters_counted_by_hand(paper_discriminator):
    kernels = 25 * (3 * 128 + 128 * 256 + 256 * 512 + 512 * 1024) + 16384
    norms = 4 * (256 + 512 + 1024)
    assert paper_discriminator.count_params() == kernels + norms + 128 + 1


def sequence_of(model):
    """Which layers follow each other, by the first letters of their classes."""
    short = {
        "Dense": "dense",
        "Conv2D": "conv",
        "Conv2DTranspose": "conv",
        "BatchNormalization": "norm",
        "ReLU": "relu",
        "LeakyReLU": "leaky",
        "Activation": "tanh",
        "ProjectionHead": "score",
    }
    return " ".join(short[type(x).__name__] for x in model.layers if type(x).__name__ in short)


def test_batch_norm_is_everywhere_but_at_the_image_and_the_score():
    assert sequence_of(DCGANGenerator((16, 16, 1), width=2)) == (
        "dense norm relu conv norm relu conv tanh"
    )
    discriminator = DCGANDiscriminator((32, 32, 1), width=2)
    assert sequence_of(discriminator) == "conv leaky conv norm leaky conv norm leaky score"
    without = DCGANDiscriminator((32, 32, 1), width=2, batch_norm=False)
    assert sequence_of(without) == "conv leaky conv leaky conv leaky score"


def test_layers_have_a_bias_where_no_batch_norm_follows():
    def use_bias(model):
        return [x.use_bias for x in model.layers if hasattr(x, "use_bias")]

    assert use_bias(DCGANGenerator((16, 16, 1), width=2)) == [False, False, True]
    assert use_bias(DCGANDiscriminator((32, 32, 1), width=2)) == [True, False, False]
    without = DCGANDiscriminator((32, 32, 1), width=2, batch_norm=False)
    assert use_bias(without) == [True, True, True]


def test_initial_weights_are_those_of_the_paper(paper_generator, paper_discriminator):
    for variable in [*paper_generator.variables, *paper_discriminator.variables]:
        values = variable.numpy()
        if "kernel" in variable.name:
            assert np.std(values) == pytest.approx(0.02, rel=0.1), variable.path
            assert np.mean(values) == pytest.approx(0, abs=2e-3), variable.path
        elif "gamma" in variable.name:
            assert np.std(values) == pytest.approx(0.02, rel=0.3), variable.path
            assert np.mean(values) == pytest.approx(1, abs=0.01), variable.path
        elif "bias" in variable.name or "beta" in variable.name:
            assert np.all(values == 0), variable.path


@pytest.mark.parametrize("cls", [DCGANGenerator, DCGANDiscriminator])
def test_every_kernel_has_the_size_given(cls):
    model = cls((32, 32, 1), width=2, kernel_size=4)
    kernels = [x.kernel_size for x in model.layers if hasattr(x, "kernel_size")]
    assert kernels == [(4, 4)] * 3


@pytest.mark.parametrize("cls", [DCGANGenerator, DCGANDiscriminator])
def test_kernels_start_as_asked(cls):
    model = cls((16, 16, 1), width=32, kernel_initializer="glorot_uniform")
    layer = layers_of(model, (keras.layers.Conv2D, keras.layers.Conv2DTranspose))[0]
    # Two fans of 25 weights a channel, and 6 over their sum as the squared limit.
    channels = 64 + 32 if cls is DCGANGenerator else 1 + 32
    assert np.abs(layer.kernel).max() == pytest.approx(np.sqrt(6 / (25 * channels)), rel=0.05)


def test_stages_of_a_discriminator_may_round_odd_sides_up():
    model = DCGANDiscriminator((28, 30, 1), width=2, num_stages=3)
    convolutions = layers_of(model, keras.layers.Conv2D)
    assert [x.output.shape[1:] for x in convolutions] == [(14, 15, 2), (7, 8, 4), (4, 4, 8)]
    assert tuple(model(np.zeros((2, 28, 30, 1), "float32")).shape) == (2, 1)


@pytest.mark.parametrize("kernel_initializer", [None, "he_normal"])
def test_two_layers_of_one_shape_start_apart(kernel_initializer):
    model = DCGANGenerator((16, 16, 4), width=4, max_width=4, kernel_initializer=kernel_initializer)
    first, second = layers_of(model, keras.layers.Conv2DTranspose)
    assert not np.allclose(first.kernel, second.kernel)


@pytest.mark.parametrize(
    "size, base, widths",
    [
        ((8, 8), (4, 4), [2]),
        ((16, 16), (4, 4), [2, 4]),
        ((28, 28), (7, 7), [2, 4]),
        ((32, 48), (4, 6), [2, 4, 8]),
        ((48, 32), (6, 4), [2, 4, 8]),
        ((64, 64), (4, 4), [2, 4, 8, 16]),
        ((96, 128), (6, 8), [2, 4, 8, 16]),
        ((256, 256), (4, 4), [2, 4, 8, 16, 16, 16]),
        ((4, 6), (2, 3), [2]),
    ],
)
def test_stages(size, base, widths):
    assert plan_stages((*size, 3), width=2, max_width=16) == (base, widths)


@pytest.mark.parametrize("image_shape", [(8, 8, 1), (28, 28, 1), (32, 48, 4), (64, 64, 3)])
def test_networks_fit_each_other(image_shape):
    generator = DCGANGenerator(image_shape, latent_dim=5, width=1)
    discriminator = DCGANDiscriminator(image_shape, width=1)
    image = generator(LATENT)
    assert tuple(image.shape) == (4, *image_shape)
    assert tuple(discriminator(image).shape) == (4, 1)


def test_256x256_stays_at_the_papers_widest():
    _, widths = plan_stages((256, 256, 3), width=128, max_width=1024)
    assert widths == [128, 256, 512, 1024, 1024, 1024]


@pytest.mark.parametrize(
    "size, nearest",
    [
        ((30, 30), "28x28, 32x32"),
        ((30, 48), "28x48, 32x48"),
        ((62, 70), "56x64, 64x80"),
        ((250, 250), "224x224, 256x256"),
        ((5, 5), "4x4, 6x6"),
        ((1, 1), "2x2"),
    ],
)
@pytest.mark.parametrize("cls", [DCGANGenerator, DCGANDiscriminator])
def test_sizes_that_do_not_fit(cls, size, nearest):
    with pytest.raises(ValueError) as error:
        cls((*size, 1))
    height, width = size
    assert str(error.value).endswith(
        f"Received: image_shape=({height}, {width}, 1). Nearest: {nearest}"
    )
    for suggestion in nearest.split(", "):
        plan_stages((*map(int, suggestion.split("x")), 1), width=1, max_width=1)


@pytest.mark.parametrize("cls, first", [(DCGANGenerator, LATENT), (DCGANDiscriminator, IMAGE)])
@pytest.mark.parametrize("kind", ["classes", "vectors"])
def test_the_label_matters(cls, first, kind):
    condition, label = LABELS[kind]
    own = {"latent_dim": 5} if cls is DCGANGenerator else {}
    model = cls((16, 24, 2), width=4, **own, **condition)
    first = np.repeat(first[:1], 4, axis=0)
    outputs = np.array(model([first, label])).reshape(4, -1)
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-6
    if kind == "classes":
        np.testing.assert_array_equal(outputs[1], outputs[3])


def test_scores_are_independent_without_batch_norm():
    def moved_by_another_image(batch_norm):
        model = DCGANDiscriminator((16, 24, 2), width=4, batch_norm=batch_norm)
        other = np.concatenate([IMAGE[:1], -IMAGE[1:]])
        return np.abs(model(IMAGE, training=True)[0] - model(other, training=True)[0])

    assert moved_by_another_image(batch_norm=True) > 1e-6
    assert moved_by_another_image(batch_norm=False) < 1e-6


def test_moving_statistics_follow_the_last_batches():
    model = DCGANGenerator((8, 8, 1), latent_dim=5, width=4)
    # Variances start at 1 and end near 0.002, the square of small initial weights times five.
    for _ in range(120):
        model(LATENT, training=True)
    np.testing.assert_allclose(model(LATENT), model(LATENT, training=True), atol=0.02)


@pytest.mark.parametrize(
    "condition, inputs",
    [
        ({}, LATENT[:, :4]),
        ({"num_classes": 3}, [LATENT, np.zeros((4, 3), "float32")]),
        ({"condition_dim": 2}, [LATENT, np.zeros((4, 3), "float32")]),
        ({"condition_dim": 2}, [LATENT, np.zeros((4,), "int32")]),
        ({"num_classes": 3}, LATENT),
    ],
    ids=["narrow latent", "one-hot classes", "wide vectors", "classes for vectors", "no label"],
)
def test_inputs_that_do_not_fit(condition, inputs):
    with pytest.raises(ValueError):
        DCGANGenerator((8, 8, 1), latent_dim=5, width=2, **condition)(inputs)


def test_integer_labels_of_any_width_are_taken():
    model = DCGANGenerator((8, 8, 1), latent_dim=5, width=2, num_classes=3)
    label = np.array([0, 2, 1, 2])
    expected = model([LATENT, label.astype("int32")])
    for dtype in ("uint8", "int64"):
        np.testing.assert_array_equal(model([LATENT, label.astype(dtype)]), expected)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"image_shape": (8, 8)}, r"tuple of 3 positive.* Received: image_shape=\(8, 8\)"),
        ({"image_shape": 8}, "Received: image_shape=8"),
        ({"image_shape": (8, 8, None)}, r"Received: image_shape=\(8, 8, None\)"),
        ({"width": 0}, "`width` must be .* Received: width=0"),
        ({"width": 8, "max_width": 4}, "at least `width`. Received: width=8, max_width=4"),
        ({"max_width": 1.5}, "`max_width` must be .* Received: max_width=1.5"),
        ({"kernel_size": (5, 5)}, r"`kernel_size` must be .* Received: kernel_size=\(5, 5\)"),
        ({"num_classes": 3, "condition_dim": 2}, "Received: num_classes=3, condition_dim=2"),
        ({"num_classes": True}, "`num_classes` must be .* Received: num_classes=True"),
    ],
)
@pytest.mark.parametrize("cls", [DCGANGenerator, DCGANDiscriminator])
def test_bad_arguments(cls, arguments, message):
    with pytest.raises(ValueError, match=message):
        cls(**arguments)


def test_bad_num_stages():
    with pytest.raises(ValueError, match="`num_stages` must be .* Received: num_stages=0"):
        DCGANDiscriminator((28, 28, 1), num_stages=0)


def test_bad_latent_dim():
    with pytest.raises(ValueError, match="`latent_dim` must be .* Received: latent_dim=-3"):
        DCGANGenerator((8, 8, 1), latent_dim=-3)
