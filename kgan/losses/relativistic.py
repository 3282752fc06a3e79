"""Whether a real is more real than a fake: Jolicoeur-Martineau 2018 (arXiv 1807.00734).

Every loss here is a function of differences of scores, in which the generator's differs from the
discriminator's by exchanging reals and fakes.
"""

import keras
from keras import ops

from kgan import replicas
from kgan.losses.base import LOSSES, AdversarialLoss, LossPair


def relative_to_mean(real_scores, fake_scores):
    """Returns reals less the mean fake, and fakes less the mean real, over all replicas."""
    real_mean = replicas.mean(ops.mean(real_scores))
    fake_mean = replicas.mean(ops.mean(fake_scores))
    return real_scores - fake_mean, fake_scores - real_mean


@keras.saving.register_keras_serializable(package="kgan")
class RelativisticPairedDiscriminatorLoss(AdversarialLoss):
    """A real should score above its fake: -E[log sigmoid(D(x) - D(G(z)))].

    Jolicoeur-Martineau 2018, "The relativistic discriminator" (arXiv 1807.00734), section 4.1.
    The n-th real of a batch is paired with the n-th fake.

    Example:
    >>> loss = kgan.losses.RelativisticPairedDiscriminatorLoss()
    >>> round(float(loss(np.full(4, 7.0), np.full(4, 7.0))), 4)
    0.6931
    """

    def call(self, real_scores, fake_scores):
        """Returns the cross-entropy of each pair's difference."""
        return ops.softplus(fake_scores - real_scores)


@keras.saving.register_keras_serializable(package="kgan")
class RelativisticPairedGeneratorLoss(AdversarialLoss):
    """A fake should score above its real: -E[log sigmoid(D(G(z)) - D(x))].

    Jolicoeur-Martineau 2018, "The relativistic discriminator" (arXiv 1807.00734), section 4.1.

    Example:
    >>> loss = kgan.losses.RelativisticPairedGeneratorLoss()
    >>> round(float(loss(np.full(4, 7.0), np.full(4, 7.0))), 4)
    0.6931
    """

    def call(self, real_scores, fake_scores):
        """Returns the cross-entropy of each pair's difference."""
        return ops.softplus(real_scores - fake_scores)


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class RelativisticPaired(LossPair):
    """RpGAN with the standard GAN's function, also called RSGAN: reals and fakes in pairs.

    Jolicoeur-Martineau 2018, "The relativistic discriminator" (arXiv 1807.00734). With the R1 and
    R2 penalties it is the loss of R3GAN (Huang et al. 2024, "The GAN is dead; long live the GAN!",
    arXiv 2501.05441, equation 2). Only differences of scores mean something, so `probability`
    leaves scores as they are.

    Example:
    >>> pair = kgan.losses.get("relativistic_paired")
    >>> real, fake = np.array([5.0]), np.array([3.0])
    >>> bool(pair.discriminator(real, fake) == pair.generator(fake, real))
    True
    """

    def __init__(self):
        super().__init__(RelativisticPairedDiscriminatorLoss(), RelativisticPairedGeneratorLoss())

    def get_config(self):
        """Returns the arguments that make an equal pair: none."""
        return {}


@keras.saving.register_keras_serializable(package="kgan")
class RelativisticAverageDiscriminatorLoss(AdversarialLoss):
    """Reals should score above the average fake, fakes below the average real.

    -E[log sigmoid(D(x) - E D(G(z)))] - E[log(1 - sigmoid(D(G(z)) - E D(x)))], Jolicoeur-Martineau
    2018, "The relativistic discriminator" (arXiv 1807.00734), RaSGAN; the authors' code has
    half of both. The averages run over the batches of all replicas and over the positions of patch
    maps.

    Example:
    >>> loss = kgan.losses.RelativisticAverageDiscriminatorLoss()
    >>> round(float(loss(np.full(4, 7.0), np.full(4, 7.0))), 4)
    1.3863
    """

    def call(self, real_scores, fake_scores):
        """Returns the cross-entropy of each pair of relative scores."""
        real, fake = relative_to_mean(real_scores, fake_scores)
        return ops.softplus(-real) + ops.softplus(fake)


@keras.saving.register_keras_serializable(package="kgan")
class RelativisticAverageGeneratorLoss(AdversarialLoss):
    """Fakes should score above the average real, and reals below the average fake.

    -E[log sigmoid(D(G(z)) - E D(x))] - E[log(1 - sigmoid(D(x) - E D(G(z))))], Jolicoeur-Martineau
    2018, "The relativistic discriminator" (arXiv 1807.00734), RaSGAN; the authors' code has
    half of both.

    Example:
    >>> loss = kgan.losses.RelativisticAverageGeneratorLoss()
    >>> round(float(loss(np.full(4, 7.0), np.full(4, 7.0))), 4)
    1.3863
    """

    def call(self, real_scores, fake_scores):
        """Returns the cross-entropy of each pair of relative scores."""
        real, fake = relative_to_mean(real_scores, fake_scores)
        return ops.softplus(real) + ops.softplus(-fake)


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class RelativisticAverage(LossPair):
    """RaSGAN: each example against the average of the other kind.

    Jolicoeur-Martineau 2018, "The relativistic discriminator" (arXiv 1807.00734). Only differences
    of scores mean something, so `probability` leaves scores as they are.

    Example:
    >>> pair = kgan.losses.get("relativistic_average")
    >>> real, fake = np.array([5.0, 2.0]), np.array([3.0, 1.0])
    >>> bool(pair.discriminator(real, fake) == pair.generator(fake, real))
    True
    """

    def __init__(self):
        super().__init__(RelativisticAverageDiscriminatorLoss(), RelativisticAverageGeneratorLoss())

    def get_config(self):
        """Returns the arguments that make an equal pair: none."""
        return {}


@keras.saving.register_keras_serializable(package="kgan")
class RelativisticAverageLeastSquaresDiscriminatorLoss(AdversarialLoss):
    """Reals should score 1 above the average fake, fakes 1 below the average real.

    E[(D(x) - E D(G(z)) - 1)²] + E[(D(G(z)) - E D(x) + 1)²], Jolicoeur-Martineau 2018, "The
    relativistic discriminator" (arXiv 1807.00734), RaLSGAN in the appendix; the authors' code has
    half of both. The averages run over the batches of all replicas and over the positions of patch
    maps.

    Example:
    >>> loss = kgan.losses.RelativisticAverageLeastSquaresDiscriminatorLoss()
    >>> float(loss(np.full(4, 7.0), np.full(4, 7.0)))
    2.0
    """

    def call(self, real_scores, fake_scores):
        """Returns the squared errors of each pair of relative scores."""
        real, fake = relative_to_mean(real_scores, fake_scores)
        return ops.square(real - 1) + ops.square(fake + 1)


@keras.saving.register_keras_serializable(package="kgan")
class RelativisticAverageLeastSquaresGeneratorLoss(AdversarialLoss):
    """Fakes should score 1 above the average real, and reals 1 below the average fake.

    E[(D(G(z)) - E D(x) - 1)²] + E[(D(x) - E D(G(z)) + 1)²], Jolicoeur-Martineau 2018, "The
    relativistic discriminator" (arXiv 1807.00734), RaLSGAN in the appendix; the authors' code has
    half of both.

    Example:
    >>> loss = kgan.losses.RelativisticAverageLeastSquaresGeneratorLoss()
    >>> float(loss(np.full(4, 7.0), np.full(4, 7.0)))
    2.0
    """

    def call(self, real_scores, fake_scores):
        """Returns the squared errors of each pair of relative scores."""
        real, fake = relative_to_mean(real_scores, fake_scores)
        return ops.square(real + 1) + ops.square(fake - 1)


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class RelativisticAverageLeastSquares(LossPair):
    """RaLSGAN: least squares of each example against the average of the other kind.

    Jolicoeur-Martineau 2018, "The relativistic discriminator" (arXiv 1807.00734). `probability`
    leaves scores as they are.

    Example:
    >>> pair = kgan.losses.get("relativistic_average_least_squares")
    >>> float(pair.discriminator([1.0], [0.0])), float(pair.generator([1.0], [0.0]))
    (0.0, 8.0)
    """

    def __init__(self):
        super().__init__(
            RelativisticAverageLeastSquaresDiscriminatorLoss(),
            RelativisticAverageLeastSquaresGeneratorLoss(),
        )

    def get_config(self):
        """Returns the arguments that make an equal pair: none."""
        return {}


@keras.saving.register_keras_serializable(package="kgan")
class RelativisticAverageHingeDiscriminatorLoss(AdversarialLoss):
    """Reals should score 1 or more above the average fake, fakes as much below the average real.

    E[max(0, 1 - D(x) + E D(G(z)))] + E[max(0, 1 + D(G(z)) - E D(x))], Jolicoeur-Martineau 2018,
    "The relativistic discriminator" (arXiv 1807.00734), RaHingeGAN in the appendix; the authors'
    code has half of both. The averages run over the batches of all replicas and over the positions
    of patch maps.

    Example:
    >>> loss = kgan.losses.RelativisticAverageHingeDiscriminatorLoss()
    >>> float(loss(np.full(4, 7.0), np.full(4, 7.0)))
    2.0
    """

    def call(self, real_scores, fake_scores):
        """Returns what each pair of relative scores lacks to the margins."""
        real, fake = relative_to_mean(real_scores, fake_scores)
        return ops.relu(1 - real) + ops.relu(1 + fake)


@keras.saving.register_keras_serializable(package="kgan")
class RelativisticAverageHingeGeneratorLoss(AdversarialLoss):
    """Fakes should score 1 or more above the average real, reals as much below the average fake.

    E[max(0, 1 - D(G(z)) + E D(x))] + E[max(0, 1 + D(x) - E D(G(z)))], Jolicoeur-Martineau 2018,
    "The relativistic discriminator" (arXiv 1807.00734), RaHingeGAN in the appendix; the authors'
    code has half of both.

    Example:
    >>> loss = kgan.losses.RelativisticAverageHingeGeneratorLoss()
    >>> float(loss(np.full(4, 7.0), np.full(4, 7.0)))
    2.0
    """

    def call(self, real_scores, fake_scores):
        """Returns what each pair of relative scores lacks to the margins."""
        real, fake = relative_to_mean(real_scores, fake_scores)
        return ops.relu(1 + real) + ops.relu(1 - fake)


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class RelativisticAverageHinge(LossPair):
    """RaHingeGAN: a margin for each example against the average of the other kind.

    Jolicoeur-Martineau 2018, "The relativistic discriminator" (arXiv 1807.00734). `probability`
    leaves scores as they are.

    Example:
    >>> pair = kgan.losses.get("relativistic_average_hinge")
    >>> float(pair.discriminator([1.0], [0.0])), float(pair.generator([1.0], [0.0]))
    (0.0, 4.0)
    """

    def __init__(self):
        super().__init__(
            RelativisticAverageHingeDiscriminatorLoss(), RelativisticAverageHingeGeneratorLoss()
        )

    def get_config(self):
        """Returns the arguments that make an equal pair: none."""
        return {}
