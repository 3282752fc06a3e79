r"""Says how good samples are: those of a trained GAN, or images of any model.

python -m kgan.evaluate runs/dcgan_mnist --metrics fd,kd,prdc,parzen,nn --n 10000
python -m kgan.evaluate samples/ --against photos/ --metrics fd,prdc

A run is compared with the data that it was trained on, each metric with the split that its paper
takes, and its folder gets a metrics.json in the place of the one before. Of a data set without a
test split, five of six training images stand for test images; every sixth, or less often where that
would be more than 10,000, is a validation image. Where samples are images in a folder, folders in
it are classes, and nothing is written without --out.
"""

import collections
import functools
import json
import math
import pathlib
import re
import sys
import textwrap
import warnings

import tensorflow as tf
from absl import app, flags

from kgan import loading, presets
from kgan.data import ImageSource, formats
from kgan.files import atomic_path
from kgan.metrics import features as features_room
from kgan.metrics.base import METRICS
from kgan.metrics.evaluation import Evaluation, parse_metrics
from kgan.metrics.splits import datasets_for, in_order
from kgan.zoo.learned import find_for_run
from kgan.zoo.run import versions

FLAGS = flags.FLAGS
NUM_SAMPLES = 10_000


def define_flags(flag_values=FLAGS):
    """Defines the flags of `python -m kgan.evaluate`."""
    at = {"flag_values": flag_values}
    integer, string = (
        functools.partial(f, **at) for f in (flags.DEFINE_integer, flags.DEFINE_string)
    )
    string(
        "metrics",
        "fd",
        "What to compute, with commas between: fd,kd,prdc or fd:features=pixels. They are listed "
        "above.",
    )
    string(
        "features",
        "auto",
        "The network that looks at the images for metrics which name none: mnist, pixels, "
        "inception_2015, … auto is mnist for images of 28x28x1, and else inception_2015, the "
        "network of published FIDs.",
    )
    integer("n", None, f"Samples to draw from a run. Defaults to {NUM_SAMPLES}.", lower_bound=1)
    integer("seed", 0, "The same seed draws the same samples.", lower_bound=0)
    string("dataset", None, "Data that a run is compared with. Defaults to what it learned.")
    string("split", None, "Compare with this split only. Defaults to what each metric asks for.")
    string("data_dir", None, "Where TensorFlow Datasets keeps its data; also TFDS_DATA_DIR.")
    string("against", None, "Real images, where samples are a folder: a folder or a data set.")
    string("image_size", None, "Resize both to 64, or HEIGHTxWIDTH, where they are folders.")
    string("out", None, "The JSON file to write. Defaults to metrics.json in a run, and else none.")
    integer("batch_size", 128, "Images that the network sees at once.", lower_bound=1)


def main(argv):
    """Evaluates, writes JSON and prints a table.

    Args:
        argv: list of str, the program's name and the run, preset or folder of samples.

    Returns:
        Exit code: 0, 2 after a line that says what is wrong, or 130 after Ctrl-C.
    """
    if len(argv) != 2:
        print(
            "Usage: python -m kgan.evaluate RUN [flags], or FOLDER --against FOLDER. "
            f"Received: {argv[1:]}",
            file=sys.stderr,
        )
        return 2
    try:
        _check_flags()
        evaluate = evaluate_run if FLAGS.against is None else evaluate_folder
        report, out = evaluate(argv[1])
        failures = report["evaluation"]["failures"]
        if len(failures) == len(report["evaluation"]["metrics"]):
            out = None  # What was measured before is worth more than nothing at all.
        if out is not None:
            with atomic_path(out) as temporary:
                temporary.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
    except (ValueError, OSError, ImportError, tf.errors.OpError) as error:
        print(f"kgan.evaluate: {_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("kgan.evaluate: interrupted, nothing is written", file=sys.stderr)
        return 130
    print(table(report))
    if out is not None:
        print(out)
    for name, message in failures.items():
        print(f"kgan.evaluate: {name}: {message}", file=sys.stderr)
    return 2 if failures else 0


def _check_flags():
    foreign = ("dataset", "n") if FLAGS.against is not None else ("image_size",)
    for name in foreign:
        if FLAGS[name].value is not None:
            kind = "a run" if FLAGS.against is not None else "folders, with --against"
            raise ValueError(f"--{name} is for {kind}. Received: --{name}={FLAGS[name].value}")


# --- A run --------------------------------------------------------------------------------------


def evaluate_run(path):
    """Returns the report of a run, and the file that it belongs into, or None.

    Args:
        path: str or path, a run's folder, `.keras` file or preset.

    Raises:
        ValueError, OSError, ImportError: for what a user can mend.
    """
    evaluation = _evaluation()
    path = loading.find(path)
    gan = _load(path)
    evaluation.check(gan)
    config = loading.training_config(path if path.is_dir() else path.parent)
    learned = config.get("flags", {})
    dataset = FLAGS.dataset or learned.get("dataset")
    if dataset is None:
        raise ValueError(f"Give --dataset, which no config.json tells. Received: {path} alone")
    find = functools.partial(
        find_for_run(gan, config), dataset, data_dir=FLAGS.data_dir or learned.get("data_dir")
    )
    evaluation.set_reals(datasets_for(evaluation.metrics, find), gan)
    n = FLAGS.n or NUM_SAMPLES
    results, failures = evaluation.judge(gan, n, FLAGS.seed)
    drawn = {
        "num_samples": n,
        "seed": FLAGS.seed,
        "step": gan.steps_trained or None,
        "images_seen": int(gan.images_seen),
    }
    report = _report(evaluation, results, failures, find(cache=False).name, drawn)
    folder = loading.output_folder(path)
    out = FLAGS.out or folder and folder / "metrics.json"
    return report, out and pathlib.Path(out)


def _load(path):
    """Returns the GAN of a run, if it draws images."""
    if path.is_dir() and not _is_run(path):
        raise FileNotFoundError(
            f"Expected a run, or a folder of images with --against. Received: {path}, which has "
            f"no {loading.MODEL_FILE}"
        )
    gan = loading.load_gan(path)
    if len(gan.image_shape) != 3:
        raise ValueError(f"Expected a GAN of images. Received: samples of shape {gan.image_shape}")
    return gan


def _is_run(path):
    is_trained = (path / loading.MODEL_FILE).exists() or (path / "checkpoints").exists()
    return is_trained or presets.is_preset(path)


# --- Folders ------------------------------------------------------------------------------------


def evaluate_folder(path):
    """Returns the report of a folder of samples, and the file that it belongs into, or None.

    Args:
        path: str or path, a folder of images or of class folders.

    Raises:
        ValueError, OSError: for what a user can mend.
    """
    evaluation = _evaluation()
    path = pathlib.Path(path)
    if _is_run(path):
        raise ValueError(
            "--against is for a folder of images: a run is compared with --dataset. "
            f"Received: {path}, which is a run, and --against={FLAGS.against}"
        )
    find_samples = functools.partial(_find_folder, path)
    find_reals = functools.partial(_find_folder, FLAGS.against, data_dir=FLAGS.data_dir)
    samples, reals = (find(cache=False) for find in (find_samples, find_reals))
    if samples.image_shape[:2] != reals.image_shape[:2]:
        raise ValueError(
            "Samples and reals must be of one size: give --image_size. Received: "
            f"{_size(samples)} and {_size(reals)}"
        )
    _check_fit(evaluation.metrics, samples, reals)
    # Grey images beside others are images of three equal channels.
    channels = max(samples.image_shape[2], reals.image_shape[2])
    find_reals = functools.partial(find_reals, channels=channels)
    evaluation.set_reals(datasets_for(evaluation.metrics, find_reals))
    results, failures = evaluation.judge_images(in_order(find_samples(channels=channels)))
    drawn = {"num_samples": samples.num_examples, "samples": samples.name}
    report = _report(evaluation, results, failures, reals.name, drawn)
    return report, FLAGS.out and pathlib.Path(FLAGS.out)


def _find_folder(source, **kwargs):
    """Returns the images of a folder, if all are of one size or are to be resized."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The images in .* have .* sizes")
        try:
            return ImageSource.find(source, image_size=FLAGS.image_size, **kwargs)
        except UserWarning:
            raise ValueError(
                "Expected images of one size, or --image_size to resize them. Received: "
                f"{source} with {_sizes(pathlib.Path(source).expanduser())}"
            ) from None


def _sizes(folder):
    """Returns the sizes of the images in a folder in words, the most frequent first."""
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in formats.EXTENSIONS]
    headers = map(formats.read_header, paths)
    counts = collections.Counter(f"{header.height}x{header.width}" for header in headers)
    words = [f"{size} ({count:,})" for size, count in counts.most_common(5)]
    return ", ".join(words + ["…"] * (len(counts) > 5))


def _size(source):
    return f"{source.name} of {source.image_shape[0]}x{source.image_shape[1]}"


def _check_fit(metrics, samples, reals):
    """Raises where a metric needs what folders do not have."""
    for metric in metrics:
        if metric.needs_generator or metric.reads:
            does = "reads real images" if metric.reads else "draws its own samples"
            raise ValueError(
                f"{type(metric).__name__} {does}, so that it needs a run. "
                f"Received: {samples.name}, a folder of images"
            )
        if metric.needs_labels and (None in (samples.num_classes, reals.num_classes)):
            without = samples if samples.num_classes is None else reals
            raise ValueError(
                f"{type(metric).__name__} needs the class of each image: a folder for each class. "
                f"Received: {without.name} without classes"
            )
        if metric.needs_labels and samples.class_names != reals.class_names:
            raise ValueError(
                "Samples and reals must have the same classes, in folders of the same names. "
                f"Received: {samples.class_names} and {reals.class_names}"
            )


# --- Both ---------------------------------------------------------------------------------------


def _evaluation():
    """Returns the evaluation that the flags describe."""
    metrics = _read("metrics", parse_metrics)
    features = "auto" if FLAGS.features == "auto" else _read("features", features_room.get)
    for metric in metrics:
        metric.split = FLAGS.split or metric.split
    # Where nobody looks, a line for each pass.
    verbose = 1 if sys.stdout.isatty() else 2
    return Evaluation(metrics, features, FLAGS.batch_size, verbose=verbose)


def _read(flag, get):
    try:
        return get(FLAGS[flag].value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"--{flag}: {error}") from error


def _report(evaluation, results, failures, dataset, drawn):
    """Returns what metrics.json holds: the results, and under "evaluation" how they came about."""
    networks = {
        metric.name: metric.features for metric in evaluation.metrics if metric.features is not None
    }
    values = {name: value if math.isfinite(value) else None for name, value in results.items()}
    return {
        **values,
        "evaluation": {
            **drawn,
            "dataset": dataset,
            "splits": evaluation.splits,
            "metrics": {
                metric.name: {
                    "results": list(metric.result_names),
                    "best": _best(metric),
                    "split": metric.split,
                    "features": networks[metric.name].name if metric.name in networks else None,
                }
                for metric in evaluation.metrics
            },
            "features": {network.name: network.key() for network in networks.values()},
            "failures": failures,
            "versions": versions(),
        },
    }


def _best(metric):
    """Returns what to wish for of each result."""
    names = metric.result_names
    return [metric.best] * len(names) if isinstance(metric.best, str) else list(metric.best)


def table(report):
    """Returns a report as a table for people.

    Args:
        report: dict, what `metrics.json` holds.

    Example:
    >>> how = {"results": ["fd"], "best": ["↓"], "split": "train", "features": "mnist"}
    >>> setting = {"dataset": "mnist", "splits": {"train": 60000}, "metrics": {"fd": how}}
    >>> print(table({"fd": 2.5, "evaluation": setting}))
    metric  value  best  features  against
    fd        2.5  ↓     mnist     mnist train (60,000)
    """
    setting = report["evaluation"]
    rows = [("metric", "value", "best", "features", "against")]
    for how in setting["metrics"].values():
        count = setting["splits"][how["split"]]
        against = f"{setting['dataset']} {how['split']} ({count:,})"
        for name, best in zip(how["results"], how["best"], strict=True):
            value = "—" if report[name] is None else f"{report[name]:.4g}"
            rows.append((name, value, best, how["features"] or "images", against))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, value, *words in rows:
        cells = [name.ljust(widths[0]), value.rjust(widths[1])]
        cells += [word.ljust(width) for word, width in zip(words, widths[2:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def metric_lines():
    """Returns what `--help` says of the metrics.

    Example:
    >>> "fd" in metric_lines()
    True
    """
    lines = ["Metrics, by their short name:"]
    for metric in sorted((METRICS.create(name) for name in METRICS.names()), key=_short_name):
        first = type(metric).__doc__.splitlines()[0]
        text = f"{_short_name(metric):<9}{first} ({metric.name})"
        lines += textwrap.wrap(text, 92, initial_indent="  ", subsequent_indent=" " * 11)
    return "\n".join(lines)


def _short_name(metric):
    return metric.alias or metric.name


def _one_line(error):
    """Returns what an error says, without what TensorFlow wraps around an error in a data set."""
    text = error.message if isinstance(error, tf.errors.OpError) else str(error)
    own = re.search(r"^ValueError: (.*)$", text, re.MULTILINE)
    return own[1] if isinstance(error, tf.errors.OpError) and own else text


if __name__ == "__main__":
    sys.modules["__main__"].__doc__ = f"{__doc__}\n{metric_lines()}\n"
    define_flags()
    app.run(main)
