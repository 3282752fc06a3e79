"""Losses that ask for a margin and are satisfied with it."""

import keras
from keras import ops

from kgan.losses.base import LOSSES, AdversarialLoss, LossPair
from kgan.losses.class_logits import check_class_logits, right_and_wrong
from kgan.losses.wasserstein import WassersteinGeneratorLoss


@keras.saving.register_keras_serializable(package="kgan")
class HingeDiscriminatorLoss(AdversarialLoss):
    """Reals should score above 1, fakes below -1: E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))].

    Lim and Ye 2017, "Geometric GAN" (arXiv 1705.02894), and Miyato et al. 2018, "Spectral
    Normalization for Generative Adversarial Networks" (arXiv 1802.05957), equation 16.

    Example:
    >>> loss = kgan.losses.HingeDiscriminatorLoss()
    >>> float(loss(np.array([2.0, 0.5]), np.array([-2.0, 0.5])))  # (0 + 0.5 + 0 + 1.5) / 2
    1.0
    """

    def call(self, real_scores, fake_scores):
        """Returns what each pair of scores lacks to the margins."""
        return ops.relu(1 - real_scores) + ops.relu(1 + fake_scores)


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class Hinge(LossPair):
    """The discriminator wants a margin, the generator high scores: -E[D(G(z))].

    Lim and Ye 2017, "Geometric GAN" (arXiv 1705.02894); SAGAN's and BigGAN's loss. Scores are not
    logits, so `probability` leaves them as they are.

    Example:
    >>> pair = kgan.losses.get("hinge")
    >>> float(pair.discriminator(np.zeros(4), np.zeros(4))), float(pair.generator([0.0], [3.0]))
    (2.0, -3.0)
    """

    def __init__(self):
        super().__init__(HingeDiscriminatorLoss(), WassersteinGeneratorLoss())

    def get_config(self):
        """Returns the arguments that make an equal pair: none."""
        return {}


def _lack(class_logits, labels):
    """Returns max(0, 1 - C_y + max of the others), of shape `(batch, 1)`."""
    right, wrong = right_and_wrong(class_logits, labels)
    return ops.relu(1 - right + ops.max(wrong, axis=-1, keepdims=True))


@keras.saving.register_keras_serializable(package="kgan")
class MultiHingeDiscriminatorLoss(AdversarialLoss):
    """Reals should stand out as their class, fakes as the class "fake".

    E[max(0, 1 - C_y(x) + C_¬y(x))] + E[max(0, 1 - C_fake(G(z)) + C_¬fake(G(z)))], where C are
    K + 1 class logits, the last of them for fakes, and C_¬k is the highest of all but the k-th
    (Crammer and Singer's multi-class hinge). Kavalerov, Czaja and Chellappa 2019, "cGANs with
    Multi-Hinge Loss" (arXiv 1912.04216, version 1).

    It is called as `loss(real_class_logits, fake_class_logits, labels=labels)`, with logits of
    shape `(batch, K + 1)` and the int labels `(batch,)` of the reals.

    Example:
    >>> loss = kgan.losses.MultiHingeDiscriminatorLoss()
    >>> real, fake = np.array([[3.0, 1.0, 0.0]]), np.array([[0.0, 0.0, 0.5]])
    >>> float(loss(real, fake, labels=np.array([0]))), float(loss(real, fake, labels=[1]))
    (0.5, 3.5)
    """

    def call(self, real_scores, fake_scores, labels):
        """Returns what each real and fake lacks to its margin.

        Args:
            real_scores: float32 `(batch, K + 1)`, class logits of reals.
            fake_scores: float32 `(batch, K + 1)`, class logits of fakes.
            labels: int `(batch,)`, the classes of the reals.
        """
        fake_class = ops.full_like(ops.convert_to_tensor(labels), fake_scores.shape[-1] - 1)
        return _lack(real_scores, labels) + _lack(fake_scores, fake_class)


@keras.saving.register_keras_serializable(package="kgan")
class MultiHingeGeneratorLoss(AdversarialLoss):
    """Fakes should stand out as the class that was asked for.

    E[max(0, 1 - C_y(G(z, y)) + C_¬y(G(z, y)))]: what the discriminator wants of reals, over all
    K + 1 classes. Kavalerov, Czaja and Chellappa 2019, "cGANs with Multi-Hinge Loss" (arXiv
    1912.04216, version 1). The authors' code trains the generator on L1 feature matching, of weight
    1, plus 0.05 times this loss; `kgan.losses.L1Distance(layers=…)` is that feature matching.

    It is called as `loss(real_class_logits, fake_class_logits, labels=labels)`.

    Example:
    >>> loss = kgan.losses.MultiHingeGeneratorLoss()
    >>> fake = np.array([[0.0, 0.0, 0.5]])
    >>> float(loss(fake, fake, labels=np.array([0])))
    1.5
    """

    def call(self, real_scores, fake_scores, labels):
        """Returns what each fake lacks to its margin.

        Args:
            real_scores: float32 `(batch, K + 1)`, class logits of reals.
            fake_scores: float32 `(batch, K + 1)`, class logits of fakes.
            labels: int `(batch,)`, the classes that the fakes were made for.
        """
        return _lack(fake_scores, labels)


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class MultiHinge(LossPair):
    """The hinge game over K classes and a further one for fakes, in place of real or fake.

    Kavalerov, Czaja and Chellappa 2019, "cGANs with Multi-Hinge Loss" (arXiv 1912.04216, version
    1); see `MultiHingeGeneratorLoss` for what the authors' generator minimises besides. It needs a
    conditional game with class labels and a discriminator that returns `"class_logits"` of shape
    `(batch, K + 1)`, fakes last, beside its `"score"`, which this loss only logs.

    Example:
    >>> pair = kgan.losses.get("multi_hinge")
    >>> pair.needs
    ('labels', 'class_logits')
    >>> logits, labels = np.zeros((4, 3)), np.zeros(4, "int32")
    >>> view = {"score": logits[:, 0], "class_logits": logits, "labels": labels}
    >>> {name: float(loss) for name, loss in pair.terms(view, view).items()}
    {'generator_loss': 1.0, 'discriminator_loss': 2.0}
    """

    def __init__(self):
        super().__init__(MultiHingeDiscriminatorLoss(), MultiHingeGeneratorLoss())

    @property
    def needs(self):
        """Tuple of str, what the views must hold besides the scores."""
        return ("labels", "class_logits")

    def build(self, gan):
        """Raises ValueError unless there is a logit for each class and one for fakes.

        Args:
            gan: `kgan.GAN`.
        """
        check_class_logits(self, gan, lambda num_classes: num_classes + 1)

    def terms(self, real, fake):
        """Returns both players' losses of one round; see `LossPair.terms`.

        Args:
            real: dict, the view of the reals.
            fake: dict, the view of the fakes.
        """
        logits = real["class_logits"], fake["class_logits"]
        weights = fake.get("weights")
        return {
            "generator_loss": self.generator(*logits, labels=fake["labels"], sample_weight=weights),
            "discriminator_loss": self.discriminator(*logits, labels=real["labels"]),
        }

    def get_config(self):
        """Returns the arguments that make an equal pair: none."""
        return {}
