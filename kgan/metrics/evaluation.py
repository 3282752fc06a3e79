"""One generator after another against the same reals: what the callback and the program share."""

import contextlib
import hashlib
import math
import pathlib
import re
import warnings
import zipfile
import zlib

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgan import backend, workers
from kgan.batches import check_images, check_range, labels_for
from kgan.files import atomic_path, keras_home
from kgan.metrics import features as features_room
from kgan.metrics.base import METRICS, GANMetric
from kgan.metrics.splits import ADAPTS_TO

MNIST_SHAPE = (28, 28, 1)
# What published Fréchet distances are computed with.
PUBLISHED_NETWORK = "inception_2015"
# How many samples are drawn at once, and so are in memory, unless they are large.
CHUNK, CHUNK_BYTES = 1024, 2**28


class Evaluation:
    """Compares the samples of one generator after another with the same reals.

    Reals go in once. What a network says of them is kept on disk, under a digest of the images
    themselves and the network, so that another evaluation of the same reals does not ask it again.
    Metrics that look through one network share its pass over the images. What a GAN says of reals,
    for metrics that judge this, is asked anew of each GAN.

    Args:
        metrics: list of `kgan.metrics.GANMetric` or their names, or one str with commas between
            names (`"fd,prdc:neighbors=5"`). The objects themselves are left alone: they are copied.
        features: the network of the metrics that have none: a name, a `FeatureNetwork`, a
            `keras.Model`, or `"auto"`, the MNIST classifier for images of 28x28x1 and else the
            network of published Fréchet distances. Defaults to `"auto"`.
        batch_size: int >= 1, how many images a network sees at once. Defaults to 128.
        cache_dir: str or path, where features of reals are kept; they may be deleted at any time.
            Defaults to `kgan/features` in Keras's home (`~/.keras`, or KERAS_HOME).
        verbose: int, of the progress bars: 0 (none), 1, or 2 (a line at the end of each). Defaults
            to 0.

    Raises:
        ValueError: if a metric or network is unknown, or two results would share a name.
        TypeError: if a metric is of another type.

    Example:
    >>> evaluation = kgan.metrics.Evaluation(["fd"], features="pixels")
    >>> evaluation.set_reals(kgan.data.load("digits", 100, shuffle=False, drop_remainder=False))
    >>> results, failures = evaluation.judge(gan, n=200)
    >>> list(results), failures
    (['frechet_distance'], {})
    """

    def __init__(self, metrics, features="auto", batch_size=128, cache_dir=None, verbose=0):
        self.metrics = parse_metrics(metrics)
        self.features = features
        self.batch_size = batch_size
        self.cache_dir = pathlib.Path(cache_dir or keras_home() / "kgan" / "features")
        self.verbose = verbose
        # With the reals it is known how many images of each split there are.
        self.network = None if features == "auto" else features_room.get(features)
        self.splits = {}
        self.image_shape, self._has_labels = None, None
        self._labels = None
        self._read = {}
        self._keys = {}
        self._functions = {}
        self._compiled_size = 0

    # --- Reals ----------------------------------------------------------------------------------

    def set_reals(self, datasets, gan=None):
        """Takes in the reals, in the place of those before.

        Args:
            datasets: a `tf.data.Dataset` of batches of images or `(images, labels)`, finite; or an
                array, or a tuple of two; or a dict of these by split, `"train"`, `"test"` and
                `"validation"`, of which each metric takes what its `split` and `adapts_to` say.
                Features are kept on disk if each pass gives the same images, in whatever order.
            gan: `kgan.GAN` or None, whose samples are to be compared with them: if they cannot
                be, it is said before hours of work. Defaults to None.

        Raises:
            ValueError: if there are no images, or not finite ones of one shape; or labels or a
                split are missing that a metric needs.
            TypeError: if a data set is something else.
        """
        datasets = self.prepare(datasets, gan)
        splits = {}
        for dataset in {id(dataset): dataset for dataset in datasets.values()}.values():
            names = [name for name, other in datasets.items() if other is dataset]
            metrics = [m for m in self.metrics if not _shown_splits(m).isdisjoint(names)]
            if metrics:  # The others are only for `adapt`.
                splits |= dict.fromkeys(names, self._add_reals(names[0], dataset, metrics))
        for metric in self.metrics:
            if metric.adapts_to and not metric.reads:
                split = ADAPTS_TO[metric.adapts_to]
                batches = self._batches(f"{split}, for {metric.name}", datasets[split])
                images = np.concatenate([images for images, _ in batches])
                metric.adapt(images)
                splits.setdefault(split, len(images))
        read = set().union(*(_shown_splits(metric) for metric in self.metrics if metric.reads))
        self._read = {split: datasets[split] for split in sorted(read)}
        self.splits = splits
        if gan is not None:
            self.check(gan)

    def prepare(self, datasets, gan=None):
        """Looks at a first batch of the reals: what does not fit is an error in seconds.

        Args:
            datasets: as of `set_reals`, which begins with this.
            gan: likewise. Defaults to None.

        Returns:
            Dict of data sets by split.

        Raises:
            ValueError, TypeError: as `set_reals`.
        """
        if not isinstance(datasets, dict):
            self._check_splits({}, adapting_only=True)
            datasets = dict.fromkeys({metric.split for metric in self.metrics}, datasets)
        self._check_splits(datasets)
        first = [first_batch(dataset) for dataset in datasets.values()]
        self.splits, self._labels = {}, None
        self._fit_to(*first[0])
        if gan is not None:
            self.check(gan)
        return datasets

    def _check_splits(self, datasets, adapting_only=False):
        for metric in self.metrics:
            needed = [ADAPTS_TO[metric.adapts_to]] if metric.adapts_to else []
            needed += [] if adapting_only else [metric.split]
            if len(set(needed)) < len(needed):
                raise ValueError(
                    f"{type(metric).__name__} compares with the {needed[0]} images others than "
                    f"these. Received: split={metric.split!r}"
                )
            missing = [split for split in needed if split not in datasets]
            if missing:
                raise ValueError(
                    f"{type(metric).__name__} needs the {missing[0]} images of the data set beside "
                    'the others: {"train": …, "test": …, "validation": …}. Received: '
                    f"{sorted(datasets) or 'a single data set'}"
                )

    def _fit_to(self, images, labels):
        """Gives metrics without a network the evaluation's, once the images' shape is known."""
        self.image_shape, self._has_labels = images.shape[1:], labels is not None
        for metric in self.metrics:
            if metric.needs_labels and (labels is None or labels.size != len(labels)):
                raise ValueError(
                    f"{type(metric).__name__} needs the class of each image: a data set of "
                    f"(images, labels). Received: {'no labels' if labels is None else labels.shape}"
                )
        if self.network is None and any(_lacks_network(metric) for metric in self.metrics):
            name = "mnist" if self.image_shape == MNIST_SHAPE else PUBLISHED_NETWORK
            self.network = features_room.get(name)
        self.metrics = [_with_network(metric, self.network) for metric in self.metrics]
        for metric in self.metrics:
            # A network that refuses such images does so now.
            if not metric.reads:
                metric.build_for(self.image_shape)

    def _add_reals(self, split, dataset, metrics):
        """Shows the metrics one split of the reals, and returns how many these are."""
        groups = self._by_network([m for m in metrics if not (m.needs_generator or m.reads)])
        kept = {key: group for key, group in groups.items() if group[0] and group[0].weights()}
        direct = [group for key, group in groups.items() if key not in kept]
        digest, labels = _Digest(), []
        for images, numbers in self._batches(split, dataset):
            digest.add(images, numbers)
            labels.append(numbers)
            self._update("real", images, numbers, direct)
        for key, (network, group) in kept.items():
            stored = self._load(key, digest) or self._compute(split, dataset, key, network, digest)
            for outputs in _slices(stored, CHUNK):
                for metric in group:
                    values = outputs[metric.looks_at]
                    metric.update_features(real=values, labels=outputs.get("labels"))
        if labels[0] is not None and (self._labels is None or split == "train"):
            self._labels = np.concatenate(labels)
        return digest.count

    def _compute(self, split, dataset, key, network, digest):
        """Returns what the network says of a data set, as arrays, and keeps it on disk."""
        seen, parts = _Digest(), []
        for images, labels in self._batches(f"{split}, {network.name}", dataset):
            seen.add(images, labels)
            looked = self._look(network, images)
            outputs = {name: ops.convert_to_numpy(x) for name, x in looked.items()}
            parts.append(outputs if labels is None else {**outputs, "labels": labels})
        stored = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        if seen.hexdigest() != digest.hexdigest():
            warnings.warn(
                "The reals are others in each pass over the data set, so that their features "
                "cannot be kept for the next evaluation; kgan.data.load(…, shuffle=False, "
                "drop_remainder=False) gives all images each time",
                stacklevel=4,
            )
            return stored
        path = self._path(key, digest)
        try:
            with atomic_path(path) as temporary:
                np.savez(temporary, **stored)
        except OSError as error:
            warnings.warn(f"Features of the reals are not kept: {error}", stacklevel=4)
        return stored

    def _load(self, key, digest):
        """Returns what `_compute` has kept on disk, or None."""
        path = self._path(key, digest)
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                stored = {name: file[name] for name in file.files}
            if "features" not in stored or any(len(x) != digest.count for x in stored.values()):
                raise ValueError("it holds something else")
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            warnings.warn(
                f"{path} is damaged, so its features are computed anew ({error})", stacklevel=4
            )
            return None
        return stored

    def _path(self, key, digest):
        return self.cache_dir / f"{key}-{digest.hexdigest()}.npz"

    # --- Fakes ----------------------------------------------------------------------------------

    def check(self, gan):
        """Raises unless this GAN's samples can be compared with the reals, as far as is known.

        Args:
            gan: `kgan.GAN`.

        Raises:
            ValueError: if images are of another shape, labels are missing, or a metric refuses it.
        """
        if self.image_shape is not None:
            check_images(np.zeros((1, *self.image_shape), "float32"), gan.image_shape)
        for metric in self.metrics:
            metric.check_gan(gan)
            if metric.reads and self.image_shape is not None:
                metric.build_from(gan)
        if self._labels is not None and gan.is_conditional:
            self._labels_for(gan, len(self._labels), seed=0)
        if gan.is_conditional and self._has_labels is False:
            raise ValueError(
                "Samples of a conditional GAN take the labels of the reals: a data set of "
                "(images, labels). Received: reals without labels"
            )

    def judge(self, gan, n=10_000, seed=0):
        """Compares samples of a GAN with the reals.

        A conditional GAN draws each class as often as it is among the reals. The same seed draws
        the same latents and labels, whatever the GAN has learned meanwhile, and does not disturb
        its training.

        Args:
            gan: `kgan.GAN`.
            n: int >= 1, how many samples. Defaults to 10,000.
            seed: int >= 0, of latents and the order of labels. Defaults to 0.

        Returns:
            `(results, failures)`: dict of floats by result name, and dict of messages by metric
            name. What a failed metric would have said is NaN.

        Raises:
            ValueError: as `check`, or if there are no reals yet.
        """
        self._check_ready()
        self.check(gan)
        for metric in self.metrics:
            metric.reset_fakes()
        with _seeded(gan, seed):
            self._look_at_samples(gan, n, seed)
            self._read_reals(gan)
        return self._results()

    def _check_ready(self):
        if not self.splits:
            raise ValueError(
                "Samples are compared with reals: call set_reals first. Received: none"
            )

    def _look_at_samples(self, gan, n, seed):
        judges = [metric for metric in self.metrics if not metric.reads]
        if not judges:
            return
        draws = [metric for metric in judges if metric.needs_generator]
        looks = [metric for metric in judges if not metric.needs_generator]
        bar = self._bar("samples", n, "sample")
        groups, done = self._by_network(looks), 0
        groups.setdefault(None, (None, []))  # The images themselves have places to go, too.
        for images, labels in self._samples(gan, n, seed):
            outputs = {
                key: self._seen_by_all(gan, group[0], images) for key, group in groups.items()
            }
            for rows in _parts(len(outputs[None]["images"]), self.batch_size):
                part = None if labels is None else labels[rows]
                for key, (_, metrics) in groups.items():
                    for metric in metrics:
                        values = outputs[key][metric.looks_at][rows]
                        metric.update_features(fake=values, labels=part)
                for metric in draws:
                    metric.update_from(gan, None, outputs[None]["images"][rows], part)
                done += rows.stop - rows.start
                bar.update(done)

    def _read_reals(self, gan):
        """Shows the reals through this GAN to the metrics that read what it says of them."""
        readers = [metric for metric in self.metrics if metric.reads]
        for split, dataset in self._read.items():
            looks = [metric for metric in readers if metric.split == split]
            learns = [metric for metric in readers if _learned_split(metric) == split]
            for images, labels in self._batches(f"{split}, {type(gan).__name__}", dataset):
                for metric in looks:
                    metric.update_from(gan, images, None, labels)
                for metric in learns:
                    metric.learn_from(gan, images, labels)

    def judge_images(self, dataset):
        """Compares images, of whatever model, with the reals.

        Args:
            dataset: as one of `set_reals`.

        Returns:
            As `judge`.

        Raises:
            ValueError: if they are no images of the reals' shape, labels are missing, or a metric
                draws samples of its own or reads what the GAN says of reals.
        """
        self._check_ready()
        images, labels = first_batch(dataset)
        for metric in self.metrics:
            if metric.needs_generator or metric.reads:
                does = "reads real images" if metric.reads else "draws its own samples"
                raise ValueError(
                    f"{type(metric).__name__} {does}, so that it needs the GAN. "
                    "Received: images only"
                )
            if metric.needs_labels and labels is None:
                raise ValueError(
                    f"{type(metric).__name__} needs the class of each image. Received: samples "
                    "without labels"
                )
            metric.reset_fakes()
        if tuple(images.shape[1:]) != self.image_shape:
            raise ValueError(
                f"Samples must have the shape of the reals, {self.image_shape}. "
                f"Received: {tuple(images.shape[1:])}"
            )
        groups = list(self._by_network(self.metrics).values())
        for images, labels in self._batches("samples", dataset):
            self._update("fake", images, labels, groups)
        return self._results()

    def _samples(self, gan, n, seed):
        """Yields samples, of several workers each its own part of them, and the labels of all."""
        labels = self._labels_for(gan, n, seed)
        image_bytes = 4 * math.prod(gan.image_shape)
        chunk = max(self.batch_size, min(CHUNK, CHUNK_BYTES // image_bytes))
        for rows in _parts(n, chunk):
            size = rows.stop - rows.start
            part = None if labels is None else labels[rows]
            own = workers.share(gan.distribute_strategy, size)
            # A seed for each chunk, since equal seeds draw equal latents.
            chunk_seed = int(np.random.SeedSequence([seed, rows.start]).generate_state(1)[0])
            at_least_one = slice(own.start, max(own.stop, own.start + 1))
            images = gan.generate(size, part, chunk_seed, self.batch_size, rows=at_least_one)
            yield images[: own.stop - own.start], part

    def _seen_by_all(self, gan, network, images):
        """Returns what a network says of the samples of all workers, which each asks of its own."""
        if network is None:
            outputs = {"images": images}
        else:
            parts = [images[rows] for rows in _parts(len(images), self.batch_size)]
            said = [self._look(network, part) for part in parts]
            outputs = {name: np.concatenate([one[name] for one in said]) for name in said[0]}
        return {name: workers.gather(gan.distribute_strategy, x) for name, x in outputs.items()}

    def _labels_for(self, gan, n, seed):
        """Returns labels in the proportions of the reals', in an order that the seed decides."""
        if not gan.is_conditional:
            return None
        labels = self._labels
        if gan.num_classes is not None and labels.size == len(labels):
            # Evenly chosen of the sorted classes, each comes up as often as n allows.
            labels = np.sort(labels.reshape(-1))
        chosen = labels[np.arange(n) * len(labels) // n]
        chosen = np.random.default_rng(seed).permutation(chosen)
        return labels_for(n, chosen, seed, gan.num_classes, gan.condition_dim)

    def _results(self):
        results, failures = {}, {}
        bar = self._bar("metrics", len(self.metrics), "metric")
        for metric in self.metrics:
            try:
                results |= metric.results()
            except ValueError as error:
                failures[metric.name] = str(error)
                results |= dict.fromkeys(metric.result_names, math.nan)
            bar.add(1)
        return results, failures

    # --- Networks -------------------------------------------------------------------------------

    def _by_network(self, metrics):
        """Returns `(network, metrics)` by the network's key, with None for the images alone."""
        groups = {}
        for metric in metrics:
            network = None if metric.looks_at == "images" else metric.features
            if network not in self._keys:
                self._keys[network] = network and network.key()
            key = self._keys[network]
            groups.setdefault(key, (network, []))[1].append(metric)
        return groups

    def _update(self, side, images, labels, groups):
        for network, metrics in groups:
            outputs = {"images": images} if network is None else self._look(network, images)
            for metric in metrics:
                metric.update_features(**{side: outputs[metric.looks_at]}, labels=labels)

    def _look(self, network, images):
        """Returns what a network says of images, computed by a graph for one size of batch."""
        function = self._functions.get(network)
        if function is None:
            function = self._functions[network] = backend.compiled(network)
        n = len(images)
        self._compiled_size = max(self._compiled_size, n)
        if n < self._compiled_size:
            padding = np.repeat(images[:1], self._compiled_size - n, axis=0)
            images = np.concatenate([images, padding])
        return {name: x[:n] for name, x in function(images).items()}

    # --- Batches --------------------------------------------------------------------------------

    def _batches(self, what, dataset):
        """Yields checked batches of at most `batch_size` images, with a progress bar."""
        bar = self._bar(what, _length(dataset))
        lowest = np.inf
        for i, (images, labels) in enumerate(batches_of(dataset), start=1):
            if images.shape[1:] != self.image_shape:
                raise ValueError(
                    f"All images must have one shape. Received: {images.shape[1:]} after "
                    f"{self.image_shape}"
                )
            if not np.all(np.isfinite(images)):
                raise ValueError(f"Images must be finite. Received: NaN or infinity in the {what}")
            check_range(images, f"images ({what})")
            lowest = min(lowest, np.min(images, initial=np.inf))
            yield from _pieces(images, labels, self.batch_size)
            bar.update(i)
        if bar.target != i:
            bar.update(i, finalize=True)
        if lowest >= 0:
            warnings.warn(
                f"No pixel of these images ({what}) is below 0. Images in [0, 1] are too bright: "
                "metrics take them in [-1, 1], as `2 * images - 1`",
                stacklevel=4,
            )

    def _bar(self, what, target, unit="batch"):
        if self.verbose:
            print(f"{what}:", end="\n" if self.verbose == 1 else " ", flush=True)
        return keras.utils.Progbar(target, verbose=self.verbose, unit_name=unit)


class _Digest:
    """What identifies images and their labels, in whatever order they come."""

    def __init__(self):
        self.count, self._sum, self._shape = 0, 0, None

    def add(self, images, labels):
        """Takes in a batch of arrays."""
        self.count += len(images)
        self._shape = images.shape[1:]
        rows = np.ascontiguousarray(images).reshape(len(images), -1)
        for i, row in enumerate(rows):
            digest = hashlib.blake2b(row, digest_size=16)
            if labels is not None:
                digest.update(np.ascontiguousarray(labels[i]).tobytes())
            # A sum does not depend on the order, and images that come twice do not cancel.
            self._sum += int.from_bytes(digest.digest(), "big")

    def hexdigest(self):
        """Returns a str of 32 characters."""
        text = f"{self._shape} {self.count} {self._sum}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def parse_metrics(metrics):
    """Returns the metrics that a list of objects and names, or one str of names, stands for.

    Args:
        metrics: list of `kgan.metrics.GANMetric` and names, one of them, or names with commas
            between them; what follows a comma and holds `=` is an argument of the name before.

    Raises:
        ValueError: if there are none, one is unknown, or two results would share a name.
        TypeError: if one is of another type.

    Example:
    >>> [metric.name for metric in parse_metrics("fd:features=pixels,name=pixel_distance,fd")]
    ['pixel_distance', 'frechet_distance']
    """
    if isinstance(metrics, str):
        metrics = [text for text in re.split(r",(?!\s*\w+=)", metrics) if text.strip()]
    elif not isinstance(metrics, (list, tuple)):
        metrics = [metrics]
    metrics = [METRICS.get(metric, GANMetric) for metric in metrics]
    if not metrics:
        raise ValueError(f"Give at least one metric: {', '.join(METRICS.names())}. Received: none")
    names = [name for metric in metrics for name in metric.result_names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            "Two results would share a name: give one of their metrics another (name=…). "
            f"Received twice: {', '.join(twice)}"
        )
    return metrics


def _shown_splits(metric):
    """Returns the splits of which an evaluation shows this metric the images, a set of str.

    Args:
        metric: `kgan.metrics.GANMetric`.
    """
    return {metric.split, _learned_split(metric)} - {None}


def _learned_split(metric):
    """Returns the split from which a metric learns what the GAN says of reals, or None."""
    return ADAPTS_TO[metric.adapts_to] if metric.reads and metric.adapts_to else None


def batches_of(dataset):
    """Yields the batches of a data set as arrays: float32 images, and labels or None.

    Args:
        dataset: a finite `tf.data.Dataset` of batches of images or `(images, labels)`; or an
            array, or a tuple of two.

    Raises:
        TypeError: if it is something else.
        ValueError: if it does not end, or its images are not batches of floats.

    Example:
    >>> images = np.zeros((5, 8, 8, 1), "float32")
    >>> [len(batch) for batch, labels in batches_of((images, np.arange(5)))]
    [5]
    """
    if isinstance(dataset, tf.data.Dataset):
        if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError("A data set of reals must end. Received: one that repeats for ever")
        batches = dataset.as_numpy_iterator()
    elif isinstance(dataset, (np.ndarray, tuple)):
        arrays = dataset if isinstance(dataset, tuple) else (dataset,)
        starts = range(0, len(arrays[0]), CHUNK)
        batches = (tuple(x[start : start + CHUNK] for x in arrays) for start in starts)
    else:
        raise TypeError(
            "Images come as a tf.data.Dataset of batches, as an array, or as a tuple of images "
            f"and labels. Received: {type(dataset).__name__}"
        )
    for batch in batches:
        images, *labels = batch if isinstance(batch, tuple) else (batch,)
        images = np.asarray(images)
        if images.ndim != 4 or images.dtype.kind != "f":
            raise ValueError(
                "Images must be batches of floats in [-1, 1], (batch, height, width, channels). "
                f"Received: {images.dtype} of shape {images.shape}"
            )
        yield images.astype("float32", copy=False), np.asarray(labels[0]) if labels else None


def first_batch(dataset):
    """Returns the first batch of `batches_of`.

    Args:
        dataset: as of `batches_of`.

    Raises:
        ValueError: also if there is none.

    Example:
    >>> images, labels = first_batch(np.zeros((5, 8, 8, 1), "float32"))
    >>> images.shape, labels
    ((5, 8, 8, 1), None)
    """
    for batch in batches_of(dataset):
        return batch
    raise ValueError("Expected a data set with images. Received: an empty one")


def _length(dataset):
    """Returns the number of batches of a data set, or None where nobody knows."""
    if not isinstance(dataset, tf.data.Dataset):
        images = dataset[0] if isinstance(dataset, tuple) else dataset
        return -(-len(images) // CHUNK)
    length = int(dataset.cardinality())
    return length if length >= 0 else None


def _parts(n, size):
    """Yields n rows as slices of at most `size`."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def _pieces(images, labels, size):
    """Yields a batch in pieces of at most `size` images."""
    for part in _parts(len(images), size):
        yield images[part], None if labels is None else labels[part]


def _slices(arrays, size):
    """Yields a dict of arrays in dicts of at most `size` rows."""
    for part in _parts(len(arrays["features"]), size):
        yield {name: x[part] for name, x in arrays.items()}


@contextlib.contextmanager
def _seeded(gan, seed):
    """Lets a seed decide what metrics draw from a GAN in the block, and nothing after it."""
    state = gan._evaluation_seeds.state
    before = keras.ops.convert_to_numpy(state)
    state.assign([seed, 0])
    try:
        yield
    finally:
        state.assign(before)


def _lacks_network(metric):
    return metric.features is None and metric.takes_network()


def _with_network(metric, network):
    """Returns an empty copy of a metric, with this network if it has none and needs one."""
    # Of the arguments themselves: a config would lose the weights of a network in it.
    arguments = {name: getattr(metric, name) for name in metric.get_config()}
    if _lacks_network(metric):
        arguments["features"] = network
    copy = type(metric)(**arguments)
    copy.split = metric.split
    return copy
