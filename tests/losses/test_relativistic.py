import numpy as np
import pytest

import kgan
from tests.conformance import run_loss_test
from tests.losses.reference import log_d, log_not_d, relu

NAMES = [name for name in kgan.losses.names() if name.startswith("relativistic")]


def relative(real, fake):
    """Each real against the mean fake, and each fake against the mean real."""
    return real - np.mean(fake), fake - np.mean(real)


def average(real, fake):
    real, fake = relative(real, fake)
    return -log_d(real) - log_not_d(fake)


def average_least_squares(real, fake):
    real, fake = relative(real, fake)
    return (real - 1) ** 2 + (fake + 1) ** 2


def average_hinge(real, fake):
    real, fake = relative(real, fake)
    return relu(1 - real) + relu(1 + fake)


def paired(real, fake):
    return -log_d(real - fake)


FORMULAS = {
    "RelativisticPaired": paired,
    "RelativisticAverage": average,
    "RelativisticAverageLeastSquares": average_least_squares,
    "RelativisticAverageHinge": average_hinge,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_discriminator(name):
    run_loss_test(getattr(kgan.losses, f"{name}DiscriminatorLoss"), {}, FORMULAS[name])


@pytest.mark.parametrize("name", FORMULAS)
def test_generator_is_the_discriminator_with_reals_and_fakes_exchanged(name):
    run_loss_test(
        getattr(kgan.losses, f"{name}GeneratorLoss"),
        {},
        lambda real, fake: FORMULAS[name](fake, real),
    )


@pytest.mark.parametrize("name", NAMES)
def test_only_differences_matter(name):
    pair = kgan.losses.get(name)
    real, fake = np.random.default_rng(0).normal(size=(2, 8))
    for loss in (pair.discriminator, pair.generator):
        np.testing.assert_allclose(loss(real + 10, fake + 10), loss(real, fake), rtol=1e-5)


@pytest.mark.parametrize("name", NAMES[:-1])
def test_averages_run_over_all_positions_of_patch_maps(name):
    """So it does not matter how the scores are spread over examples and positions."""
    pair = kgan.losses.get(name)
    maps = np.random.default_rng(0).normal(size=(2, 4, 3, 3, 1))
    for loss in (pair.discriminator, pair.generator):
        np.testing.assert_allclose(loss(*maps), loss(*maps.reshape(2, 36)), rtol=1e-6)
