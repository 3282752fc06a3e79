"""How long the Fréchet distance of many features takes, and how `scipy.linalg.sqrtm` compares.

    python benchmarks/frechet.py --dim 2048 --rounds 3

Both compute the distance of the same two Gaussians, fitted to random features like those of a
network (rectified, with a spectrum that falls off), of more and of fewer samples than dimensions;
in turn, in one process, with the threads of NumPy and SciPy as they are. scipy's way is that of
published code: the root of the product of the covariances, of which the real part counts. Prints
the median seconds and how far the results differ, and writes them as JSON.
"""

import statistics
import sys

import numpy as np
import scipy.linalg
from common import alternate, markdown, parse, parser, write

from kgan.metrics.frechet import frechet_distance


def by_sqrtm(first, second):
    """The formula with the root of the product."""
    (mean1, covariance1), (mean2, covariance2) = first, second
    root = scipy.linalg.sqrtm(covariance1 @ covariance2)
    traces = np.trace(covariance1) + np.trace(covariance2) - 2 * np.trace(root).real
    return float(np.sum(np.square(mean1 - mean2)) + traces)


def gaussians(dim, samples, rng):
    """Two fits to features that look alike, of which the second vary a little more."""
    spectrum = np.arange(1, dim + 1) ** -0.5
    mixing = rng.normal(size=(dim, dim)) / np.sqrt(dim)
    for scale in (1.0, 1.1):
        features = np.maximum(rng.normal(size=(samples, dim)) * scale * spectrum @ mixing, 0)
        yield np.mean(features, axis=0), np.cov(features, rowvar=False)


def measure(dim, samples, rounds, rng):
    """Returns the medians and the difference, a dict."""
    pair = tuple(gaussians(dim, samples, rng))
    computes = {"kgan": frechet_distance, "sqrtm": by_sqrtm}
    results = {}
    ways = {
        name: lambda name=name, compute=compute: results.update({name: compute(*pair)})
        for name, compute in computes.items()
    }
    seconds = alternate(ways, rounds, warm_up=0)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "dim": dim,
        "samples": samples,
        "seconds": medians,
        "share": medians["kgan"] / medians["sqrtm"],
        "distance": results["kgan"],
        "relative_difference": abs(results["sqrtm"] / results["kgan"] - 1),
    }


def main(argv=None):
    made = parser(__doc__, "frechet")
    made.add_argument("--dim", type=int, default=2048, help="dimensions of the features")
    made.add_argument("--rounds", type=int, default=3, help="measurements of each")
    options = parse(made, argv, dim=64, rounds=1)
    rng = np.random.default_rng(0)
    rows = [
        measure(options.dim, samples, options.rounds, rng)
        for samples in (5 * options.dim, options.dim // 2)
    ]
    lines = [
        [
            f"{row['samples']:,} samples",
            *(f"{row['seconds'][name]:.2f} s" for name in ("kgan", "sqrtm")),
            f"{row['share']:.2f}",
            f"{row['relative_difference']:.1e}",
        ]
        for row in rows
    ]
    print(markdown(["fitted to", "kgan", "sqrtm", "share", "results differ by"], lines))
    write(options.out, rows=rows, rounds=options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
