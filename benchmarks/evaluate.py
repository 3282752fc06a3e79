"""What an evaluation costs in training: 10,000 samples of MNIST, with the MNIST features.

    TFDS_DATA_DIR=… python benchmarks/evaluate.py

Times kgan.callbacks.Evaluate on the zoo's DCGAN (untrained: its samples take as long): the reals,
all 60,000 training digits, before training with an empty cache and with a full one, and an
evaluation after an epoch, the median of several. Writes results/evaluate.json, and prints a table.
"""

import argparse
import json
import pathlib
import statistics
import tempfile
import time

import kgan  # isort: split

from kgan.zoo import dcgan
from kgan.zoo.recipe import Task
from kgan.zoo.run import machine, versions

RESULTS = pathlib.Path(__file__).parent / "results" / "evaluate.json"
METRICS = ["fd", "fd,kd,prdc"]


def timed(function):
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def measure(gan, metrics, cache_dir, rounds):
    """Returns the seconds that each part takes."""
    seconds = {}
    for cache in ("empty", "full"):
        reals = kgan.data.load("mnist", 1000, shuffle=False, drop_remainder=False)
        callback = kgan.callbacks.Evaluate(metrics, reals, cache_dir=cache_dir)
        callback.set_model(gan)
        callback.set_params({"steps": None})
        seconds[f"reals_cache_{cache}"] = timed(callback.on_train_begin)
    callback.on_epoch_begin(0)
    evaluations = [timed(lambda: callback.on_epoch_end(0, {})) for _ in range(rounds)]
    return {
        "metrics": metrics,
        **seconds,
        "first_evaluation": evaluations[0],
        "evaluation": statistics.median(evaluations[1:]),
        "slowest_evaluation": max(evaluations),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    gan = dcgan.build(dcgan.RECIPES["mnist"], Task((28, 28, 1), None, 1), jit_compile=False)
    rows = []
    for metrics in METRICS:
        with tempfile.TemporaryDirectory() as cache_dir:
            rows.append(measure(gan, metrics, cache_dir, options.rounds))
    names = [name for name in rows[0] if name != "metrics"]
    print(f"| metrics | {' | '.join(name.replace('_', ' ') for name in names)} |")
    print("| --- |" + " --- |" * len(names))
    for row in rows:
        print(f"| {row['metrics']} | {' | '.join(f'{row[name]:.1f} s' for name in names)} |")
    record = {"num_samples": 10_000, "rows": rows, "machine": machine(), "versions": versions()}
    RESULTS.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
