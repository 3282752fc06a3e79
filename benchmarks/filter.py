"""How well a discriminator tells held-out real digits from generated ones, its own and others'.

    TFDS_DATA_DIR=… python benchmarks/filter.py runs/dcgan_mnist runs/other_mnist

Takes 2,000 test digits of MNIST and as many samples of each of two runs, in 256 levels as in image
files, and scores them with both discriminators (kgan.metrics.realness). For each pair of a
discriminator and a generator: the area under the ROC curve (AUROC) of reals over samples, and how
many samples python -m kgan.filter would find, where 95 % of the reals pass. Training digits stand
beside them: were their AUROC under held-out ones far from 0.5, the discriminator would have learnt
by heart. Writes results/filter.json, and prints a table.
"""

import argparse
import pathlib

import kgan  # isort: split

import numpy as np
from common import RESULTS, markdown, write

from kgan.filter import threshold_for
from kgan.metrics import auroc, gives_probability, realness
from kgan.report.run import Run


def digits(split, n, seed=0):
    """Returns n random digits of a split of MNIST."""
    dataset = kgan.data.load("mnist", n, split=split, seed=seed)
    return next(dataset.as_numpy_iterator())[0]


def as_files(images):
    """Returns images as 8 bits keep them."""
    return (np.rint((images + 1) * 127.5) / 127.5 - 1).astype("float32")


def compare(discriminators, samples, n):
    """Returns a row for each discriminator and kind of images."""
    held_out, rows = digits("test", n), []
    kinds = {"training digits": digits("train", n), **samples}
    for name, gan in discriminators.items():
        reals = realness(gan, held_out)
        threshold = threshold_for(reals)
        for kind, images in kinds.items():
            values = realness(gan, images)
            rows.append(
                {
                    "discriminator": name,
                    "is_probability": gives_probability(gan),
                    "images": kind,
                    "auroc": auroc(reals, values),
                    "median_realness_of_held_out_reals": float(np.median(reals)),
                    "median_realness": float(np.median(values)),
                    "threshold": threshold,
                    "found": float(np.mean(values < threshold)),
                }
            )
    return rows


def table(rows):
    columns = [
        "discriminator of",
        "held-out digits against",
        "AUROC",
        "found, where 95 % of reals pass",
    ]
    lines = []
    for row in rows:
        kind = row["images"]
        kind = kind if kind == "training digits" else f"samples of {kind}"
        lines.append([row["discriminator"], kind, f"{row['auroc']:.3f}", f"{row['found']:.1%}"])
    return markdown(columns, lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs=2, metavar="RUN", help="folders of runs on MNIST")
    parser.add_argument("--n", type=int, default=2000, help="images of each kind")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS / "filter.json")
    arguments = parser.parse_args()
    runs = [Run(path) for path in arguments.runs]
    gans = {run.name: run.gan for run in runs}
    samples = {name: as_files(gan.generate(arguments.n, seed=1)) for name, gan in gans.items()}
    rows = compare(gans, samples, arguments.n)
    about = {
        run.name: {"command": run.config.get("command"), "steps": run.config.get("steps")}
        for run in runs
    }
    write(arguments.out, n=arguments.n, runs=about, rows=rows)
    print(table(rows))


if __name__ == "__main__":
    main()
