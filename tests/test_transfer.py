"""Transfer: which weights a new GAN takes from another, and what it says of the rest."""

import keras
import numpy as np
import pytest

import kgan
from kgan import transfer
from tests import networks


def convolutional(size=16, channels=1, classes=None, width=2, head=None, latent_dim=3, **kwargs):
    shared = {"image_shape": (size, size, channels), "width": width, "num_classes": classes}
    gan = kgan.GAN(
        kgan.backbones.DCGANGenerator(latent_dim=latent_dim, **shared),
        kgan.backbones.DCGANDiscriminator(head=head, **shared),
        num_classes=classes,
        **kwargs,
    )
    return filled(gan)


def filled(gan):
    """All weights and statistics drawn anew, also those of the average."""
    for network in (*gan.networks.values(), gan.averaged_generator):
        for weight in network.weights:
            if weight.dtype == "float32":
                weight.assign(keras.random.uniform(weight.shape, 0.1, 1.0))
    return gan


def values(network):
    """Weights by their paths, as copies."""
    return {weight.path: np.array(weight) for weight in network.weights}


def assert_equal(a, b):
    for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


def assert_as_before(now, before, *paths):
    for path in paths:
        np.testing.assert_array_equal(now[path], before[path])


# --- Equal networks -----------------------------------------------------------------------------


def test_equal_networks_take_all_with_statistics_and_average():
    gan, source = convolutional(classes=3), convolutional(classes=3)
    gan.compile()
    gan.images_seen.assign(5)
    report = transfer.initialize(gan, source)
    for role in ("generator", "discriminator", "averaged_generator"):
        assert_equal(getattr(gan, role), getattr(source, role))
    labels = np.arange(4) % 3
    images = source.generate(4, labels, seed=1)
    np.testing.assert_array_equal(gan.generate(4, labels, seed=1), images)
    assert len(report.loaded) == len(gan.generator.weights) + len(gan.discriminator.weights)
    assert report.rows == report.left == {}
    assert report.loaded_parameters == report.parameters
    assert report.parameters == gan.generator.count_params() + gan.discriminator.count_params()
    assert "generator/norm_0/moving_variance" in report.loaded
    assert gan.steps_trained == 0 and int(gan.images_seen) == 5


def test_random_states_and_optimizers_are_not_taken():
    source, gan = (kgan.GAN(*plain(dropout=True), seed=seed) for seed in (1, 2))
    for one in (source, gan):
        one.compile("adam", "adam")
    source.fit(np.ones((8, 2), "float32"), verbose=0)
    states = [np.array(state) for state in gan._states().values()]
    moments = [np.array(v) for v in gan.generator_optimizer.variables]
    transfer.initialize(gan, source)
    assert len(states) == 3  # two of the GAN, one of dropout
    for before, state in zip(states, gan._states().values(), strict=True):
        np.testing.assert_array_equal(state, before)
    for before, variable in zip(moments, gan.generator_optimizer.variables, strict=True):
        np.testing.assert_array_equal(variable, before)


def test_only_one_of_them_has_an_average():
    source, gan = convolutional(), convolutional(average_half_life_images=None)
    transfer.initialize(gan, source)
    assert_equal(gan.generator, source.generator)
    source, gan = gan, convolutional()
    transfer.initialize(gan, source)
    assert_equal(gan.averaged_generator, source.generator)


def test_a_run_and_a_preset_are_sources(tmp_path):
    source = convolutional()
    source.compile()
    source.save(tmp_path / "model.keras")
    source.save_to_preset(tmp_path / "preset")
    for path, generator in (
        (tmp_path, source.generator),
        (tmp_path / "preset", source.averaged_generator),
    ):
        gan = convolutional()
        assert transfer.initialize(gan, path).source == str(path)
        assert_equal(gan.generator, generator)
        assert_equal(gan.averaged_generator, source.averaged_generator)


# --- Other classes ------------------------------------------------------------------------------


@pytest.mark.parametrize(("classes", "before"), [(5, 3), (3, 5)])
def test_rows_of_common_classes_are_taken(classes, before):
    gan, source = convolutional(classes=classes), convolutional(classes=before)
    old, average = values(gan.generator), values(gan.averaged_generator)
    report = transfer.initialize(gan, source)
    assert report.left == {}
    assert report.rows == {
        "generator/embed_label/table": f"3 of {classes} classes",
        "discriminator/score/projection": f"3 of {classes} classes",
    }
    for role, kept in (("generator", old), ("averaged_generator", average)):
        table = values(getattr(gan, role))["embed_label/table"]
        taken = values(getattr(source, role))["embed_label/table"]
        np.testing.assert_array_equal(table[:3], taken[:3])
        np.testing.assert_array_equal(table[3:], kept["embed_label/table"][3:])
    rest = report.parameters - report.loaded_parameters
    assert rest == max(0, classes - before) * (
        3 + gan.discriminator.get_layer("features").output.shape[-1]
    )


def linear_heads(head, classes):
    layer = {
        "classes": lambda: kgan.layers.ClassifierHead(classes),
        "fakes": lambda: kgan.layers.MultiHingeHead(classes),
        "twice": lambda: kgan.layers.ClassifierHead(classes, num_logits=2 * classes),
    }[head]()
    return convolutional(classes=classes, head=layer)


@pytest.mark.parametrize(
    ("head", "here", "there"),
    [
        ("classes", [0, 1, 2], [0, 1, 2]),
        ("fakes", [0, 1, 2, 5], [0, 1, 2, 3]),  # the last is of fakes
        ("twice", [0, 1, 2, 5, 6, 7], [0, 1, 2, 3, 4, 5]),  # of reals, then of fakes
    ],
)
def test_outputs_of_common_classes_are_taken(head, here, there):
    gan, source = linear_heads(head, 5), linear_heads(head, 3)
    old = values(gan.discriminator)
    report = transfer.initialize(gan, source)
    assert report.left == {} and len(report.rows) == 3
    new, taken = values(gan.discriminator), values(source.discriminator)
    pairs = [path for path in new if "class_logits" in path]
    # Names that Keras gives are counted through the process.
    for path, other in zip(pairs, [path for path in taken if "class_logits" in path], strict=True):
        np.testing.assert_array_equal(new[path][..., here], taken[other][..., there])
        others = np.setdiff1d(np.arange(new[path].shape[-1]), here)
        np.testing.assert_array_equal(new[path][..., others], old[path][..., others])


def test_a_layer_knows_its_classes_where_the_game_has_none():
    """Semi-supervised games classify images that they draw without labels."""

    def build(classes):
        head = kgan.layers.ClassifierHead(classes, name="head")
        generator = kgan.backbones.DCGANGenerator((8, 8, 1), latent_dim=3, width=2)
        return kgan.GAN(generator, kgan.backbones.DCGANDiscriminator((8, 8, 1), width=2, head=head))

    report = transfer.initialize(build(5), build(3))
    assert report.left == {}
    assert report.rows["discriminator/head/class_logits_bias"] == "3 of 5 classes"


def test_a_conditional_gan_starts_from_one_without_classes():
    report = transfer.initialize(convolutional(classes=3), convolutional())
    assert report.left == {
        "generator/embed_label/table": "no layer there that answers to this one",
        "generator/project/kernel": "shape differs: (3, 64) there, (6, 64) here",
        "discriminator/score/projection": "no layer there that answers to this one",
    }


# --- Other images -------------------------------------------------------------------------------


def test_convolutions_are_taken_for_images_of_another_shape():
    """28x28 has as many stages as 16x16, from 7x7 in the place of 4x4."""
    gan, source = convolutional(28), convolutional(16)
    report = transfer.initialize(gan, source)
    assert set(report.left) == {"generator/project/kernel", "discriminator/score/kernel"}
    assert report.left["discriminator/score/kernel"] == (
        "shape differs: (64, 1) there, (196, 1) here"
    )
    new, taken = values(gan.generator), values(source.generator)
    assert_as_before(new, taken, "upsampling_1/kernel", "upsampling_2/bias", "norm_1/moving_mean")


def test_stages_are_matched_from_the_image_inwards():
    """A generator of 32x32 has one stage more, before those that one of 16x16 has."""
    gan, source = convolutional(32), convolutional(16)
    transfer.initialize(gan, source)
    new, taken = values(gan.generator), values(source.generator)
    for here, there in (("upsampling_3", "upsampling_2"), ("upsampling_2", "upsampling_1")):
        np.testing.assert_array_equal(new[f"{here}/kernel"], taken[f"{there}/kernel"])
    np.testing.assert_array_equal(new["norm_2/beta"], taken["norm_1/beta"])
    new, taken = values(gan.discriminator), values(source.discriminator)
    assert_as_before(new, taken, "downsampling_0/kernel", "downsampling_1/kernel", "norm_1/gamma")


def test_other_channels_leave_what_touches_pixels():
    report = transfer.initialize(convolutional(channels=3), convolutional(channels=1))
    assert set(report.left) == {
        "generator/upsampling_2/kernel",
        "generator/upsampling_2/bias",
        "discriminator/downsampling_0/kernel",
    }


def test_how_far_a_network_has_grown_is_taken_with_all_of_its_stages_only():
    def build(size):
        shape = {"image_shape": (size, size, 1)}
        generator = kgan.backbones.ProgressiveGenerator(latent_dim=3, width=2, max_width=4, **shape)
        critic = kgan.backbones.ProgressiveDiscriminator(width=2, max_width=4, **shape)
        return kgan.GAN(generator, critic)

    gan, source = build(16), build(8)
    progress = gan.generator.get_layer("stages").progress
    full = int(progress)
    report = transfer.initialize(gan, source)
    assert int(progress) == full
    assert report.left["generator/stages/progress"] == "counts the parts of another layer there"
    source = build(16)
    source.generator.get_layer("stages").progress.assign(7)
    assert transfer.initialize(gan, source).left == {}
    assert int(progress) == 7


# --- Networks of any make -----------------------------------------------------------------------


def plain(units=(8,), dropout=False):
    layers = [keras.layers.Dense(n, activation="tanh") for n in units]
    dropped = [keras.layers.Dropout(0.5)] if dropout else []
    return (
        keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(2)]),
        keras.Sequential([keras.Input((2,)), *dropped, keras.layers.Dense(1)]),
    )


def test_names_that_keras_gives_do_not_matter():
    source, gan = kgan.GAN(*plain((8, 8))), kgan.GAN(*plain((8, 8)))
    assert [v.path for v in source.generator.weights] != [v.path for v in gan.generator.weights]
    report = transfer.initialize(gan, source)
    assert report.left == {}
    assert_equal(gan.generator, source.generator)


def test_functional_networks_with_embeddings():
    def build(classes):
        return kgan.GAN(
            networks.generator(classes), networks.discriminator(classes), num_classes=classes
        )

    report = transfer.initialize(build(5), build(3))
    assert report.left == {} and list(report.rows.values()) == ["3 of 5 classes"] * 2


def test_members_of_a_committee_find_each_other():
    def build():
        members = [
            kgan.backbones.MLPDiscriminator((2,), units=[4], name=name) for name in ("a", "b")
        ]
        generator = kgan.backbones.MLPGenerator((2,), latent_dim=3, units=[4])
        return kgan.GAN(generator, kgan.backbones.Committee(members))

    gan, source = build(), build()
    transfer.initialize(gan, source)
    assert_equal(gan.discriminator, source.discriminator)


class WithEncoder(kgan.GAN):
    roles = {**kgan.GAN.roles, "encoder": "generator"}


def with_encoder():
    encoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    return WithEncoder(*plain(), encoder=encoder)


def test_networks_of_equal_roles_find_each_other():
    gan, source = with_encoder(), with_encoder()
    transfer.initialize(gan, source)
    assert_equal(gan.encoder, source.encoder)
    report = transfer.initialize(gan, kgan.GAN(*plain()))
    assert report.left == {"encoder": "no such network there"}
    assert transfer.initialize(kgan.GAN(*plain()), source).left == {}


def test_half_precision_takes_from_single():
    source = convolutional()
    keras.config.set_dtype_policy("mixed_bfloat16")
    gan = convolutional()
    transfer.initialize(gan, source)
    assert_equal(gan.generator, source.generator)


def test_replicas_all_start_from_the_source(two_replicas):
    source = convolutional(classes=3)
    with two_replicas.scope():
        gan = convolutional(classes=5)
        report = transfer.initialize(gan, source)
    assert report.left == {} and len(report.rows) == 2
    path = "upsampling_1/kernel"
    (kernel,) = (w for w in gan.generator.weights if w.path == path)
    for copy in two_replicas.experimental_local_results(kernel.value):
        np.testing.assert_array_equal(copy.numpy(), values(source.generator)[path])


# --- What is said -------------------------------------------------------------------------------


def test_the_table_counts_and_lists_what_was_left():
    report = transfer.initialize(convolutional(32, classes=5), convolutional(classes=3))
    lines = report.table()
    assert lines[0] == (
        f"{report.source}: 20 of 33 variables, "
        f"{report.loaded_parameters / report.parameters:.1%} of {report.parameters:,} "
        "weights and statistics"
    )
    assert "  in part  generator/embed_label/table: 3 of 5 classes" in lines
    norm = "generator/norm_0/gamma, beta, moving_mean, moving_variance"
    assert f"  new      {norm}: no layer there that answers to this one" in lines


def test_nothing_that_fits_is_an_error_and_changes_nothing():
    gan, source = kgan.GAN(*plain((7,))), convolutional()
    before = gan.generator.get_weights()
    with pytest.raises(ValueError, match="weights that fit. Received: .*, of which nothing does"):
        transfer.initialize(gan, source)
    for x, y in zip(before, gan.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


def test_a_source_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="preset.*nowhere"):
        transfer.initialize(convolutional(), tmp_path / "nowhere")
