import numpy as np

import kgan
from tests.conformance import run_loss_test
from tests.losses.reference import log_d, log_not_d


def test_generator():
    run_loss_test(
        kgan.losses.BoundarySeekingGeneratorLoss,
        {},
        lambda real, fake: (log_d(fake) - log_not_d(fake)) ** 2 / 2,
    )


def test_discriminator_is_that_of_minimax():
    pair = kgan.losses.get("boundary_seeking")
    assert type(pair.discriminator) is kgan.losses.MinimaxDiscriminatorLoss
    np.testing.assert_allclose(pair.probability(np.zeros(2, "float32")), 0.5)


def test_fakes_are_drawn_to_the_boundary_from_both_sides():
    loss = kgan.losses.BoundarySeekingGeneratorLoss(reduction=None)
    below, at, above = np.array(loss([0.0] * 3, [-1.0, 0.0, 1.0]))
    assert at == 0 and below == above > 0
