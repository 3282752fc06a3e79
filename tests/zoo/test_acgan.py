import numpy as np
import pytest

import kgan
from kgan.zoo import acgan
from kgan.zoo.recipe import Task


def build(name="default", **changes):
    recipe = acgan.RECIPES[name].but(generator_width=4, discriminator_width=4, **changes)
    return acgan.build(recipe, Task((16, 16, 1), num_classes=10, steps=10), run_eagerly=True)


def test_default_is_the_paper():
    gan = build()
    assert isinstance(gan, kgan.games.ACGAN)
    assert isinstance(gan.loss, kgan.losses.NonSaturating) and gan.penalties == []
    (classifier,) = gan.auxiliary_losses
    assert isinstance(classifier, kgan.losses.AuxiliaryClassifier)
    assert (classifier.weight, classifier.fake_weight) == (1, 1)
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert type(optimizer) is kgan.optimizers.Adam
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.999)
    recipe = acgan.RECIPES["default"]
    assert (recipe.batch_size, recipe.latent_dim) == (100, 100)


@pytest.mark.parametrize("name", sorted(acgan.RECIPES))
def test_every_recipe_plays_the_paper_s_game(name):
    gan = build(name)
    (classifier,) = gan.auxiliary_losses
    assert (classifier.weight, classifier.fake_weight) == (1, 1)
    assert gan.discriminator_optimizer.beta_1 == 0.5
    assert len(gan.discriminator.inputs) == 1


def test_classes_are_no_longer_than_one_hot():
    gan = build()
    for generator in (gan.generator, gan.averaged_generator):
        lengths = np.linalg.norm(generator.get_layer("embed_label").table, axis=1)
        np.testing.assert_allclose(lengths, 1, atol=0.3)  # those of N(0, 1) would be 10


def test_mnist_recipe_fits_beside_its_card():
    gan = acgan.build(acgan.RECIPES["mnist"], Task((28, 28, 1), num_classes=10, steps=10))
    assert gan.generator.count_params() + gan.discriminator.count_params() < 1.3e6
