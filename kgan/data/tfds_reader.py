"""Data sets by their name in TensorFlow Datasets (TFDS)."""

import difflib
import os
import socket
import urllib.parse
import urllib.request

import tensorflow as tf

from kgan.data import pixels
from kgan.data.readers import PARALLEL_CALLS, Reader
from kgan.quiet import quiet_absl

# Encoded images that wait in the shuffle buffer of a data set that does not fit into memory. TFDS
# shuffles once when it prepares a data set, so that a part of it at a time is enough.
_SHUFFLE_BYTES = 256 * 2**20
_SHUFFLE_EXAMPLES = 1000

_PARSE_EXAMPLES = 32
_READ_BYTES = 8 * 2**20

_CONNECT_SECONDS = 5


class TfdsReader(Reader):
    """A data set that TFDS has prepared, or can download and prepare; decoded when it is read.

    Args:
        name: string, "mnist" or "name/config:version".
        split: string, in TFDS's syntax: "train", "test", "train[:10%]".
        size: (height, width), or None for the data set's own.
        channels: integer, or None for the data set's own.
        data_dir: string or path, where TFDS keeps its data sets; None for TFDS_DATA_DIR or, where
            that is not set, TFDS's default.
    """

    @quiet_absl()
    def __init__(self, name, split, size, channels, data_dir):
        builder = _find_builder(name, data_dir)
        image_key, label_key = _find_features(name, builder.info.features)
        height, width = _fixed_size(name, builder.info.features[image_key], size)
        _prepare(name, builder)
        self._feature = builder.info.features[image_key]
        label = builder.info.features[label_key] if label_key else None
        super().__init__(
            name,
            (height, width, channels or self._feature.shape[2]),
            tf.as_dtype(self._feature.np_dtype),
            _num_examples(name, builder, split),
            label and label.names,
        )
        self._encoded = _encoded_examples(builder, split, image_key, label_key)
        self._buffer = min(self.num_examples, _buffer_examples(builder))

    def keys(self, seed=None, epoch=0):
        """Keys are (encoded image, label): encoded, examples are cheap to shuffle and to skip."""
        if seed is None:
            return self._encoded

        def shuffled(epoch):
            # A shuffle takes its graph's seed besides its own. Here that is the graph of this
            # function, so that what the user gave to `tf.random.set_seed` has no say. It is odd as
            # TensorFlow compares the pair with (0, 0), which a tensor like `epoch` cannot bear.
            tf.random.set_seed(2 * seed + 1)
            return self._encoded.shuffle(self._buffer, seed=epoch, reshuffle_each_iteration=False)

        return tf.data.Dataset.from_tensors(epoch).flat_map(shuffled)

    def read(self, keys, batch_size, drop_remainder=False):
        """Decodes, crops and resizes one image at a time, several at once."""

        def load(key, extra):
            image = self._to_stored(self._feature.decode_example(key[0]))
            image = pixels.fit(image, self.image_shape)
            return tf.ensure_shape(image, self.image_shape), key[1], extra

        examples = keys.map(load, num_parallel_calls=PARALLEL_CALLS)
        return examples.batch(batch_size, drop_remainder=drop_remainder)

    def _to_stored(self, image):
        return image * 2 - 1 if self.dtype.is_floating else image  # TFDS keeps floats in [0, 1].


def is_name(source):
    """Whether TFDS knows a data set of this name, whatever its config and version."""
    import tensorflow_datasets as tfds

    return _plain(source) in tfds.list_builders(with_community_datasets=False)


def _plain(name):
    return name.split(":")[0].split("/")[0]


def _find_builder(name, data_dir):
    import tensorflow_datasets as tfds

    data_dir = data_dir or os.environ.get("TFDS_DATA_DIR")
    try:
        return tfds.builder(name, data_dir=data_dir)
    except (ValueError, AssertionError) as error:
        if is_name(name):
            raise ValueError(
                f"Expected a config and a version that {_plain(name)!r} has. Received: {name!r} "
                f"({error})"
            ) from error
        raise _unknown_name(name) from None


def _unknown_name(name):
    import tensorflow_datasets as tfds

    names = ["digits", "stacked_mnist", *tfds.list_builders(with_community_datasets=False)]
    near = difflib.get_close_matches(_plain(name), names, n=3)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return ValueError(
        "Expected 'digits', the name of an image data set of TensorFlow Datasets ('mnist', "
        f"'cifar10', …) or the path of a folder of images ('./photos'). Received: {name!r}.{hint}"
    )


def _find_features(name, features):
    """Returns the keys of the image and of its label, None where there is not one label."""
    import tensorflow_datasets as tfds

    keys = list(features) if hasattr(features, "keys") else []
    images = [key for key in keys if isinstance(features[key], tfds.features.Image)]
    labels = [key for key in keys if isinstance(features[key], tfds.features.ClassLabel)]
    if not images:
        raise ValueError(
            f"Expected a data set of images. Received: {name!r}, whose features are {keys}"
        )
    image = "image" if "image" in images else images[0]
    if "label" in labels:
        return image, "label"
    return image, labels[0] if len(labels) == 1 else None


def _fixed_size(name, feature, size):
    height, width, channels = feature.shape
    if channels is None:
        raise ValueError(
            "Expected a data set whose images have the same channels. Received: "
            f"{name!r}, whose image shape is {feature.shape}"
        )
    if size is None and None in (height, width):
        raise ValueError(
            f"Expected `image_size`, as the images of {name!r} differ in size. Received: "
            "image_size=None"
        )
    return size or (height, width)


def _prepare(name, builder):
    if builder.is_prepared():
        return
    try:
        # TFDS itself tries each address ten times, which takes minutes without a network.
        _check_network(builder)
        builder.download_and_prepare()
    except (Exception, SystemExit) as error:
        raise FileNotFoundError(
            f"Expected {name!r} to be prepared in {builder.data_dir}, or to be downloadable from "
            f"here. Received: {type(error).__name__}: {str(error).strip()[:500]}\n"
            'Prepare it on a connected machine (python -c "import tensorflow_datasets as tfds; '
            f"tfds.load('{name}', data_dir='DIR')\"), copy DIR here and give it as data_dir='DIR' "
            "or in the environment variable TFDS_DATA_DIR; or use 'digits' (--dataset digits), "
            "which needs no download."
        ) from error


def _check_network(builder):
    """Raises an OSError if data has to be downloaded and none of the hosts to ask answers."""
    if not builder.url_infos:  # It may be made from local files, as a user's own data sets are.
        return
    proxies = urllib.request.getproxies()
    urls = list(proxies.values()) or ["https://storage.googleapis.com", *builder.url_infos]
    failure = None
    for host, port in list(dict.fromkeys(_address(url) for url in urls))[:3]:
        try:
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
            return
        except OSError as error:
            failure = OSError(f"no connection to {host}: {error}")
    raise failure


def _address(url):
    parts = urllib.parse.urlsplit(url)
    return parts.hostname, parts.port or {"http": 80, "ftp": 21}.get(parts.scheme, 443)


def _num_examples(name, builder, split):
    splits = sorted(builder.info.splits)
    try:
        count = builder.info.splits[split].num_examples
    except Exception as error:  # ValueError, KeyError or AssertionError, by what is wrong.
        raise ValueError(
            f"Expected `split` as one of {splits}, which {name!r} has, or a part of one, like "
            f"'{splits[0]}[:10%]'. Received: split={split!r}"
        ) from error
    if count == 0:
        raise ValueError(f"Expected a split with images. Received: split={split!r}, which is empty")
    return count


def _buffer_examples(builder):
    """Returns how many encoded images fit into the memory that a shuffle may take."""
    total = sum(split.num_examples for split in builder.info.splits.values())
    return max(_SHUFFLE_EXAMPLES, _SHUFFLE_BYTES * total // max(1, int(builder.info.dataset_size)))


def _encoded_examples(builder, split, image_key, label_key):
    """Returns a dataset of (encoded image, int32 label), always in the same order."""
    import tensorflow_datasets as tfds

    keys = [image_key, label_key] if label_key else [image_key]
    is_tfrecord = builder.info.file_format == tfds.core.FileFormat.TFRECORD
    batches = (_parsed_records if is_tfrecord else _parsed_by_tfds)(builder, split, keys)

    def pick(batch):
        image = batch[image_key]
        label = batch[label_key] if label_key else tf.zeros_like(image, tf.int32)
        return image, tf.cast(label, tf.int32)

    return batches.map(pick).unbatch()


def _parsed_records(builder, split, keys):
    """Returns batches of the features of these keys, read from TFRecord files.

    Not by TFDS, which parses one example at a time: 60,000 take 15 times longer.
    """
    shards = builder.info.splits[split].file_instructions
    paths = [shard.filename for shard in shards]
    counts = tf.constant([(shard.skip, shard.take) for shard in shards], tf.int64)
    specs = {key: builder.info.features[key].get_serialized_info() for key in keys}
    specs = {key: tf.io.FixedLenFeature(spec.shape, spec.dtype) for key, spec in specs.items()}

    def read(path, count):
        return tf.data.TFRecordDataset(path, buffer_size=_READ_BYTES).skip(count[0]).take(count[1])

    records = tf.data.Dataset.from_tensor_slices((paths, counts)).flat_map(read)
    return records.batch(_PARSE_EXAMPLES).map(lambda x: tf.io.parse_example(x, specs))


def _parsed_by_tfds(builder, split, keys):
    """Returns batches of the features of these keys, from files of any format."""
    import tensorflow_datasets as tfds

    skip = {keys[0]: tfds.decode.SkipDecoding()}
    examples = builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding(dict.fromkeys(keys, True), decoders=skip),
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
    )
    return examples.batch(_PARSE_EXAMPLES)
