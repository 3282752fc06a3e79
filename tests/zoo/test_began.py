import pytest

import kgan
from kgan.zoo import began
from kgan.zoo.recipe import Task


def build(recipe):
    return began.build(recipe, Task(image_shape=(16, 16, 1), num_classes=None, steps=10))


def test_default_is_the_paper():
    assert began.DEFAULT.batch_size == 16
    gan = build(began.DEFAULT.but(width=8))
    assert isinstance(gan, kgan.games.BEGAN)
    assert (gan.diversity, gan.balance_gain) == (0.5, 0.001)
    assert gan.discriminator.error == "absolute"
    assert gan.latent_distribution == "uniform"
    assert gan.latent_dim == gan.discriminator.encoder.code_dim == 64
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(1e-4)


def test_the_decoder_is_built_as_the_generator_but_shares_nothing_with_it():
    gan = build(began.RECIPES["digits"])
    decoder, generator = gan.discriminator.decoder, gan.generator
    assert [w.shape for w in decoder.weights] == [w.shape for w in generator.weights]
    assert not {id(w) for w in decoder.weights} & {id(w) for w in generator.weights}
    owners = [{id(v) for v in vs} for vs in (gan.generator_variables, gan.discriminator_variables)]
    assert owners[0] == {id(v) for v in generator.trainable_variables}
    assert owners[1] >= {id(v) for v in decoder.trainable_variables}


def test_diversity_and_gain_are_settings_of_the_recipe():
    recipe = began.DEFAULT.but_as_given(["diversity=0.7", "balance_gain=0.01", "width=4"])
    gan = build(recipe)
    assert (gan.diversity, gan.balance_gain) == (0.7, 0.01)
