import keras
import numpy as np
import pytest

import kgan
from kgan.data.semi_supervised import SemiSupervised
from kgan.zoo import sgan
from kgan.zoo.recipe import Task


def build(recipe, shape=(8, 8, 1), **options):
    recipe = recipe.but(generator_units=(8,), discriminator_units=(8, 6))
    return sgan.build(recipe, Task(image_shape=shape, num_classes=4, steps=10), **options)


def test_default_is_the_paper():
    recipe = sgan.RECIPES["default"]
    assert (recipe.labelled, recipe.batch_size, recipe.epochs) == (100, 100, 300)
    assert recipe.discriminator_units == (1000, 500, 250, 250, 250)
    gan = build(recipe)
    assert isinstance(gan, kgan.games.SGAN) and not gan.is_conditional
    assert (gan.latent_dim, gan.latent_distribution) == (100, "uniform")
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(3e-3)
        assert optimizer.beta_1 == 0.5
    assert gan.classify(np.zeros((2, 8, 8, 1))).shape == (2, 4)


def test_the_generator_matches_the_features_before_the_logits():
    gan = build(sgan.RECIPES["mnist"])
    (matching,) = gan.auxiliary_losses
    assert isinstance(matching, kgan.losses.FeatureMatching) and matching.layers == ["features_1"]
    scores = keras.ops.ones((3, 1))
    assert float(gan.loss.generator(scores, scores)) == 0
    # Of the discriminator's loss the paper halves the part of the scores.
    assert gan.supervised_weight == 2.0


def test_few_of_the_digits_are_labelled():
    recipe = sgan.RECIPES["digits"].but_as_given(["labelled=20"])
    source = sgan.prepare(kgan.data.ImageSource.find("digits"), recipe)
    assert isinstance(source, SemiSupervised) and source.labelled == 20
    assert source.num_classes == 10


def test_published():
    published = sgan.PUBLISHED["mnist"]["classification_error"]
    assert published.shortfall(0.0090) < 0 < published.shortfall(0.0100)
