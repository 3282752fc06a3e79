import numpy as np
import pytest

import kgan
from tests import networks
from tests.frameworks import tensorflow_only
from tests.losses.auxiliary_checks import (
    CODES,
    LATENT_DIM,
    fit,
    make_gan,
    run_auxiliary_test,
    run_batch_loss_test,
)

BOTH = ("discriminator", "generator")
RNG = np.random.default_rng(0)


def surprise_of_category(codes, logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    probabilities = np.log(np.exp(logits).sum(axis=-1))
    return probabilities - logits[np.arange(len(codes)), codes.argmax(axis=-1)]


def surprise_of_numbers(codes, means):
    density = np.exp(-((codes - means) ** 2) / 2) / np.sqrt(2 * np.pi)
    return -np.log(density).sum(axis=-1)


def test_categorical_code_loss():
    cases = [
        (np.eye(4), RNG.normal(size=(4, 4))),
        (RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3))),
        (np.eye(4), RNG.permuted([[-50.0, 50.0, 50.0, -50.0]] * 4, axis=1)),
    ]
    run_batch_loss_test(kgan.losses.CategoricalCodeLoss, {}, cases, surprise_of_category)


def test_continuous_code_loss():
    cases = [(RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3)))]
    run_batch_loss_test(kgan.losses.ContinuousCodeLoss, {}, cases, surprise_of_numbers)
    codes, means = RNG.uniform(-1, 1, (5, 3)), RNG.choice([-50.0, 50.0], (5, 3))
    expected = np.mean(np.sum((codes - means) ** 2 / 2 + np.log(2 * np.pi) / 2, axis=-1))
    np.testing.assert_allclose(kgan.losses.ContinuousCodeLoss()(codes, means), expected, rtol=1e-6)


def test_mutual_information():
    run_auxiliary_test(kgan.losses.MutualInformation, {"weight": 0.5, **CODES}, BOTH)


def test_codes_are_the_last_columns_categories_first():
    """Here: 1 column of noise, codes of 3 and 2 categories, 2 numbers."""
    latents = RNG.normal(size=(6, 8))
    fake = {
        "latents": latents,
        "categorical_logits": RNG.normal(size=(6, 5)),
        "continuous_mean": RNG.normal(size=(6, 2)),
    }
    logits = fake["categorical_logits"]
    expected = np.mean(
        surprise_of_category(latents[:, 1:4], logits[:, :3])
        + surprise_of_category(latents[:, 4:6], logits[:, 3:])
        + surprise_of_numbers(latents[:, 6:], fake["continuous_mean"])
    )
    information = kgan.losses.MutualInformation(**CODES)
    for term in (information.discriminator, information.generator):
        np.testing.assert_allclose(term({}, fake), expected, rtol=1e-6)


def test_one_kind_of_code_needs_only_its_outputs():
    needs = [
        kgan.losses.MutualInformation(**codes).needs
        for codes in ({"categorical": 10}, {"continuous": 2})
    ]
    assert needs == [("latents", "categorical_logits"), ("latents", "continuous_mean")]


def test_an_int_is_one_code():
    assert kgan.losses.MutualInformation(categorical=10).categorical == (10,)
    loss = kgan.losses.get_auxiliary("mutual_information:0.5,categorical=10")
    assert (loss.weight, loss.categorical, loss.continuous) == (0.5, (10,), 0)


@tensorflow_only("with its draws such long steps do not diverge")
def test_both_players_make_the_codes_legible():
    logs = fit(make_gan([kgan.losses.MutualInformation(**CODES)]), epochs=30)
    losses = logs["generator_mutual_information"]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"needs a code.*Received: categorical=\(\), continuous=0"),
        ({"categorical": (10, 0)}, "categorical.*Received: "),
        ({"categorical": (2.5,)}, "categorical.*Received: "),
        ({"continuous": -1}, "continuous.*Received: continuous=-1"),
        ({"continuous": 1.5}, "continuous.*Received: continuous=1.5"),
    ],
)
def test_bad_codes(arguments, message):
    with pytest.raises(ValueError, match=message):
        kgan.losses.MutualInformation(**arguments)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ({"categorical": (3, 2), "continuous": 1}, r"'continuous_mean'.*Received: \('batch', 2\)"),
        ({"categorical": (3,)}, r"'categorical_logits'.*\('batch', 3\). Received: \('batch', 5\)"),
        ({"categorical": 9}, f"take 9 columns.*Received: latent_dim={LATENT_DIM}"),
    ],
)
def test_codes_that_do_not_fit_are_an_error_at_compile(codes, message):
    with pytest.raises(ValueError, match=message):
        make_gan([kgan.losses.MutualInformation(**codes)])


def test_a_discriminator_that_reads_no_codes_is_an_error_at_compile():
    gan = kgan.GAN(networks.generator(), networks.discriminator())
    with pytest.raises(ValueError, match="MutualInformation needs categorical_logits"):
        gan.compile(auxiliary_losses=[kgan.losses.MutualInformation(categorical=2)])


def test_codes_are_read_off_the_new_fakes_beside_a_pool_of_old_ones():
    """The pool's fakes come without their latents."""
    information = kgan.losses.MutualInformation(**CODES)
    logs = fit(make_gan([information], dynamics=["history_pool"], run_eagerly=True), epochs=1)
    terms = [logs[f"{player}_mutual_information"][0] for player in BOTH]
    np.testing.assert_allclose(*terms, rtol=1e-6)
