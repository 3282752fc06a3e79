"""What a GAN says of real images: how well its classes, clusters and codes match the labels."""

import keras
import numpy as np
import scipy.optimize
from keras import ops

from kgan.layers.checks import check_positive_int
from kgan.metrics.base import METRICS, GANMetric
from kgan.metrics.nearest import examples
from kgan.metrics.neighbors import nearest
from kgan.metrics.states import Hits, Samples


class Reading(GANMetric):
    """Base of what judges not samples but what the GAN says of labelled reals.

    `update_from(gan, real, labels=labels)` asks the GAN, by the method that `reads` names;
    `update_state(real, labels=labels)` is given its answers. Fakes are ignored. Labels are those of
    the data, which an unconditional GAN has never seen.

    Args:
        name: str. Defaults to the class name in snake case.
        dtype: as in Keras.
    """

    needs_labels = True
    split = "test"
    # What the GAN does with images, and a game that does.
    _does = {
        "classify": ("classifies", "kgan.games.ACGAN"),
        "encode": ("encodes", "kgan.games.BiGAN"),
    }

    def __init__(self, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_from(self, gan, real=None, fake=None, labels=None):
        """Takes in what the GAN says of a batch of reals.

        Args:
            gan: `kgan.GAN` with the method that `reads` names.
            real: float `(batch, height, width, channels)` in [-1, 1].
            fake: ignored.
            labels: int `(batch,)`, the classes of the reals.
        """
        self.update_features(real=self._ask(gan, real), labels=labels)

    def update_features(self, real=None, fake=None, labels=None):
        """Takes in what a GAN has said of a batch of reals; see `GANMetric.update_features`."""
        super().update_features(real, None, labels)

    def _ask(self, gan, images):
        return getattr(gan, self.reads)(ops.convert_to_tensor(images))

    def reset_fakes(self):
        """Forgets everything: another GAN says other things of the same reals."""
        self.reset_state()

    def build(self, shape):
        """Makes the variables, for reals alone.

        Args:
            shape: tuple of int, that of what the GAN says of an image.
        """
        if not self.states:
            self._shape = tuple(shape)
            self.states = {"real": self.make_state("real", self._shape)}

    def build_from(self, gan):
        """Makes the variables for what this GAN says of its images.

        Args:
            gan: `kgan.GAN`.
        """
        if not self.states:
            self.build(self._answer(gan).shape[1:])

    def check_gan(self, gan):
        """Raises unless the GAN has something to say of images.

        Args:
            gan: `kgan.GAN`.

        Raises:
            ValueError: if it has not the method that `reads` names, or this refuses.
        """
        if not hasattr(gan, self.reads):
            does, game = self._does[self.reads]
            raise ValueError(
                f"{type(self).__name__} needs a GAN that {does} images, such as {game}. "
                f"Received: {type(gan).__name__}"
            )
        self._answer(gan)

    def _answer(self, gan):
        """Returns what the GAN says of an empty image, so that a refusal comes at once."""
        return self._ask(gan, ops.zeros((1, *gan.image_shape)))


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class ClassificationError(Reading):
    """Share of real images that the GAN takes for another class than their label; 0 is the best.

    The mean of [argmax_k p(k | x) ≠ y], for p the probabilities that `gan.classify` gives: the
    error of semi-supervised GANs, as in Salimans et al. 2016, "Improved Techniques for Training
    GANs" (arXiv 1606.03498, section 6.1, which counts the wrong ones of 10,000 test digits).

    The reals are to be test images.

    Args:
        name: str. Defaults to `"classification_error"`.
        dtype: as in Keras.

    Raises:
        ValueError: from `update_state`, without labels; from `result`, without reals, with NaN
            among the probabilities, or with labels that the GAN has no probability for.

    Example:
    >>> metric = kgan.metrics.ClassificationError()
    >>> metric.update_state(real=np.array([[0.9, 0.1], [0.4, 0.6]]), labels=np.array([0, 0]))
    >>> metric.result()
    0.5
    """

    alias = "error"
    reads = "classify"
    looks_at = "probabilities"
    best = "↓"

    def make_state(self, side, shape):
        """Returns how many reals were right."""
        return Hits(self, side, *shape)

    def result(self):
        """Returns the error, a float."""
        state = self.seen("real")
        if state.unknown_labels:
            raise ValueError(
                f"ClassificationError compares labels with {self._shape[0]} probabilities, so they "
                f"lie in [0, {self._shape[0]}). Received: {state.unknown_labels} labels beyond"
            )
        return 1 - state.hits / state.count


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class Clustering(Reading):
    """How well the clusters that a GAN finds without labels are the classes; 1 is the best.

    An image belongs to the cluster of its highest probability, as `gan.classify` gives them. The
    result is a dict:

    - `clustering_accuracy`: the share of images in the cluster of their class, for the best match
      of each cluster to a class of its own. Clusters beyond the number of classes have none: their
      images are wrong. The code of Mukherjee et al. 2019, "ClusterGAN" (arXiv 1809.03627), has
      the purity of k-means on whole codes in its place.
    - `clustering_nmi`: normalised mutual information of clusters U and classes V,
      I(U; V) / ((H(U) + H(V)) / 2); the arithmetic mean is scikit-learn's default, others take the
      geometric one.
    - `clustering_purity`: the share of images that are of the most frequent class of their cluster.
      It grows with the number of clusters.
    - `cluster_exemplar_accuracy`: likewise, where a cluster takes the label of the one image that
      is most surely in it, max_x q(i | x): Makhzani et al. 2015, "Adversarial Autoencoders" (arXiv
      1511.05644, section 6), who find it among validation images; here it is one of those judged.
      Of several images that are equally sure, the most frequent label.

    The reals are to be test images. Compare only equal numbers of clusters.

    Args:
        max_samples: int >= 1, how many images are kept. Defaults to 60,000.
        name: str. Defaults to `"clustering"`; any other one stands before all keys.
        dtype: as in Keras.

    Raises:
        ValueError: if `max_samples` is no positive integer; from `update_state`, without labels;
            from `result`, without reals, or with NaN among the probabilities.

    Example:
    >>> metric = kgan.metrics.Clustering()
    >>> clusters, labels = np.array([1, 1, 0, 0, 2]), np.array([0, 0, 1, 1, 1])
    >>> metric.update_state(real=np.eye(3)[clusters], labels=labels)
    >>> [round(value, 3) for value in metric.result().values()]
    [0.8, 0.779, 1.0, 1.0]
    """

    alias = "clusters"
    reads = "classify"
    looks_at = "probabilities"
    best = ("↑",) * 4

    def __init__(self, max_samples=60_000, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        check_positive_int("max_samples", max_samples)

        # === Config ===
        self.max_samples = max_samples

    def make_state(self, side, shape):
        """Returns the probabilities of each image and its label."""
        return Samples(self, side, shape, self.max_samples, has_labels=True)

    @property
    def result_names(self):
        """Tuple of str, the keys of the result."""
        exemplar = "cluster" if self.name == "clustering" else self.name
        own = (f"{self.name}_{key}" for key in ("accuracy", "nmi", "purity"))
        return (*own, f"{exemplar}_exemplar_accuracy")

    def result(self):
        """Returns accuracy, mutual information, purity and exemplar accuracy, a dict of floats."""
        state = self.seen("real")
        probabilities, labels = state.values(), np.unique(state.labels(), return_inverse=True)[1]
        counts = contingency(np.argmax(probabilities, axis=1), labels, probabilities.shape[1])
        n = len(labels)
        matched = scipy.optimize.linear_sum_assignment(counts, maximize=True)
        named = np.arange(len(counts)), _exemplar_labels(probabilities, labels)
        values = (
            np.sum(counts[matched]) / n,
            normalized_mutual_information(counts),
            np.sum(np.max(counts, axis=1)) / n,
            np.sum(counts[named]) / n,
        )
        return dict(zip(self.result_names, map(float, values), strict=True))

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        return {**super().get_config(), "max_samples": self.max_samples}


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class CodeNeighbors(Reading):
    """Accuracy of a 1-nearest-neighbour classifier on the GAN's codes of real images; 1 is best.

    Each test image takes the label of the training image whose code `gan.encode` puts nearest, by
    Euclidean distance: Donahue et al. 2016, "Adversarial Feature Learning" (arXiv 1605.09782, table
    1), who have 97.39 % on MNIST by the features before the code. The result is a dict of one
    value, `code_neighbors_accuracy`.

    The reals are to be test images; `learn` and `learn_from` take the training images, which
    `gan.evaluate` has not beside them.

    Args:
        max_samples: int >= 1, how many of each kind are kept. Defaults to 60,000.
        name: str. Defaults to `"code_neighbors"`.
        dtype: as in Keras.

    Raises:
        ValueError: if `max_samples` is no positive integer; from `update_state` and `learn`,
            without labels; from `result`, if there are no test or no training images, or their
            codes are NaN or all the same.

    Example:
    >>> metric = kgan.metrics.CodeNeighbors()
    >>> metric.learn(np.array([[0.0], [4.0]]), labels=np.array([7, 3]))
    >>> metric.update_state(real=np.array([[1.0], [3.0], [9.0]]), labels=np.array([7, 3, 7]))
    >>> round(metric.result()["code_neighbors_accuracy"], 2)
    0.67
    """

    alias = "codes"
    reads = "encode"
    looks_at = "codes"
    adapts_to = "training"
    best = ("↑",)

    def __init__(self, max_samples=60_000, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        check_positive_int("max_samples", max_samples)

        # === Config ===
        self.max_samples = max_samples

    def learn_from(self, gan, images, labels):
        """Takes in the GAN's codes of a batch of training images.

        Args:
            gan: `kgan.GAN` that encodes.
            images: float `(batch, height, width, channels)` in [-1, 1].
            labels: int `(batch,)`.
        """
        self.learn(self._ask(gan, images), labels)

    def learn(self, codes, labels):
        """Takes in a batch of codes of training images.

        Args:
            codes: float `(batch, dim)`.
            labels: int `(batch,)`.
        """
        self._add("training", codes, labels)

    def build(self, shape):
        """Makes the variables, for test and training images.

        Args:
            shape: tuple of int, that of a code.
        """
        if not self.states:
            super().build(shape)
            self.states["training"] = self.make_state("training", self._shape)

    def make_state(self, side, shape):
        """Returns the codes of one kind of images and their labels."""
        return Samples(self, side, shape, self.max_samples, has_labels=True)

    @property
    def result_names(self):
        """Tuple of one str, the key of the result."""
        return (f"{self.name}_accuracy",)

    def result(self):
        """Returns the accuracy, a dict of one float."""
        codes, learned = (examples(self, side) for side in ("real", "training"))
        _, indices = nearest(codes, learned)
        predictions = self.states["training"].labels()[indices[:, 0]]
        accuracy = np.mean(predictions == self.states["real"].labels())
        return dict(zip(self.result_names, [float(accuracy)], strict=True))

    def check_compiled(self, gan):
        """Raises: `gan.evaluate` sees one data set, and codes of training images are needed too.

        Args:
            gan: `kgan.GAN`.
        """
        raise ValueError(
            f"{type(self).__name__} compares test images with training images, and evaluate sees "
            "only one data set: use kgan.callbacks.Evaluate or python -m kgan.evaluate. "
            f"Received: {self!r} in the metrics of compile"
        )

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        return {**super().get_config(), "max_samples": self.max_samples}


def contingency(clusters, labels, num_clusters):
    """Returns how many images of each class are in each cluster, int64 `(num_clusters, classes)`.

    Args:
        clusters: int array `(n,)` in `[0, num_clusters)`.
        labels: int array `(n,)`, from 0.
        num_clusters: int >= 1.

    Example:
    >>> kgan.metrics.readings.contingency(np.array([0, 2, 2]), np.array([1, 0, 0]), 3)
    array([[0, 1],
           [0, 0],
           [2, 0]])
    """
    counts = np.zeros((num_clusters, np.max(labels) + 1), "int64")
    np.add.at(counts, (clusters, labels), 1)
    return counts


def normalized_mutual_information(counts):
    """Returns I(U; V) / ((H(U) + H(V)) / 2), in [0, 1]; 1 where there is one cluster and one class.

    I(U; V) = H(U) + H(V) - H(U, V), with the entropies of the rows, the columns and the cells.

    Args:
        counts: int array `(clusters, classes)`.

    Example:
    >>> kgan.metrics.readings.normalized_mutual_information(np.array([[0, 5], [3, 0]]))
    1.0
    """
    rows, columns, cells = (_entropy(x) for x in (counts.sum(axis=1), counts.sum(axis=0), counts))
    mean = (rows + columns) / 2
    # Rounding may leave a little less than no information.
    return max(0.0, float((2 * mean - cells) / mean)) if mean else 1.0


def _entropy(counts):
    p = counts[counts > 0] / np.sum(counts)
    return -np.sum(p * np.log(p))


def _exemplar_labels(probabilities, labels):
    """Returns for each cluster the label of the image that is most surely in it."""
    images, clusters = np.nonzero(probabilities == np.max(probabilities, axis=0))
    return np.argmax(contingency(clusters, labels[images], probabilities.shape[1]), axis=1)
