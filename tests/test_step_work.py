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


def make_gan(normalized=False, **compile_options):
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
            wrap(convolution(3)),
            keras.layers.LeakyReLU(),
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


@pytest.mark.parametrize("normalized", [False, True])
def test_simultaneous_players_share_the_round(normalized):
    expected = ROUND + 2 * BACK_TO_WEIGHTS + BACK_TO_GENERATOR
    assert convolutions(make_gan(normalized)) == expected


@pytest.mark.parametrize("normalized", [False, True])
def test_the_generator_s_turn_judges_no_reals_and_has_no_gradients_of_the_other(normalized):
    of_discriminator = ROUND + 2 * BACK_TO_WEIGHTS
    of_generator = GENERATOR + DISCRIMINATOR + BACK_TO_GENERATOR
    gan = make_gan(normalized, updates="alternating")
    assert convolutions(gan) == of_discriminator + of_generator


def test_a_loss_that_compares_with_reals_judges_them():
    plain = make_gan(updates="alternating")
    relativistic = make_gan(updates="alternating", loss="relativistic_paired")
    assert convolutions(relativistic) == convolutions(plain) + DISCRIMINATOR
