"""Images in a folder, or in one folder per class."""

import collections
import concurrent.futures
import pathlib
import warnings

import numpy as np
import tensorflow as tf

from kgan.data import formats, pixels
from kgan.data.readers import PARALLEL_CALLS, Reader

# Folder names under which people keep the parts of a data set, and the split that each one is.
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


class FolderReader(Reader):
    """Image files, decoded when they are read.

    Args:
        path: string or path, a folder: of images, of class folders, or of the folders train, val
            and test that hold either.
        split: string, "train", "val" or "test". A folder without such folders is all "train".
        size: (height, width), or None for the size most of the images have.
        channels: integer, or None for 1 if all images are grey and 3 if not.
    """

    def __init__(self, path, split, size, channels):
        path = pathlib.Path(path).expanduser()
        self._paths, labels, class_names = _find_images(path, split)
        headers = _read_headers(self._paths)
        channels = channels or (1 if all(header.grey for header in headers) else 3)
        sizes = collections.Counter((header.height, header.width) for header in headers)
        size = size or _common_size(path, sizes)
        # Where it is known that no image needs a resize, or has alpha, neither is computed.
        self._alpha = channels in (2, 4) or any(header.alpha for header in headers)
        file_size = size if list(sizes) == [tuple(size)] else (None, None)
        self._file_shape = (*file_size, 4 if self._alpha else 3)
        dtype = tf.uint16 if any(header.bits == 16 for header in headers) else tf.uint8
        super().__init__(
            path.resolve().name, (*size, channels), dtype, len(self._paths), class_names
        )
        with tf.device("/CPU:0"):  # Where they are looked up, whatever device trains.
            self._labels = tf.constant(labels, tf.int32)

    def read(self, keys, batch_size, drop_remainder=False):
        """Decodes, crops and resizes one image at a time, several at once."""

        def load(index, extra):
            image = tf.numpy_function(self._decode, [index], self.dtype)
            image = pixels.fit(tf.ensure_shape(image, self._file_shape), self.image_shape)
            image.set_shape(self.image_shape)
            return image, self._labels[index], extra

        examples = keys.map(load, num_parallel_calls=PARALLEL_CALLS)
        return examples.batch(batch_size, drop_remainder=drop_remainder)

    def _decode(self, index):
        try:
            return formats.decode(self._paths[index], self.dtype.as_numpy_dtype, self._alpha)
        except ValueError as error:
            self.failure = error
            raise


def _find_images(folder, split):
    """Returns (paths, labels, class names) of the images of one split of a folder."""
    if not folder.exists():
        raise FileNotFoundError(f"Expected a folder of images that exists. Received: {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(f"Expected a folder of images. Received the file: {folder}")
    parts = _split_folders(folder)
    if split not in (parts or ["train"]):
        raise ValueError(
            f"Expected `split` as one of {sorted(parts or ['train'])}, which is what {folder} has. "
            f"Received: split={split!r}"
        )
    root = parts.get(split, folder)
    paths = _images_in(root)
    if paths:
        return paths, np.zeros(len(paths), np.int32), None
    # All splits together decide which label a class has, even if one split lacks a class.
    names = sorted({name for part in parts.values() or [folder] for name in _class_folders(part)})
    paths = [_images_in(root / name) if (root / name).is_dir() else [] for name in names]
    labels = np.repeat(np.arange(len(names), dtype=np.int32), [len(part) for part in paths])
    if not len(labels):
        raise ValueError(
            f"Expected a folder of images ({', '.join(formats.EXTENSIONS)}), or of class folders "
            f"with such images. Received: {root}, where there are none"
        )
    return [path for part in paths for path in part], labels, names


def _split_folders(folder):
    """Returns {split: folder} if all there is in `folder` is folders with names of splits."""
    folders = _folders_in(folder)
    if _images_in(folder) or any(part.name.lower() not in _SPLITS for part in folders):
        return {}
    return {_SPLITS[part.name.lower()]: part for part in folders}


def _class_folders(folder):
    return [part.name for part in _folders_in(folder) if _images_in(part)]


def _folders_in(folder):
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def _images_in(folder):
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in formats.EXTENSIONS and path.name[0] != "." and path.is_file()
    )


def _read_headers(paths):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return list(pool.map(formats.read_header, paths))


def _common_size(folder, sizes):
    """Returns the (height, width) that most images have; of equally frequent ones, the smallest."""
    size, count = max(sizes.items(), key=lambda item: (item[1], -item[0][0] * item[0][1], item[0]))
    if len(sizes) > 1:
        warnings.warn(
            f"The images in {folder} have {len(sizes)} sizes. All are cropped and resized to the "
            f"most frequent, {size[0]}x{size[1]}, which {count} of {sizes.total()} have. Give "
            "`image_size` to choose another.",
            stacklevel=6,
        )
    return size
