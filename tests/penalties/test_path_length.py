import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from tests import networks
from tests.frameworks import tensorflow_only

RNG = np.random.default_rng(0)
SEED = 5


def make_penalty(**kwargs):
    penalty = kgan.penalties.PathLength(**kwargs)
    penalty.build(None)
    return penalty


def make_round(synthesize, latents, seed=None):
    return kgan.Round(
        real={},
        fake={"images": synthesize(latents), "latents": latents},
        synthesize=synthesize,
        seed=seed or keras.random.SeedGenerator(SEED),
    )


def noise(shape, seed=None):
    """The images of noise that the penalty draws, in float64."""
    seed = keras.random.SeedGenerator(SEED) if seed is None else seed
    pixels = np.prod(shape[1:-1])
    drawn = keras.random.normal(shape, seed=seed).numpy().astype("float64")
    return drawn.reshape(shape[0], -1) / np.sqrt(pixels)


@tensorflow_only("its tapes")
@pytest.mark.parametrize("shape", [(6,), (2, 3, 1)])
def test_linear_generator(shape):
    """G(z) = z W has Jᵀy = W y: the penalty, and its gradient with a held constant."""
    kernel = RNG.normal(size=(4, 6))
    latents = tf.constant(RNG.normal(size=(5, 4)), tf.float32)
    w = tf.Variable(kernel, dtype=tf.float32)
    penalty = make_penalty(weight=3.0, decay=0.25)
    penalty.mean.assign(1.5)
    with tf.GradientTape() as tape:
        round = make_round(lambda z: tf.reshape(z @ w, (-1, *shape)), latents)
        value = penalty(round)
    y = noise((5, *shape))
    projected = y @ kernel.T
    lengths = np.linalg.norm(projected, axis=1)
    target = 1.5 + 0.25 * (lengths.mean() - 1.5)
    np.testing.assert_allclose(value, 3 * np.mean((lengths - target) ** 2), rtol=1e-5)
    upstream = 3 * 2 * (lengths - target) / lengths / len(y)
    expected = np.einsum("b,bi,bj->ij", upstream, projected, y)
    np.testing.assert_allclose(tape.gradient(value, w), expected, rtol=1e-4, atol=1e-5)
    # The running mean moves with the update, not with the loss.
    assert float(penalty.mean) == 1.5
    penalty.after_update(round)
    np.testing.assert_allclose(penalty.mean, target, rtol=1e-6)


@tensorflow_only("its tapes")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_lazy_path_length_is_finite_without_any_path(jit_compile):
    """A generator that ignores its latents has paths of length 0."""
    w = tf.Variable(tf.zeros((4, 6)))
    penalty = make_penalty(every=2)
    latents, seed = tf.ones((5, 4)), keras.random.SeedGenerator(SEED)

    @tf.function(jit_compile=jit_compile)
    def step(number):
        with tf.GradientTape() as tape:
            value = penalty(make_round(lambda z: z @ w, latents, seed), number)
        return value, tape.gradient(value, w)

    for number in range(2):
        value, gradient = step(tf.constant(number))
        assert float(value) == 0
        np.testing.assert_array_equal(gradient, np.zeros((4, 6)))


def linear_gan(**kwargs):
    """A game in which nothing moves but the running mean."""
    keras.utils.set_random_seed(1)
    latents = keras.Input((networks.LATENT_DIM,))
    generator = keras.Model(latents, keras.layers.Dense(2, use_bias=False)(latents))
    gan = kgan.GAN(generator, networks.discriminator(), seed=SEED)
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), **kwargs)
    return gan


@tensorflow_only("its tapes")
@pytest.mark.parametrize("every", [1, 2])
def test_running_mean_over_the_steps_of_a_game(every, tmp_path):
    gan = linear_gan(penalties=[kgan.penalties.PathLength(1.0, decay=0.5, every=every)])
    reals = np.zeros((8, 2), "float32")
    logs = gan.fit(reals, batch_size=8, epochs=4, verbose=0).history
    kernel = gan.generator.get_weights()[0].astype("float64")
    seed, mean = keras.random.SeedGenerator(SEED), 0.0
    for step in range(4):
        keras.random.normal((8, networks.LATENT_DIM), seed=seed)  # The latents come first.
        lengths = np.linalg.norm(noise((8, 2), seed) @ kernel.T, axis=1)
        is_due = step % every == 0
        mean += 0.5 * (lengths.mean() - mean) * is_due
        expected = every * np.mean((lengths - mean) ** 2) * is_due
        np.testing.assert_allclose(logs["path_length"][step], expected, rtol=1e-5)
        np.testing.assert_allclose(logs["path_length_mean"][step], mean, rtol=1e-5)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    np.testing.assert_allclose(loaded.penalties[0].mean, mean, rtol=1e-5)


def test_only_the_generator_is_penalised():
    plain = linear_gan()
    gan = linear_gan(penalties=[kgan.penalties.PathLength(7.0)])
    reals = np.zeros((8, 2), "float32")
    expected, logs = [one.fit(reals, verbose=0, batch_size=8).history for one in (plain, gan)]
    assert logs["discriminator_loss"] == expected["discriminator_loss"]
    np.testing.assert_allclose(
        logs["generator_loss"][0] - expected["generator_loss"][0],
        logs["path_length"][0],
        rtol=1e-5,
    )


@tensorflow_only("its tensors and the form of its step")
def test_mean_moves_once_a_step_however_often_the_losses_are_computed():
    gan = linear_gan(
        penalties=[kgan.penalties.PathLength(1.0, decay=0.5)],
        updates="alternating",
        discriminator_steps=2,
    )
    logs = gan.fit(np.zeros((8, 2), "float32"), batch_size=8, verbose=0).history
    kernel = gan.generator.get_weights()[0].astype("float64")
    seed = keras.random.SeedGenerator(SEED)
    for _ in range(3):  # Two of the discriminator's turns, and the generator's.
        keras.random.normal((4, networks.LATENT_DIM), seed=seed)
        lengths = np.linalg.norm(noise((4, 2), seed) @ kernel.T, axis=1)
    np.testing.assert_allclose(logs["path_length_mean"][0], lengths.mean() / 2, rtol=1e-5)


@pytest.mark.parametrize("num_classes", [None, networks.NUM_CLASSES])
@tensorflow_only("its tensors and the form of its step")
def test_shrunk_penalty_is_that_of_every_third_fake_with_its_label(num_classes):
    """G(z, c) = (c + 1) z W, whose path lengths tell the labels apart."""
    kernel = RNG.normal(size=(4, 6)).astype("float32")
    latents = RNG.normal(size=(8, 4)).astype("float32")
    labels = None if num_classes is None else np.arange(8, dtype="float32")

    def synthesize(latents, labels=labels):
        scale = 1.0 if labels is None else keras.ops.reshape(labels + 1.0, (-1, 1))
        return keras.ops.matmul(latents, kernel) * scale

    fake = {"images": synthesize(latents), "latents": keras.ops.convert_to_tensor(latents)}
    if labels is not None:
        fake["labels"] = keras.ops.convert_to_tensor(labels)
    seed = keras.random.SeedGenerator(SEED)
    penalty = make_penalty(weight=1.0, decay=0.25, shrink=3)
    value = penalty(kgan.Round(real={}, fake=fake, synthesize=synthesize, seed=seed))
    scale = np.ones((3, 1)) if labels is None else labels[::3, None] + 1
    lengths = np.linalg.norm(scale * (noise((3, 6)) @ kernel.T), axis=1)
    target = 0.25 * lengths.mean()
    np.testing.assert_allclose(value, np.mean((lengths - target) ** 2), rtol=1e-5)


@pytest.mark.parametrize("how", [{}, {"jit_compile": True}])
def test_shrunk_penalty_in_a_conditional_game(how):
    kwargs = {"num_classes": networks.NUM_CLASSES}
    gan = kgan.GAN(networks.generator(**kwargs), networks.discriminator(**kwargs), **kwargs)
    gan.compile("sgd", "sgd", penalties=[kgan.penalties.PathLength(every=2, shrink=2)], **how)
    labels = np.arange(7) % networks.NUM_CLASSES
    logs = gan.fit(np.zeros((7, 2), "float32"), labels, batch_size=7, verbose=0).history
    assert np.isfinite(logs["path_length"][0]) and logs["path_length_mean"][0] > 0


def test_shrink_must_be_a_positive_integer():
    with pytest.raises(ValueError, match="Received: .*0"):
        kgan.penalties.PathLength(shrink=0)


@pytest.mark.parametrize("decay", [0, 1, -0.1, None])
def test_decay_must_be_between_0_and_1(decay):
    with pytest.raises(ValueError, match=f"Received: .*{decay}"):
        kgan.penalties.PathLength(decay=decay)
