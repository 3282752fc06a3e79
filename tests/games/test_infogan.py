import math

import keras
import numpy as np
import pytest

import kgan
from kgan.games import InfoGAN
from tests.conformance import check_docstring

CATEGORICAL, CONTINUOUS = (3, 2), 2
CODE_DIM = 7


def build(latent_distribution="normal", latent_dim=11, dtype=None, **options):
    gan = InfoGAN(
        kgan.backbones.MLPGenerator((2,), latent_dim=latent_dim, units=[16], dtype=dtype),
        kgan.backbones.MLPDiscriminator(
            (2,), units=[16], head=kgan.layers.CodeHead(CATEGORICAL, CONTINUOUS), dtype=dtype
        ),
        categorical=CATEGORICAL,
        continuous=CONTINUOUS,
        latent_distribution=latent_distribution,
        seed=1,
    )
    gan.compile(**options)
    return gan


def showing_latents():
    """A game whose images are their latents."""
    latents = keras.Input((CODE_DIM + 1,))
    discriminator = kgan.backbones.MLPDiscriminator(
        (CODE_DIM + 1,), units=[4], head=kgan.layers.CodeHead(CATEGORICAL, CONTINUOUS)
    )
    generator = keras.Model(latents, keras.layers.Identity()(latents))
    return InfoGAN(generator, discriminator, CATEGORICAL, CONTINUOUS)


def images(n=6):
    return np.random.default_rng(0).uniform(-1, 1, (n, 2)).astype("float32")


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_codes_are_one_hot_and_uniform(distribution):
    n = 20_000
    latents = np.array(build(distribution).draw_latents(n, seed=3))
    noise, first, second, numbers = np.split(latents, [4, 7, 9], axis=1)
    for block, size in ((first, 3), (second, 2)):
        assert set(np.unique(block)) == {0.0, 1.0} and np.all(block.sum(axis=1) == 1)
        np.testing.assert_allclose(block.mean(axis=0), 1 / size, atol=0.015)
    # Uniform from -1 to 1: the sorted numbers lie on a line.
    line = np.linspace(-1, 1, n)
    np.testing.assert_allclose(np.sort(numbers, axis=0), np.stack([line] * 2, 1), atol=0.03)
    spread = 1.0 if distribution == "normal" else 1 / math.sqrt(3)
    np.testing.assert_allclose(noise.std(axis=0), spread, rtol=0.03)
    # Blocks depend on each other only within a categorical code.
    correlation = np.corrcoef(np.concatenate([noise, first[:, :1], second[:, :1], numbers], 1).T)
    assert np.abs(correlation - np.eye(len(correlation))).max() < 0.03


def test_the_same_seed_draws_the_same_latents():
    gan = build()
    np.testing.assert_array_equal(gan.draw_latents(5, seed=3), gan.draw_latents(5, seed=3))
    assert np.any(np.array(gan.draw_latents(5, seed=3)) != np.array(gan.draw_latents(5, seed=4)))
    np.testing.assert_array_equal(gan.generate(5, seed=3), gan.generate(5, seed=3))
    some = gan.generate(5, seed=3, rows=slice(2, 4))
    np.testing.assert_allclose(some, gan.generate(5, seed=3)[2:4], rtol=1e-6)


@pytest.mark.parametrize("weight", [None, 0.5])
def test_both_players_add_the_surprise_of_the_codes(weight):
    options = {}
    if weight:
        information = kgan.losses.MutualInformation(weight, CATEGORICAL, CONTINUOUS)
        options["auxiliary_losses"] = [information]
    logs = build(**options).compute_losses(keras.ops.convert_to_tensor(images()), None)
    real, fake = logs["round"].real, logs["round"].fake
    codes = np.array(fake["latents"], "float64")[:, -CODE_DIM:]
    logits, means = (
        np.array(fake[name], "float64") for name in ("categorical_logits", "continuous_mean")
    )
    surprise = 0.5 * np.sum((codes[:, 5:] - means) ** 2 + math.log(2 * math.pi), axis=1)
    for part in (slice(0, 3), slice(3, 5)):
        x = logits[:, part]
        surprise += np.log(np.exp(x).sum(axis=1)) - np.sum(x * codes[:, part], axis=1)
    term = (weight or 1.0) * surprise.mean()
    r, f = (np.array(view["score"], "float64") for view in (real, fake))
    expected = np.mean(np.logaddexp(0, -r)) + np.mean(np.logaddexp(0, f)) + term
    assert float(logs["discriminator_loss"]) == pytest.approx(expected, rel=1e-5)
    expected = np.mean(np.logaddexp(0, -f)) + term
    assert float(logs["generator_loss"]) == pytest.approx(expected, rel=1e-5)


def test_samples_have_the_codes_asked_for():
    gan = showing_latents()
    drawn = np.array(gan.draw_latents(4, seed=5))
    np.testing.assert_allclose(gan.generate(4, seed=5), drawn, rtol=1e-6)
    shown = gan.generate(4, seed=5, categorical=(2, 0), continuous=[[-1, 0.5]])
    np.testing.assert_allclose(shown[:, :1], drawn[:, :1], rtol=1e-6)  # the noise stays
    np.testing.assert_array_equal(shown[:, 1:], [[0, 0, 1, 1, 0, -1, 0.5]] * 4)
    rows = [[0, 1], [1, 0], [2, 1], [0, 0]]
    shown = gan.generate(4, seed=5, categorical=rows)
    np.testing.assert_array_equal(shown[:, 1:4].argmax(axis=1), [0, 1, 2, 0])
    np.testing.assert_array_equal(shown[:, 4:6].argmax(axis=1), [1, 0, 1, 0])
    np.testing.assert_allclose(shown[:, 6:], drawn[:, 6:], rtol=1e-6)


def test_one_code_alone_is_given_as_a_number():
    latents = keras.Input((3,))
    head = kgan.layers.CodeHead((3,), 0)
    discriminator = kgan.backbones.MLPDiscriminator((3,), units=[4], head=head)
    gan = InfoGAN(keras.Model(latents, keras.layers.Identity()(latents)), discriminator, (3,), 0)
    np.testing.assert_array_equal(gan.generate(2, categorical=1), [[0, 1, 0]] * 2)
    np.testing.assert_array_equal(gan.generate(3, categorical=[2, 0, 1]), np.eye(3)[[2, 0, 1]])
    some = gan.generate(3, categorical=[2, 0, 1], rows=slice(1, 3))
    np.testing.assert_array_equal(some, np.eye(3)[[0, 1]])
    assert gan.encode(np.zeros((2, 3))).shape == (2, 3)


def test_codes_that_cannot_be_drawn():
    gan = build()
    for wrong in ((3, 0), (0, -1), (0.0, 1.0)):
        with pytest.raises(ValueError, match="categorical must be ints.*Received"):
            gan.generate(4, categorical=wrong)
    with pytest.raises(ValueError, match=r"categorical must be of shape \(2,\), or \(4, 2\).*Rec"):
        gan.generate(4, categorical=[0, 1, 0, 1])
    with pytest.raises(ValueError, match="continuous must be of shape.*Received"):
        gan.generate(4, continuous=[0.0, 0.0, 0.0])


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_encode_and_classify_read_the_codes(dtype):
    gan = build(dtype=dtype)
    codes = gan.encode(images())
    assert keras.backend.standardize_dtype(codes.dtype) == "float32"
    said = {name: np.array(x, "float64") for name, x in gan.discriminator(images()).items()}
    expected = np.exp(said["categorical_logits"])
    for part in (slice(0, 3), slice(3, 5)):
        expected[:, part] /= expected[:, part].sum(axis=1, keepdims=True)
    expected = np.concatenate([expected, said["continuous_mean"]], axis=1)
    np.testing.assert_allclose(codes, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(gan.classify(images()), codes[:, :3])


def test_codes_can_be_read_off_samples_after_training():
    latents, sample = keras.Input((5,)), keras.Input((2,))
    x = keras.layers.Dense(32, activation="relu")(latents)
    generator = keras.Model(latents, keras.layers.Dense(2, activation="tanh")(x))
    x = keras.layers.Dense(32, activation="relu")(sample)
    discriminator = keras.Model(sample, kgan.layers.CodeHead((3,), 0)(x))
    gan = InfoGAN(generator, discriminator, (3,), 0, seed=1)
    gan.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2))
    gan.fit(images(64 * 150), batch_size=64, verbose=0)
    asked = np.arange(300) % 3
    samples = gan.generate(300, seed=0, categorical=asked)
    assert np.mean(np.argmax(gan.classify(samples), axis=1) == asked) > 0.95


def test_config_and_docstring():
    gan = build()
    copy = InfoGAN.from_config(gan.get_config())
    assert (copy.categorical, copy.continuous, copy.code_dim) == (CATEGORICAL, CONTINUOUS, CODE_DIM)
    check_docstring(InfoGAN)


def test_codes_that_do_not_fit():
    with pytest.raises(ValueError, match="7 columns of the latents. Received: latent_dim=6"):
        build(latent_dim=6)
    gan = build()
    with pytest.raises(ValueError, match="'categorical_logits' has the shape"):
        InfoGAN(gan.generator, gan.discriminator, categorical=(3, 3), continuous=2).compile()
    with pytest.raises(ValueError, match="Received: categorical=\\(\\), continuous=0"):
        InfoGAN(gan.generator, gan.discriminator, categorical=(), continuous=0)
    head = kgan.layers.CodeHead((), 2)
    discriminator = kgan.backbones.MLPDiscriminator((2,), units=[4], head=head)
    numbers = InfoGAN(gan.generator, discriminator, categorical=(), continuous=2)
    assert numbers.encode(images()).shape == (6, 2)
    with pytest.raises(ValueError, match=r"Received: categorical=\(\)"):
        numbers.classify(images())
