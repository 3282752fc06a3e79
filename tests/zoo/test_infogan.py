import keras
import pytest

import kgan
from kgan.zoo import infogan
from kgan.zoo.recipe import Task


def build(recipe, shape=(8, 8, 1)):
    return infogan.build(recipe, Task(image_shape=shape, num_classes=None, steps=10))


def test_default_is_the_paper():
    recipe = infogan.RECIPES["default"]
    gan = build(recipe, shape=(16, 16, 1))
    assert isinstance(gan, kgan.games.InfoGAN) and recipe.batch_size == 128
    assert (gan.latent_dim, gan.categorical, gan.continuous) == (74, (10,), 2)
    assert gan.latent_dim - gan.code_dim == 62 and gan.latent_distribution == "uniform"
    assert float(gan.generator_optimizer.learning_rate) == pytest.approx(1e-3)
    assert float(gan.discriminator_optimizer.learning_rate) == pytest.approx(2e-4)
    assert gan.generator_optimizer.beta_1 == gan.discriminator_optimizer.beta_1 == 0.5
    norms = [x for x in gan.discriminator.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert norms
    dense, norm, *_, codes = gan.discriminator.layers[-1].layers
    assert (dense.units, type(norm)) == (1024, keras.layers.BatchNormalization)
    assert isinstance(codes, kgan.layers.CodeHead)
    (information,) = gan.auxiliary_losses
    assert isinstance(information, kgan.losses.MutualInformation)
    assert (information.weight, information.categorical, information.continuous) == (1, (10,), 2)


def test_settings_say_which_codes():
    settings = ["categorical=(4,3)", "continuous=1", "information_weight=0.5"]
    recipe = infogan.RECIPES["digits"].but_as_given(settings)
    gan = build(recipe.but(generator_width=4, discriminator_width=4))
    assert (gan.categorical, gan.continuous) == ((4, 3), 1)
    assert gan.output_shapes["categorical_logits"] == (None, 7)
    assert gan.auxiliary_losses[0].weight == 0.5
    assert isinstance(gan.penalties[0], kgan.penalties.R1)
    assert gan.generate(2, categorical=(3, 0)).shape == (2, 8, 8, 1)
