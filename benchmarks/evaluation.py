"""What an evaluation costs in training: 10,000 samples of MNIST, with the MNIST features.

    TFDS_DATA_DIR=… python benchmarks/evaluation.py

Times kgan.callbacks.Evaluate on the zoo's DCGAN (untrained: its samples take as long): the reals,
all 60,000 training digits, before training with an empty cache and with a full one, and an
evaluation after an epoch, end to end. Then the parts of a Fréchet distance one by one, in turn with
the whole: drawing the samples, the network's features of them, and the distance of these features
from those of the reals, mean and covariance included. Medians of several rounds.
"""

import statistics
import sys
import tempfile

import kgan  # isort: split

import numpy as np
import tensorflow as tf
from common import alternate, markdown, parse, parser, settings, timed, write

from kgan.zoo import dcgan
from kgan.zoo.recipe import Task

METRICS = ("fd", "fd,kd,prdc")
# How many images a network sees at once, as in Evaluate.
BATCH_SIZE = 128


class Parts:
    """The parts of a Fréchet distance, each on what the one before it gave.

    Args:
        gan: `kgan.GAN`.
        reals: `tf.data.Dataset` of images and labels.
        n: int, samples.
    """

    def __init__(self, gan, reals, n):
        self.gan, self.n = gan, n
        network = kgan.metrics.features.get("mnist")
        self._look = tf.function(lambda images: network(images)["features"], autograph=False)
        self._metric = kgan.metrics.get("fd")
        for images, _ in reals:
            self._metric.update_features(real=self._look(images).numpy())
        self.draw()
        self.look()

    def draw(self):
        self.images = self.gan.generate(self.n, seed=0, batch_size=BATCH_SIZE)

    def look(self):
        batches = range(0, self.n, BATCH_SIZE)
        parts = [self._look(tf.constant(self.images[i : i + BATCH_SIZE])) for i in batches]
        self.features = np.concatenate(parts)

    def compare(self):
        self._metric.reset_fakes()
        for i in range(0, self.n, BATCH_SIZE):
            self._metric.update_features(fake=self.features[i : i + BATCH_SIZE])
        self.results = self._metric.results()


def measure(gan, metrics, options, cache_dir):
    """Returns the seconds that each part takes."""
    seconds = {}
    for cache in ("empty", "full"):
        reals = load(options)
        callback = kgan.callbacks.Evaluate(
            metrics, reals, n=options.samples, features="mnist", cache_dir=cache_dir
        )
        callback.set_model(gan)
        callback.set_params({"steps": None})
        seconds[f"reals_cache_{cache}"] = timed(callback.on_train_begin)
    callback.on_epoch_begin(0)
    ways = {"evaluation": lambda: callback.on_epoch_end(0, {})}
    seconds["first_evaluation"] = timed(ways["evaluation"])
    if metrics == "fd":
        parts = Parts(gan, load(options), options.samples)
        ways |= {"drawing": parts.draw, "features": parts.look, "distance": parts.compare}
    rounds = alternate(ways, options.rounds)
    medians = {name: statistics.median(spent) for name, spent in rounds.items()}
    slowest = {"slowest_evaluation": max(rounds["evaluation"])}
    return {"metrics": metrics, **seconds, **medians, **slowest}


def load(options):
    """Returns the reals in a fixed order, of the size that the MNIST features take."""
    return kgan.data.load(options.dataset, 1000, image_size=28, shuffle=False, drop_remainder=False)


def show(rows):
    """Prints the tables of the README."""
    whole = [
        [
            f"`{row['metrics']}`",
            *(f"{row[name]:.1f} s" for name in ("reals_cache_empty", "reals_cache_full")),
            f"{row['evaluation']:.1f} s",
        ]
        for row in rows
    ]
    columns = ["metrics", "reals, first time", "reals, from the cache", "an evaluation"]
    print(markdown(columns, whole) + "\n")
    names, row = ("drawing", "features", "distance"), rows[0]
    parts = [[f"{row[name]:.2f} s" for name in (*names, "evaluation")]]
    print(markdown([*names, "all, as `Evaluate` does it"], parts))


def main(argv=None):
    made = parser(__doc__, "evaluation")
    made.add_argument("--dataset", default="mnist", help="the reals, or digits for a trial")
    made.add_argument("--samples", type=int, default=10_000)
    made.add_argument("--rounds", type=int, default=5)
    options = parse(made, argv, dataset="digits", samples=500, rounds=2)
    gan = dcgan.build(dcgan.RECIPES["mnist"], Task((28, 28, 1), None, 1), jit_compile=False)
    rows = []
    for metrics in METRICS:
        with tempfile.TemporaryDirectory() as cache_dir:
            rows.append(measure(gan, metrics, options, cache_dir))
    show(rows)
    write(options.out, options=settings(options), num_samples=options.samples, rows=rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
