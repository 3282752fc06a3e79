import numpy as np

import kgan
from tests.conformance import extreme_scores, random_scores, run_loss_test


def log_softmax(real, fake):
    """log-probabilities of reals and fakes under one softmax of them all."""
    log_z = np.logaddexp.reduce(np.concatenate([np.ravel(real), np.ravel(fake)]))
    return real - log_z, fake - log_z


def test_discriminator():
    run_loss_test(
        kgan.losses.SoftmaxGANDiscriminatorLoss,
        {},
        lambda real, fake: -log_softmax(real, fake)[0],
    )


def test_generator():
    run_loss_test(
        kgan.losses.SoftmaxGANGeneratorLoss,
        {},
        lambda real, fake: -sum(log_softmax(real, fake)) / 2,
    )


def test_losses_are_cross_entropies_with_the_papers_targets():
    """1/N on reals for the discriminator, 1/(2 N) on everything for the generator."""
    pair = kgan.losses.get("softmax_gan")
    for real, fake in (random_scores(), extreme_scores()):
        logs = np.concatenate(log_softmax(real, fake))
        n = len(real)
        targets = np.repeat([1 / n, 0], n), np.full(2 * n, 1 / (2 * n))
        for loss, target in zip((pair.discriminator, pair.generator), targets, strict=True):
            np.testing.assert_allclose(loss(real, fake), -np.sum(target * logs), rtol=1e-6)


def test_generators_loss_is_least_where_all_score_alike():
    pair = kgan.losses.get("softmax_gan")
    alike = np.full(4, 3.0)
    lowest = float(pair.generator(alike, alike))
    np.testing.assert_allclose(lowest, np.log(8), rtol=1e-6)
    for moved in (alike + 0.5, alike - 0.5):
        assert float(pair.generator(alike, moved)) > lowest


def test_positions_of_patch_maps_are_examples_of_the_softmax():
    maps = np.random.default_rng(0).normal(size=(2, 4, 3, 3, 1))
    each = maps.reshape(2, 36)
    for loss in (kgan.losses.SoftmaxGANDiscriminatorLoss(), kgan.losses.SoftmaxGANGeneratorLoss()):
        np.testing.assert_allclose(loss(*maps), loss(*each), rtol=1e-6)
