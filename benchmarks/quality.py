"""How near the samples of a run are to the real MNIST digits.

    TFDS_DATA_DIR=… python benchmarks/quality.py runs/dcgan_mnist

Trains a small digit classifier once (kept in build/), and compares 10,000 samples with the 60,000
training digits by the Fréchet distance (Heusel et al. 2017, arXiv 1706.08500) of its features.
Writes RUN/metrics.json, with the distance of the 10,000 real test digits beside it: what a perfect
generator would reach. Distances in one classifier's features say nothing about another's.
"""

import argparse
import json
import pathlib

import kgan  # isort: split

import keras
import numpy as np

CLASSIFIER = pathlib.Path("build/digit_classifier.keras")
NUM_SAMPLES = 10_000


def load_digits(split):
    """Returns all images in [-1, 1] and labels of MNIST's train or test split."""
    batches = kgan.data.load("mnist", 1000, split=split, shuffle=False, drop_remainder=False)
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def load_classifier():
    """Returns the digit classifier, trained now if it has not been before."""
    if CLASSIFIER.exists():
        return keras.models.load_model(CLASSIFIER)
    keras.utils.set_random_seed(0)
    layers = keras.layers
    classifier = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(64, activation="relu", name="features"),
            layers.Dense(10),
        ]
    )
    images, labels = load_digits("train")
    epochs, batch_size = 4, 128
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(images) // batch_size)
    classifier.compile(
        keras.optimizers.Adam(schedule),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    classifier.fit(images, labels, batch_size=batch_size, epochs=epochs, verbose=2)
    CLASSIFIER.parent.mkdir(parents=True, exist_ok=True)
    classifier.save(CLASSIFIER)
    return classifier


class Judge:
    """Compares samples with the training digits in a classifier's features."""

    def __init__(self):
        classifier = load_classifier()
        features = classifier.get_layer("features").output
        self.network = keras.Model(classifier.inputs, [features, classifier.outputs[0]])
        images, _ = load_digits("train")
        self.real = self._statistics(self._features(images))
        images, labels = load_digits("test")
        features, logits = self.network.predict(images, batch_size=500, verbose=0)
        self.test_accuracy = float(np.mean(np.argmax(logits, axis=1) == labels))
        self.floor = frechet_distance(self.real, self._statistics(features))

    def _features(self, images):
        return self.network.predict(images, batch_size=500, verbose=0)[0]

    @staticmethod
    def _statistics(features):
        features = features.astype("float64")
        return features.mean(axis=0), np.cov(features, rowvar=False)

    def judge(self, images, reals=None):
        """Returns the numbers of some samples, with the classes that they were taken for.

        `reals` replaces the training digits that the samples are compared with.
        """
        real = self.real if reals is None else self._statistics(self._features(reals))
        features, logits = self.network.predict(images, batch_size=500, verbose=0)
        classes = np.bincount(np.argmax(logits, axis=1), minlength=10) / len(images)
        return {
            "frechet_distance": frechet_distance(real, self._statistics(features)),
            "frechet_distance_of_real_test_digits": self.floor,
            "classifier_test_accuracy": self.test_accuracy,
            "num_samples": len(images),
            "classes": [round(float(share), 4) for share in classes],
        }


def frechet_distance(first, second):
    """‖μ₁ - μ₂‖² + tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½), by the symmetric form of the root."""
    (mean1, covariance1), (mean2, covariance2) = first, second
    values, vectors = np.linalg.eigh(covariance1)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    eigenvalues = np.maximum(np.linalg.eigvalsh(root @ covariance2 @ root), 0)
    traces = np.trace(covariance1) + np.trace(covariance2) - 2 * np.sum(np.sqrt(eigenvalues))
    return float(np.sum((mean1 - mean2) ** 2) + traces)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    judge = Judge()
    for run in parser.parse_args().runs:
        numbers = judge.judge(kgan.load_gan(run).generate(NUM_SAMPLES, seed=0))
        (run / "metrics.json").write_text(json.dumps(numbers, indent=2) + "\n")
        print(
            f"{run}: Fréchet distance {numbers['frechet_distance']:.3f} "
            f"(real test digits {judge.floor:.3f}), classes {numbers['classes']}"
        )


if __name__ == "__main__":
    main()
