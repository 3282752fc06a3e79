import pytest

from kgan.games import BiGAN
from kgan.zoo import bigan
from kgan.zoo.recipe import Task


def build(recipe):
    return bigan.build(recipe, Task(image_shape=(28, 28, 1), num_classes=None, steps=10))


def test_default_is_the_paper():
    gan = build(bigan.RECIPES["default"])
    assert isinstance(gan, BiGAN)
    assert (gan.latent_dim, gan.latent_distribution) == (50, "uniform")
    for network in gan.networks.values():
        assert network.units == (1024, 1024)
    assert gan.encoder.batch_norm and gan.discriminator.batch_norm
    assert [tuple(x.shape) for x in gan.discriminator.inputs] == [(None, 28, 28, 1), (None, 50)]
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert optimizer.beta_1 == 0.5


def test_what_is_penalised_has_no_batch_norm():
    for recipe in bigan.RECIPES.values():
        gan = build(recipe)
        assert not (gan.penalties and gan.discriminator.batch_norm)


def test_the_number_to_reach():
    (published,) = bigan.PUBLISHED["mnist"].values()
    assert published.shortfall(0.97) == pytest.approx(0.0039)
