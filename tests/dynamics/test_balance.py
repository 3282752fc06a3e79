import keras
import numpy as np
import pytest

import kgan
from tests import networks


def make_round(real, fake):
    return kgan.Round(
        real={"score": np.asarray(real, "float32")}, fake={"score": np.asarray(fake, "float32")}
    )


@pytest.fixture
def balance(make_gan):
    (balance,) = make_gan([kgan.dynamics.Balance(0.75, gain=0.5, max_ratio=4.0)]).dynamics
    return balance


@pytest.mark.parametrize(
    ("real", "fake", "accuracy"),
    [
        ([1, 2], [-1, 0], 1.0),
        ([0, 0], [0, 0], 0.5),
        ([1, 3], [2, 2], 0.5),
        ([1, 3], [0, 2], 0.75),
        ([[101.0], [103.0]], [[100.0], [102.0]], 0.75),
    ],
)
def test_accuracy_is_the_share_of_pairs_in_the_right_order(balance, real, fake, accuracy):
    balance.after_update(make_round(real, fake))
    np.testing.assert_allclose(balance.state_logs()["balance_accuracy"], accuracy)
    np.testing.assert_allclose(
        balance.state_logs()["balance_ratio"], np.exp(0.5 * (0.75 - accuracy)), rtol=1e-6
    )


def test_the_player_ahead_is_slowed_and_the_other_is_not(balance):
    for _ in range(3):
        balance.after_update(make_round([1.0], [0.0]))
    expected = np.exp(-3 * 0.5 * 0.25)
    np.testing.assert_allclose(balance.pace("discriminator", None), expected, rtol=1e-6)
    np.testing.assert_allclose(balance.pace("generator", None), 1.0)
    for _ in range(5):
        balance.after_update(make_round([0.0], [1.0]))
    assert balance.pace("discriminator", None) == 1.0
    assert balance.pace("generator", None) < 1.0


def test_the_ratio_has_limits(balance):
    for _ in range(50):
        balance.after_update(make_round([1.0], [0.0]))
    np.testing.assert_allclose(balance.pace("discriminator", None), 0.25, rtol=1e-6)


def test_an_update_is_shortened_by_the_ratio(make_gan, fit):
    """After Adam's first step with learning rate 1e-2 each weight has moved 1e-2, or half that."""
    gan = make_gan([kgan.dynamics.Balance()])
    gan.dynamics[0].log_ratio.assign(np.log(0.5))
    before = gan.generator.get_weights(), gan.discriminator.get_weights()
    fit(gan, batch_size=32)
    after = gan.generator.get_weights(), gan.discriminator.get_weights()
    for old, new, expected in zip(before, after, (1e-2, 0.5e-2), strict=True):
        moves = np.concatenate([np.ravel(np.abs(a - b)) for a, b in zip(old, new, strict=True)])
        np.testing.assert_allclose(np.median(moves), expected, rtol=1e-2)


@pytest.mark.parametrize("target", [0.55, 0.75])
def test_it_brings_the_accuracy_to_where_it_is_told(make_gan, fit, target):
    keras.utils.set_random_seed(1)
    discriminator = networks.discriminator(width=32)
    gan = make_gan([kgan.dynamics.Balance(target, gain=1.0)], discriminator=discriminator)
    gan.discriminator_optimizer.learning_rate = 0.05
    gan.generator_optimizer.learning_rate = 1e-3
    accuracies = fit(gan, epochs=200, batch_size=32)["balance_accuracy"]
    assert abs(np.mean(accuracies[50:]) - target) < 0.05


@pytest.mark.parametrize(
    ("name", "values"),
    [("target", [0.5, "a"]), ("gain", [0, np.inf, None]), ("max_ratio", [1.0, np.inf, "a"])],
)
def test_bad_arguments(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"{name} must.*Received: {value!r}"):
            kgan.dynamics.Balance(**{name: value})
