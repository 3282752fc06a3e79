"""How long the Fréchet distance of many features takes, and how `scipy.linalg.sqrtm` compares.

    python benchmarks/frechet.py --dim 2048 --rounds 3

Both compute the distance of the same two Gaussians, fitted to random features like those of a
network (rectified, with a spectrum that falls off), of more and of fewer samples than dimensions;
in turn, in one process, with the threads of NumPy and SciPy as they are. scipy's way is that of
published code: the root of the product of the covariances, of which the real part counts. Prints
the median seconds and how far the results differ, and writes them as JSON.
"""

import argparse
import json
import pathlib
import statistics
import time

import numpy as np
import scipy.linalg

from kgan.metrics.frechet import frechet_distance
from kgan.zoo.run import machine, versions


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
    seconds, results = {}, {}
    for _ in range(rounds):
        for name, compute in (("kgan", frechet_distance), ("sqrtm", by_sqrtm)):
            start = time.perf_counter()
            results[name] = compute(*pair)
            seconds.setdefault(name, []).append(time.perf_counter() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "dim": dim,
        "samples": samples,
        "seconds": medians,
        "share": medians["kgan"] / medians["sqrtm"],
        "distance": results["kgan"],
        "relative_difference": abs(results["sqrtm"] / results["kgan"] - 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dim", type=int, default=2048, help="dimensions of the features")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each")
    default = pathlib.Path(__file__).parent / "results" / "frechet.json"
    parser.add_argument("--out", type=pathlib.Path, default=default, help="where the JSON goes")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    rows = []
    print("| samples | dimensions | kgan, s | sqrtm, s | share | relative difference |")
    print("| --- | --- | --- | --- | --- | --- |")
    for samples in (5 * args.dim, args.dim // 2):
        row = measure(args.dim, samples, args.rounds, rng)
        rows.append(row)
        print(
            f"| {samples:,} | {args.dim:,} | {row['seconds']['kgan']:.2f} "
            f"| {row['seconds']['sqrtm']:.2f} | {row['share']:.2f} "
            f"| {row['relative_difference']:.1e} |",
            flush=True,
        )
    report = {"rows": rows, "rounds": args.rounds, "machine": machine(), "versions": versions()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
