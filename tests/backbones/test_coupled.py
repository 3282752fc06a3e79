import numpy as np
import pytest
import tensorflow as tf

from kgan.backbones import CoupledDiscriminator, CoupledGenerator
from tests.conformance import run_backbone_test
from tests.frameworks import tensorflow_only

SHAPE = (8, 16, 2)
LATENT = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
PAIRS = np.random.default_rng(1).uniform(-1, 1, (3, *SHAPE)).astype("float32")


def reached(model, inputs, output):
    """Names of the variables that a function of the model's output depends on."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(output(model(inputs, training=True)) ** 2)
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    pairs = zip(model.trainable_variables, gradients, strict=True)
    return {v.path for v, g in pairs if g is not None and np.any(tf.convert_to_tensor(g))}


def test_conformance():
    arguments = {"image_shape": SHAPE, "latent_dim": 5, "width": 4}
    run_backbone_test(CoupledGenerator, arguments, LATENT, (3, *SHAPE))
    arguments = {"image_shape": SHAPE, "width": 4, "num_stages": 2}
    run_backbone_test(CoupledDiscriminator, arguments, PAIRS, (3, 2))


@tensorflow_only("its tapes")
def test_a_score_moves_the_shared_layers_and_its_own_first_but_not_the_others():
    model = CoupledDiscriminator(SHAPE, width=4)
    first = reached(model, PAIRS, lambda scores: scores[:, 0])
    second = reached(model, PAIRS, lambda scores: scores[:, 1])
    assert {path for path in first ^ second} == {
        "first/kernel", "first/bias", "second/kernel", "second/bias",
    }  # fmt: skip
    assert first - second == {"first/kernel", "first/bias"}
    assert first & second and first | second == {v.path for v in model.trainable_variables}


@tensorflow_only("its tapes")
def test_an_image_moves_the_shared_layers_and_its_own_half_of_the_last():
    model = CoupledGenerator(SHAPE, latent_dim=5, width=4)
    everything = {v.path for v in model.trainable_variables}
    halves = {"first": slice(0, 8), "second": slice(8, 16)}
    for own, half in enumerate(halves.values()):
        assert reached(model, LATENT, lambda x, half=half: x[:, :, half]) == everything
        last = model.get_layer("both").layers[-2]
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(LATENT, training=True)[:, :, half] ** 2)
        gradients = tape.gradient(loss, [last.kernel.value, last.bias.value])
        kernel, bias = (np.array(tf.convert_to_tensor(g)) for g in gradients)
        # Transposed convolutions have kernels (height, width, output, input).
        kernel, bias = kernel.reshape(*kernel.shape[:2], 2, 2, -1), bias.reshape(2, 2)
        assert np.any(kernel[:, :, own]) and np.any(bias[own])
        assert not np.any(kernel[:, :, 1 - own]) and not np.any(bias[1 - own])


def test_images_lie_side_by_side():
    model = CoupledGenerator(SHAPE, latent_dim=5, width=4)
    both = np.array(model.get_layer("both")(LATENT))
    expected = np.concatenate([both[..., :2], both[..., 2:]], axis=2)
    np.testing.assert_allclose(model(LATENT), expected, atol=1e-6)


def test_equal_images_differ_in_score_by_the_first_layer_alone():
    model = CoupledDiscriminator(SHAPE, width=4)
    twice = np.concatenate([PAIRS[:, :, :8], PAIRS[:, :, :8]], axis=2)
    scores = np.array(model(twice))
    assert np.abs(scores[:, 0] - scores[:, 1]).max() > 1e-9
    model.get_layer("second").set_weights(model.get_layer("first").get_weights())
    scores = np.array(model(twice))
    np.testing.assert_allclose(scores[:, 0], scores[:, 1], rtol=1e-5)


def test_bad_arguments():
    for cls in (CoupledGenerator, CoupledDiscriminator):
        with pytest.raises(ValueError, match=r"even width. Received: image_shape=\(8, 15, 1\)"):
            cls((8, 15, 1))
    with pytest.raises(ValueError, match="2 or more, or None. Received: num_stages=1"):
        CoupledDiscriminator(SHAPE, num_stages=1)
