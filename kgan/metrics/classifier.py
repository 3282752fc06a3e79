"""What a classifier says of the samples: its certainty, its accuracy, and the classes it finds."""

import keras
import numpy as np

from kgan.layers.checks import check_positive_int
from kgan.metrics.base import METRICS, GANMetric
from kgan.metrics.states import ClassCounts, Hits, SplitEntropies, State


class FakesOnly(GANMetric):
    """Base of what measures samples without reals, which it ignores where it is given some.

    Args:
        features: as in `GANMetric`.
        name: as in `GANMetric`.
        dtype: as in `GANMetric`.

    Example:
    >>> metric = kgan.metrics.ClassifierScore()
    >>> metric.update_state(real=np.zeros((5, 3)), fake=np.eye(3))
    >>> metric.seen("real", least=0).count
    0
    """

    def update_state(self, real=None, fake=None, labels=None):
        """Takes in a batch of fakes; see `GANMetric.update_state`."""
        super().update_state(None, fake, labels)

    def update_features(self, real=None, fake=None, labels=None):
        """Takes in a batch of fakes; see `GANMetric.update_features`."""
        super().update_features(None, fake, labels)

    def make_state(self, side, shape):
        """Returns what keeps the fakes, and for the reals what keeps nothing."""
        return self.make_fake_state(*shape) if side == "fake" else State(self, side)

    def make_fake_state(self, num_classes):
        """Returns what keeps the logits of fakes.

        Args:
            num_classes: int, their width.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement make_fake_state().")


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class ClassifierScore(FakesOnly):
    """Exponential of how much a classifier learns about a sample's class by seeing it; from 1 up.

    exp(E_x KL(p(y | x) ‖ p(y))): it is 1 where all samples look alike to the classifier, and the
    number of classes where it is certain of each and finds all of them equally often. With the
    Inception network of TensorFlow's 2015 release it is the Inception Score of Salimans et al.
    2016, "Improved Techniques for Training GANs" (arXiv 1606.03498), section 4. Mean and standard
    deviation are over splits, as in their code. Reals are ignored: the score of real images is the
    number to compare with.

    Theirs takes samples in a row as a split; here each goes to a random one of those that have the
    fewest, lest samples that come ordered by class make splits of one class.

    The result has the keys `classifier_score` and `classifier_score_std`.

    Args:
        features: what gives logits for the images, such as `"mnist"`. Defaults to None: it is
            given logits `(batch, num_classes)`.
        splits: int >= 1. Defaults to 10.
        name: str. Defaults to `"classifier_score"`.
        dtype: as in Keras.

    Raises:
        ValueError: if the network gives no logits; from `result`, if there are fewer fakes than
            splits, or NaN among their logits.

    Example:
    >>> metric = kgan.metrics.ClassifierScore(splits=2)
    >>> metric.update_state(fake=1000 * np.eye(4)[[0, 1, 2, 3, 0, 1, 2, 3]])
    >>> metric.result()["classifier_score"] > 2
    True
    """

    alias = "is"
    looks_at = "logits"
    best = ("↑", "")

    def __init__(self, features=None, splits=10, name=None, dtype=None):
        super().__init__(features, name=name, dtype=dtype)
        check_positive_int("splits", splits)
        # === Config ===
        self.splits = splits

    def make_fake_state(self, num_classes):
        """Returns the sums over each split that the score is made of."""
        return SplitEntropies(self, "fake", num_classes, self.splits)

    @property
    def result_names(self):
        """The mean's key and the standard deviation's."""
        return (self.name, f"{self.name}_std")

    def result(self):
        """Returns mean and standard deviation over the splits, a dict of floats."""
        scores = np.exp(self.seen("fake", least=self.splits).information())
        values = float(np.mean(scores)), float(np.std(scores))
        return dict(zip(self.result_names, values, strict=True))

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        return {**super().get_config(), "splits": self.splits}


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class LabelAccuracy(FakesOnly):
    """Share of the samples that a classifier takes for the class that was asked for; 1 is the best.

    Odena et al. 2017, "Conditional Image Synthesis With Auxiliary Classifier GANs" (arXiv
    1610.09585), section 4.1. It does not see whether a class's samples differ from each other:
    one good image of each class is enough. Reals are ignored. The logits must be of the same
    classes as the labels, in the same order: those of `"inception_2015"` are not in ImageNet's.

    Args:
        features: what gives logits for the images, such as `"mnist"`. Defaults to None: it is
            given logits `(batch, num_classes)`.
        name: str. Defaults to `"label_accuracy"`.
        dtype: as in Keras.

    Raises:
        ValueError: if the network gives no logits; from `update_state`, if labels are missing;
            from `result`, without fakes, with NaN among their logits, or with labels that the
            classifier does not know.

    Example:
    >>> metric = kgan.metrics.LabelAccuracy()
    >>> metric.update_state(fake=np.eye(4), labels=[0, 1, 2, 2])
    >>> metric.result()
    0.75
    """

    alias = "label"
    looks_at = "logits"
    needs_labels = True
    best = "↑"

    def make_fake_state(self, num_classes):
        """Returns how many fakes were right."""
        return Hits(self, "fake", num_classes)

    def result(self):
        """Returns the accuracy, a float."""
        state = self.seen("fake")
        if state.unknown_labels:
            raise ValueError(
                f"LabelAccuracy compares labels with {self._shape[0]} logits, so they lie in "
                f"[0, {self._shape[0]}). Received: {state.unknown_labels} labels beyond"
            )
        return state.hits / state.count


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class ModeCoverage(GANMetric):
    """How many classes a classifier finds among the samples, and whether as often as in the data.

    `modes_covered` is the number of classes with a sample in them. `mode_kl` is KL(p ‖ q) =
    Σ p log(p / q) in nats, of the samples' histogram p from the reals' q, both as the classifier
    sees them; 0 is the best. Srivastava et al. 2017, "VEEGAN" (arXiv 1705.07761), and Lin et al.
    2018, "PacGAN" (arXiv 1712.04086), section 4.2, have both for the 1,000 modes of stacked MNIST.

    Both depend on the number of samples: with fewer than some 10 a class, real images would miss
    classes too.

    Args:
        features: what gives logits for the images, such as `"mnist"`. Defaults to None: it is
            given logits `(batch, num_classes)`.
        name: str. Defaults to `"mode_coverage"`; any other one stands before the keys, too.
        dtype: as in Keras.

    Raises:
        ValueError: if the network gives no logits; from `result`, without fakes or reals, with NaN
            among their logits, or if samples hit a class without reals.

    Example:
    >>> metric = kgan.metrics.ModeCoverage()
    >>> metric.update_state(real=np.eye(4), fake=np.eye(4)[[0, 1, 1, 0]])
    >>> {name: round(value, 3) for name, value in metric.result().items()}
    {'modes_covered': 2.0, 'mode_kl': 0.693}
    """

    alias = "modes"
    looks_at = "logits"
    best = ("↑", "↓")

    def make_state(self, side, shape):
        """Returns the histogram of one side."""
        return ClassCounts(self, side, *shape)

    @property
    def result_names(self):
        """Tuple of str, the keys of the result."""
        prefix = "" if self.name == "mode_coverage" else f"{self.name}_"
        return (f"{prefix}modes_covered", f"{prefix}mode_kl")

    def result(self):
        """Returns the number of classes and the divergence, a dict of floats."""
        real, fake = (self.seen(side).counts() for side in ("real", "fake"))
        hit = np.flatnonzero(fake)
        unknown = hit[real[hit] == 0]
        if len(unknown):
            raise ValueError(
                "ModeCoverage compares with the real share of each class, and needs reals of all "
                f"that are drawn. Received: no real of class {', '.join(map(str, unknown[:10]))}"
                f"{' …' * (len(unknown) > 10)} among {np.sum(real)}"
            )
        p, q = fake[hit] / np.sum(fake), real[hit] / np.sum(real)
        values = float(len(hit)), float(np.sum(p * np.log(p / q)))
        return dict(zip(self.result_names, values, strict=True))
