import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.backbones import ProgressiveDiscriminator, ProgressiveGenerator
from kgan.backbones.progressive import PARTS, GrowingAnalysis, GrowingSynthesis
from tests import conformance
from tests.frameworks import tensorflow_only

RNG = np.random.default_rng(0)
LATENT = RNG.normal(size=(4, 5)).astype("float32")
IMAGE = RNG.uniform(-1, 1, size=(4, 8, 12, 2)).astype("float32")
LABELS = {
    "none": ({}, None),
    "classes": ({"num_classes": 3}, np.array([0, 2, 1, 2], "int32")),
    "vectors": ({"condition_dim": 2}, RNG.normal(size=(4, 2)).astype("float32")),
}
LARGE = RNG.uniform(-1, 1, size=(4, 16, 16, 2)).astype("float32")


def with_label(x, label):
    return x if label is None else [x, label]


def grow(network, progress):
    """Sets how far a network, or a layer, has grown; in stages."""
    (layer,) = [x for x in network._flatten_layers() if hasattr(x, "progress")]
    layer.progress.assign(int(progress * PARTS))
    return layer


@pytest.fixture(autouse=True)
def gradients_in_fade(monkeypatch):
    """Of two stages both paths to the image have gradients only while the second fades in."""
    check = conformance.check_gradients

    def half_grown(network, *args):
        grow(network, 0.5)
        check(network, *args)
        grow(network, 1)

    monkeypatch.setattr(conformance, "check_gradients", half_grown)


@pytest.fixture
def generator():
    return ProgressiveGenerator((16, 16, 2), latent_dim=5, width=3, max_width=8)


@pytest.fixture
def discriminator():
    return ProgressiveDiscriminator((16, 16, 2), width=3, max_width=8, group_size=1)


@pytest.mark.parametrize("kind", LABELS)
def test_generator_conforms(kind):
    condition, label = LABELS[kind]
    conformance.run_backbone_test(
        cls=ProgressiveGenerator,
        init_kwargs={
            "image_shape": (8, 12, 2),
            "latent_dim": 5,
            "width": 4,
            "max_width": 6,
            **condition,
        },
        input_data=with_label(LATENT, label),
        expected_output_shape=(4, 8, 12, 2),
    )


@pytest.mark.parametrize("kind", LABELS)
def test_discriminator_conforms(kind):
    condition, label = LABELS[kind]
    conformance.run_backbone_test(
        cls=ProgressiveDiscriminator,
        init_kwargs={
            "image_shape": (8, 12, 2),
            "width": 4,
            "max_width": 6,
            "group_size": 2,
            **condition,
        },
        input_data=with_label(IMAGE, label),
        expected_output_shape=(4, 1),
    )


def test_layers_conform():
    conformance.run_layer_test(
        cls=GrowingSynthesis,
        init_kwargs={"widths": (3, 2), "channels": 2},
        input_data=RNG.normal(size=(4, 2, 3, 3)).astype("float32"),
        expected_output_shape=(4, 4, 6, 2),
    )
    conformance.run_layer_test(
        cls=GrowingAnalysis,
        init_kwargs={"widths": (3, 2)},
        input_data=IMAGE,
        expected_output_shape=(4, 4, 6, 3),
    )


def test_images_are_made_in_float32_from_blocks_in_less():
    layer = ProgressiveGenerator((8, 8, 1), 5, width=2, dtype="mixed_float16").get_layer("stages")
    assert {x.compute_dtype for x in [*layer.first, *layer.second]} == {"float16"}
    assert {x.compute_dtype for x in layer.to_image} == {"float32"}
    assert GrowingSynthesis.from_config(layer.get_config()).first[0].compute_dtype == "float16"


def test_networks_have_the_size_of_the_paper():
    """Table 2: both networks for 1024x1024 images have 23.1 million parameters."""
    for network in (
        ProgressiveGenerator((1024, 1024, 3), width=16),
        ProgressiveDiscriminator((1024, 1024, 3), width=16),
    ):
        assert network.count_params() == pytest.approx(23.1e6, abs=0.05e6)
        layer = network.get_layer("stages")
        assert layer.widths == (512, 512, 512, 512, 256, 128, 64, 32, 16)
        assert int(layer.progress) == 8 * PARTS


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_images_of_a_stage_are_blocks_of_equal_pixels(generator, stage):
    grow(generator, stage)
    images = np.array(generator(LATENT))
    size = 2 ** (2 - stage)
    small = images[:, ::size, ::size]
    np.testing.assert_array_equal(images, small.repeat(size, axis=1).repeat(size, axis=2))
    if size < 16:
        assert not np.allclose(small[:, ::2, ::2], small[:, 1::2, 1::2], atol=1e-4)


@pytest.mark.parametrize("stage", [1, 2])
@pytest.mark.parametrize("share", [1 / PARTS, 0.25, 0.875])
def test_a_fading_image_is_the_mixture_of_two_stages(generator, stage, share):
    before, after, between = (
        np.array(generator(LATENT), "float64")
        for layer in (
            grow(generator, progress) for progress in (stage - 1, stage, stage - 1 + share)
        )
    )
    np.testing.assert_allclose(between, (1 - share) * before + share * after, atol=1e-6)
    assert np.abs(after - before).max() > 0.1


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_scores_of_a_stage_depend_on_averages_only(discriminator, stage):
    size = 2 ** (2 - stage)
    blocks = LARGE.reshape(4, 16 // size, size, 16 // size, size, 2)
    averages = blocks.mean(axis=(2, 4)).repeat(size, axis=1).repeat(size, axis=2)
    grow(discriminator, stage)
    score = discriminator(LARGE)
    np.testing.assert_allclose(discriminator(averages), score, atol=1e-5)
    if stage < 2:
        grow(discriminator, stage + 0.5)
        assert np.abs(discriminator(averages) - discriminator(LARGE)).max() > 1e-3


@pytest.mark.parametrize("stage", [1, 2])
def test_a_fading_stage_is_mixed_with_what_is_read_from_the_image(discriminator, stage):
    """Maps of the first stage are linear in alpha while the second fades in."""
    layer = discriminator.get_layer("stages")

    def maps(images, progress):
        grow(discriminator, progress)
        return np.array(layer(images), "float64")

    if stage == 1:
        before, after, between = (maps(LARGE, progress) for progress in (0, 1, 0.25))
        np.testing.assert_allclose(between, 0.75 * before + 0.25 * after, atol=1e-6)
        return
    # A stage that has just begun changes nothing, and one that is on hides the image's own path.
    np.testing.assert_allclose(maps(LARGE, 1 + 1 / PARTS), maps(LARGE, 1), atol=1e-2)
    expected = maps(LARGE, 2)
    layer.from_image[1].layer.bias.assign([9.0] * 6)
    np.testing.assert_array_equal(maps(LARGE, 2), expected)
    assert np.abs(maps(LARGE, 1.5) - expected).max() > 0.1


@tensorflow_only("its tapes")
@pytest.mark.parametrize("stage", [0, 1])
def test_later_stages_are_not_computed(generator, discriminator, stage):
    """Even numbers that are none do not matter there, nor to the gradients."""
    for network in (generator, discriminator):
        layer = grow(network, stage)
        later = [*layer.first[stage:], *layer.second[stage:]]
        later += (layer.to_image if network is generator else layer.from_image)[stage + 1 :]
        for one in later:
            one.layer.kernel.assign(np.nan * one.layer.kernel)
    variables = [v.value for v in [*generator.trainable_variables, *discriminator.weights[1:]]]

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            score = discriminator(generator(tf.constant(LATENT)))
        return score, tape.gradient(score, variables, unconnected_gradients="zero")

    score, gradients = step()
    assert np.all(np.isfinite(score))
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)
    for network in (generator, discriminator):
        grow(network, stage + 1)
    assert np.all(np.isnan(discriminator(generator(LATENT))))


@tensorflow_only("its tapes")
@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_second_derivatives_are_those_of_eager_execution(jit_compile):
    """R1's gradient, through the branches of a graph and under XLA."""
    network = ProgressiveDiscriminator((8, 12, 2), width=3, max_width=4, group_size=1)
    variables = [v.value for v in network.trainable_variables]

    def penalty():
        images = tf.constant(IMAGE)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(images)
                score = network(images)
            value = tf.reduce_sum(tf.square(inner.gradient(score, images)))
        return outer.gradient(value, variables, unconnected_gradients="zero")

    compiled = tf.function(penalty, jit_compile=jit_compile, autograph=False)
    for progress in (0, 0.5, 1):
        grow(network, progress)
        expected = penalty()
        assert max(np.abs(gradient).max() for gradient in expected) > 0.01
        for value, other in zip(compiled(), expected, strict=True):
            np.testing.assert_allclose(value, other, rtol=1e-4, atol=1e-5)


def test_the_generators_scale_of_latents_does_not_matter(generator):
    np.testing.assert_allclose(generator(LATENT), generator(7 * LATENT), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cls", [ProgressiveGenerator, ProgressiveDiscriminator])
@pytest.mark.parametrize("kind", ["classes", "vectors"])
def test_the_label_matters(cls, kind):
    condition, label = LABELS[kind]
    is_generator = cls is ProgressiveGenerator
    own = {"latent_dim": 5} if is_generator else {}
    model = cls((8, 12, 2), width=4, **own, **condition)
    first = np.repeat((LATENT if is_generator else IMAGE)[:1], 4, axis=0)
    outputs = np.array(model([first, label])).reshape(4, -1)
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-4


def test_scores_depend_on_the_group_unless_it_has_one_member():
    def moved(group_size):
        model = ProgressiveDiscriminator((8, 12, 2), width=4, group_size=group_size)
        other = np.concatenate([IMAGE[:1], -IMAGE[1:]])
        return float(np.abs(model(IMAGE)[0] - model(other)[0])[0])

    assert moved(4) > 1e-5
    assert moved(1) < 1e-6


def test_clones_keep_how_far_they_have_grown_with_their_weights(generator):
    grow(generator, 1.25)
    clone = keras.models.clone_model(generator)
    clone.set_weights(generator.get_weights())
    np.testing.assert_array_equal(clone(LATENT), generator(LATENT))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"image_shape": (8, 8)}, r"tuple of 3 positive.* Received: image_shape=\(8, 8\)"),
        ({"image_shape": (30, 30, 1)}, "Nearest: 28x28, 32x32"),
        ({"width": 0}, "`width` must be .* Received: width=0"),
        ({"width": 8, "max_width": 4}, "at least `width`. Received: width=8, max_width=4"),
        ({"num_classes": 3, "condition_dim": 2}, "Received: num_classes=3, condition_dim=2"),
    ],
)
@pytest.mark.parametrize("cls", [ProgressiveGenerator, ProgressiveDiscriminator])
def test_bad_arguments(cls, arguments, message):
    with pytest.raises(ValueError, match=message):
        cls(**arguments)


def test_bad_arguments_of_one():
    with pytest.raises(ValueError, match="`latent_dim` must be .* Received: latent_dim=0"):
        ProgressiveGenerator((8, 8, 1), latent_dim=0)
    with pytest.raises(ValueError, match="`group_size` must be .* Received: group_size=0"):
        ProgressiveDiscriminator((8, 8, 1), group_size=0)
    with pytest.raises(ValueError, match="3 channels of stage 0. Received: 4"):
        GrowingSynthesis((3, 2), 1)(np.zeros((1, 2, 2, 4), "float32"))
    with pytest.raises(ValueError, match=r"divisible by 2.* Received: .*\(4, 3, 1\)"):
        GrowingAnalysis((3, 2))(np.zeros((1, 4, 3, 1), "float32"))
