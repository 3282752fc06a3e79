import keras
import numpy as np
import pytest

from kgan.games import BiGAN
from tests.games.encoders import (
    IMAGES,
    LATENT_DIM,
    encoder,
    generator,
    judge,
    linear_judge,
    moved,
    softplus,
    step_of_discriminator,
    step_of_generator,
)


def build(discriminator=None, **options):
    discriminator = discriminator or judge(condition_dim=LATENT_DIM)
    gan = BiGAN(generator(), discriminator, encoder(), seed=1)
    gan.compile("adam", "adam", **options)
    return gan


def round_of(gan):
    return gan.compute_losses(keras.ops.convert_to_tensor(IMAGES), None)


def test_reals_stand_beside_their_codes_and_fakes_beside_their_latents():
    gan = build()
    round = round_of(gan)["round"]
    codes = gan.encoder(IMAGES, training=True)
    np.testing.assert_allclose(round.real["codes"], codes, atol=1e-6)
    np.testing.assert_array_equal(round.fake["codes"], round.fake["latents"])
    np.testing.assert_allclose(round.fake["images"], gan.generator(round.fake["latents"]))
    for view in (round.real, round.fake):
        expected = gan.discriminator([view["images"], view["codes"]])
        np.testing.assert_allclose(view["score"], expected, rtol=1e-5)


@pytest.mark.parametrize("loss", ["non_saturating", "relativistic_paired"])
def test_the_players_exchange_reals_and_fakes(loss):
    gan = build(loss=loss)
    logs = round_of(gan)
    real, fake = (logs["round"].real["score"], logs["round"].fake["score"])
    if loss == "non_saturating":
        discriminator = softplus(-np.array(real)) + softplus(fake)
        both = softplus(-np.array(fake)) + softplus(real)
    else:
        discriminator = softplus(np.array(fake) - np.array(real))
        both = softplus(np.array(real) - np.array(fake))
    np.testing.assert_allclose(logs["discriminator_loss"], discriminator.mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["generator_loss"], both.mean(), rtol=1e-5)


def test_who_moves_whom():
    gan = build(updates="alternating")
    assert moved(gan, lambda: step_of_discriminator(gan)) == {"discriminator"}
    assert moved(gan, lambda: step_of_generator(gan)) == {"generator", "encoder"}


def test_penalties_see_images_beside_the_reals_codes():
    gan = build(linear_judge([3.0, 0.0, 4.0], [7.0] * LATENT_DIM), penalties=["r1:10"])
    logs = round_of(gan)
    np.testing.assert_allclose(logs["r1"], 10 / 2 * 25, rtol=1e-5)  # without the code's 7s
    round = logs["round"]
    np.testing.assert_allclose(
        round.score(keras.ops.convert_to_tensor(IMAGES)), round.real["score"], atol=1e-5
    )


def test_images_without_codes_get_the_encoder_s():
    gan = build()
    expected = gan.discriminator([keras.ops.convert_to_tensor(IMAGES), gan.encode(IMAGES)])
    np.testing.assert_allclose(gan.score(IMAGES), expected, rtol=1e-5)
    np.testing.assert_allclose(gan.view(IMAGES)["score"], expected, rtol=1e-5)


@pytest.mark.parametrize("options", [{"dynamics": ["top_k"]}, {"augment": ["apa"]}])
def test_what_has_no_place(options):
    with pytest.raises(ValueError, match="BiGAN does not play with images alone.*Received"):
        build(**options)


def test_no_labels():
    with pytest.raises(ValueError, match="BiGAN has no labels"):
        BiGAN(generator(num_classes=3), judge(condition_dim=5), encoder(), num_classes=3)
