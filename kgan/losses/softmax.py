"""One softmax over the whole batch, reals and fakes: Lin 2017 (arXiv 1704.06191)."""

import keras
from keras import ops

from kgan import replicas
from kgan.losses.base import LOSSES, AdversarialLoss, LossPair


def log_partition(real_scores, fake_scores):
    """Returns log Z = log(Σ exp D(x) + Σ exp D(G(z))) over the batches of all replicas."""
    scores = [replicas.gather(real_scores), replicas.gather(fake_scores)]
    return ops.logsumexp(ops.concatenate([ops.reshape(x, (-1,)) for x in scores]))


@keras.saving.register_keras_serializable(package="kgan")
class SoftmaxGANDiscriminatorLoss(AdversarialLoss):
    """All of the softmax's probability should lie on reals, evenly: -E[D(x)] + log Z.

    Z = Σ exp D(x) + Σ exp D(G(z)) over the batch: the cross-entropy between the softmax of all
    scores and 1/N on each of N reals. Lin 2017, "Softmax GAN" (arXiv 1704.06191); its μ is minus
    the score. The batch is that of all replicas together; of a patch map, each position counts as
    an example of its own.

    Example:
    >>> loss = kgan.losses.SoftmaxGANDiscriminatorLoss()
    >>> round(float(loss(np.zeros(4), np.zeros(4))), 4)  # log 8
    2.0794
    """

    def call(self, real_scores, fake_scores):
        """Returns minus the log-probability of each real."""
        return log_partition(real_scores, fake_scores) - real_scores


@keras.saving.register_keras_serializable(package="kgan")
class SoftmaxGANGeneratorLoss(AdversarialLoss):
    """Reals and fakes should be equally probable: -(E[D(x)] + E[D(G(z))]) / 2 + log Z.

    The cross-entropy between the softmax of all scores and 1/(2 N) on each of N reals and N fakes;
    Z as in `SoftmaxGANDiscriminatorLoss`. Lin 2017, "Softmax GAN" (arXiv 1704.06191). A fake that
    has more than its share of the probability is lowered. Weights of examples do not reach Z.

    Example:
    >>> loss = kgan.losses.SoftmaxGANGeneratorLoss()
    >>> round(float(loss(np.zeros(4), np.zeros(4))), 4)  # log 8
    2.0794
    """

    def call(self, real_scores, fake_scores):
        """Returns minus the mean log-probability of each real and its fake."""
        return log_partition(real_scores, fake_scores) - (real_scores + fake_scores) / 2


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class SoftmaxGAN(LossPair):
    """Both players share one softmax over the batch: Lin 2017, "Softmax GAN" (arXiv 1704.06191).

    Scores mean something only beside the others of their batch, so `probability` leaves them as
    they are. The sum in the softmax runs over all replicas, so that several equal one.

    Example:
    >>> pair = kgan.losses.get("softmax_gan")
    >>> scores = np.zeros(4)
    >>> bool(pair.discriminator(scores + 1, scores) < pair.discriminator(scores, scores))
    True
    """

    def __init__(self):
        super().__init__(SoftmaxGANDiscriminatorLoss(), SoftmaxGANGeneratorLoss())

    def get_config(self):
        """Returns the arguments that make an equal pair: none."""
        return {}
