import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.metrics import path_length
from tests import networks
from tests.conformance import check_docstring, check_metric_config

SHAPE = (4, 4, 1)


def features(n=10, dim=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim)).astype("float32")


def linear_generator(seed=0):
    """G(z) = A z as an image, and A."""
    latents = keras.Input((networks.LATENT_DIM,))
    dense = keras.layers.Dense(16, use_bias=False)
    generator = keras.Model(latents, keras.layers.Reshape(SHAPE)(dense(latents)))
    matrix = np.random.default_rng(seed).normal(size=(networks.LATENT_DIM, 16))
    dense.set_weights([matrix])
    return generator, matrix.T


def make_gan(generator=None, num_classes=None, **kwargs):
    generator = generator or networks.generator(num_classes, SHAPE)
    discriminator = networks.discriminator(num_classes, SHAPE)
    return kgan.GAN(generator, discriminator, num_classes=num_classes, seed=1, **kwargs)


def drawn(gan, n):
    """The latents that the GAN draws next for pairs, in float64, and how far along they look."""
    before = gan._evaluation_seeds.state.numpy()
    first, second, third = (np.float64(gan.sample_latents(n, training=False)) for _ in range(3))
    gan._evaluation_seeds.state.assign(before)
    return first, second, third[:, :1]


def drawn_lengths(metric, gan, n=50):
    metric.update_from(gan, fake=np.zeros((n, *SHAPE), "float32"))
    return metric.states["fake"].values()[:, 0]


def trimmed_mean(lengths):
    """The mean without what is under the 1st or above the 99th percentile, as places in order."""
    n = len(lengths)
    low, high = int(np.floor(0.01 * (n - 1))), int(np.ceil(0.99 * (n - 1)))
    return np.mean(np.sort(lengths)[low : high + 1])


def test_conformance():
    check_metric_config(
        kgan.metrics.PerceptualPathLength,
        {"features": "pixels", "epsilon": 0.1, "max_samples": 7, "name": "ppl"},
    )
    check_docstring(kgan.metrics.PerceptualPathLength)


@pytest.mark.parametrize("wrap", ["eager", "graph", "xla"])
def test_lengths_are_squares_over_the_step(wrap):
    first, second = features(30), features(30, seed=1)
    metric = kgan.metrics.PerceptualPathLength(epsilon=0.5)
    metric.build((3,))
    update = metric.update_state
    if wrap != "eager":
        update = tf.function(update, jit_compile=wrap == "xla")
    for part in (slice(0, 7), slice(7, None)):
        update(tf.constant(first[part]), tf.constant(second[part]))
    expected = 4 * np.sum((np.float64(second) - first) ** 2, axis=1)
    assert abs(metric.result() / trimmed_mean(expected) - 1) < 1e-6
    metric.reset_state()
    with pytest.raises(ValueError, match="at least 2 fake examples. Received: 0"):
        metric.result()


def test_replicas_and_merged_metrics_see_the_whole(two_replicas):
    first, second = features(12), features(12, seed=1)
    whole = kgan.metrics.PerceptualPathLength()
    whole.update_state(first, second)
    with two_replicas.scope():
        metric = kgan.metrics.PerceptualPathLength()
        metric.build((3,))

    @tf.function
    def update(first, second):
        two_replicas.run(metric.update_state, args=(first, second))

    def share(x):
        return two_replicas.experimental_distribute_values_from_function(
            lambda context: tf.constant(x[context.replica_id_in_sync_group : 8 : 2])
        )

    update(share(first), share(second))
    rest = kgan.metrics.PerceptualPathLength()
    rest.update_state(first[8:], second[8:])
    metric.merge_state([rest])
    assert abs(metric.result() / whole.result() - 1) < 1e-6


def test_outliers_are_left_out():
    # Of 201 lengths 0² … 200², percentile 1 is 2² and percentile 99 is 198².
    metric = kgan.metrics.PerceptualPathLength(epsilon=1.0)
    lengths = np.random.default_rng(0).permutation(201).astype("float32")[:, None]
    metric.update_state(np.zeros((201, 1)), lengths)
    expected = np.mean(np.arange(2.0, 199.0) ** 2)
    assert abs(metric.result() / expected - 1) < 1e-6


def test_straight_paths_of_a_linear_generator():
    generator, matrix = linear_generator()
    gan = make_gan(generator, latent_distribution="uniform")
    first, second, _ = drawn(gan, 50)
    metric = kgan.metrics.PerceptualPathLength("pixels")
    # A line is passed at one speed, ‖A (z₂ - z₁)‖, and pixels of [0, 1] are half as far apart.
    expected = np.sum(((second - first) @ matrix.T / 2) ** 2, axis=1)
    np.testing.assert_allclose(drawn_lengths(metric, gan), expected, rtol=1e-3)
    for _ in range(40):
        drawn_lengths(metric, gan, 500)
    # E‖A (z₂ - z₁)‖² = 2 · ‖A‖² / 3, as each latent has the variance 1 / 3.
    mean = np.mean(metric.states["fake"].values(), dtype="float64")
    assert abs(mean / (np.sum(matrix**2) / 6) - 1) < 0.02


def test_arcs_of_a_linear_generator():
    generator, matrix = linear_generator()
    gan = make_gan(generator)
    first, second, third = drawn(gan, 50)
    t = path_length._uniform(third, "normal").numpy()
    norms = [np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second)]
    angle = np.arccos(np.sum(first * second, axis=1, keepdims=True) / norms[0] / norms[1])
    # The derivative of the path by t, and half of it a pixel.
    velocity = np.cos(t * angle) * second - np.cos((1 - t) * angle) * first
    expected = np.sum((angle / np.sin(angle) * velocity @ matrix.T / 2) ** 2, axis=1)
    metric = kgan.metrics.PerceptualPathLength("pixels", epsilon=1e-3)
    np.testing.assert_allclose(drawn_lengths(metric, gan), expected, rtol=5e-3)


@pytest.mark.parametrize("epsilon", [1e-2, 1e-3, 1e-4])
def test_float32_holds_the_steps(epsilon):
    # The speed of tanh(A z) on a line: its derivative, in float64.
    latents = keras.Input((networks.LATENT_DIM,))
    linear, matrix = linear_generator()
    generator = keras.Model(latents, keras.ops.tanh(linear(latents)))
    gan = make_gan(generator, latent_distribution="uniform")
    first, second, third = drawn(gan, 500)
    t = path_length._uniform(third, "uniform")
    here = np.tanh(((1 - t) * first + t * second) @ matrix.T)
    speed = (1 - here**2) * ((second - first) @ matrix.T) / 2
    expected = np.mean(np.sum(speed**2, axis=1))
    mean = np.mean(drawn_lengths(kgan.metrics.PerceptualPathLength("pixels", epsilon), gan, 500))
    assert abs(mean / expected - 1) < {1e-2: 1e-2, 1e-3: 1e-3, 1e-4: 1e-3}[epsilon]


def test_arcs_keep_length_and_speed():
    first = np.float64([[3, 0, 0], [0, 1, 0]])
    second = np.float64([[0, 0, 3], [0, -0.5, np.sqrt(0.75)]])
    # Right angles, and 120 degrees.
    for t in (0.0, 0.3, 1.0, 1.01):
        z = path_length.spherical(first, second, np.full((2, 1), t)).numpy()
        a, b = t * np.pi / 2, t * np.pi * 2 / 3
        expected = [[3 * np.cos(a), 0, 3 * np.sin(a)], [0, np.cos(b), np.sin(b)]]
        np.testing.assert_allclose(z, expected, atol=1e-12)
    ends = features(2, 5), features(2, 5, seed=1)
    for t, end in zip((0.0, 1.0), ends, strict=True):
        z = path_length.spherical(*ends, np.full((2, 1), t, "float32"))
        np.testing.assert_allclose(z, end, atol=1e-6)


def test_latents_that_span_no_arc_are_joined_by_a_line():
    first, second = np.float32([[1, 2], [1, 2], [1, 2]]), np.float32([[2, 4], [-2, -4], [1, 2]])
    z = path_length.spherical(first, second, np.full((3, 1), 0.25, "float32"))
    np.testing.assert_allclose(z, 0.75 * first + 0.25 * second, rtol=1e-6)


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_places_are_uniform(distribution):
    gan = make_gan(latent_distribution=distribution)
    latents = gan.sample_latents(20_000, training=False)[:, :1]
    places = np.sort(path_length._uniform(latents, distribution).numpy()[:, 0])
    # Kolmogorov and Smirnov: the largest deviation is under 1.95 / sqrt(n) in 999 of 1,000 cases.
    assert np.max(np.abs(places - np.linspace(0, 1, 20_000))) < 1.95 / np.sqrt(20_000)


@pytest.mark.parametrize("num_classes", [None, networks.NUM_CLASSES])
def test_evaluate_repeats_and_draws_from_the_averaged_generator(num_classes):
    gan = make_gan(num_classes=num_classes)
    gan.compile(metrics=[kgan.metrics.PerceptualPathLength("pixels")])
    images = np.random.default_rng(0).uniform(-1, 1, (24, *SHAPE)).astype("float32")
    data = (images,) if num_classes is None else (images, np.arange(24) % 3)

    def evaluate():
        logs = gan.evaluate(*data, batch_size=8, verbose=0, return_dict=True)
        return logs["perceptual_path_length"]

    first = evaluate()
    assert first > 0 and evaluate() == first
    gan.generator.set_weights([2 * w for w in gan.generator.get_weights()])
    assert evaluate() == first
    gan.averaged_generator.set_weights(gan.generator.get_weights())
    assert evaluate() != first


def test_labels_reach_the_generator():
    latents, labels = keras.Input((4,)), keras.Input((), dtype="int32")
    speed = keras.layers.Embedding(3, 1, embeddings_initializer=keras.initializers.Constant(0.0))
    x = keras.layers.Dense(16)(latents) * speed(labels)
    gan = make_gan(keras.Model([latents, labels], keras.layers.Reshape(SHAPE)(x)), 3)
    gan.averaged_generator.get_layer(speed.name).set_weights([np.float32([[0], [1], [2]])])
    metric = kgan.metrics.PerceptualPathLength("pixels")
    labels = np.array([0, 1, 2, 0])
    metric.update_from(gan, real=np.zeros((4, *SHAPE), "float32"), labels=labels)
    np.testing.assert_array_equal(metric.states["fake"].values()[:, 0] > 0, labels > 0)


def test_refusals():
    metric = kgan.metrics.PerceptualPathLength()
    with pytest.raises(ValueError, match="both images of each path.*Received: no fake"):
        metric.update_state(real=features())
    with pytest.raises(ValueError, match=r"one shape. Received: \(10, 3\) and \(9, 3\)"):
        metric.update_state(features(), features(9))
    with pytest.raises(ValueError, match="Received: 0"):
        metric.result()
    metric.update_state(features(), features())
    with pytest.raises(ValueError, match="constant features along all 10 paths"):
        metric.result()
    with pytest.raises(ValueError, match=r"Received: real of shape \(10, 2\)"):
        metric.update_state(features(dim=2), features(dim=2))
    metric.update_state(features(), np.full((10, 3), np.nan))
    with pytest.raises(ValueError, match="NaN or infinity among the fake features"):
        metric.result()
    with pytest.raises(ValueError, match="Images need features="):
        kgan.metrics.PerceptualPathLength().update_from(make_gan(), fake=np.zeros((2, *SHAPE)))
    for name, value in (("epsilon", 0), ("epsilon", -1e-2), ("max_samples", 0)):
        with pytest.raises(ValueError, match=f"{name}.*Received"):
            kgan.metrics.PerceptualPathLength(**{name: value})
