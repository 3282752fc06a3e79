"""`ImageSource`: images found by a name or a path, as datasets of batches."""

import itertools
import os
import pathlib

import tensorflow as tf

from kgan.data import augmentation, memory, options, pixels, tfds_reader
from kgan.data.folder import FolderReader
from kgan.data.readers import PARALLEL_CALLS, MemoryReader, digits
from kgan.data.stacked import stacked_mnist


def load(
    source,
    batch_size=64,
    *,
    split="train",
    image_size=None,
    channels=None,
    cache="auto",
    data_dir=None,
    shuffle=True,
    seed=0,
    horizontal_flip=False,
    augment=None,
    drop_remainder=True,
):
    """Returns images with their labels as a `tf.data.Dataset` of batches.

    This is `ImageSource.find(…).dataset(…)`, where the arguments and errors are described.

    Args:
        source: string or path. "digits", a TensorFlow Datasets name, or a folder.
        batch_size: integer, images in a batch. Defaults to 64.
        split: string. Defaults to "train".
        image_size: integer, "64", "32x48" or (height, width), in pixels; None keeps the size.
            Defaults to None.
        channels: integer from 1 to 4; None keeps the images' own. Defaults to None.
        cache: True, False or "auto", whether decoded images stay in memory. Defaults to "auto".
        data_dir: string or path, where TensorFlow Datasets keeps its data. Defaults to None.
        shuffle: boolean. Defaults to True.
        seed: integer, of the shuffle and the flips. Defaults to 0.
        horizontal_flip: boolean, whether each image is mirrored with probability 1/2. Defaults to
            False.
        augment: string, function, or list of them: other random changes, of "vertical_flip",
            "random_crop" and "rand_augment". Defaults to None.
        drop_remainder: boolean, whether a last batch that is not full is left out. Defaults to
            True.

    Returns:
        A `tf.data.Dataset` of `(images, labels)`: float32 (batch, height, width, channels) in
        [-1, 1], and int32 (batch,). Labels are 0 where there are no classes.

    Raises:
        FileNotFoundError: the folder does not exist, or the data set can be neither found nor
            downloaded.
        ValueError: an argument or an image is not what was expected.

    Example:
    >>> import kgan
    >>> dataset = kgan.data.load("digits", batch_size=32, image_size=16)
    >>> images, labels = next(iter(dataset))
    >>> tuple(images.shape), tuple(labels.shape)
    ((32, 16, 16, 1), (32,))
    """
    augment = augmentation.parse(augment)  # before images are read, which can take minutes
    found = ImageSource.find(
        source,
        split=split,
        image_size=image_size,
        channels=channels,
        cache=cache,
        data_dir=data_dir,
    )
    return found.dataset(
        batch_size,
        shuffle=shuffle,
        seed=seed,
        horizontal_flip=horizontal_flip,
        augment=augment,
        drop_remainder=drop_remainder,
    )


class ImageSource:
    """Images of one shape, with their labels, from wherever `ImageSource.find` found them.

    Args:
        reader: what reads the images; `ImageSource.find` makes it.

    Attributes:
        name: string, the name of the data set or of the folder.
        image_shape: (height, width, channels), in pixels.
        num_examples: integer, number of images.
        num_classes: integer, or None where there are not two classes or more.
        class_names: tuple of strings, in the order of the labels, or None like `num_classes`.

    Example:
    >>> import kgan
    >>> kgan.data.ImageSource.find("digits")
    ImageSource('digits', 1797 images of 8x8x1, 10 classes)
    """

    def __init__(self, reader):
        self._reader = reader
        self.name = reader.name
        self.image_shape = reader.image_shape
        self.num_examples = reader.num_examples
        self.class_names = reader.class_names
        self.num_classes = len(reader.class_names) if reader.class_names else None

    def __repr__(self):
        """Says what was found."""
        shape = "x".join(map(str, self.image_shape))
        classes = f"{self.num_classes} classes" if self.num_classes else "no classes"
        return f"ImageSource({self.name!r}, {self.num_examples} images of {shape}, {classes})"

    @classmethod
    def find(
        cls, source, *, split="train", image_size=None, channels=None, cache="auto", data_dir=None
    ):
        """Finds images by the name of a data set or the path of a folder.

        A folder holds images (no classes), or a folder of images for each class (labelled in the
        order of their names), or `train`, `val` and `test` folders that hold one or the other.
        Deeper folders are not searched. Files may be PNG, JPEG, TIFF, BMP, GIF (its first frame) or
        WebP, of 8 or 16 bits. A plain word is a folder only if no data set has that name: write
        "./mnist" for the folder.

        An image of another shape than `image_size` is cropped to its aspect ratio, around the
        centre, and then resized. Where alpha is dropped, the image is laid on white.

        Args:
            source: string or path. "digits" (scikit-learn's 1,797 images of 8x8), the name of an
                image data set in TensorFlow Datasets ("mnist", "name/config:version"),
                "stacked_mnist" (three digits of MNIST as red, green and blue, drawn as many times
                as there are digits, the same in each process: 1,000 classes, numbered as the
                digits read), or a folder.
            split: string. For TensorFlow Datasets in its own syntax ("test", "train[:10%]"); for
                folders "train", "val" or "test", where a folder that is not divided is all
                "train"; "digits" is all "train". Defaults to "train".
            image_size: integer, "64", "32x48" or (height, width), in pixels. None keeps the size
                of the images; in a folder of several sizes it is the most frequent one, and a
                warning says so. Defaults to None.
            channels: integer: 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA). None keeps a data
                set's own; in a folder it is 1 if all images are grey, and else 3. Defaults to
                None.
            cache: boolean or "auto". Whether all images are decoded now and stay in memory, in as
                many bits as they have; "auto" does so if they fill at most a quarter of the
                memory that is available. Defaults to "auto".
            data_dir: string or path, where TensorFlow Datasets keeps its data sets. None is the
                environment variable TFDS_DATA_DIR or, without it, `~/tensorflow_datasets`.
                Nothing else uses it. Defaults to None.

        Returns:
            An `ImageSource`.

        Raises:
            FileNotFoundError: the folder does not exist, or the data set is not prepared and
                cannot be downloaded.
            NotADirectoryError: the path is that of a file.
            ValueError: an argument is not what was expected, there are no images, or an image
                cannot be read. With `cache=False` an image that is broken after its header is
                found only when it is reached, and then is a `tf.errors.InvalidArgumentError`.

        Example:
        >>> import kgan
        >>> kgan.data.ImageSource.find("digits", image_size="32x24", channels=3).image_shape
        (32, 24, 3)
        """
        size = options.image_size(image_size)
        channels = options.channels(channels)
        cache = options.cache(cache)
        reader = _find_reader(source, split, size, channels, data_dir)
        in_memory = isinstance(reader, MemoryReader)
        if not in_memory and (cache is True or (cache == "auto" and memory.fits(reader.num_bytes))):
            reader = MemoryReader.of(reader)
        return cls(reader)

    def dataset(
        self,
        batch_size,
        shuffle=True,
        seed=0,
        horizontal_flip=False,
        augment=None,
        drop_remainder=True,
    ):
        """Returns a dataset that passes over the images once in each iteration.

        Each iteration over it has a new order, new flips and other new changes. They depend on
        `seed`, on `batch_size` and on how many iterations over this dataset came before, and on
        nothing else.

        What `augment` changes, a generator learns to draw: give what leaves an image plausible.
        `kgan.augment` has the changes that do not show in what is generated.

        Args:
            batch_size: integer, images in a batch.
            shuffle: boolean, whether the order is random; if not, it is that of the files.
                Defaults to True.
            seed: integer, of order, flips and other changes. Defaults to 0.
            horizontal_flip: boolean, whether each image is mirrored with probability 1/2.
                Defaults to False.
            augment: string (names with commas between them), function, or list of names and
                functions, applied in this order after the flip; all by keras-cv. "vertical_flip"
                turns an image upside down with probability 1/2. "random_crop" mirrors the border
                of an image outwards by 1/8 of its sides, and cuts a window of its size out of
                that. "rand_augment" (grey or RGB images) is RandAugment, with keras-cv's three
                changes an image, at magnitude 0.5. A function takes float32 images in [-1, 1] and
                an int64 seed of shape (2,), which all that it draws should come from
                (`tf.image.stateless_random_…`), and returns images of the same shape and range.
                Defaults to None.
            drop_remainder: boolean, whether a last batch that is not full is left out. Defaults
                to True.

        Returns:
            A `tf.data.Dataset` of `(images, labels)`: float32 (batch, height, width, channels) in
            [-1, 1], and int32 (batch,).

        Raises:
            ValueError: an argument is not what was expected, or `drop_remainder` would leave no
                batch.

        Example:
        >>> import kgan
        >>> dataset = kgan.data.ImageSource.find("digits").dataset(batch_size=100)
        >>> len(dataset)
        17
        """
        batch_size = options.integer("batch_size", batch_size, minimum=1)
        seed = options.integer("seed", seed)
        if drop_remainder:
            self._check_a_batch_fits(batch_size)
        iterations = itertools.count()
        # A generator is asked anew in each iteration, and only then: it counts them.
        epochs = tf.data.Dataset.from_generator(
            lambda: iter([next(iterations)]), output_signature=tf.TensorSpec((), tf.int64)
        )
        keys = epochs.flat_map(lambda epoch: self._keys(epoch, seed, shuffle))
        full, rest = divmod(self.num_examples, batch_size)
        num_batches = full if drop_remainder or not rest else full + 1
        batches = self._batches(keys, batch_size, seed, horizontal_flip, augment, drop_remainder)
        return batches.apply(tf.data.experimental.assert_cardinality(num_batches))

    def stream(
        self,
        batch_size,
        seed=0,
        initial_step=0,
        horizontal_flip=False,
        augment=None,
        share=(0, 1),
    ):
        """Returns an endless dataset whose batch number k depends on `seed` and k only.

        So `stream(batch_size, seed, initial_step=k)`, in whatever process, continues bit for bit
        what another stream yielded until before batch k: training that is resumed sees what it
        would have seen. An epoch is as many full batches as there are, of a new order each time.
        Batch k comes at once where images are in memory or in a folder; else the part of the epoch
        before it is read once more, without being decoded.

        Args:
            batch_size: integer, images in a batch.
            seed: integer, of order, flips and other changes. Defaults to 0.
            initial_step: integer, number of the batch to begin with. Defaults to 0.
            horizontal_flip: boolean, whether each image is mirrored with probability 1/2.
                Defaults to False.
            augment: string, function, or list of them, as of `dataset`. Defaults to None.
            share: (index, count), which of how many equal parts of each batch to read, for
                processes that train together: part i holds the rows from i batch_size / count on,
                bit for bit. Functions of `augment` must change each image by itself then.
                Defaults to (0, 1), the whole.

        Returns:
            A `tf.data.Dataset` of `(images, labels)`, as of `dataset`.

        Raises:
            ValueError: an argument is not what was expected, there are fewer images than
                `batch_size`, or this does not divide into equal parts.

        Example:
        >>> import kgan
        >>> source = kgan.data.ImageSource.find("digits")
        >>> *_, (expected, _) = source.stream(batch_size=64).take(31)
        >>> resumed, _ = next(iter(source.stream(batch_size=64, initial_step=30)))
        >>> bool((resumed.numpy() == expected.numpy()).all())
        True
        """
        batch_size = options.integer("batch_size", batch_size, minimum=1)
        seed = options.integer("seed", seed)
        initial_step = options.integer("initial_step", initial_step, minimum=0)
        self._check_a_batch_fits(batch_size)
        part, parts = share
        if batch_size % parts or not 0 <= part < parts:
            raise ValueError(
                "Expected `share` as (index, count), with a count that divides `batch_size`. "
                f"Received: share={share}, batch_size={batch_size}"
            )
        batches_per_epoch = self.num_examples // batch_size
        first_epoch, first_batch = divmod(initial_step, batches_per_epoch)

        def epoch_keys(epoch):
            done = tf.where(epoch == first_epoch, first_batch, 0)
            keys = self._keys(epoch, seed, shuffle=True).take(batches_per_epoch * batch_size)
            return keys.skip(tf.cast(done, tf.int64) * batch_size)

        keys = tf.data.Dataset.counter(first_epoch).flat_map(epoch_keys)
        batches = self._batches(keys, batch_size, seed, horizontal_flip, augment, True, share)
        return batches.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))

    def _keys(self, epoch, seed, shuffle):
        """Returns the reader's keys in the order of an epoch, each with its number of all."""
        count = self.num_examples
        numbers = epoch * count + tf.range(count, dtype=tf.int64)
        keys = self._reader.keys(seed if shuffle else None, epoch)
        return tf.data.Dataset.zip((keys, tf.data.Dataset.from_tensor_slices(numbers)))

    def _batches(
        self, keys, batch_size, seed, horizontal_flip, augment, drop_remainder, share=(0, 1)
    ):
        steps = augmentation.parse(augment, self.image_shape)
        change = augmentation.build(steps, self.image_shape, horizontal_flip)
        part, parts = share
        if parts > 1:
            keys = _keys_of_part(keys, batch_size, part, parts)
            batch_size //= parts
            change = _change_of_part(change, batch_size, part, parts)

        def finish(images, labels, numbers):
            # No epoch, and so no order, has a negative number: no two draws share a seed.
            batch_seed = tf.random.fold_in([seed, -1], numbers[0])
            images = change(pixels.to_unit_range(images), batch_seed)
            return tf.ensure_shape(images, [None, *self.image_shape]), labels

        batches = self._reader.read(keys, batch_size, drop_remainder)
        options = tf.data.Options()
        options.autotune.enabled = False  # for the reason that PARALLEL_CALLS gives
        batches = batches.map(finish, num_parallel_calls=PARALLEL_CALLS).prefetch(2)
        return batches.with_options(options)

    def _check_a_batch_fits(self, batch_size):
        if self.num_examples < batch_size:
            raise ValueError(
                f"Expected a `batch_size` of at most {self.num_examples}, the number of images in "
                f"{self.name!r}. Received: batch_size={batch_size}"
            )


def _keys_of_part(keys, batch_size, part, parts):
    """Returns the keys of one part of each batch, each with the number of the batch's first."""
    rows = slice(part * batch_size // parts, (part + 1) * batch_size // parts)

    def cut(keys, numbers):
        own = tf.nest.map_structure(lambda x: x[rows], keys)
        return own, tf.repeat(numbers[:1], batch_size // parts)

    return keys.batch(batch_size, drop_remainder=True).map(cut).unbatch()


def _change_of_part(change, n, part, parts):
    """Returns a function that changes one part of a batch as `change` does with all of it."""

    def change_rows(images, seed):
        # Draws are made for a whole batch: the other parts are black images in it.
        others = [[part * n, (parts - 1 - part) * n], *[[0, 0]] * 3]
        return change(tf.pad(images, others), seed)[part * n : (part + 1) * n]

    return change_rows


def _find_reader(source, split, size, channels, data_dir):
    if not isinstance(source, str | os.PathLike):
        raise ValueError(
            "Expected `source` as 'digits', a name of TensorFlow Datasets, or the path of a "
            f"folder. Received: source={source!r}"
        )
    if not isinstance(split, str):
        raise ValueError(f"Expected `split` as a string. Received: split={split!r}")
    if source == "digits":
        return digits(split, size, channels)
    if source == "stacked_mnist":
        return stacked_mnist(split, size, channels, data_dir)
    if _is_folder(source):
        return FolderReader(source, split, size, channels)
    return tfds_reader.TfdsReader(source, split, size, channels, data_dir)


def _is_folder(source):
    """Whether to look for `source` on disk: for a plain word, names of data sets come first."""
    if isinstance(source, os.PathLike) or source.startswith((".", "~", os.sep)):
        return True
    is_there = pathlib.Path(source).is_dir()
    if os.sep in source and is_there:
        return True
    if tfds_reader.is_name(source):
        return False
    return is_there or os.sep in source
