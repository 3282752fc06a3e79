"""What a classifier learns from samples about real images."""

import contextlib
import math
import random

import keras
import numpy as np

from kgan.layers.checks import check_positive_int, check_positive_number
from kgan.metrics.base import METRICS, GANMetric
from kgan.metrics.states import Samples


@keras.saving.register_keras_serializable(package="kgan")
@METRICS.register
class ClassificationAccuracyScore(GANMetric):
    """Accuracy on real images of a classifier that was trained on samples; in [0, 1], 1 is best.

    Ravuri and Vinyals 2019, "Classification Accuracy Score for Conditional Generative Models"
    (arXiv 1905.10887), section 3. It falls where the samples of a class are wrong, and where they
    are too few kinds to learn the class from. Compare it with what real training images reach:
    a metric that was given these as fakes. The reals should be test images.

    Each call of `result` trains a classifier anew. It is the same each time: weights and order are
    drawn from the seed alone, and nobody else's random numbers are touched.

    Args:
        classifier: what is trained: a function of the image shape and the number of classes that
            returns a `keras.Model`, or a `keras.Model`, of which a copy with new weights is made;
            from images to logits `(batch, num_classes)`. Defaults to None, for
            `default_classifier`.
        epochs: int >= 1, passes over the samples. Defaults to 10.
        batch_size: int >= 1. Defaults to 128.
        learning_rate: float > 0, Adam's. Defaults to 0.001.
        seed: int, of weights, order and dropout. Defaults to 0.
        verbose: int, of Keras's progress bar: 0 for none, 1, or 2 for a line an epoch. Defaults to
            0.
        max_samples: int >= 2, how many images of each side are kept. Defaults to 10,000.
        name: str. Defaults to `"classification_accuracy_score"`.
        dtype: as in Keras.

    Raises:
        ValueError: if an argument is out of range, or the classifier has too few logits; from
            `update_state`, if labels are missing; from `result`, if a side has fewer than 2 images,
            NaN, or a label below 0.

    Example:
    >>> x, labels = np.random.uniform(-0.1, 0.1, (64, 4, 4, 1)), np.arange(64) % 2
    >>> x[labels == 1] += 0.5
    >>> metric = kgan.metrics.ClassificationAccuracyScore()
    >>> metric.update_state(real=x, fake=x, labels=labels)
    >>> metric.result()
    1.0
    """

    alias = "cas"
    looks_at = "images"
    needs_labels = True
    split = "test"
    best = "↑"

    def __init__(
        self,
        classifier=None,
        epochs=10,
        batch_size=128,
        learning_rate=0.001,
        seed=0,
        verbose=0,
        max_samples=10_000,
        name=None,
        dtype=None,
    ):
        super().__init__(name=name, dtype=dtype)
        sizes = {"epochs": epochs, "batch_size": batch_size, "max_samples": max_samples}
        for argument, value in sizes.items():
            check_positive_int(argument, value)
        check_positive_number("learning_rate", learning_rate)
        if not (classifier is None or callable(classifier)):
            raise ValueError(
                "`classifier` must be a function of image shape and number of classes, or a "
                f"keras.Model. Received: classifier={classifier!r}"
            )
        # === Config ===
        self.classifier = classifier
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed
        self.verbose = verbose
        self.max_samples = max_samples

    def make_state(self, side, shape):
        """Returns the images and labels of one side."""
        return Samples(self, side, shape, self.max_samples, has_labels=True)

    def result(self):
        """Returns the accuracy on the reals of a classifier that has learned the fakes, a float."""
        images, labels = self._images("fake")
        test_images, test_labels = self._images("real")
        num_classes = 1 + max(np.max(labels), np.max(test_labels))
        with _own_random_state(self.seed):
            model = self._make(images.shape[1:], int(num_classes))
            model.compile(
                keras.optimizers.Adam(self.learning_rate),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            )
            batches = Shuffled(images, labels, self.batch_size, self.seed)
            model.fit(batches, epochs=self.epochs, shuffle=False, verbose=self.verbose)
        batches = np.array_split(test_images, -(-len(test_images) // 500))
        guesses = np.concatenate([np.argmax(model(x, training=False), axis=1) for x in batches])
        return float(np.mean(guesses == test_labels))

    def _images(self, side):
        """Returns the images of a side and their labels."""
        state = self.seen(side, least=2)
        labels = state.labels()
        if np.min(labels) < 0:
            raise ValueError(
                "ClassificationAccuracyScore counts classes from 0. "
                f"Received: {np.min(labels)} among the labels of the {side} images"
            )
        return state.values(), labels

    def _make(self, image_shape, num_classes):
        """Returns a new classifier."""
        if isinstance(self.classifier, keras.Model):
            model = keras.models.clone_model(self.classifier)
        else:
            model = (self.classifier or default_classifier)(image_shape, num_classes)
        shape = tuple(model.compute_output_shape((None, *image_shape)))
        if len(shape) != 2 or shape[1] < num_classes:
            raise ValueError(
                f"`classifier` must give a logit for each of {num_classes} classes, "
                f"(batch, {num_classes}). Received: {self.classifier!r}, which gives {shape}"
            )
        return model

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        return {
            **super().get_config(),
            "classifier": self.classifier and keras.saving.serialize_keras_object(self.classifier),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "seed": self.seed,
            "verbose": self.verbose,
            "max_samples": self.max_samples,
        }

    @classmethod
    def from_config(cls, config):
        """Makes the metric that `get_config` described."""
        classifier = config.get("classifier")
        if isinstance(classifier, dict):
            classifier = keras.saving.deserialize_keras_object(classifier)
        return super().from_config({**config, "classifier": classifier})


def default_classifier(image_shape, num_classes):
    """Returns a small convolutional classifier for images of any size.

    3x3 convolutions of 32, 64, … and at most 256 filters with batch norm, ReLU and max pooling
    after each, until there are at most 7x7 places; then a dense layer of 128 units, dropout of a
    half, and the logits. `kgan/metrics/README.md` tells what real digits take it to.

    Args:
        image_shape: tuple `(height, width, channels)`.
        num_classes: int.

    Example:
    >>> from kgan.metrics import classification_accuracy
    >>> classification_accuracy.default_classifier((28, 28, 1), 10).output_shape
    (None, 10)
    """
    x = image = keras.Input(image_shape)
    stages = max(1, math.ceil(math.log2(max(image_shape[:2]) / 7)))
    for stage in range(stages):
        filters = min(32 * 2**stage, 256)
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        # Keras's 0.99 would remember untrained layers for longer than few samples take.
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.MaxPooling2D(2, padding="same")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(128, activation="relu")(x)
    x = keras.layers.Dropout(0.5)(x)
    return keras.Model(image, keras.layers.Dense(num_classes, dtype="float32")(x))


class Shuffled(keras.utils.PyDataset):
    """Batches in an order that is drawn anew each epoch, from a seed alone.

    Args:
        images: float array `(n, height, width, channels)`.
        labels: int array `(n,)`.
        batch_size: int >= 1; the last batch may be smaller.
        seed: int.

    Example:
    >>> from kgan.metrics import classification_accuracy
    >>> x = np.zeros((5, 2, 2, 1))
    >>> batches = classification_accuracy.Shuffled(x, np.arange(5), batch_size=4, seed=0)
    >>> sorted(int(label) for _, labels in (batches[0], batches[1]) for label in labels)
    [0, 1, 2, 3, 4]
    """

    def __init__(self, images, labels, batch_size, seed):
        super().__init__()
        self._images, self._labels, self._batch_size = images, labels, batch_size
        self._rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self):
        return -(-len(self._images) // self._batch_size)

    def __getitem__(self, index):
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return self._images[rows], self._labels[rows]

    def on_epoch_end(self):
        """Draws the next order."""
        self._order = self._rng.permutation(len(self._images))


@contextlib.contextmanager
def _own_random_state(seed):
    """Lets layers draw the seeds that nobody gave them from this one, and puts all back."""
    # Keras asks Python's generator for these; keras.utils.set_random_seed would stay in force.
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
