"""What a step computes, counted in convolutions: nothing twice, and nothing that nobody reads."""

import functools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan

IMAGES = np.zeros((4, 8, 8, 1), "float32")
# Convolutions of a pass, and of the ways back through it.
GENERATOR, DISCRIMINATOR = 1, 2
# To the first layer's weights, but not to the images.
BACK_TO_WEIGHTS = DISCRIMINATOR + DISCRIMINATOR - 1
# To the images, but not to any weights; then to the generator's weights and the layer before.
BACK_TO_GENERATOR = DISCRIMINATOR + 2 * GENERATOR


def make_gan(normalized=False, further=(), **compile_options):
    convolution = functools.partial(keras.layers.Conv2D, kernel_size=3, strides=2, padding="same")
    wrap = kgan.layers.SpectralNormalization if normalized else lambda layer: layer
    generator = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4 * 4 * 2),
            keras.layers.Reshape((4, 4, 2)),
            keras.layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            wrap(convolution(2)),
            keras.layers.LeakyReLU(),
            wrap(convolution(3, kernel_regularizer="l2", name="last")),
            keras.layers.LeakyReLU(),
            *further,
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    gan = kgan.GAN(generator, discriminator)
    gan.compile("sgd", "sgd", **compile_options)
    return gan


def convolutions(gan, images=IMAGES):
    """Returns how many convolutions XLA is given for a step."""
    step = tf.function(lambda x: gan.train_step((x,)), jit_compile=True, autograph=False)
    text = step.experimental_get_compiler_ir(tf.constant(images))(stage="hlo")
    _, body = text.split("ENTRY", 1)
    lines = [line.split(", metadata=")[0] for line in body.splitlines() if " = " in line]
    read = {line.split(" = ")[0].split()[-1]: line.split(" = ")[1] for line in lines}
    (root,) = (line.split(" = ")[1] for line in lines if line.strip().startswith("ROOT"))
    # What no result needs is no work: compilers leave it out.
    needed, found = set(), [root]
    while found:
        names = set(re.findall(r"%[\w.-]+", found.pop())) & read.keys() - needed
        needed |= names
        found += [read[name] for name in names]
    return sum(" convolution(" in read[name] for name in needed)


ROUND = GENERATOR + 2 * DISCRIMINATOR
ITS_TURN = ROUND + 2 * BACK_TO_WEIGHTS
ITS_TURN_IN_ONE_PASS = GENERATOR + DISCRIMINATOR + BACK_TO_WEIGHTS
GENERATOR_S_TURN = GENERATOR + DISCRIMINATOR + BACK_TO_GENERATOR


@pytest.mark.parametrize("normalized", [False, True])
def test_simultaneous_players_share_the_round(normalized):
    expected = ROUND + 2 * BACK_TO_WEIGHTS + BACK_TO_GENERATOR
    assert convolutions(make_gan(normalized)) == expected


@pytest.mark.parametrize("normalized", [False, True])
def test_the_generator_s_turn_judges_no_reals_and_has_no_gradients_of_the_other(normalized):
    gan = make_gan(normalized, updates="alternating")
    assert convolutions(gan) == ITS_TURN_IN_ONE_PASS + GENERATOR_S_TURN


def test_a_loss_that_compares_with_reals_judges_them():
    plain = make_gan(updates="alternating")
    relativistic = make_gan(updates="alternating", loss="relativistic_paired")
    assert convolutions(relativistic) == convolutions(plain) + DISCRIMINATOR


# --- One pass of reals and fakes ----------------------------------------------------------------


class Mine(keras.layers.Layer):
    """A user's layer, of which nobody knows what it reads."""

    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    "layer",
    [
        kgan.layers.MinibatchStandardDeviation(group_size=2),
        keras.layers.ActivityRegularization(l2=0.1),
        Mine(),
        keras.layers.Lambda(lambda x: x - keras.ops.mean(x, axis=0)),
    ],
    ids=lambda layer: layer.name,
)
def test_what_may_read_the_batch_has_a_pass_for_each(layer):
    gan = make_gan(further=[layer], updates="alternating")
    assert convolutions(gan) == ITS_TURN + GENERATOR_S_TURN


def test_an_operation_that_is_no_layer_may_read_the_batch():
    gan = make_gan(updates="alternating")
    x = gan.discriminator.layers[-2].output
    x = keras.ops.concatenate([x, x - keras.ops.mean(x, axis=0)])
    gan = kgan.GAN(gan.generator, keras.Model(gan.discriminator.inputs, keras.layers.Dense(1)(x)))
    gan.compile("sgd", "sgd", updates="alternating")
    assert convolutions(gan) == ITS_TURN + GENERATOR_S_TURN


def test_batch_norm_has_a_pass_for_each():
    """Its statistics of reals are not those of fakes, which the step keeps in both turns."""
    gan = make_gan(further=[kgan.layers.BatchNormalization()], updates="alternating")
    assert convolutions(gan) == ITS_TURN + GENERATOR_S_TURN + DISCRIMINATOR


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"jit_compile": True}], ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"discriminator_steps": 2, "loss": "wasserstein", "penalties": ["gradient_penalty:10"]},
        {"auxiliary_losses": ["feature_matching:1,layers=last"], "augment": ["diff_augment"]},
    ],
    ids=str,
)
def test_one_pass_is_two(options, how, monkeypatch):
    images = np.random.default_rng(0).uniform(-1, 1, (8, 8, 8, 1)).astype("float32")
    results = []
    for in_one_pass in (True, False):
        if not in_one_pass:
            monkeypatch.setattr("kgan.gan._is_by_example", lambda layer: False)
        keras.utils.set_random_seed(0)
        gan = make_gan(updates="alternating", **options, **how)
        gan.seed = 1
        gan._training_seeds.state.assign([1, 0])
        logs = gan.fit(images, batch_size=8, epochs=2, shuffle=False, verbose=0).history
        results.append([*gan.get_weights(), *logs.values()])
    for value, expected in zip(*results, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["acgan", "projection_gan"])
def test_one_pass_is_two_with_labels(name, monkeypatch):
    results = []
    for in_one_pass in (True, False):
        if not in_one_pass:
            monkeypatch.setattr("kgan.gan._is_by_example", lambda layer: False)
        keras.utils.set_random_seed(0)
        gan = conditional_gan(name)
        images = np.random.default_rng(0).uniform(-1, 1, (8, 8, 8, 1)).astype("float32")
        gan.fit(images, np.arange(8) % 3, batch_size=8, epochs=2, shuffle=False, verbose=0)
        results.append(gan.get_weights())
    for value, expected in zip(*results, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def conditional_gan(name):
    generator = kgan.backbones.DCGANGenerator((8, 8, 1), width=4, num_classes=3)
    sizes = {"image_shape": (8, 8, 1), "width": 4, "batch_norm": False}
    if name == "acgan":
        head = kgan.layers.ClassifierHead(3)
        discriminator = kgan.backbones.DCGANDiscriminator(head=head, **sizes)
        gan = kgan.games.ACGAN(generator, discriminator, num_classes=3, seed=1)
    else:
        discriminator = kgan.backbones.DCGANDiscriminator(num_classes=3, **sizes)
        gan = kgan.GAN(generator, discriminator, num_classes=3, seed=1)
    gan.compile(
        keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), loss="hinge", updates="alternating"
    )
    return gan
