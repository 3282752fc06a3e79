import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.layers import EqualizedLearningRate, ProjectionHead, SpectralNormalization
from kgan.layers.reparametrization import shared_weights
from tests.conformance import run_layer_test
from tests.frameworks import tensorflow_only

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(4, 5)).astype("float32")
IMAGES = RNG.normal(size=(2, 6, 6, 3)).astype("float32")
LABELS = np.array([2, 0, 1, 2], "int32")

# Each with its inputs, and the kernel's axes in the order (outputs, what each is summed over).
LAYERS = [
    (lambda **k: keras.layers.Dense(4, **k), VECTORS, (1, 0)),
    (lambda **k: keras.layers.Conv2D(4, 3, **k), IMAGES, (3, 0, 1, 2)),
    (lambda **k: keras.layers.Conv2DTranspose(4, 3, strides=2, **k), IMAGES, (2, 0, 1, 3)),
    (lambda **k: keras.layers.DepthwiseConv2D(3, depth_multiplier=2, **k), IMAGES, (2, 3, 0, 1)),
    (lambda **k: keras.layers.Embedding(3, 4, **k), LABELS, (1, 0)),
]
IDS = ["dense", "conv", "transposed", "depthwise", "embedding"]
OUTPUT_AXES = {"depthwise": 2}


def as_matrix(kernel, axes, name):
    kernel = np.transpose(kernel, axes)
    return kernel.reshape(math.prod(kernel.shape[: OUTPUT_AXES.get(name, 1)]), -1)


def random_weights(wrapper):
    for weight in wrapper.layer.weights:
        weight.assign(RNG.normal(size=weight.shape))


def reparametrized(wrapper, weight):
    return keras.ops.convert_to_numpy(wrapper.effective_value(weight, training=False))


@pytest.mark.parametrize("cls", [SpectralNormalization, EqualizedLearningRate])
@pytest.mark.parametrize(
    "layer, inputs, shape",
    [
        (lambda **k: keras.layers.Dense(3, activation="relu", **k), VECTORS, (4, 3)),
        (lambda **k: keras.layers.Conv2D(4, 3, padding="same", **k), IMAGES, (2, 6, 6, 4)),
        (lambda **k: keras.layers.Conv2DTranspose(4, 4, 2, **k), IMAGES, (2, 14, 14, 4)),
    ],
    ids=IDS[:3],
)
def test_conforms(cls, layer, inputs, shape):
    layer = layer(kernel_initializer=keras.initializers.RandomNormal(0.0, 1.0))
    run_layer_test(cls, {"layer": layer}, inputs, shape)


def test_heads_conform():
    head = ProjectionHead(num_classes=3)
    run_layer_test(SpectralNormalization, {"layer": head}, [VECTORS, LABELS], (4, 1))


@pytest.mark.parametrize("layer, inputs, axes", LAYERS, ids=IDS)
def test_largest_singular_value_is_one(layer, inputs, axes, request):
    name = request.node.callspec.id
    wrapper = SpectralNormalization(layer())
    wrapper(inputs)
    random_weights(wrapper)
    for _ in range(100):
        wrapper(inputs, training=True)
    (kernel,) = wrapper.kernels
    matrix = as_matrix(reparametrized(wrapper, kernel), axes, name)
    assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1, abs=1e-4)
    stored = as_matrix(kernel.numpy(), axes, name)
    np.testing.assert_allclose(matrix, stored / np.linalg.norm(stored, ord=2), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("cls", [SpectralNormalization, EqualizedLearningRate])
@pytest.mark.parametrize("layer, inputs, axes", LAYERS, ids=IDS)
def test_output_is_that_of_a_layer_with_the_effective_weights(cls, layer, inputs, axes):
    wrapper, plain = cls(layer()), layer()
    wrapper(inputs), plain(inputs)
    random_weights(wrapper)
    plain.set_weights([reparametrized(wrapper, w) for w in wrapper.layer.weights])
    np.testing.assert_allclose(wrapper(inputs), plain(inputs), rtol=1e-5, atol=1e-6)


def normalized_float64(kernel, u):
    """One iteration from `u`, in the order of the paper; `kernel` is (inputs, outputs)."""
    v = kernel @ u / np.linalg.norm(kernel @ u)
    u = kernel.T @ v / np.linalg.norm(kernel.T @ v)
    return v, u


@tensorflow_only("its tapes")
@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_gradient_is_that_of_central_differences_with_constant_vectors(jit_compile):
    """Two tapes as in a GAN: each sees the kernel that is stored, not the normalised one."""
    wrapper = SpectralNormalization(keras.layers.Dense(4))
    wrapper(VECTORS)
    random_weights(wrapper)
    kernel, bias = (w.numpy().astype("float64") for w in wrapper.layer.weights)
    v, u = normalized_float64(kernel, wrapper.vectors[wrapper.layer.kernel.path].numpy())
    weights = RNG.normal(size=(4, 4))

    def loss(kernel):
        return np.sum(np.tanh(VECTORS @ (kernel / (v @ kernel @ u)) + bias) * weights)

    def step():
        stored = wrapper.layer.kernel.value
        with tf.GradientTape(watch_accessed_variables=False) as a, tf.GradientTape() as b:
            a.watch(stored)
            total = keras.ops.sum(keras.ops.tanh(wrapper(VECTORS, training=True)) * weights)
        return a.gradient(total, stored), b.gradient(total, stored)

    run = step if jit_compile is None else tf.function(step, jit_compile=jit_compile)
    for gradient in run():
        for i in np.ndindex(kernel.shape):
            moved = np.zeros_like(kernel)
            moved[i] = 1e-6
            expected = (loss(kernel + moved) - loss(kernel - moved)) / 2e-6
            assert gradient[i].numpy() == pytest.approx(expected, rel=1e-3, abs=1e-5)
    np.testing.assert_allclose(wrapper.vectors[wrapper.layer.kernel.path], u, rtol=1e-4, atol=1e-5)


def test_stored_kernel_is_not_moved_by_calls():
    wrapper = SpectralNormalization(keras.layers.Dense(4))
    wrapper(VECTORS)
    before = wrapper.layer.kernel.numpy()
    wrapper(VECTORS, training=True)
    np.testing.assert_array_equal(wrapper.layer.kernel, before)


@tensorflow_only("its graphs")
def test_only_training_moves_the_vector():
    wrapper = SpectralNormalization(keras.layers.Dense(4))
    wrapper(VECTORS)
    (vector,) = wrapper.vectors.values()
    before = vector.numpy()
    for call in (wrapper, tf.function(wrapper)):
        call(VECTORS, training=False)
        call(VECTORS)
        np.testing.assert_array_equal(vector, before)
    wrapper(VECTORS, training=True)
    assert np.abs(vector.numpy() - before).max() > 0.01
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert [w.name for w in wrapper.non_trainable_weights] == ["kernel_u"]


def test_more_iterations_are_as_many_calls():
    once = SpectralNormalization(keras.layers.Dense(4))
    once(VECTORS)
    thrice = SpectralNormalization(keras.layers.Dense(4), power_iterations=3)
    thrice(VECTORS)
    thrice.set_weights(once.get_weights())
    for _ in range(3):
        once(VECTORS, training=True)
    thrice(VECTORS, training=True)
    for a, b in zip(once.get_weights(), thrice.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_vector_is_saved(tmp_path):
    model = keras.Sequential([keras.Input((5,)), SpectralNormalization(keras.layers.Dense(4))])
    for _ in range(3):
        model(VECTORS, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for saved, weight in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, weight)
    np.testing.assert_array_equal(loaded(VECTORS, training=True), model(VECTORS, training=True))


def test_zero_kernel_stays_and_can_leave_zero():
    wrapper = SpectralNormalization(keras.layers.Dense(4, kernel_initializer="zeros"))
    np.testing.assert_array_equal(wrapper(VECTORS, training=True), np.zeros((4, 4)))
    wrapper.layer.kernel.assign(RNG.normal(size=(5, 4)))
    for _ in range(50):
        wrapper(VECTORS, training=True)
    effective = reparametrized(wrapper, wrapper.layer.kernel)
    assert np.linalg.norm(effective, ord=2) == pytest.approx(1, abs=1e-3)


@tensorflow_only("its tapes")
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_rounds_the_effective_kernel_once(policy):
    """A kernel of tiny numbers, which float16 cannot hold, has a normalised form that it can."""
    wrapper = SpectralNormalization(keras.layers.Dense(4), dtype=policy)
    wrapper.build((None, 5))
    wrapper.layer.kernel.assign(1e-9 * RNG.normal(size=(5, 4)))
    half = keras.ops.cast(VECTORS, wrapper.compute_dtype)
    expected = keras.ops.matmul(half, reparametrized(wrapper, wrapper.layer.kernel))
    with tf.GradientTape() as tape:
        outputs = wrapper(half)
        total = keras.ops.sum(keras.ops.cast(outputs, "float32"))
    assert outputs.dtype == half.dtype
    np.testing.assert_allclose(
        keras.ops.cast(outputs, "float32"), keras.ops.cast(expected, "float32"), atol=0.05
    )
    gradient = tape.gradient(total, wrapper.layer.kernel.value)
    assert gradient.dtype == tf.float32 and np.all(np.isfinite(gradient))


def test_dtype_is_the_layers_own_unless_given():
    assert SpectralNormalization(keras.layers.Dense(4, dtype="float64")).compute_dtype == "float64"
    wrapper = SpectralNormalization(keras.layers.Dense(4), dtype="mixed_bfloat16")
    assert wrapper.layer.compute_dtype == wrapper.compute_dtype == "bfloat16"


def test_plays_in_a_gan():
    """Averages that are clones, a penalty inside a conditional, and both players' tapes."""
    latent, image = keras.Input((3,)), keras.Input((2,))
    generator = keras.Model(latent, SpectralNormalization(keras.layers.Dense(2))(latent))
    hidden = SpectralNormalization(keras.layers.Dense(4, activation="relu"))(image)
    discriminator = keras.Model(image, EqualizedLearningRate(keras.layers.Dense(1))(hidden))
    gan = kgan.GAN(generator, discriminator, seed=1)
    penalties = [kgan.penalties.R1(1.0, every=2)]
    gan.compile("sgd", "sgd", penalties=penalties)
    players = generator.weights + discriminator.weights + gan.averaged_generator.weights
    before = [w.numpy() for w in players]
    gan.fit(RNG.normal(size=(24, 2)), batch_size=8, verbose=0)
    for weight, old in zip(players, before, strict=True):
        assert np.any(weight.numpy() != old), weight.path
        assert np.all(np.isfinite(weight))


def test_activity_losses_of_the_layer_count():
    layer = keras.layers.Dense(4, activity_regularizer=keras.regularizers.L2(0.5))
    wrapper = EqualizedLearningRate(layer)
    outputs = np.array(wrapper(VECTORS))
    assert float(sum(wrapper.losses)) == pytest.approx(0.5 * np.sum(outputs**2) / 4, rel=1e-4)


def test_frozen_layers_are_reparametrized_too():
    wrapper = SpectralNormalization(keras.layers.Dense(4))
    wrapper(VECTORS)
    before = np.array(wrapper(VECTORS))
    wrapper.trainable = False
    np.testing.assert_array_equal(wrapper(VECTORS), before)


@tensorflow_only("its tapes")
@pytest.mark.parametrize("transposed", [False, True])
def test_equals_torch(transposed):
    torch = pytest.importorskip("torch")
    ours = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
    theirs = torch.nn.ConvTranspose2d if transposed else torch.nn.Conv2d
    wrapper = SpectralNormalization(ours(4, 3, use_bias=False))
    wrapper(IMAGES)
    twin = torch.nn.utils.spectral_norm(theirs(3, 4, 3, bias=False))
    # Keras holds (height, width, in, out), or (height, width, out, in) transposed; torch
    # (out, in, height, width), or (in, out, height, width) transposed: the same permutation.
    kernel = RNG.normal(size=wrapper.layer.kernel.shape).astype("float32")
    wrapper.layer.kernel.assign(kernel)
    (vector,) = wrapper.vectors.values()
    with torch.no_grad():
        twin.weight_orig.copy_(torch.tensor(kernel.transpose(3, 2, 0, 1).copy()))
        twin.weight_u.copy_(torch.tensor(vector.numpy()))
    for _ in range(3):
        with tf.GradientTape() as tape:
            outputs = wrapper(IMAGES, training=True)
            total = keras.ops.sum(outputs**2)
        gradient = tape.gradient(total, wrapper.layer.kernel.value)
        twin.weight_orig.grad = None
        expected = twin(torch.tensor(IMAGES.transpose(0, 3, 1, 2)))
        (expected**2).sum().backward()
        expected = expected.detach().numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(vector, twin.weight_u, rtol=1e-4, atol=1e-5)
        twin_gradient = twin.weight_orig.grad.numpy().transpose(2, 3, 1, 0)
        np.testing.assert_allclose(gradient, twin_gradient, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("layer, inputs, axes", LAYERS, ids=IDS)
def test_equalized_kernel_is_scaled_by_its_fan_in(layer, inputs, axes, request):
    fan_in = {"dense": 5, "conv": 27, "transposed": 27, "depthwise": 9, "embedding": 1}
    wrapper = EqualizedLearningRate(layer(), gain=3.0, learning_rate_multiplier=0.5)
    wrapper(inputs)
    random_weights(wrapper)
    kernel, *biases = wrapper.layer.weights
    scale = 0.5 * 3 / math.sqrt(fan_in[request.node.callspec.id])
    np.testing.assert_allclose(reparametrized(wrapper, kernel), kernel.numpy() * scale, rtol=1e-6)
    for bias in biases:
        np.testing.assert_allclose(reparametrized(wrapper, bias), bias.numpy() * 0.5, rtol=1e-6)


@pytest.mark.parametrize("multiplier", [1.0, 0.01])
def test_equalized_layers_start_with_their_gain(multiplier):
    x = RNG.normal(size=(200, 300)).astype("float32")
    layer = EqualizedLearningRate(keras.layers.Dense(400), learning_rate_multiplier=multiplier)
    assert np.std(layer(x)) == pytest.approx(math.sqrt(2), rel=0.03)
    assert np.std(layer.layer.kernel) == pytest.approx(1 / multiplier, rel=0.03)


@tensorflow_only("its tapes")
@pytest.mark.parametrize("gain, multiplier", [(1.0, 1.0), (2.0, 0.1)])
def test_equalized_gradient_is_scaled_likewise(gain, multiplier):
    layer = keras.layers.Dense(4)
    wrapper = EqualizedLearningRate(layer, gain=gain, learning_rate_multiplier=multiplier)
    with tf.GradientTape() as tape:
        total = keras.ops.sum(wrapper(VECTORS))
    kernel, bias = tape.gradient(total, [layer.kernel.value, layer.bias.value])
    column = VECTORS.sum(axis=0, keepdims=True).T * gain * multiplier / math.sqrt(5)
    np.testing.assert_allclose(kernel, np.repeat(column, 4, axis=1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(bias, np.full(4, 4 * multiplier), rtol=1e-5)


@pytest.mark.parametrize("cls", [SpectralNormalization, EqualizedLearningRate])
def test_bad_layers(cls):
    with pytest.raises(ValueError, match="no layers inside it.* Received: layer=<Sequential"):
        cls(keras.Sequential([keras.layers.Dense(3)]))


def test_layers_without_kernel():
    with pytest.raises(ValueError, match="two or more axes. Received: layer=<LayerNorm"):
        SpectralNormalization(keras.layers.LayerNormalization())(VECTORS)
    with pytest.raises(ValueError, match="not built yet. Received: layer=<LayerNorm"):
        EqualizedLearningRate(keras.layers.LayerNormalization())
    with pytest.raises(ValueError, match="must have one kernel. Received: .*projection"):
        EqualizedLearningRate(ProjectionHead(num_classes=3))([VECTORS, LABELS])


def test_layers_that_are_built_are_not_equalized():
    layer = keras.layers.Dense(3)
    layer(VECTORS)
    with pytest.raises(ValueError, match="not built yet. Received: .*built=True"):
        EqualizedLearningRate(layer)


@pytest.mark.parametrize(
    "cls, name, value",
    [
        (SpectralNormalization, "power_iterations", 0),
        (SpectralNormalization, "epsilon", 0.0),
        (EqualizedLearningRate, "gain", -1.0),
        (EqualizedLearningRate, "learning_rate_multiplier", 0),
    ],
)
def test_bad_arguments(cls, name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be .* Received: {name}={value}"):
        cls(keras.layers.Dense(3), **{name: value})


# --- Calls of one round -------------------------------------------------------------------------


def spectral_gan(**compile_options):
    generator = kgan.backbones.MLPGenerator(image_shape=(5,), latent_dim=3, units=[4])
    layers = [SpectralNormalization(keras.layers.Dense(4)), keras.layers.Dense(1)]
    discriminator = keras.Sequential([keras.Input((5,)), *layers])
    gan = kgan.GAN(generator, discriminator, seed=1)
    still = {player: keras.optimizers.SGD(0.0) for player in OPTIMIZERS}
    gan.compile(**{**still, **compile_options})
    return gan, discriminator.layers[0]


OPTIMIZERS = ("generator_optimizer", "discriminator_optimizer")


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {}, {"jit_compile": True}])
@pytest.mark.parametrize("penalty", ["r1:1", "r1:1,every=2"])
def test_a_round_takes_one_step_of_the_power_iteration(how, penalty, monkeypatch):
    """Reals, fakes and the penalty share it, also where the penalty is a branch."""
    iterations = []
    original = SpectralNormalization._singular_vectors

    def counted(self, matrix, u):
        iterations.append(self)
        return original(self, matrix, u)

    monkeypatch.setattr(SpectralNormalization, "_singular_vectors", counted)
    gan, layer = spectral_gan(penalties=[penalty], **how)
    kernel = layer.layer.kernel.numpy().astype("float64")
    u = layer.vectors[layer.layer.kernel.path].numpy().astype("float64")
    iterations.clear()
    gan.fit(np.ones((4, 5), "float32"), batch_size=4, epochs=1, verbose=0)
    assert iterations == [layer]
    _, u = normalized_float64(kernel, u)
    np.testing.assert_allclose(layer.vectors[layer.layer.kernel.path], u, rtol=1e-4)


def test_each_turn_has_its_own_effective_weights():
    """In alternating updates the generator meets the discriminator that has just moved."""
    gan, layer = spectral_gan(updates="alternating", run_eagerly=True)
    seen = []
    original = layer.effective_value
    layer.effective_value = lambda weight, training: (
        seen.append(weight.name) or original(weight, training)
    )
    gan.fit(np.ones((4, 5), "float32"), batch_size=4, epochs=1, verbose=0)
    assert seen == ["kernel", "bias"] * 2


def test_weights_are_shared_by_calls_alike_and_forgotten_at_the_end():
    wrapper = EqualizedLearningRate(keras.layers.Dense(4))
    before = wrapper(VECTORS)
    with shared_weights():
        wrapper(VECTORS)
        wrapper.layer.kernel.assign(wrapper.layer.kernel * 2)
        np.testing.assert_array_equal(wrapper(VECTORS), before)
    np.testing.assert_allclose(wrapper(VECTORS), 2 * before, rtol=1e-6)
