"""The papers whose GAN differs from DCGAN by its loss, penalty or schedule alone."""

import importlib

import keras
import numpy as np
import pytest

import kgan
from kgan.zoo.recipe import Task

Adam, RMSprop = kgan.optimizers.Adam, keras.optimizers.RMSprop

# What each paper says: loss, penalty with its numbers, optimizer, learning rate, betas, critic's
# steps, and whether the critic has batch norm.
PAPERS = {
    "lsgan": ("LeastSquares", None, {}, Adam, 1e-3, (0.5, 0.999), 1, True),
    "wgan": ("Wasserstein", "WeightClipping", {"limit": 0.01}, RMSprop, 5e-5, None, 5, True),
    "wgan_gp": (
        "Wasserstein",
        "GradientPenalty",
        {"weight": 10, "one_sided": False, "target": 1},
        Adam,
        1e-4,
        (0.0, 0.9),
        5,
        False,
    ),
    "wgan_div": (
        "Wasserstein",
        "WassersteinDivergence",
        {"weight": 2, "power": 6},
        Adam,
        2e-4,
        (0.0, 0.9),
        4,
        False,
    ),
    "dragan": (
        "NonSaturating",
        "DRAGAN",
        {"weight": 10, "noise": 0.5},
        Adam,
        1e-4,
        (0.5, 0.9),
        1,
        False,
    ),
    "softmax_gan": ("SoftmaxGAN", None, {}, Adam, 2e-4, (0.5, 0.999), 1, True),
    "bgan": ("BoundarySeeking", None, {}, Adam, 1e-4, (0.5, 0.999), 1, True),
    "relativistic_gan": ("RelativisticAverage", None, {}, Adam, 2e-4, (0.5, 0.999), 1, True),
}


def softplus(x):
    return np.logaddexp(0, x)


def log_sum_exp(x):
    return np.log(np.sum(np.exp(x)))


# The papers' losses of both players, by hand: r and f are the scores of reals and of fakes.
FORMULAS = {
    "lsgan": (
        lambda r, f: np.mean((r - 1) ** 2) / 2 + np.mean(f**2) / 2,
        lambda r, f: np.mean((f - 1) ** 2) / 2,
    ),
    "wgan": (lambda r, f: np.mean(f) - np.mean(r), lambda r, f: -np.mean(f)),
    "wgan_gp": (lambda r, f: np.mean(f) - np.mean(r), lambda r, f: -np.mean(f)),
    "wgan_div": (lambda r, f: np.mean(f) - np.mean(r), lambda r, f: -np.mean(f)),
    "dragan": (
        lambda r, f: np.mean(softplus(-r)) + np.mean(softplus(f)),
        lambda r, f: np.mean(softplus(-f)),
    ),
    "softmax_gan": (
        lambda r, f: log_sum_exp([*r, *f]) - np.mean(r),
        lambda r, f: log_sum_exp([*r, *f]) - (np.mean(r) + np.mean(f)) / 2,
    ),
    "bgan": (
        lambda r, f: np.mean(softplus(-r)) + np.mean(softplus(f)),
        lambda r, f: np.mean(f**2) / 2,
    ),
    "relativistic_gan": (
        lambda r, f: np.mean(softplus(np.mean(f) - r)) + np.mean(softplus(f - np.mean(r))),
        lambda r, f: np.mean(softplus(r - np.mean(f))) + np.mean(softplus(np.mean(r) - f)),
    ),
}


def module(name):
    return importlib.import_module(f"kgan.zoo.{name}")


def build(name, recipe="default", **changes):
    recipe = module(name).RECIPES[recipe].but(generator_width=4, discriminator_width=4, **changes)
    return module(name).build(recipe, Task((16, 16, 1), None, steps=10), run_eagerly=True)


def has_batch_norm(network):
    return any(isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers)


def images(n, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, 16, 16, 1)).astype("float32")


@pytest.mark.parametrize("name", PAPERS)
def test_default_is_the_paper(name):
    loss, penalty, numbers, optimizer, learning_rate, betas, steps, batch_norm = PAPERS[name]
    gan = build(name)
    assert type(gan) is kgan.GAN
    assert isinstance(gan.loss, getattr(kgan.losses, loss))
    assert [type(p).__name__ for p in gan.penalties] == ([penalty] if penalty else [])
    for key, value in numbers.items():
        assert getattr(gan.penalties[0], key) == value
    for one in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert type(one) is optimizer
        assert float(one.learning_rate) == pytest.approx(learning_rate)
        if betas:
            assert (one.beta_1, one.beta_2) == betas
    assert gan.discriminator_steps == steps
    assert has_batch_norm(gan.discriminator) == batch_norm
    assert has_batch_norm(gan.generator)


@pytest.mark.parametrize("name", PAPERS)
def test_players_minimise_what_the_paper_says(name):
    gan = build(name)
    # As the weights begin, all scores are near 0, where the losses differ little.
    gan.discriminator.set_weights([10 * w for w in gan.discriminator.get_weights()])
    logs = gan.compute_losses(images(6), None)
    real, fake = (
        np.array(view["score"], "float64")[:, 0]
        for view in (logs["round"].real, logs["round"].fake)
    )
    assert np.std(real) > 1e-3
    discriminator, generator = FORMULAS[name]
    penalty = sum(float(logs[p.name]) for p in gan.penalties if p.name in logs)
    assert float(logs["discriminator_loss"]) == pytest.approx(
        discriminator(real, fake) + penalty, rel=1e-4
    )
    assert float(logs["generator_loss"]) == pytest.approx(generator(real, fake), rel=1e-4)


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize("recipe", ["mnist", "digits"])
def test_other_recipes_play_the_same_game(name, recipe):
    paper, gan = build(name), build(name, recipe)
    for key in ("loss", "penalties"):
        first, second = (keras.saving.serialize_keras_object(getattr(g, key)) for g in (paper, gan))
        assert first == second
    for key in ("discriminator_steps", "updates"):
        assert getattr(paper, key) == getattr(gan, key)
    assert type(paper.generator_optimizer) is type(gan.generator_optimizer)
    assert getattr(paper.generator_optimizer, "beta_1", 0) == getattr(
        gan.generator_optimizer, "beta_1", 0
    )


@pytest.mark.parametrize("name", PAPERS)
def test_mnist_recipe_fits_beside_its_card(name):
    recipe = module(name).RECIPES["mnist"]
    gan = module(name).build(recipe, Task((28, 28, 1), None, steps=10))
    assert gan.generator.count_params() + gan.discriminator.count_params() < 1.3e6


def test_wgan_clips_the_critic_and_only_it():
    gan = build("wgan", batch_size=4)
    largest = [
        max(np.abs(w).max() for w in network.get_weights())
        for network in (gan.generator, gan.discriminator)
    ]
    assert min(largest) > 0.01
    gan.fit(images(20), batch_size=20, epochs=1, verbose=0)
    clipped = [np.abs(np.array(v)).max() for v in gan.discriminator.trainable_variables]
    assert max(clipped) == pytest.approx(0.01)
    assert max(np.abs(np.array(v)).max() for v in gan.generator.trainable_variables) > 0.01


@pytest.mark.parametrize("name", ["wgan", "wgan_gp", "wgan_div"])
def test_critic_moves_several_times_before_the_generator(name):
    gan = build(name)
    assert gan.updates == "alternating"
    gan.fit(images(20), batch_size=20, epochs=1, verbose=0)
    assert int(gan.discriminator_optimizer.iterations) == PAPERS[name][6]
    assert int(gan.generator_optimizer.iterations) == 1


def test_lsgan_other_numbers():
    gan = build("lsgan", loss="least_squares:a=-1,b=1,c=0")
    assert "least_squares:a=-1,b=1,c=0" in module("lsgan").__doc__
    logs = gan.compute_losses(images(6), None)
    fake = np.array(logs["round"].fake["score"])
    assert float(logs["generator_loss"]) == pytest.approx(np.mean(fake**2) / 2, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "paper"),
    [
        ("relativistic_paired", "RSGAN"),
        ("relativistic_average_least_squares", "RaLSGAN"),
        ("relativistic_average_hinge", "RaHingeGAN"),
    ],
)
def test_other_relativistic_losses(name, paper):
    assert f"{name} ({paper})" in " ".join(module("relativistic_gan").__doc__.split())
    gan = build("relativistic_gan", loss=name)
    logs = gan.compute_losses(images(6), None)
    shifted = {"score": logs["round"].real["score"] + 5}, {"score": logs["round"].fake["score"] + 5}
    # Only differences of scores count.
    assert float(gan.loss.terms(*shifted)["discriminator_loss"]) == pytest.approx(
        float(logs["discriminator_loss"]), rel=1e-4
    )
