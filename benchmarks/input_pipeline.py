"""How fast kgan.data delivers images, beside what a user would write, and whether it is enough.

    TFDS_DATA_DIR=… python benchmarks/input_pipeline.py

Each row is one kind of data, in batches of float32 images in [-1, 1] with int32 labels, shuffled
without end: digits (scikit-learn's, 8x8), MNIST, stacked MNIST, and a folder of generated PNG and
JPEG files of 64x64 in two classes: kept in memory, read and decoded each time, and kept in memory
with a random flip and crop. Delivered by

* kgan: `ImageSource.stream`;
* tf.data: the pipeline that TensorFlow's guides write for it (`tfds.load` or
  `image_dataset_from_directory`, then map, cache, shuffle, batch, prefetch, with AUTOTUNE);
* torch: a map-style `Dataset` behind a `DataLoader` with a process for each core, where torch is
  installed. Batches are (batch, height, width, channels) there as well.

They take turns; a round opens an iterator, takes one batch without the clock (workers start,
shuffle buffers fill), and then as many as fill --seconds. The median round counts. The last columns
are what a train step of the zoo's DCGAN (the recipe of MNIST, as narrow as it is) consumes on these
shapes, and how many times faster kgan delivers.
"""

import functools
import pathlib
import statistics
import sys
import tempfile

import kgan  # isort: split

import keras
import numpy as np
import tensorflow as tf
from common import alternate, markdown, parse, parser, settings, timed, write
from PIL import Image

from kgan.zoo.run import machine

SIDE = 64
# Batches until a pipeline runs as steadily as it will; more than buffers hold.
SETTLED = 50


# --- Data ---------------------------------------------------------------------------------------


def write_folder(path, count, seed=0):
    """Writes images of smooth noise into two class folders, half PNG and half JPEG files."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), "uint8"))
        suffix = (".png", ".jpg")[number // 2 % 2]
        file = pathlib.Path(path) / "ab"[number % 2] / f"{number:05d}{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file)


def embedded_digits():
    """Returns scikit-learn's digits, uint8 (n, 8, 8, 1) and labels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return np.rint(found.images * 255 / 16).astype("uint8")[..., None], found.target.astype("int32")


def mnist():
    """Returns MNIST's training digits, uint8 (n, 28, 28, 1) and labels."""
    from digits import load_digits

    images, labels = load_digits("train")
    return np.rint((images + 1) * 127.5).astype("uint8"), labels


# --- As tf.data's guides do ---------------------------------------------------------------------


def _normalised(image, label):
    return tf.cast(image, "float32") / 127.5 - 1, tf.cast(label, "int32")


def _batched(dataset, count, batch_size, change=None):
    dataset = dataset.map(_normalised, num_parallel_calls=tf.data.AUTOTUNE).cache()
    dataset = dataset.shuffle(count).repeat()
    if change is not None:
        dataset = dataset.map(change, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def tf_arrays(images, labels, batch_size):
    return _batched(tf.data.Dataset.from_tensor_slices((images, labels)), len(images), batch_size)


def _tfds_mnist():
    import tensorflow_datasets as tfds

    return tfds.load("mnist", split="train", as_supervised=True)


def tf_mnist(batch_size):
    return _batched(_tfds_mnist(), 60_000, batch_size)


def tf_stacked(batch_size):
    digits = _tfds_mnist().map(_normalised, num_parallel_calls=tf.data.AUTOTUNE).cache()
    three = tf.data.Dataset.zip(tuple(digits.shuffle(60_000).repeat() for _ in range(3)))

    def stack(*digits):
        label = sum(10 ** (2 - i) * label for i, (_, label) in enumerate(digits))
        return tf.concat([image for image, _ in digits], axis=-1), label

    three = three.map(stack, num_parallel_calls=tf.data.AUTOTUNE)
    return three.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def tf_folder(path, batch_size, change=None):
    dataset = keras.utils.image_dataset_from_directory(
        path, image_size=(SIDE, SIDE), batch_size=None, shuffle=False, verbose=False
    )
    return _batched(dataset, len(dataset), batch_size, change)


def tf_decoded(path, batch_size):
    dataset = keras.utils.image_dataset_from_directory(
        path, image_size=(SIDE, SIDE), batch_size=batch_size, verbose=False
    )
    dataset = dataset.map(_normalised, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.repeat().prefetch(tf.data.AUTOTUNE)


def tf_flip_and_crop(image, label):
    edge = SIDE // 8
    image = tf.image.random_flip_left_right(image)
    image = tf.pad(image, [[edge, edge], [edge, edge], [0, 0]], "REFLECT")
    return tf.image.random_crop(image, (SIDE, SIDE, 3)), label


# --- As torch's guides do -----------------------------------------------------------------------


class Arrays:
    """A map-style dataset of arrays, one item at a time."""

    def __init__(self, images, labels, change=None):
        self.images, self.labels, self.change = images, labels, change

    def __len__(self):
        return len(self.images)

    def __getitem__(self, number):
        image = self.images[number].astype("float32") / 127.5 - 1
        return image if self.change is None else self.change(image), self.labels[number]


class Stacked(Arrays):
    """Three digits of MNIST at random, as the channels of one image."""

    def __getitem__(self, number):
        numbers = np.random.randint(0, len(self), 3)
        image = np.concatenate([self.images[i] for i in numbers], axis=-1)
        label = self.labels[numbers] @ [100, 10, 1]
        return image.astype("float32") / 127.5 - 1, label


class Files:
    """A map-style dataset of image files in a folder for each class."""

    def __init__(self, path):
        self.files = sorted(pathlib.Path(path).glob("*/*"))
        self.classes = sorted({file.parent.name for file in self.files})

    def __len__(self):
        return len(self.files)

    def __getitem__(self, number):
        file = self.files[number]
        image = np.asarray(Image.open(file).convert("RGB"), "float32") / 127.5 - 1
        return image, self.classes.index(file.parent.name)


def torch_flip_and_crop(image):
    edge = SIDE // 8
    if np.random.rand() < 0.5:
        image = image[:, ::-1]
    image = np.pad(image, [(edge, edge), (edge, edge), (0, 0)], "reflect")
    top, left = np.random.randint(0, 2 * edge + 1, 2)
    return np.ascontiguousarray(image[top : top + SIDE, left : left + SIDE])


def decoded(path):
    files = Files(path)
    return (
        np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files.files]),
        np.array([files.classes.index(file.parent.name) for file in files.files], "int32"),
    )


def torch_loader(dataset, batch_size):
    """Returns a function to an endless iterator of a `DataLoader`."""
    import multiprocessing

    import torch

    # A fork of this process, which has run TensorFlow's threads, could hang.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["kgan.zoo.__main__", "torch.utils.data"])
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=machine()["cores"],
        multiprocessing_context=context,
        persistent_workers=True,
    )

    def endless():
        while True:
            yield from loader

    return endless


# --- Rows ---------------------------------------------------------------------------------------


def cases(folder, batch_size):
    """Yields name, image shape, and functions to the kgan, tf.data and torch pipelines of a row."""
    find = kgan.data.ImageSource.find

    def stream(name, cache="auto", **options):
        return lambda: find(name, cache=cache).stream(batch_size, **options)

    def row(name, shape, ours, plain, torch_dataset):
        ways = {"kgan": ours, "tf.data": plain, "torch": torch_dataset}
        return name, shape, ways

    colours = (SIDE, SIDE, 3)
    yield row(
        "digits",
        (8, 8, 1),
        stream("digits"),
        lambda: tf_arrays(*embedded_digits(), batch_size),
        lambda: Arrays(*embedded_digits()),
    )
    yield row(
        "mnist",
        (28, 28, 1),
        stream("mnist"),
        lambda: tf_mnist(batch_size),
        lambda: Arrays(*mnist()),
    )
    yield row(
        "stacked_mnist",
        (28, 28, 3),
        stream("stacked_mnist"),
        lambda: tf_stacked(batch_size),
        lambda: Stacked(*mnist()),
    )
    yield row(
        "folder, in memory",
        colours,
        stream(folder, cache=True),
        lambda: tf_folder(folder, batch_size),
        lambda: Arrays(*decoded(folder)),
    )
    yield row(
        "folder, decoded each time",
        colours,
        stream(folder, cache=False),
        lambda: tf_decoded(folder, batch_size),
        lambda: Files(folder),
    )
    yield row(
        "folder, in memory, flip and crop",
        colours,
        stream(folder, cache=True, horizontal_flip=True, augment="random_crop"),
        lambda: tf_folder(folder, batch_size, tf_flip_and_crop),
        lambda: Arrays(*decoded(folder), torch_flip_and_crop),
    )


def opened(ways, batch_size):
    """Returns functions to an iterator of each way, without torch where it is not installed."""
    iterators = {}
    for name, make in ways.items():
        if name != "torch":
            iterators[name] = functools.partial(iter, make())
            continue
        try:
            iterators[name] = torch_loader(make(), batch_size)
        except ImportError:
            print("torch is not installed: its column is left out", file=sys.stderr)
    return iterators


def delivered(iterators, batch_size, rounds, seconds):
    """Returns images a second of each way in each round."""
    counts = {name: settle(open_one, seconds) for name, open_one in iterators.items()}
    spent = {name: [] for name in iterators}
    for _ in range(rounds):
        for name, open_one in iterators.items():
            spent[name].append(pull(open_one, counts[name]))
    return {n: [counts[n] * batch_size / s for s in times] for n, times in spent.items()}


def settle(open_one, seconds):
    """Returns how many batches fill these seconds."""
    return max(SETTLED, int(SETTLED * seconds / pull(open_one, SETTLED)))


def pull(open_one, count):
    """Returns the seconds that some batches take after the first."""
    iterator = open_one()
    next(iterator)

    def take():
        for _ in range(count):
            next(iterator)

    return timed(take)


def consumed(shape, batch_size, rounds):
    """Returns images a second of a train step of DCGAN."""
    import train_step

    is_gpu = bool(tf.config.list_physical_devices("GPU"))
    size = f"{shape[0]}x{shape[1]}"
    row = train_step.Row("dcgan", "float32", is_gpu, "mnist", size, shape[2], batch_size)
    step = train_step.Step(row)
    spent = alternate({"step": lambda: step.time(2 * step.period)}, rounds)["step"]
    return 2 * step.period * batch_size / statistics.median(spent)


def main(argv=None):
    made = parser(__doc__, "input_pipeline")
    made.add_argument("--batch_size", type=int, default=64)
    made.add_argument("--files", type=int, default=4000, help="images in the folder")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--seconds", type=float, default=1.0, help="of a way in a round")
    made.add_argument("--only", help="a word in the names of the rows to measure")
    options = parse(made, argv, files=128, rounds=2, seconds=0.05)
    columns = ["images/s", "kgan", "tf.data", "torch", "DCGAN's step takes", "kgan delivers"]
    print(markdown(columns, []), flush=True)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        write_folder(folder, options.files)
        for name, shape, ways in cases(folder, options.batch_size):
            if options.only and options.only not in name:
                continue
            iterators = opened(ways, options.batch_size)
            rates = delivered(iterators, options.batch_size, options.rounds, options.seconds)
            medians = {way: statistics.median(values) for way, values in rates.items()}
            step = consumed(shape, options.batch_size, options.rounds)
            times = medians["kgan"] / step
            rows.append(
                {
                    "data": name,
                    "image_shape": shape,
                    "images_per_second": medians,
                    "rounds": rates,
                    "dcgan_images_per_second": step,
                    "times_the_step": times,
                }
            )
            line = [name, *(f"{medians[w]:,.0f}" if w in medians else "-" for w in ways)]
            print(f"| {' | '.join([*line, f'{step:,.0f}', f'{times:,.0f}x'])} |", flush=True)
    write(options.out, options=settings(options), rows=rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
