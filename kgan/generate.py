r"""Draws samples of a trained GAN as one picture.

python -m kgan.generate runs/dcgan_mnist --n 64 --seed 1 --out grid.png
python -m kgan.generate runs/cgan_mnist --n 10 --label 3
python -m kgan.generate zoo/dcgan_mnist
"""

import functools
import sys

from absl import app, flags

from kgan.grid import save_png
from kgan.loading import load_gan

FLAGS = flags.FLAGS


def define_flags(flag_values=FLAGS):
    """Defines the flags of `python -m kgan.generate`."""
    integer = functools.partial(flags.DEFINE_integer, flag_values=flag_values)
    integer("n", 64, "Samples to draw.", lower_bound=1)
    integer("seed", None, "The same seed draws the same samples. Defaults to a new one.")
    integer("columns", None, "Samples in a row. Defaults to a square.", lower_bound=1)
    flags.DEFINE_list(
        "label",
        None,
        "What to draw, if conditional: a class number, or the comma-separated numbers of a "
        "condition vector. Defaults to classes drawn at random.",
        flag_values=flag_values,
    )
    flags.DEFINE_string("out", "grid.png", "The picture, a PNG file.", flag_values=flag_values)


def main(argv):
    """Draws samples of the GAN of a run, and prints where the picture is.

    Args:
        argv: list of str, the program's name and the run's folder, `.keras` file or preset.

    Returns:
        Exit code: 0, or 2 after a line that says what is wrong.
    """
    if len(argv) != 2:
        print(f"Usage: python -m kgan.generate RUN [flags]. Received: {argv[1:]}", file=sys.stderr)
        return 2
    try:
        gan = load_gan(argv[1])
        images = gan.generate(FLAGS.n, _labels(gan, FLAGS.label), seed=FLAGS.seed)
        save_png(FLAGS.out, images, columns=FLAGS.columns)
    except (ValueError, OSError, ImportError) as error:
        print(f"kgan.generate: {error}", file=sys.stderr)
        return 2
    print(FLAGS.out)
    return 0


def _labels(gan, numbers):
    """Returns the flag `--label` as `GAN.generate` takes it."""
    if numbers is None:
        return None
    is_vector = gan.condition_dim is not None
    try:
        labels = [float(number) if is_vector else int(number) for number in numbers]
        (label,) = [labels] if is_vector else labels
    except ValueError:
        expected = "comma-separated numbers" if is_vector else "one class number"
        raise ValueError(f"--label must be {expected}. Received: {','.join(numbers)}") from None
    return label


if __name__ == "__main__":
    define_flags()
    app.run(main)
