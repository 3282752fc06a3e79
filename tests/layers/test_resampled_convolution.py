import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.layers import (
    DownsampleConv2D,
    EqualizedLearningRate,
    FIRDownsample2D,
    FIRUpsample2D,
    NearestUpsample2D,
    SpectralNormalization,
    UpsampleConv2D,
    WeightNormalization,
)
from tests.conformance import run_layer_test
from tests.frameworks import tensorflow_only

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(2, 6, 8, 3)).astype("float32")
KERNELS = [(3, 3), (1, 1), (5, 5), (2, 2), (4, 4), (3, 5), (1, 3), (3, 2)]
FILTERS = [None, (1, 1), (1, 3), (1, 3, 3, 1), (1, 2, 1)]
LAYERS = {
    "upsample": (UpsampleConv2D, {}),
    "downsample first": (DownsampleConv2D, {}),
    "convolve first": (DownsampleConv2D, {"convolve_first": True}),
}


class Plain(keras.layers.Layer):
    """The reference: resampling and an ordinary convolution, one after the other."""

    def __init__(self, kind, kernel_size, fir_kernel, use_bias=True):
        super().__init__()
        if kind == "upsample":
            nearest = NearestUpsample2D()
            self.resampling = FIRUpsample2D(fir_kernel) if fir_kernel else nearest
        else:
            averages = keras.layers.AveragePooling2D(2, padding="same")
            self.resampling = FIRDownsample2D(fir_kernel) if fir_kernel else averages
        self.convolve_first = kind == "convolve first"
        self.convolution = keras.layers.Conv2D(4, kernel_size, padding="same", use_bias=False)
        self.bias = self.add_weight(shape=(4,)) if use_bias else 0.0

    def call(self, images):
        if self.convolve_first:
            return self.resampling(self.convolution(images)) + self.bias
        return self.convolution(self.resampling(images)) + self.bias


def pair(kind, kernel_size, fir_kernel=None, channels=3):
    """A layer and its reference with the same weights, at random."""
    cls, arguments = LAYERS[kind]
    layer = cls(4, kernel_size, fir_kernel=fir_kernel, **arguments)
    plain = Plain(kind, kernel_size, fir_kernel)
    layer.build((None, None, None, channels))
    plain.convolution.build((None, None, None, channels))
    kernel, bias = (RNG.normal(size=v.shape).astype("float32") for v in layer.weights)
    kernel /= np.sqrt(np.prod(kernel.shape[:3]))
    layer.set_weights([kernel, bias])
    plain.convolution.set_weights([kernel])
    plain.bias.assign(bias)
    return layer, plain


def derivatives(layer, variables):
    """A function of images: outputs, gradients of a cubic form, and those of their square."""

    def compute(images):
        with tf.GradientTape() as outer:
            outer.watch(images)
            with tf.GradientTape() as inner:
                inner.watch(images)
                outputs = layer(images)
                loss = tf.reduce_mean(outputs**3)
            gradient = inner.gradient(loss, images)
            penalty = tf.reduce_sum(gradient**2)
        sources = [images, *(v.value for v in variables)]
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_mean(layer(images) ** 3)
        return [outputs, *tape.gradient(loss, sources), *outer.gradient(penalty, sources)]

    return compute


def assert_equal(actual, expected, tolerance=1e-5):
    """Each array differs by less than the tolerance, of its largest number if that exceeds 1."""
    for x, y in zip(actual, expected, strict=True):
        assert x.shape == y.shape
        np.testing.assert_allclose(x, y, rtol=0, atol=tolerance * max(1, np.abs(y).max()))


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("fir_kernel", [None, (1, 3, 3, 1)])
def test_conforms(kind, fir_kernel):
    cls, arguments = LAYERS[kind]
    arguments = {"filters": 4, "kernel_size": (3, 3), "fir_kernel": fir_kernel, **arguments}
    shape = (2, 12, 16, 4) if kind == "upsample" else (2, 3, 4, 4)
    run_layer_test(cls, arguments, IMAGES, shape)


@tensorflow_only("its tapes")
@pytest.mark.parametrize("fir_kernel", FILTERS)
@pytest.mark.parametrize("kernel_size", KERNELS)
@pytest.mark.parametrize("kind", LAYERS)
def test_equals_the_plain_form(kind, kernel_size, fir_kernel):
    """Whatever the sides, also of one pixel, and the channels: outputs and both derivatives."""
    small = ((4, 3), (2, 2), (1, 4)) if kernel_size == (3, 3) else ()
    for sides in ((6, 8), (5, 7), *small):
        if fir_kernel and kind != "upsample" and min(sides) < 2:
            continue
        channels = int(RNG.integers(1, 5))
        layer, plain = pair(kind, kernel_size, fir_kernel, channels)
        images = tf.constant(RNG.normal(size=(2, *sides, channels)), "float32")
        expected = derivatives(plain, [plain.convolution.kernel, plain.bias])(images)
        assert layer.compute_output_shape(images.shape) == expected[0].shape
        assert_equal(derivatives(layer, [layer.kernel, layer.bias])(images), expected)


@tensorflow_only("its graphs")
@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("kind", LAYERS)
def test_compiled(kind, kernel_size):
    """Traced for sides that are known and for any, and by XLA: as eager."""
    layer, plain = pair(kind, kernel_size)
    expected = derivatives(plain, [plain.convolution.kernel, plain.bias])(tf.constant(IMAGES))
    compute = derivatives(layer, [layer.kernel, layer.bias])
    for jit_compile in (False, True):
        compiled = tf.function(compute, jit_compile=jit_compile)
        assert_equal(compiled(tf.constant(IMAGES)), expected)
    any_sides = tf.function(compute, input_signature=[tf.TensorSpec((None, None, None, 3))])
    assert_equal(any_sides(tf.constant(IMAGES)), expected)


def convolutions_in(layer, images):
    """Each convolution of the layer: its operation, the sides of its kernel and its stride."""
    graph = tf.function(layer).get_concrete_function(tf.constant(images)).graph
    found = []
    for node in graph.get_operations():
        if node.type in ("Conv2D", "Conv2DBackpropInput"):
            height, width, *_ = node.inputs[1].shape
            found.append((node.type, height, width, node.get_attr("strides")[1]))
    return found


@tensorflow_only("its graphs")
def test_the_cheap_forms_are_used():
    images = np.ones((1, 4, 4, 2), "float32")
    odd = np.ones((1, 5, 4, 2), "float32")
    merged = convolutions_in(UpsampleConv2D(1, 3), images)
    assert merged == [("Conv2DBackpropInput", 4, 4, 2)]
    assert convolutions_in(UpsampleConv2D(1, 5, fir_kernel=(1, 2)), images) == [
        ("Conv2DBackpropInput", 6, 6, 2)
    ]
    halving = DownsampleConv2D(1, 3, convolve_first=True)
    assert convolutions_in(halving, images) == [("Conv2D", 4, 4, 2)]
    assert convolutions_in(halving, odd) == [("Conv2D", 3, 3, 1)]
    small = {UpsampleConv2D(1, 1): 4, DownsampleConv2D(1, 1, convolve_first=True): 2}
    for layer, side in small.items():
        graph = tf.function(layer).get_concrete_function(tf.constant(images)).graph
        assert convolutions_in(layer, images) == [("Conv2D", 1, 1, 1)]
        (convolution,) = (x for x in graph.get_operations() if x.type == "Conv2D")
        assert convolution.outputs[0].shape == (1, side, side, 1)


def resampling_of(cls):
    """The plain layer that changes the size."""
    return keras.layers.AveragePooling2D(2) if cls is DownsampleConv2D else NearestUpsample2D()


@pytest.mark.parametrize("kind", LAYERS)
def test_weights_are_those_of_a_plain_convolution(kind, tmp_path):
    """The same names, shapes and first values; lists of weights and files go both ways."""
    cls, arguments = LAYERS[kind]
    initializer = keras.initializers.HeNormal(seed=3)
    kwargs = {"kernel_initializer": initializer, "name": "same"}
    merged = cls(4, 3, **arguments, **kwargs)
    plain = keras.layers.Conv2D(4, 3, padding="same", **kwargs)
    order = [plain, resampling_of(cls)] if kind == "convolve first" else [resampling_of(cls), plain]
    models = []
    for middle in ([merged], order):
        before, after = (keras.layers.Conv2D(3, 1, name=name) for name in ("before", "after"))
        layers = [keras.Input((6, 8, 3)), before, *middle, after]
        models.append(keras.Sequential(layers, name="model"))
    assert [w.path for w in models[0].weights] == [w.path for w in models[1].weights]
    np.testing.assert_array_equal(merged.kernel, plain.kernel)
    for source, target in (models, models[::-1]):
        for through_a_file in (False, True):
            values = [RNG.normal(size=w.shape) for w in source.weights]
            source.set_weights(values)
            source.save_weights(tmp_path / "model.weights.h5")
            if through_a_file:
                target.load_weights(tmp_path / "model.weights.h5")
            else:
                target.set_weights(source.get_weights())
            assert_equal([target(IMAGES)], [source(IMAGES)])


def test_files_tell_the_classes_apart(tmp_path):
    image = keras.Input((6, 8, 3))
    x = UpsampleConv2D(4, 3, activation="tanh", fir_kernel=(1, 3))(image)
    x = DownsampleConv2D(4, 3, convolve_first=True, use_bias=False)(x)
    model = keras.Model(image, keras.layers.Conv2D(2, 3)(x))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    expected = [keras.layers.InputLayer, UpsampleConv2D, DownsampleConv2D, keras.layers.Conv2D]
    assert [type(layer) for layer in loaded.layers] == expected
    np.testing.assert_array_equal(loaded(IMAGES), model(IMAGES))
    assert loaded.layers[2].convolve_first and not loaded.layers[2].use_bias


@tensorflow_only("its tapes")
@pytest.mark.parametrize(
    "wrapper",
    [
        SpectralNormalization,
        EqualizedLearningRate,
        lambda layer: WeightNormalization(layer, learn_gain=True),
    ],
)
@pytest.mark.parametrize("kind", ["upsample", "convolve first"])
def test_wrapped(kind, wrapper):
    """What stands for the ordinary kernel is spread, so that its norm is that of a plain layer."""
    cls, arguments = LAYERS[kind]
    plain = keras.layers.Conv2D(4, 3, padding="same")
    wrapped, reference = wrapper(cls(4, 3, **arguments)), wrapper(plain)
    wrapped.build(IMAGES.shape)
    reference.build(IMAGES.shape)
    assert [w.shape for w in wrapped.weights] == [w.shape for w in reference.weights]
    reference.set_weights([RNG.normal(size=w.shape) for w in wrapped.weights])
    wrapped.set_weights(reference.get_weights())
    images = tf.constant(IMAGES)
    resampling = resampling_of(cls)

    def in_two_steps(x):
        if kind == "upsample":
            return reference(resampling(x))
        return resampling(reference(x))

    actual = derivatives(wrapped, wrapped.trainable_variables)(images)
    expected = derivatives(in_two_steps, reference.trainable_variables)(images)
    assert_equal(actual, expected)


def test_low_rank_adaptation():
    layer, plain = pair("upsample", 3)
    layer.enable_lora(2)
    adapted = [RNG.normal(size=v.shape) for v in (layer.lora_kernel_a, layer.lora_kernel_b)]
    layer.lora_kernel_a.assign(adapted[0])
    layer.lora_kernel_b.assign(adapted[1])
    plain.convolution.kernel.assign_add(adapted[0] @ adapted[1])
    assert_equal([layer(IMAGES)], [plain(IMAGES)])


@pytest.mark.parametrize("kind", ["upsample", "convolve first"])
def test_sums_of_the_kernel_are_rounded_once(kind):
    """Under mixed precision: stored in float32, added up in it, and only then in half."""
    cls, own = LAYERS[kind]
    arguments = {"use_bias": False, "kernel_initializer": keras.initializers.HeNormal(1)}
    exact, mixed = (
        cls(8, 3, dtype=policy, **arguments, **own) for policy in ("float32", "mixed_bfloat16")
    )
    # Of one bright pixel, each output is one number of the kernel that is applied.
    pixel = np.zeros((1, 4, 4, 1), "float32")
    pixel[0, 1, 1] = 1
    np.testing.assert_array_equal(mixed(pixel), keras.ops.cast(exact(pixel), "bfloat16"))


def test_bad_arguments():
    with pytest.raises(ValueError, match="`fir_kernel` must be .* Received: fir_kernel=3"):
        UpsampleConv2D(4, 3, fir_kernel=3)
    with pytest.raises(ValueError, match="apart from strides, .* Received: {'strides': 2}"):
        DownsampleConv2D(4, 3, strides=2)


# What JAX computes of a layer: outputs, and the gradients that `derivatives` begins with.
IN_JAX = """
import json, sys
import jax, keras, numpy as np
import kgan.layers.resampled_convolution as module

def numbers(kind, arguments, images, weights):
    layer = getattr(module, kind)(**arguments)
    layer.build((None, *np.shape(images)[1:]))

    def compute(images, weights):
        return layer.stateless_call(weights, [], images)[0]

    def loss(images, weights):
        return (compute(images, weights) ** 3).mean()

    images, *weights = (np.array(x, "float32") for x in (images, *weights))
    gradient, of_weights = jax.jit(jax.grad(loss, argnums=(0, 1)))(images, weights)
    return [np.array(x).tolist() for x in (compute(images, weights), gradient, *of_weights)]

assert keras.backend.backend() == "jax"
print(json.dumps([numbers(*case) for case in json.load(sys.stdin)]))
"""


@tensorflow_only("its tapes")
@pytest.mark.slow
def test_jax_computes_the_same():
    pytest.importorskip("jax")
    cases, expected = [], []
    for kind, (_, own) in LAYERS.items():
        for kernel_size, fir_kernel in (((3, 3), None), ((5, 1), (1, 3)), ((3, 4), (1, 3, 3, 1))):
            layer, _ = pair(kind, kernel_size, fir_kernel)
            sizes = {"filters": 4, "kernel_size": kernel_size, "fir_kernel": fir_kernel}
            weights = [w.tolist() for w in layer.get_weights()]
            cases.append([type(layer).__qualname__, {**sizes, **own}, IMAGES.tolist(), weights])
            expected.append(derivatives(layer, [layer.kernel, layer.bias])(tf.constant(IMAGES))[:4])
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    answer = subprocess.run(
        [sys.executable, "-c", IN_JAX],
        input=json.dumps(cases),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for actual, wanted in zip(json.loads(answer.splitlines()[-1]), expected, strict=True):
        assert_equal([np.array(x) for x in actual], wanted)
