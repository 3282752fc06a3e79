import numpy as np
import pytest
import tensorflow as tf

from kgan.layers import ModulatedConv2D
from tests.conformance import run_layer_test
from tests.frameworks import tensorflow_only

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(3, 5, 6, 4)).astype("float32")
STYLES = RNG.normal(size=(3, 7)).astype("float32")


def randomized(**kwargs):
    layer = ModulatedConv2D(**kwargs)
    layer([IMAGES, STYLES])
    for weight in layer.weights:
        weight.assign(RNG.normal(size=weight.shape))
    return layer


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_conforms(kernel_size, demodulate):
    run_layer_test(
        ModulatedConv2D,
        {"filters": 2, "kernel_size": kernel_size, "demodulate": demodulate, "epsilon": 1e-6},
        [IMAGES, STYLES],
        (3, 5, 6, 2),
    )


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("kernel_size", [1, 3, 4])
def test_equals_a_kernel_for_each_example(kernel_size, demodulate):
    """Equations (1) and (3) as they are written, in float64."""
    layer = randomized(filters=2, kernel_size=kernel_size, demodulate=demodulate, epsilon=0.1)
    kernel, affine, bias = (w.numpy().astype("float64") for w in layer.weights)
    kernel = kernel / np.sqrt(kernel_size**2 * 4)
    expected = []
    for image, style in zip(IMAGES, STYLES, strict=True):
        scale = style @ (affine / np.sqrt(7)) + bias
        modulated = scale[:, None] * kernel
        if demodulate:
            modulated = modulated / np.sqrt(np.sum(modulated**2, axis=(0, 1, 2)) + 0.1)
        expected.append(tf.nn.conv2d(image[None].astype("float64"), modulated, 1, "SAME")[0])
    np.testing.assert_allclose(layer([IMAGES, STYLES]), expected, rtol=1e-4, atol=1e-5)


@tensorflow_only("its tapes")
def test_gradients_equal_those_of_a_kernel_for_each_example():
    layer = randomized(filters=2, kernel_size=3)

    def by_example(images, styles):
        scales = layer.affine(styles)
        kernel = layer.kernel.value / 6.0
        outputs = []
        for i in range(3):
            modulated = scales[i][:, None] * kernel
            modulated /= tf.sqrt(tf.reduce_sum(modulated**2, axis=(0, 1, 2)) + 1e-8)
            outputs.append(tf.nn.conv2d(images[i : i + 1], modulated, 1, "SAME"))
        return tf.concat(outputs, axis=0)

    images, styles = tf.constant(IMAGES), tf.constant(STYLES)
    variables = [v.value for v in layer.trainable_variables]
    gradients = []
    for function in (lambda x, s: layer([x, s]), by_example):
        with tf.GradientTape() as tape:
            tape.watch([images, styles])
            total = tf.reduce_sum(tf.tanh(function(images, styles)))
        gradients.append(tape.gradient(total, [images, styles, *variables]))
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_demodulation_undoes_the_scale_of_a_style():
    layer = randomized(filters=2, kernel_size=3)
    layer.affine.layer.bias.assign(np.zeros(4))
    once = layer([IMAGES, STYLES])
    np.testing.assert_allclose(layer([IMAGES, 10 * STYLES]), once, rtol=1e-3, atol=1e-4)
    plain = randomized(filters=2, kernel_size=3, demodulate=False)
    plain.set_weights(layer.get_weights())
    tenfold = 10 * np.array(plain([IMAGES, STYLES]))
    np.testing.assert_allclose(plain([IMAGES, 10 * STYLES]), tenfold, rtol=1e-3, atol=1e-4)


def test_demodulated_output_has_unit_variance():
    layer = ModulatedConv2D(filters=32, kernel_size=3)
    images = RNG.normal(size=(4, 32, 32, 16)).astype("float32")
    styles = RNG.normal(scale=2.0, size=(4, 7)).astype("float32")
    # Away from the borders, whose zeros lessen the variance.
    outputs = np.array(layer([images, styles]))[:, 1:-1, 1:-1]
    assert np.var(outputs) == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(np.var(outputs, axis=(1, 2, 3)), 1, atol=0.1)


def test_styles_start_around_a_scale_of_one():
    layer = ModulatedConv2D(filters=2, kernel_size=3)
    layer([IMAGES, STYLES])
    np.testing.assert_array_equal(layer.affine(np.zeros((1, 7))), np.ones((1, 4)))
    styles = RNG.normal(size=(500, 7))
    assert np.std(layer.affine(styles)) == pytest.approx(1, abs=0.4)


@pytest.mark.parametrize(
    "init_kwargs, message",
    [
        ({"filters": 0, "kernel_size": 3}, "`filters` must be .* Received: filters=0"),
        ({"filters": 2, "kernel_size": (3, 3)}, r"`kernel_size` .* Received: kernel_size=\(3, 3\)"),
        ({"filters": 2, "kernel_size": 3, "epsilon": 0}, "`epsilon` must .* Received: epsilon=0"),
    ],
)
def test_bad_arguments(init_kwargs, message):
    with pytest.raises(ValueError, match=message):
        ModulatedConv2D(**init_kwargs)


def test_images_without_style():
    with pytest.raises(ValueError, match=r"\[images, style\]. Received: shape \(3, 5, 6, 4\)"):
        ModulatedConv2D(2, 3)(IMAGES)
