r"""Finds the generated images in a folder, with the discriminator of a trained GAN.

python -m kgan.filter runs/dcgan_mnist images/ --out scores.csv

Files are listed with their realness (see kgan.metrics.realness), what looks generated first. Those
below the threshold are taken for generated: without --threshold that is where 95 % of real images
pass which the run has not learnt from, the test split of its data set. If it keeps none apart, its
training images stand for them, which is said, as they may pass more easily than new ones; without
any data it is D(x) = 0.5, where the scores are probabilities.

A discriminator knows its own generator. The better that has learnt, the less there is to find, and
images of other generators may pass. If the folder holds two folders `real` and `generated`, the
area under the ROC curve (AUROC) says how well it tells them apart: 1 is always, 0.5 is guessing.

Images of another size than the GAN's are cropped around the centre and resized, as kgan.data does;
a conditional GAN looks at each image beside every class, and the best counts.
"""

import collections
import csv
import functools
import math
import os
import pathlib
import sys

import numpy as np
import tensorflow as tf
from absl import app, flags

from kgan.data import formats, pixels
from kgan.files import atomic_path
from kgan.metrics import auroc, gives_probability, realness
from kgan.report.run import Run

FLAGS = flags.FLAGS
# The part of new real images that the default threshold lets pass, and how many it is found with.
REALS_THAT_PASS = 0.95
HELD_OUT = 2000
BATCH = 128
TRUTHS = ("generated", "real")


def define_flags(flag_values=FLAGS):
    """Defines the flags of `python -m kgan.filter`."""
    string = functools.partial(flags.DEFINE_string, flag_values=flag_values)
    flags.DEFINE_float(
        "threshold",
        None,
        "Realness below which an image is taken for generated. Defaults to what lets 95 % of "
        "held-out real images pass.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "label",
        None,
        "The class of all images, if the GAN is conditional. Defaults to the one that fits best.",
        flag_values=flag_values,
    )
    string("out", None, "A CSV file to write instead of the list.")
    string("dataset", None, "Real images for the threshold. Defaults to what the run learnt.")
    string("data_dir", None, "Where TensorFlow Datasets keeps its data; also TFDS_DATA_DIR.")


def main(argv):
    """Lists the images of a folder by realness, and says on standard error what that means.

    Args:
        argv: list of str, the program's name, the run or preset, and the folder of images.

    Returns:
        Exit code: 0, 2 after a line that says what is wrong, or 130 after Ctrl-C.
    """
    if len(argv) != 3:
        print(
            f"Usage: python -m kgan.filter RUN FOLDER [flags]. Received: {argv[1:]}",
            file=sys.stderr,
        )
        return 2
    try:
        _filter(argv[1], pathlib.Path(argv[2]))
    except (ValueError, OSError, ImportError, tf.errors.OpError) as error:
        print(f"kgan.filter: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("kgan.filter: interrupted", file=sys.stderr)
        return 130
    return 0


def _filter(path, folder):
    paths = find_images(folder)
    run = Run(path)
    run.check_images()
    threshold, reason = _threshold(run)
    values = _scores(run.gan, paths)
    order = np.argsort(values, kind="stable")
    rows = [
        (paths[i].relative_to(folder).as_posix(), values[i], TRUTHS[int(values[i] >= threshold)])
        for i in order
    ]
    if FLAGS.out:
        write_csv(FLAGS.out, rows)
        print(FLAGS.out)
    else:
        _print_list(rows)
    for line in _summary(rows, threshold, reason):
        print(line, file=sys.stderr)


# --- Images -------------------------------------------------------------------------------------


def find_images(folder):
    """Returns the paths of all images in a folder and the folders in it, sorted.

    Args:
        folder: str or path. Files and folders whose names begin with a dot are left out.

    Raises:
        FileNotFoundError: if there is no such folder, or no image in it.
        NotADirectoryError: if it is a file.
    """
    folder = pathlib.Path(folder)
    if folder.is_file():
        raise NotADirectoryError(f"Expected a folder of images. Received the file: {folder}")
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in formats.EXTENSIONS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]
    if not paths:
        what = "holds none" if folder.exists() else "does not exist"
        raise FileNotFoundError(
            f"Expected a folder of images ({', '.join(formats.EXTENSIONS)}). "
            f"Received: {folder}, which {what}"
        )
    return paths


def read_images(paths, image_shape):
    """Returns image files as float32 `(n, height, width, channels)` in [-1, 1].

    What has another shape is cropped around the centre and resized, as `kgan.data` does.

    Args:
        paths: list of paths.
        image_shape: tuple of int, (height, width, channels).

    Raises:
        ValueError: if a file cannot be read; the message names it.
    """
    images = [
        pixels.fit(tf.constant(formats.decode(path, np.uint16)), image_shape) for path in paths
    ]
    return pixels.to_unit_range(tf.stack(images)).numpy()


def _scores(gan, paths):
    """Returns the realness of each file, and warns of files that had to be resized."""
    sizes = collections.Counter(_size(path) for path in paths)
    height, width, _ = gan.image_shape
    others = len(paths) - sizes[height, width]
    if others:
        print(
            f"{others:,} of {len(paths):,} images are not {height}x{width} and were cropped and "
            "resized, which the discriminator may take for a trace of generation.",
            file=sys.stderr,
        )
    parts = [paths[first : first + BATCH] for first in range(0, len(paths), BATCH)]
    return np.concatenate([_realness(gan, read_images(part, gan.image_shape)) for part in parts])


def _size(path):
    header = formats.read_header(path)
    return header.height, header.width


def _realness(gan, images):
    """Returns how real images are: as those of one class, or of the class that fits best."""
    if gan.num_classes is None or FLAGS.label is not None:
        return realness(gan, images, FLAGS.label)
    return np.max([realness(gan, images, label) for label in range(gan.num_classes)], axis=0)


# --- The threshold ------------------------------------------------------------------------------


def _threshold(run):
    """Returns the realness below which images are taken for generated, and why."""
    if FLAGS.threshold is not None:
        if not math.isfinite(FLAGS.threshold):
            raise ValueError(f"--threshold must be finite. Received: {FLAGS.threshold}")
        return FLAGS.threshold, "as --threshold says"
    try:
        source, split = _reals(run)
    except (ValueError, OSError) as error:
        if FLAGS.dataset is not None:
            raise  # Who names images wants no other threshold.
        if gives_probability(run.gan):
            return 0.5, f"for want of real images to find a better one ({error})"
        raise ValueError(
            "Give --threshold, or real images to find one with --dataset: this GAN's scores are no "
            f"probabilities. Received: neither, and {error}"
        ) from error
    values = [np.empty(0)]
    for images, _ in source.dataset(BATCH, drop_remainder=False).take(-(-HELD_OUT // BATCH)):
        values.append(_realness(run.gan, images.numpy()))
    values = np.concatenate(values)[:HELD_OUT]
    reason = f"which {REALS_THAT_PASS:.0%} of {len(values):,} {split} images of {source.name} pass"
    if split == "train" and FLAGS.dataset in (None, run.dataset):
        reason += "; the run has learnt from these, so that fewer new ones may pass"
    return threshold_for(values), reason


def _reals(run):
    """Returns real images that the run has not learnt from if there are any, and their split."""
    train = run.data("train", FLAGS.dataset, FLAGS.data_dir)
    try:
        return run.data("test", FLAGS.dataset, FLAGS.data_dir), "test"
    except ValueError:  # There is no such split.
        return train, "train"


def threshold_for(values, part=REALS_THAT_PASS):
    """Returns the highest realness that at least this part of the values reaches.

    Args:
        values: float array `(n,)`, at least one.
        part: float in [0, 1]. Defaults to 0.95.

    Example:
    >>> kgan.filter.threshold_for(np.arange(100.0), part=0.95)
    5.0
    """
    must_pass = math.ceil(round(part * len(values), 6))
    return float(np.sort(values)[len(values) - max(1, must_pass)])


# --- What is said -------------------------------------------------------------------------------


def _print_list(rows):
    try:
        for name, value, taken_for in rows:
            print(f"{value:<12.6g}{taken_for:<11}{name}")
        sys.stdout.flush()
    except BrokenPipeError:  # A reader such as `head` has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_csv(path, rows):
    """Writes rows of (file, realness, taken for) as a CSV file with a head.

    Args:
        path: str or path.
        rows: list of tuples.
    """
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "realness", "taken_for"])
        writer.writerows(rows)


def _summary(rows, threshold, reason):
    """Yields lines on the threshold and on what was found."""
    found = sum(taken_for == "generated" for _, _, taken_for in rows)
    yield f"threshold {threshold:.6g}, {reason}"
    yield f"{found:,} of {len(rows):,} images are taken for generated"
    values = {
        truth: np.array([value for name, value, _ in rows if name.startswith(f"{truth}/")])
        for truth in TRUTHS
    }
    if all(map(len, values.values())):
        caught = {truth: int(np.sum(v < threshold)) for truth, v in values.items()}
        yield (
            f"of folder generated {caught['generated']:,} of {len(values['generated']):,}, of "
            f"folder real {caught['real']:,} of {len(values['real']):,}"
        )
        yield f"AUROC {auroc(values['real'], values['generated']):.4f}"


if __name__ == "__main__":
    define_flags()
    app.run(main)
