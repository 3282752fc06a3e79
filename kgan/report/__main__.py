r"""Compares trained GANs on one HTML page that needs no network.

python -m kgan.report runs/dcgan_mnist runs/other_mnist --out report.html
"""

import functools
import sys

import tensorflow as tf
from absl import app, flags

from kgan.report.page import write_report

FLAGS = flags.FLAGS


def define_flags(flag_values=FLAGS):
    """Defines the flags of `python -m kgan.report`."""
    string = functools.partial(flags.DEFINE_string, flag_values=flag_values)
    integer = functools.partial(flags.DEFINE_integer, flag_values=flag_values)
    string("out", "report.html", "The page, one HTML file.")
    integer("n", 64, "Samples of each run that are shown.", lower_bound=1)
    integer("seed", 0, "Of all latents, the same for every run.")
    string(
        "dataset",
        None,
        "Where to look for the samples' neighbours: a name or a folder, for all runs. Defaults to "
        "what each run was trained on.",
    )
    string("data_dir", None, "Where TensorFlow Datasets keeps its data; also TFDS_DATA_DIR.")


def main(argv):
    """Writes the page, and prints where it is.

    Args:
        argv: list of str, the program's name and runs' folders, `.keras` files or presets.

    Returns:
        Exit code: 0, 2 after a line that says what is wrong, or 130 after Ctrl-C.
    """
    if len(argv) < 2:
        print("Usage: python -m kgan.report RUN [RUN …] [flags]. Received: no run", file=sys.stderr)
        return 2
    try:
        page = write_report(argv[1:], FLAGS.out, FLAGS.n, FLAGS.seed, FLAGS.dataset, FLAGS.data_dir)
    except (ValueError, OSError, ImportError, tf.errors.OpError) as error:
        print(f"kgan.report: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("kgan.report: interrupted, nothing is written", file=sys.stderr)
        return 130
    print(page)
    return 0


if __name__ == "__main__":
    define_flags()
    app.run(main)
