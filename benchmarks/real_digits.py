"""What each measure says where real digits stand for samples, beside what papers say of them.

    TFDS_DATA_DIR=… python benchmarks/real_digits.py

No generator can hope for more on MNIST than the training digits reach, and a measure that is
computed as published agrees with what was published. Writes the table between the marks in
kgan/metrics/README.md, and JSON.
"""

import argparse
import dataclasses
import math
import pathlib
import re

import kgan  # isort: split

import keras
from common import RESULTS, markdown, write
from digits import load_digits

TABLE = pathlib.Path(__file__).parents[1] / "kgan" / "metrics" / "README.md"
MARKS = "<!-- real digits -->\n", "<!-- end of real digits -->"


@dataclasses.dataclass(frozen=True)
class Row:
    """One measure of real digits in the place of samples.

    Args:
        metric: str, as `kgan.metrics.get` reads it.
        samples: slice of the training digits that stand for samples.
        reals: `"test"`, or a slice of the training digits.
        adapt: slice of the training digits for `adapt`, or None.
        published: str, what a paper says of real digits.
    """

    metric: str
    samples: slice
    reals: str | slice = "test"
    adapt: slice | None = None
    published: str = ""


TEN = slice(0, 10_000)
OTHER_TEN = slice(50_000, 60_000)
ROWS = [
    Row("nne", slice(0, 50_000), published="0.031 (Radford 2015, 50,000 training digits)"),
    Row("parzen", TEN, adapt=OTHER_TEN, published="243 (Theis 2016, table 1)"),
    Row("fd:features=mnist", slice(0, 60_000)),
    Row("kd:features=mnist", TEN),
    Row("is:features=mnist", TEN),
    Row(
        "prdc:features=mnist",
        TEN,
        OTHER_TEN,
        published="density 1, coverage 0.97 (Naeem 2020, in expectation)",
    ),
    Row(
        "prdc:features=mnist",
        TEN,
        published="density 1, coverage 0.97 (Naeem 2020, in expectation)",
    ),
    Row(
        "prdc:features=pixels",
        TEN,
        published="density 1, coverage 0.97 (Naeem 2020, in expectation)",
    ),
    Row("icfd:features=mnist,max_samples=60000", slice(0, 60_000)),
    Row("label:features=mnist", TEN),
    Row("modes:features=mnist", TEN, published="10 modes, KL 0 in expectation"),
    Row("cas:max_samples=60000", slice(0, 60_000)),
    Row("nn:features=mnist", TEN, published="0.5 in expectation"),
    Row(
        "memo",
        OTHER_TEN,
        adapt=slice(0, 50_000),
        published="z 0, nearer 0.5 for equal distributions, which the two splits are not quite",
    ),
    Row("swd:max_samples=10000", TEN),
    Row("msssim:within_classes=True,max_samples=10000", TEN),
]


def measure(row, digits):
    """Returns the results of a row."""
    metric = kgan.metrics.get(row.metric)
    reals = digits["test"] if row.reals == "test" else _cut(digits["train"], row.reals)
    fakes = _cut(digits["train"], row.samples)
    if row.adapt is not None:
        metric.adapt(digits["train"][0][row.adapt])
    for side, (images, labels) in (("real", reals), ("fake", fakes)):
        for i in range(0, len(images), 1000):
            batch = slice(i, i + 1000)
            metric.update_state(**{side: images[batch]}, labels=labels[batch])
    if len(fakes[0]) > getattr(metric, "max_samples", math.inf):
        raise ValueError(f"A row keeps all of its samples. Received: {row}")
    results = metric.results()
    return {
        "metric": metric.name,
        "features": metric.features.name if metric.features else None,
        "samples": len(fakes[0]),
        "reals": f"{len(reals[0]):,} {'test' if row.reals == 'test' else 'training'} digits",
        "results": results,
        "published": row.published,
    }


def _cut(split, part):
    return tuple(array[part] for array in split)


def table(rows):
    """Returns the rows as a Markdown table."""
    columns = ["measure", "features", "training digits as samples", "against", "here", "published"]
    lines = []
    for row in rows:
        results = ", ".join(f"{_words(k)} {v:.4g}" for k, v in row["results"].items())
        features, samples = row["features"] or "images", f"{row['samples']:,}"
        line = [f"`{row['metric']}`", features, samples, row["reals"], results, row["published"]]
        lines.append(line)
    return markdown(columns, lines) + "\n"


def _words(name):
    return name.replace("_", " ")


def write_table(text, path=TABLE):
    """Replaces what stands between the marks."""
    begin, end = MARKS
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    page, count = re.subn(
        pattern, lambda _: f"{begin}\n{text}\n{end}", path.read_text(), flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"{path} must hold the marks {MARKS} once. Received: {count} times")
    path.write_text(page)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="a metric's short name; writes nothing")
    only = parser.parse_args().only
    keras.utils.set_random_seed(0)
    digits = {split: load_digits(split) for split in ("train", "test")}
    rows = []
    for row in ROWS:
        if only and row.metric.split(":")[0] != only:
            continue
        rows.append(measure(row, digits))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    if not only:
        write_table(table(rows))
        write(RESULTS / "real_digits.json", rows=rows)


if __name__ == "__main__":
    main()
