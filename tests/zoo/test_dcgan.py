import keras
import pytest

import kgan
from kgan.zoo import dcgan
from kgan.zoo.recipe import Task


def build(recipe, shape=(8, 8, 1), num_classes=None):
    return dcgan.build(recipe, Task(image_shape=shape, num_classes=num_classes, steps=10))


def test_default_is_the_paper():
    gan = build(dcgan.RECIPES["default"], shape=(16, 16, 3))
    assert gan.latent_dim == 100 and gan.latent_distribution == "uniform"
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert optimizer.beta_1 == 0.5
    assert gan.penalties == []
    assert gan.generator.width == 128 and gan.generator.kernel_size == 5
    norms = [x for x in gan.discriminator.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert norms


def test_digits_recipe_is_smooth_and_decays():
    gan = build(dcgan.RECIPES["mnist"])
    (penalty,) = gan.penalties
    assert isinstance(penalty, kgan.penalties.R1)
    assert (penalty.weight, penalty.every) == (1.0, 2)
    assert float(gan.generator_optimizer.learning_rate) == pytest.approx(2.5e-3)
    gan.generator_optimizer.iterations.assign(10)
    assert float(gan.generator_optimizer.learning_rate) == pytest.approx(0.0)


@pytest.mark.parametrize("name", sorted(dcgan.RECIPES))
def test_conditional_in_every_recipe(name):
    gan = build(dcgan.RECIPES[name], num_classes=3)
    assert gan.generate(2, labels=1, seed=0).shape == (2, 8, 8, 1)


def test_size_that_cannot_be_made():
    with pytest.raises(ValueError, match="Nearest: 28x28, 32x32"):
        build(dcgan.RECIPES["default"], shape=(30, 30, 1))
