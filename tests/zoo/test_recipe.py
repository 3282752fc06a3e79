import pytest

from kgan.zoo import networks
from kgan.zoo.recipe import (
    ConvolutionalRecipe,
    MomentumRecipe,
    Paper,
    Published,
    Recipe,
    learning_rates,
)

RECIPE = ConvolutionalRecipe(
    epochs=1, batch_size=8, generator_learning_rate=1e-3, discriminator_learning_rate=1e-3
)


def test_settings_are_read_as_their_fields_say():
    settings = [
        "latent_dim=64",
        "beta_1=0",
        "batch_norm=False",
        "image_size=16",
        "loss=least_squares:a=-1,b=1,c=0",
        "penalties=('r1:1', 'r2:1')",
        "discriminator_stages=None",
    ]
    recipe = RECIPE.but_as_given(settings)
    assert recipe.latent_dim == 64
    assert recipe.beta_1 == 0.0 and isinstance(recipe.beta_1, float)
    assert recipe.batch_norm is False
    assert recipe.image_size == "16"
    assert recipe.loss == "least_squares:a=-1,b=1,c=0"
    assert recipe.penalties == ("r1:1", "r2:1")
    assert recipe.discriminator_stages is None
    assert RECIPE.latent_dim == 100


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "latent_dims=64",
            "Unknown setting. Did you mean 'latent_dim'.*Received: 'latent_dims=64'",
        ),
        ("latent_dim", "Expected NAME=VALUE. Received: 'latent_dim'"),
        ("latent_dim=wide", "latent_dim must be of type int. Received: 'latent_dim=wide'"),
        ("latent_dim=True", "latent_dim must be of type int"),
        ("beta_1=True", "beta_1 must be of type float"),
        ("penalties=3", "penalties must be of type tuple"),
    ],
)
def test_a_setting_that_is_none_is_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        RECIPE.but_as_given([setting])


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("epochs=0", "`epochs` must be a positive integer. Received: epochs=0"),
        ("batch_size=-1", "`batch_size` must be a positive integer"),
        ("discriminator_steps=0", "`discriminator_steps` must be"),
        ("generator_learning_rate=-0.1", "generator_learning_rate must be a positive number"),
        ("beta_1=7", "`beta_1` must be a number in .0, 1.. Received: beta_1=7"),
        ("optimizer=sgd", r"optimizer must be one of \('adam', 'rms_prop'\). Received: 'sgd'"),
        ("optimizer=momentum_sgd", "optimizer must be one of"),
    ],
)
def test_settings_out_of_range(setting, words):
    recipe = Recipe(epochs=1, batch_size=1, **learning_rates(1e-3))
    with pytest.raises(ValueError, match=words):
        recipe.but_as_given([setting])


def test_one_name_is_a_tuple_of_one():
    recipe = Recipe(epochs=1, batch_size=1, **learning_rates(1e-3))
    assert recipe.but_as_given(["penalties=r1:1,every=2"]).penalties == ("r1:1,every=2",)


def test_a_published_number_knows_what_missing_it_means():
    likelihood = Published(225, "table 1", 2)
    assert str(likelihood) == "225 ± 2 (table 1)"
    assert likelihood.shortfall(220) == 5 and likelihood.shortfall(230) < 0
    error = Published(0.05, "section 7.2", best="lowest")
    assert error.shortfall(0.07) == pytest.approx(0.02) and error.shortfall(0.01) < 0


def test_a_paper_is_read_off_its_citation():
    text = 'X.\n\nLin, Van Gool 2017, "A Title of\nTwo Lines", arXiv\n1704.06191. More.\n'
    paper = Paper.cited_in(text)
    assert (paper.authors, paper.year, paper.title) == (
        "Lin, Van Gool",
        2017,
        "A Title of Two Lines",
    )
    assert paper.url == "https://arxiv.org/abs/1704.06191"
    with pytest.raises(ValueError, match="Authors 2015.*Received: 'Lin 2017, Softmax GAN'"):
        Paper.cited_in("Lin 2017, Softmax GAN")


def test_both_learning_rates_are_alike_unless_there_are_two():
    recipe = Recipe(epochs=1, batch_size=1, **learning_rates(0.5))
    assert recipe.generator_learning_rate == recipe.discriminator_learning_rate == 0.5
    recipe = recipe.but(**learning_rates(0.1, 0.2))
    assert (recipe.generator_learning_rate, recipe.discriminator_learning_rate) == (0.1, 0.2)


def test_every_optimizer_that_a_recipe_may_name_can_be_made():
    recipe = MomentumRecipe(epochs=1, batch_size=8, **learning_rates(1e-3))
    for name in MomentumRecipe.OPTIMIZERS:
        optimizer = networks.OPTIMIZERS[name](recipe.but(optimizer=name), 0.25, steps=10)
        assert float(optimizer.learning_rate) == 0.25
    assert set(networks.OPTIMIZERS) == set(MomentumRecipe.OPTIMIZERS)
