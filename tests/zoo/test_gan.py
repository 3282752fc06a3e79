import keras
import numpy as np
import pytest

import kgan
from kgan.zoo import gan as zoo_gan
from kgan.zoo.recipe import Task


def build(recipe, shape=(28, 28, 1)):
    return zoo_gan.build(recipe, Task(image_shape=shape, num_classes=None, steps=10))


def test_default_is_the_paper():
    gan = build(zoo_gan.DEFAULT)
    assert (gan.latent_dim, gan.latent_distribution) == (100, "uniform")
    assert (gan.generator.units, gan.generator.activation) == ((1200, 1200), "sigmoid")
    judge = gan.discriminator.layers[-1]
    assert (judge.units, judge.pieces) == ((240, 240), 5)
    assert (judge.input_dropout, judge.dropout) == (0.2, 0.5)
    assert isinstance(gan.loss, kgan.losses.LossPair) and gan.penalties == []
    for optimizer, rate in ((gan.generator_optimizer, 0.1), (gan.discriminator_optimizer, 0.05)):
        assert isinstance(optimizer, kgan.optimizers.ScheduledSGD)
        assert float(optimizer.learning_rate) == pytest.approx(rate)


def test_rates_fall_and_momentum_grows_as_in_the_authors_code():
    gan = build(zoo_gan.DEFAULT.but(generator_units=(4,), discriminator_units=(4,)), (4, 4, 1))
    optimizer = gan.generator_optimizer
    for step, momentum in ((0, 0.5), (62_500, 0.6), (125_000, 0.7), (500_000, 0.7)):
        optimizer.iterations.assign(step)
        assert float(optimizer.current_momentum) == pytest.approx(momentum)
        assert float(optimizer.learning_rate) == pytest.approx(0.1 / 1.000004**step, rel=1e-4)


def test_another_optimizer_by_name():
    gan = build(zoo_gan.DEFAULT.but_as_given(["optimizer=adam", "beta_1=0.5"]))
    for optimizer, rate in ((gan.generator_optimizer, 0.1), (gan.discriminator_optimizer, 0.05)):
        assert type(optimizer) is kgan.optimizers.Adam
        assert (float(optimizer.learning_rate), optimizer.beta_1) == (pytest.approx(rate), 0.5)


def test_momentum_moves_in_training():
    recipe = zoo_gan.DEFAULT.but(
        generator_units=(4,), discriminator_units=(4,), momentum_growth_steps=4
    )
    gan = build(recipe, (4, 4, 1))
    images = np.random.default_rng(0).uniform(-1, 1, (8, 4, 4, 1)).astype("float32")
    for momentum in (0.5, 0.55, 0.6):
        for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
            assert float(optimizer.current_momentum) == pytest.approx(momentum)
        gan.fit(images, batch_size=8, verbose=0)


def test_what_dropout_leaves_out_is_black():
    """The maxout network is shown pixels in [0, 1]."""
    gan = build(zoo_gan.DEFAULT.but(discriminator_units=(4,)), (4, 4, 1))
    judge = gan.discriminator.layers[-1]
    images = np.random.default_rng(0).uniform(-1, 1, (3, 4, 4, 1)).astype("float32")
    np.testing.assert_allclose(gan.discriminator(images), judge((images + 1) / 2), rtol=1e-5)
    everything_left_out = keras.layers.Dropout(0.9999)(np.ones((1, 9)), training=True)
    assert np.all(np.array(everything_left_out) == 0)


def test_recipes_change_no_rule_of_the_game():
    for recipe in zoo_gan.RECIPES.values():
        assert recipe.loss == "non_saturating" and recipe.latent_distribution == "uniform"
        assert recipe.final_momentum > recipe.momentum and recipe.learning_rate_decay > 1


def test_published_number_names_a_result():
    (name,) = zoo_gan.PUBLISHED["mnist"]
    assert name in kgan.metrics.get("parzen").result_names
    assert zoo_gan.PUBLISHED["mnist"][name].value == 225
