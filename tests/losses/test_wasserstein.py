import kgan
from tests.conformance import run_loss_test


def test_discriminator():
    run_loss_test(kgan.losses.WassersteinDiscriminatorLoss, {}, lambda real, fake: fake - real)


def test_generator():
    run_loss_test(kgan.losses.WassersteinGeneratorLoss, {}, lambda real, fake: -fake)
