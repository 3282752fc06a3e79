import pytest

import kgan
from tests.conformance import run_loss_test
from tests.losses.reference import relu


@pytest.mark.parametrize("margin", [10.0, 0.25])
def test_discriminator(margin):
    def formula(real, fake):
        real_energy, fake_energy = -real, -fake
        return real_energy + relu(margin - fake_energy)

    run_loss_test(kgan.losses.EnergyBasedDiscriminatorLoss, {"margin": margin}, formula)


def test_generator_wants_low_energy():
    pair = kgan.losses.EnergyBased()
    energies = [3.0, 5.0]
    assert float(pair.generator([0.0, 0.0], [-energy for energy in energies])) == 4.0


def test_fakes_beyond_the_margin_do_not_matter():
    loss = kgan.losses.EnergyBasedDiscriminatorLoss(margin=2.0, reduction=None)
    assert [float(x) for x in loss([0.0, 0.0, 0.0], [-1.0, -2.0, -9.0])] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("margin", [0.0, -1.0])
def test_margin_out_of_range(margin):
    with pytest.raises(ValueError, match=f"margin must be above 0. Received: {margin}"):
        kgan.losses.EnergyBased(margin)
