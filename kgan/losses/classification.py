"""Auxiliary classifiers: a discriminator that also says which class it sees."""

import keras
from keras import ops

from kgan.layers.checks import is_number
from kgan.losses.auxiliary import (
    AUXILIARY_LOSSES,
    AuxiliaryLoss,
    check_class_numbers,
    check_widths,
)
from kgan.losses.base import BatchLoss


@keras.saving.register_keras_serializable(package="kgan")
class ClassificationLoss(BatchLoss):
    """The cross-entropy of class logits: -log softmax(l)_y, called as `loss(labels, logits)`.

    Odena et al. 2017, "Conditional Image Synthesis With Auxiliary Classifier GANs" (arXiv
    1610.09585), the summands of L_C in equation 3.

    Args:
        **kwargs: `name`, `reduction`, `dtype` of `BatchLoss`.

    Example:
    >>> loss = kgan.losses.ClassificationLoss()
    >>> round(float(loss(np.array([0, 3]), np.zeros((2, 4)))), 4)  # log 4
    1.3863
    """

    def call(self, labels, class_logits):
        """Returns the cross-entropy of each example.

        Args:
            labels: int `(batch,)`, class numbers.
            class_logits: float `(batch, classes)`.
        """
        return ops.sparse_categorical_crossentropy(labels, class_logits, from_logits=True)


@AUXILIARY_LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class AuxiliaryClassifier(AuxiliaryLoss):
    """Both players want each image to be classified as its label (AC-GAN).

    Odena et al. 2017 (arXiv 1610.09585), equation 3, with the cross-entropy CE:

        discriminator: E[CE(x, y)] + fake_weight · E[CE(G(z, y), y)]
        generator:     E[CE(G(z, y), y)]

    The discriminator returns `"class_logits"` of shape `(batch, num_classes)`, as
    `kgan.layers.ClassifierHead` does.

    Args:
        weight: float > 0, the factor of the terms. Defaults to 1.
        fake_weight: float >= 0, what fakes count in the discriminator's term. Defaults to 1, as
            in the paper; 0 teaches the classifier reals alone, as later work does.
        name: str, the last part of the keys in the logs. Defaults to the class name in snake case.

    Raises:
        ValueError: if a weight is out of range; at `compile`, if the game has no class numbers or
            the discriminator not one logit a class.

    Example:
    >>> classifier = kgan.losses.AuxiliaryClassifier()
    >>> view = {"labels": np.array([0, 3]), "class_logits": np.zeros((2, 4))}
    >>> round(float(classifier.generator(view, view)), 4)  # log 4
    1.3863
    """

    needs = ("labels", "class_logits")

    def __init__(self, weight=1.0, fake_weight=1.0, name=None):
        super().__init__(weight, name)
        if not (is_number(fake_weight) and fake_weight >= 0):
            raise ValueError(f"fake_weight must be 0 or above. Received: {fake_weight!r}")
        self.fake_weight = fake_weight
        self.loss = ClassificationLoss()

    def build(self, gan):
        """Checks that there is one logit a class."""
        check_class_numbers(self, gan)
        check_widths(self, gan, {name: gan.num_classes for name in self.needs if name != "labels"})

    def discriminator(self, real, fake):
        """Returns the cross-entropy of reals and fakes."""
        return self._entropy(real) + self.fake_weight * self._entropy(fake)

    def generator(self, real, fake):
        """Returns the cross-entropy of the fakes."""
        return self._entropy(fake)

    def _entropy(self, view, logits="class_logits"):
        return self.loss(view["labels"], view[logits])

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), "fake_weight": self.fake_weight}


@AUXILIARY_LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class TwinAuxiliaryClassifier(AuxiliaryClassifier):
    """A twin classifier, of fakes alone, keeps the fakes of a class diverse (TAC-GAN).

    Gong et al. 2019, "Twin Auxiliary Classifiers GAN" (arXiv 1907.02690). To `AuxiliaryClassifier`
    comes the twin's cross-entropy CE' on fakes, which the discriminator minimises and the generator
    maximises:

        discriminator: E[CE(x, y)] + fake_weight · E[CE(G(z, y), y)] + E[CE'(G(z, y), y)]
        generator:     E[CE(G(z, y), y)] - E[CE'(G(z, y), y)]

    The discriminator returns `"class_logits"` and `"twin_logits"`, as
    `kgan.layers.TwinClassifierHead` does.

    Args:
        weight: float > 0, the factor of the terms. Defaults to 1.
        fake_weight: float >= 0, what fakes count in the first classifier's term. Defaults to 0, as
            in the authors' code; 1 adds AC-GAN's term on fakes.
        name: str, the last part of the keys in the logs. Defaults to the class name in snake case.

    Raises:
        ValueError: if a weight is out of range; at `compile`, if the game has no class numbers or
            the discriminator not one logit a class.

    Example:
    >>> twin = kgan.losses.TwinAuxiliaryClassifier()
    >>> logits = {"class_logits": np.zeros((2, 4)), "twin_logits": np.zeros((2, 4))}
    >>> view = {"labels": np.array([0, 3]), **logits}
    >>> float(twin.generator(view, view))
    0.0
    """

    needs = ("labels", "class_logits", "twin_logits")

    def __init__(self, weight=1.0, fake_weight=0.0, name=None):
        super().__init__(weight, fake_weight, name)

    def discriminator(self, real, fake):
        """Returns the cross-entropies of both classifiers."""
        return super().discriminator(real, fake) + self._entropy(fake, "twin_logits")

    def generator(self, real, fake):
        """Returns how much worse the fakes fare with the first classifier than with its twin."""
        return super().generator(real, fake) - self._entropy(fake, "twin_logits")


@AUXILIARY_LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class DiscriminativeClassifier(AuxiliaryLoss):
    """A classifier that tells real classes from fake ones (ADC-GAN).

    Hou et al. 2022, "Conditional GANs with Auxiliary Discriminative Classifier" (arXiv
    2107.10060). Of its 2K classes the first K are y⁺, the real ones, and the
    others y⁻, the fake ones:

        discriminator: -E[log C(y⁺ | x)] - E[log C(y⁻ | G(z, y))]
        generator:     -E[log C(y⁺ | G(z, y))] + E[log C(y⁻ | G(z, y))]

    The discriminator returns `"class_logits"` of shape `(batch, 2 * num_classes)`, as
    `kgan.layers.ClassifierHead(num_classes, num_logits=2 * num_classes)` does.

    Args:
        weight: float > 0, the factor of the terms. Defaults to 1.
        name: str, the last part of the keys in the logs. Defaults to the class name in snake case.

    Raises:
        ValueError: if `weight` is not above 0; at `compile`, if the game has no class numbers or
            the discriminator not two logits a class.

    Example:
    >>> classifier = kgan.losses.DiscriminativeClassifier()
    >>> view = {"labels": np.array([0, 1]), "class_logits": np.zeros((2, 4))}
    >>> round(float(classifier.discriminator(view, view)), 4)  # 2 log 4
    2.7726
    """

    needs = ("labels", "class_logits")

    def __init__(self, weight=1.0, name=None):
        super().__init__(weight, name)
        self.loss = ClassificationLoss()

    def build(self, gan):
        """Checks that there are two logits a class."""
        check_class_numbers(self, gan)
        check_widths(self, gan, {"class_logits": 2 * gan.num_classes})

    def discriminator(self, real, fake):
        """Returns the cross-entropy of reals in the real classes and fakes in the fake ones."""
        return self._as_real(real) + self._as_fake(fake)

    def generator(self, real, fake):
        """Returns how much less the fakes look like their real class than like their fake one."""
        return self._as_real(fake) - self._as_fake(fake)

    def _as_real(self, view):
        return self.loss(view["labels"], view["class_logits"])

    def _as_fake(self, view):
        labels = ops.cast(view["labels"], "int32")
        return self.loss(labels + view["class_logits"].shape[-1] // 2, view["class_logits"])
