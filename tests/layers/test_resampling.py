import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.layers import DownsampleConv2D, FIRDownsample2D, FIRUpsample2D, NearestUpsample2D
from tests.conformance import run_layer_test
from tests.frameworks import tensorflow_only

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(2, 6, 8, 3)).astype("float32")
KERNELS = [(1, 3, 3, 1), (1, 1), (1, 2, 1), (1, 2, 5, 3), (0.5, 1, 0, 2, 1)]
LAYERS = [
    (FIRUpsample2D, (2, 12, 16, 3)),
    (FIRDownsample2D, (2, 3, 4, 3)),
    (NearestUpsample2D, (2, 12, 16, 3)),
]


@pytest.mark.parametrize("cls, shape", LAYERS)
def test_conforms(cls, shape):
    run_layer_test(cls, {}, IMAGES, shape)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("cls, shape", LAYERS[:2])
def test_conforms_with_any_kernel(cls, shape, kernel):
    run_layer_test(cls, {"kernel": kernel}, IMAGES, shape)


def along_both_axes(function, images):
    return np.apply_along_axis(function, 2, np.apply_along_axis(function, 1, images))


@pytest.mark.parametrize("kernel", KERNELS)
def test_upsampling_is_zeros_between_pixels_then_a_convolution(kernel):
    taps = np.array(kernel) / np.sum(kernel)

    def upsampled(line):
        spread = np.zeros(2 * len(line))
        spread[::2] = line
        # The full convolution starts with as many pixels as precede the first one's middle tap.
        start = (len(taps) - 1) - (len(taps) + 1) // 2
        return 2 * np.convolve(spread, taps)[start : start + 2 * len(line)]

    expected = along_both_axes(upsampled, IMAGES.astype("float64"))
    np.testing.assert_allclose(FIRUpsample2D(kernel)(IMAGES), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("sides", [(6, 8), (5, 7)])
def test_downsampling_is_a_convolution_then_every_other_pixel(kernel, sides):
    taps = np.array(kernel) / np.sum(kernel)

    def downsampled(line):
        start = (len(taps) - 1) - (len(taps) - 1) // 2
        return np.convolve(line, taps)[start : start + len(line) // 2 * 2 : 2]

    images = IMAGES[:, : sides[0], : sides[1]]
    expected = along_both_axes(downsampled, images.astype("float64"))
    layer = FIRDownsample2D(kernel)
    np.testing.assert_allclose(layer(images), expected, rtol=1e-4, atol=1e-6)
    assert layer.compute_output_shape(images.shape) == expected.shape


def test_hand_computed_line():
    """Each new pixel is three parts of the nearest one and one part of the next."""
    column = np.array([4.0, 8.0, 0.0]).reshape(1, 3, 1, 1)
    wide = np.repeat(column, 5, axis=2)
    middle = FIRUpsample2D()(wide)[0, :, 4, 0]
    np.testing.assert_allclose(middle, [3.0, 5.0, 7.0, 6.0, 2.0, 0.0], rtol=1e-6)


def test_constant_image_stays_constant_away_from_borders():
    ones = np.ones((1, 8, 8, 2), "float32")
    np.testing.assert_allclose(FIRUpsample2D()(ones)[:, 1:-1, 1:-1], 1, rtol=1e-6)
    np.testing.assert_allclose(FIRDownsample2D()(ones)[:, 1:-1, 1:-1], 1, rtol=1e-6)


def test_two_taps_repeat_and_average():
    nearest, average = NearestUpsample2D(), keras.layers.AveragePooling2D(2)
    np.testing.assert_allclose(FIRUpsample2D((1, 1))(IMAGES), nearest(IMAGES), rtol=1e-6)
    np.testing.assert_allclose(
        FIRDownsample2D((1, 1))(IMAGES), average(IMAGES), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("size", [1, 2, 3])
def test_nearest_equals_keras(size):
    expected = keras.layers.UpSampling2D(size, interpolation="nearest")(IMAGES)
    np.testing.assert_array_equal(NearestUpsample2D(size)(IMAGES), expected)


@tensorflow_only("its graphs")
@pytest.mark.parametrize("cls, shape", LAYERS)
def test_sides_of_unknown_length(cls, shape):
    layer = cls()
    dynamic = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_array_equal(dynamic(IMAGES), layer(IMAGES))
    assert layer.compute_output_shape((None, None, None, 3)) == (None, None, None, 3)


def squared_gradient(layer):
    """What R1 differentiates: a gradient in the image, squared, and its gradient."""

    def compute(images):
        with tf.GradientTape() as outer:
            outer.watch(images)
            with tf.GradientTape() as inner:
                inner.watch(images)
                total = tf.reduce_sum(layer(images) ** 3)
            penalty = tf.reduce_sum(inner.gradient(total, images) ** 2)
        return outer.gradient(penalty, images)

    return compute


@tensorflow_only("its graphs")
@pytest.mark.parametrize("cls, shape", LAYERS)
def test_second_order_gradient(cls, shape):
    layer = cls()
    compute = squared_gradient(layer)
    # The layer is linear: y = A x, so that the gradient of sum(y^3) is 3 A^T y^2.
    matrix = np.stack(
        [np.ravel(layer(unit.reshape(1, 4, 4, 1))) for unit in np.eye(16, dtype="float32")], axis=1
    ).astype("float64")
    x = IMAGES[:1, :4, :4, :1]
    y = matrix @ x.ravel()
    hessian = matrix.T @ np.diag(6 * y) @ matrix
    expected = 2 * hessian @ (3 * matrix.T @ y**2)
    for jit_compile in (False, True):
        actual = tf.function(compute, jit_compile=jit_compile)(tf.constant(x))
        np.testing.assert_allclose(np.ravel(actual), expected, rtol=1e-3, atol=1e-3)


@tensorflow_only("its graphs")
@pytest.mark.parametrize("cls, shape", LAYERS)
def test_no_resizing_kernels(cls, shape):
    graph = tf.function(squared_gradient(cls())).get_concrete_function(tf.constant(IMAGES)).graph
    used = {operation.type for operation in graph.get_operations()}
    assert len(used) > 5
    assert not [name for name in used if "Resize" in name]


@pytest.mark.parametrize("cls", [FIRUpsample2D, FIRDownsample2D])
@pytest.mark.parametrize("kernel", [(1,), 3, "13", (1, -1), (1, None), (1, float("nan"))])
def test_bad_kernels(cls, kernel):
    with pytest.raises(ValueError, match="`kernel` must be a tuple of two or .* Received: kernel="):
        cls(kernel)


@pytest.mark.parametrize("size", [0, 1.5])
def test_bad_size(size):
    with pytest.raises(ValueError, match=f"`size` must be a positive .* Received: size={size}"):
        NearestUpsample2D(size)


@pytest.mark.parametrize("sides", [(1, 4), (4, 1), (1, 1)])
@pytest.mark.parametrize(
    "cls", [FIRDownsample2D, lambda: DownsampleConv2D(2, 3, fir_kernel=(1, 1))]
)
def test_one_pixel_is_not_halved(cls, sides):
    shape = (2, *sides, 3)
    with pytest.raises(ValueError, match="2 or more pixels a side. Received: images of "):
        cls()(np.ones(shape, "float32"))
    with pytest.raises(ValueError, match="2 or more pixels a side. Received: images of "):
        cls().compute_output_shape(shape)
