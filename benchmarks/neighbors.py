"""How long nearest neighbours among many points take, and how much memory, beside scikit-learn.

    python benchmarks/neighbors.py --threads 2

The 5 nearest of 10,000 references for each of 50,000 queries at 784 dimensions, or other numbers.
Each row is a process of its own: its peak memory includes Python, the libraries and the points.
Seconds are those of the search, its first compilation included. scikit-learn searches by brute
force, which is what it takes itself at such a width. Prints a table and writes it as JSON.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np


def make_points(options):
    """Returns queries and references like images of digits: few directions that matter, float32."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(20, options.dim)).astype("float32")
    for n in (options.queries, options.references):
        latents = rng.normal(size=(n, 20)).astype("float32")
        points = latents @ directions
        points += rng.standard_normal(points.shape, "float32")
        yield points


def by_kgan(queries, references, k):
    from kgan.metrics import neighbors

    start = time.perf_counter()
    distances, indices = neighbors.nearest(queries, references, k)
    return distances, indices, time.perf_counter() - start


def by_scikit_learn(queries, references, k):
    from sklearn.neighbors import NearestNeighbors

    start = time.perf_counter()
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(references)
    distances, indices = search.kneighbors(queries)
    return distances, indices, time.perf_counter() - start


WAYS = {"kgan": by_kgan, "scikit-learn": by_scikit_learn}


def measure(options):
    """Searches in this process, and prints the row as JSON."""
    queries, references = make_points(options)
    distances, indices, seconds = WAYS[options.way](queries, references, options.k)
    # Every thousandth query is compared with all differences in float64.
    errors = []
    for row in range(0, len(queries), 1000):
        every = np.linalg.norm(references.astype("float64") - queries[row], axis=1)
        errors.append(np.max(np.abs(distances[row] - np.sort(every)[: options.k])))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    row = {"seconds": seconds, "peak_gib": peak / 2**30, "largest_error": float(max(errors))}
    print(json.dumps(row))


def run(way, options):
    """Returns the row of one way, from a process of its own."""
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(options.threads))}
    given = {name: value for name, value in vars(options).items() if name not in ("way", "out")}
    flags = [f"--{name}={value}" for name, value in given.items()]
    command = [sys.executable, __file__, f"--way={way}", *flags]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=50_000)
    parser.add_argument("--references", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=784)
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--way", choices=WAYS, help="measure this one, in this process")
    parser.add_argument("--out", default="build/neighbors.json")
    options = parser.parse_args()
    if options.way:
        return measure(options)
    print("| | seconds | peak memory | largest error |\n| --- | --- | --- | --- |", flush=True)
    rows = {}
    for way in WAYS:
        row = rows[way] = run(way, options)
        shown = f"{row['seconds']:.1f} | {row['peak_gib']:.2f} GiB | {row['largest_error']:.1e} |"
        print(f"| {way} | {shown}", flush=True)
    from common import write  # Loads TensorFlow, which is not to count in scikit-learn's row.

    given = {name: value for name, value in vars(options).items() if name not in ("way", "out")}
    write(options.out, options=given, results=rows)


if __name__ == "__main__":
    main()
