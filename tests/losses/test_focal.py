import numpy as np
import pytest
import tensorflow as tf

import kgan
from tests.conformance import assert_finite, extreme_scores, random_scores, run_loss_test
from tests.frameworks import tensorflow_only
from tests.losses.reference import log_d, log_not_d, sigmoid


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("alpha", [None, 0.25])
def test_discriminator(gamma, alpha):
    real_weight, fake_weight = (1, 1) if alpha is None else (alpha, 1 - alpha)

    def formula(real, fake):
        real_loss = -real_weight * sigmoid(-real) ** gamma * log_d(real)
        return real_loss - fake_weight * sigmoid(fake) ** gamma * log_not_d(fake)

    run_loss_test(kgan.losses.FocalDiscriminatorLoss, {"gamma": gamma, "alpha": alpha}, formula)


def test_without_gamma_it_is_the_cross_entropy():
    focal, plain = kgan.losses.Focal(gamma=0.0), kgan.losses.NonSaturating()
    for scores in (random_scores(), extreme_scores()):
        np.testing.assert_allclose(focal.discriminator(*scores), plain.discriminator(*scores))
        np.testing.assert_array_equal(focal.generator(*scores), plain.generator(*scores))


@tensorflow_only("its tapes")
def test_gradient_is_finite_where_the_sigmoid_rounds_to_zero():
    """There a power of the sigmoid with gamma below 1 would have an infinite slope."""
    scores = tf.constant([-300.0, 300.0])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = kgan.losses.FocalDiscriminatorLoss(gamma=0.5)(scores, scores)
    assert_finite(tape.gradient(value, scores))


def test_easy_fakes_count_less():
    """With gamma = 2 a fake with D = 0.01 counts 0.01² = 1e-4 of its cross-entropy."""
    easy = np.full(4, np.log(0.01 / 0.99))
    sure_real = np.full(4, 50.0)
    focal = kgan.losses.FocalDiscriminatorLoss(gamma=2.0)(sure_real, easy)
    plain = kgan.losses.MinimaxDiscriminatorLoss()(sure_real, easy)
    np.testing.assert_allclose(focal / plain, 1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"gamma": -1.0}, "gamma must be 0 or more. Received: -1.0"),
        ({"alpha": 0.0}, "alpha must lie in .*Received: 0.0"),
        ({"alpha": 1.0}, "alpha must lie in .*Received: 1.0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        kgan.losses.Focal(**arguments)


def test_by_name_with_arguments():
    pair = kgan.losses.get("focal:1.5,alpha=0.75")
    assert (pair.discriminator.gamma, pair.discriminator.alpha) == (1.5, 0.75)
