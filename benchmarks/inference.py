"""How fast a trained generator answers: the exported SavedModel, `gan.generate`, `gan.predict`.

    python benchmarks/inference.py

The zoo's DCGAN of MNIST and SNGAN's residual networks of CIFAR-10, untrained (their samples take as
long), at batches of 1, 8 and 64, in four ways: both signatures of the SavedModel, as TensorFlow
Serving calls them (`serving_default` is given latents, `generate` a seed and a count), and the two
methods in Python, `generate(n, seed)` and `predict(latents)`. Each call draws other latents, and
ends when its samples are in memory. All ways of a model and a batch take turns, call by call: as
often as the slowest can in --seconds, and at least --calls times. p50 and p99 are of the latencies
of single calls, with linear interpolation, so that p99 of few calls is about the slowest of them;
samples/s are those of all calls over their seconds.
"""

import itertools
import sys
import tempfile

import numpy as np
import tensorflow as tf
from common import alternate, markdown, parse, parser, settings, timed, words, write

from kgan.zoo.__main__ import recipes
from kgan.zoo.recipe import Task

# The data set whose recipe is taken, and the shape of its images.
MODELS = {"dcgan": ("mnist", (28, 28, 1)), "sngan": ("cifar10", (32, 32, 3))}


def build(model, recipe=None):
    """Returns the untrained GAN of a model.

    Args:
        model: str, of `MODELS`.
        recipe: str, another recipe than its own. Defaults to None.
    """
    dataset, shape = MODELS[model]
    module = recipes()[model]
    return module.build(module.RECIPES[recipe or dataset], Task(shape, None, steps=1))


def ways_of(gan, folder, batch_size):
    """Returns functions that draw a batch, by name.

    Args:
        gan: `kgan.GAN`, not conditional.
        folder: str, of its SavedModel.
        batch_size: int >= 1.
    """
    seeds = itertools.count()
    loaded = tf.saved_model.load(folder)
    serve, draw = (loaded.signatures[name] for name in ("serving_default", "generate"))
    count = tf.constant(batch_size)
    latents = [
        np.random.default_rng(i).normal(size=(batch_size, gan.latent_dim)).astype("float32")
        for i in range(16)
    ]
    latents = itertools.cycle(latents)

    def served_seed():
        return draw(seed=tf.constant(next(seeds), tf.int64), count=count)["image"].numpy()

    return {
        "SavedModel": lambda: serve(latent=tf.constant(next(latents)))["image"].numpy(),
        "SavedModel, by seed": served_seed,
        "gan.generate": lambda: gan.generate(batch_size, seed=next(seeds), batch_size=batch_size),
        "gan.predict": lambda: gan.predict(next(latents), batch_size=batch_size, verbose=0),
    }


def measure(ways, batch_size, calls, seconds):
    """Returns throughput and latencies of each way, a list of dicts."""
    alternate(ways, 2)
    slowest = max(timed(way) for way in ways.values())
    latencies = alternate(ways, max(calls, int(seconds / slowest)), warm_up=0)
    return [
        {
            "way": way,
            "batch_size": batch_size,
            "calls": len(spent),
            "samples_per_second": batch_size * len(spent) / sum(spent),
            "p50_ms": 1e3 * float(np.percentile(spent, 50)),
            "p99_ms": 1e3 * float(np.percentile(spent, 99)),
        }
        for way, spent in latencies.items()
    ]


def main(argv=None):
    made = parser(__doc__, "inference")
    made.add_argument("--models", type=words, default=list(MODELS), help=", ".join(MODELS))
    made.add_argument("--recipe", help="instead of that of MNIST and CIFAR-10")
    made.add_argument("--batch_sizes", type=int, nargs="+", default=[1, 8, 64])
    made.add_argument("--calls", type=int, default=10, help="the least of a way")
    made.add_argument("--seconds", type=float, default=20.0, help="that a way takes at most")
    options = parse(made, argv, calls=5, seconds=0.1)
    rows = []
    columns = ["model", "batch", "", "calls", "samples/s", "p50", "p99"]
    print(markdown(columns, []), flush=True)
    for model in options.models:
        gan = build(model, options.recipe)
        with tempfile.TemporaryDirectory() as folder:
            exported = str(gan.export(folder))
            for batch_size in options.batch_sizes:
                ways = ways_of(gan, exported, batch_size)
                for row in measure(ways, batch_size, options.calls, options.seconds):
                    rows.append({"model": model, **row})
                    line = [model, batch_size, row["way"], f"{row['calls']:,}"]
                    line += [f"{row['samples_per_second']:,.0f}"]
                    line += [f"{row[name]:.2f} ms" for name in ("p50_ms", "p99_ms")]
                    print(f"| {' | '.join(map(str, line))} |", flush=True)
    write(options.out, options=settings(options), rows=rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
