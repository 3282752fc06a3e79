"""What every measure of samples has in common: reals and fakes in batches, seen by a network."""

import keras
import numpy as np
from keras import ops

from kgan.batches import check_range
from kgan.metrics import features as features_room
from kgan.registry import Registry, snake_case

METRICS = Registry("metric")


class GANMetric(keras.metrics.Metric):
    """Base of a measure of how good samples are, called as `update_state(real, fake, labels)`.

    Either side may be None: reals and fakes need not come together, nor in equal numbers. What is
    kept between batches lies in Keras variables, which replicas sum; `result` is computed from it
    in float64 outside of the graph, and is a float, or a dict of floats.

    A subclass writes `make_state` (see `kgan.metrics.states`) and `result`.

    Args:
        features: what looks at the images: a name (see `kgan.metrics.features.names()`), a
            `kgan.metrics.features.FeatureNetwork` or a `keras.Model`. Defaults to None: what
            `update_state` is given are features already.
        name: str, the key in logs. Defaults to the class name in snake case.
        dtype: as in Keras. Defaults to Keras's floatx.

    Example:
    >>> metric = kgan.metrics.FrechetDistance()
    >>> metric.update_state(real=np.random.normal(0, 1, (1000, 4)))
    >>> metric.update_state(fake=np.random.normal(3, 1, (1000, 4)))
    >>> 30 < metric.result() < 42  # 4 * 3**2
    True
    """

    # The short name that people type.
    alias = None
    # What is compared: an output of the network, or the "images" themselves.
    looks_at = "features"
    needs_labels = False
    # Whether it draws its own samples, see `update_from`.
    needs_generator = False
    # The method of a GAN by which it looks at reals, `"classify"` or `"encode"`, or None: such a
    # metric judges what the GAN says of reals, see `kgan.metrics.readings`.
    reads = None
    # The split of a data set that its reals should come from.
    split = "train"
    # The split that `adapt` should be given, or None.
    adapts_to = None
    # What a reader should wish for, in tables: "↓", "↑" or "→ 0.5"; a tuple has one
    # for each of `result_names`, "" where there is nothing to wish.
    best = ""

    def __init__(self, features=None, name=None, dtype=None):
        super().__init__(name=name or snake_case(type(self).__name__), dtype=dtype)
        self.features = None if features is None else features_room.get(features)
        self._check_network()
        self.states = {}

    def _check_network(self):
        if self.features is None or self.looks_at in (*self.features.outputs, "images"):
            return
        raise ValueError(
            f"{type(self).__name__} looks at {self.looks_at}, which classifiers give, such as "
            f"'mnist' or 'inception_v3'. Received: features={self.features!r}, which gives "
            f"{' and '.join(self.features.outputs)}"
        )

    # --- Batches --------------------------------------------------------------------------------

    def update_state(self, real=None, fake=None, labels=None):
        """Takes in a batch of each side, or of one.

        Args:
            real: float `(batch, height, width, channels)` in [-1, 1], or features `(batch, dim)`
                where the metric has no network. Defaults to None.
            fake: likewise. Defaults to None.
            labels: int `(batch,)`, the classes of both. Defaults to None.

        Raises:
            ValueError: if the sides do not fit each other or the network, labels are missing, or
                images seem to be in [0, 255].
        """
        if self.features is not None or self.looks_at == "images":
            for side, images in (("real", real), ("fake", fake)):
                if images is not None:
                    check_range(images, f"{side} images")
        self.update_features(self.extract(real), self.extract(fake), labels)

    def update_from(self, gan, real=None, fake=None, labels=None):
        """Takes in a batch of a GAN's evaluation; metrics that need the GAN itself ask it here.

        Args:
            gan: `kgan.GAN`.
            real: as in `update_state`.
            fake: likewise.
            labels: likewise.
        """
        self.update_state(real, fake, labels)

    def update_features(self, real=None, fake=None, labels=None):
        """Takes in a batch of what `extract` has returned.

        Several metrics of one network share its outputs in this way.

        Args:
            real: float `(batch, dim)`, or images where the metric looks at these. Defaults to
                None.
            fake: likewise. Defaults to None.
            labels: int `(batch,)`, the classes of both. Defaults to None.

        Raises:
            ValueError: as `update_state`.
        """
        for side, values in (("real", real), ("fake", fake)):
            if values is not None:
                self._add(side, values, labels)

    def extract(self, images):
        """Returns what this metric looks at: the network's output for these images.

        Args:
            images: float `(batch, height, width, channels)` in [-1, 1]; None stays None.
        """
        if images is None or self.features is None:
            return images
        return self.features(images)[self.looks_at]

    def _add(self, side, values, labels):
        """Takes in a batch of one side."""
        values = self._check(side, values)
        if not self.states:
            self.build(values.shape[1:])
        self._check_shape(side, values)
        labels = self._check_labels(labels, values) if self.needs_labels else None
        self.states[side].add(values, labels)

    def _check(self, side, values):
        values = ops.convert_to_tensor(values)
        dtype = keras.backend.standardize_dtype(values.dtype)
        if not keras.backend.is_float_dtype(dtype):
            raise ValueError(
                f"{type(self).__name__} takes floats: images in [-1, 1] or features. "
                f"Received: {side} of dtype {dtype}"
            )
        rank = 4 if self.looks_at == "images" else 2
        if len(values.shape) != rank:
            wanted = "(batch, height, width, channels)" if rank == 4 else "(batch, dim)"
            needs_network = self.takes_network() and not self.features
            hint = " Images need features=…, such as 'mnist'." if needs_network else ""
            raise ValueError(
                f"{type(self).__name__} compares what has the shape {wanted}.{hint} "
                f"Received: {side} of shape {tuple(values.shape)}"
            )
        return values

    def _check_shape(self, side, values):
        if tuple(values.shape[1:]) != self._shape:
            raise ValueError(
                f"Reals and fakes must have one shape. Received: {side} of shape "
                f"{tuple(values.shape)} after others of {('batch', *self._shape)}"
            )

    def _check_labels(self, labels, values):
        if labels is None:
            raise ValueError(
                f"{type(self).__name__} needs the class of each image: update_state(real, fake, "
                "labels). Received: labels=None"
            )
        labels = ops.convert_to_tensor(labels)
        if labels.shape == (values.shape[0], 1):
            labels = labels[:, 0]
        dtype = keras.backend.standardize_dtype(labels.dtype)
        if not keras.backend.is_int_dtype(dtype) or labels.shape != values.shape[:1]:
            raise ValueError(
                f"{type(self).__name__} needs an int label for each image, (batch,). Received: "
                f"labels of {dtype} and shape {tuple(labels.shape)} for {values.shape[0]} images"
            )
        return labels

    # --- State ----------------------------------------------------------------------------------

    def build(self, shape):
        """Makes the variables; the first update does so, where nobody has before.

        Under a distribution strategy it must be called in its scope.

        Args:
            shape: tuple of int, that of what `extract` returns, without the batch.
        """
        if self.states:
            return
        self._shape = tuple(shape)
        self.states = {side: self.make_state(side, self._shape) for side in ("real", "fake")}

    def build_for(self, image_shape):
        """Makes the variables for images of this shape.

        Args:
            image_shape: tuple of int, without the batch.
        """
        if not self.states:
            self.build(self.extract(ops.zeros((1, *image_shape))).shape[1:])

    def build_from(self, gan):
        """Makes the variables for the images of this GAN.

        Args:
            gan: `kgan.GAN`.
        """
        self.build_for(gan.image_shape)

    def make_state(self, side, shape):
        """Returns what keeps one side, a `kgan.metrics.states.State`.

        Args:
            side: `"real"` or `"fake"`.
            shape: tuple of int, that of one example.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement make_state().")

    def reset_state(self):
        """Forgets both sides."""
        for state in self.states.values():
            state.reset()

    def reset_fakes(self):
        """Forgets the fakes, so that the next generator is compared with the same reals."""
        if self.states:
            self.states["fake"].reset()

    def merge_state(self, metrics):
        """Takes in what other metrics of this kind, in other processes perhaps, have seen.

        Args:
            metrics: list of metrics of this class.

        Raises:
            ValueError: if one of them has looked at something else.
        """
        for metric in metrics:
            if type(metric) is not type(self):
                raise ValueError(
                    f"A {type(self).__name__} merges with its like. Received: {metric!r}"
                )
            if not metric.states:
                continue
            self.build(metric._shape)
            if metric._shape != self._shape:
                raise ValueError(
                    f"Metrics that merge must have seen features of one shape, here {self._shape}. "
                    f"Received: {metric._shape}"
                )
            for side, state in metric.states.items():
                self.states[side].merge(state)

    def seen(self, side, least=1):
        """Returns the state of a side, if it has seen enough and nothing that is not finite.

        Args:
            side: `"real"` or `"fake"`.
            least: int, examples that are needed. Defaults to 1.

        Raises:
            ValueError: if there are fewer examples, or NaN or infinity among them.
        """
        n = self.states[side].count if self.states else 0
        if n < least:
            raise ValueError(
                f"{type(self).__name__} needs at least {least} {side} examples. Received: {n}"
            )
        if not self.states[side].is_finite():
            raise ValueError(
                f"{type(self).__name__} compares finite numbers. Received: NaN or infinity among "
                f"the {side} {self.looks_at}"
            )
        return self.states[side]

    # --- What it can judge ----------------------------------------------------------------------

    def check_gan(self, gan):
        """Raises unless this GAN gives what the metric needs.

        Args:
            gan: `kgan.GAN`.

        Raises:
            ValueError: if it has no classes, or not those of a classifier that is to know them.
        """
        if not self.needs_labels:
            return
        if gan.num_classes is None:
            raise ValueError(
                f"{type(self).__name__} needs the class of each sample, which comes with "
                "GAN(num_classes=…). Received: a GAN without classes"
            )
        if self.states and self.looks_at == "logits" and self._shape != (gan.num_classes,):
            # Those of ImageNet would be taken for the first ten of CIFAR, say.
            raise ValueError(
                f"{type(self).__name__} needs a classifier of the GAN's own classes (features=…). "
                f"Received: {self._shape[0]} logits and a GAN of {gan.num_classes} classes"
            )

    def check_compiled(self, gan):
        """Raises unless this GAN's `evaluate`, which goes through one data set, can feed it.

        Args:
            gan: `kgan.GAN`.

        Raises:
            ValueError: also as `check_gan`.
        """
        self.check_gan(gan)

    # --- Results --------------------------------------------------------------------------------

    @property
    def result_names(self):
        """Tuple of str, the keys under which logs show the result."""
        return (self.name,)

    def results(self):
        """Returns the result as a dict, whatever its form, of floats."""
        result = self.result()
        result = result if isinstance(result, dict) else {self.name: result}
        return {name: float(value) for name, value in result.items()}

    def get_config(self):
        """Returns the arguments that make an equal, empty metric."""
        config = super().get_config()
        if self.takes_network():
            network = self.features
            config["features"] = network and keras.saving.serialize_keras_object(network)
        return config

    @classmethod
    def from_config(cls, config):
        """Makes the metric that `get_config` described."""
        config = dict(config)
        network = config.pop("features", None)
        if isinstance(network, dict):
            network = keras.saving.deserialize_keras_object(network)
        return cls(**config, features=network) if cls.takes_network() else cls(**config)

    @classmethod
    def takes_network(cls):
        """Returns whether a network looks at the images for it, not itself or the GAN."""
        return cls.looks_at != "images" and cls.reads is None


def check_varies(metric, side, variances, means):
    """Raises `ValueError` where one side is a single point again and again.

    Args:
        metric: the metric, for the message.
        side: `"real"` or `"fake"`.
        variances: float64 array `(dim,)`.
        means: float64 array `(dim,)`.
    """
    rounding = np.finfo("float32").eps ** 2 * np.square(means)
    if np.all(variances <= rounding):
        raise ValueError(
            f"{type(metric).__name__} compares distributions, and one of a single point has no "
            f"spread. Received: constant {side} {metric.looks_at}"
        )


def of_equal_number(first, second):
    """Returns two sides in equal numbers: of the longer a random part, each time the same.

    Its first examples would not do: data may come in the order of its classes.

    Args:
        first: array `(n, …)`.
        second: array `(m, …)`.

    Returns:
        Tuple of two arrays, as long as the shorter of these.

    Example:
    >>> [len(side) for side in of_equal_number(np.zeros((5, 2)), np.zeros((3, 2)))]
    [3, 3]
    """
    n = min(len(first), len(second))
    return tuple(
        side if len(side) == n else side[np.random.default_rng(0).permutation(len(side))[:n]]
        for side in (first, second)
    )
