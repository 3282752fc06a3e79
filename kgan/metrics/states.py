"""What a metric keeps of a stream of examples: Keras variables that replicas sum."""

import numpy as np
import tensorflow as tf
from keras import ops

from kgan import backend

_32_BITS = 2**32 - 1


class State:
    """Base of what a metric keeps of one side.

    A subclass writes `add_on_replica`, and `merge` if its variables do not simply add up.

    Args:
        metric: `GANMetric`, which owns the variables.
        side: str, `"real"` or `"fake"`.
    """

    def __init__(self, metric, side):
        self._metric, self._side = metric, side
        self._variables = []
        self._on_replicas = tf.function(self.add_on_replica, autograph=False, reduce_retracing=True)
        self._count = self._add("count", (), "int64")
        self._strange = self._add("not_finite", (), "int64")

    def _add(self, name, shape, dtype):
        with backend.precise():
            variable = self._metric.add_variable(
                shape=shape, initializer="zeros", dtype=dtype, name=f"{self._side}_{name}"
            )
        self._variables.append(variable)
        return variable

    @property
    def count(self):
        """Int, the examples seen."""
        return int(_array(self._count))

    def add(self, values, labels=None):
        """Takes in a batch; in a graph and on several replicas too.

        Args:
            values: float tensor `(batch, …)`.
            labels: int tensor `(batch,)`, where the state keeps labels. Defaults to None.
        """
        strategy = _strategy_outside(self._count)
        if strategy is None:
            with backend.precise():
                self.add_on_replica(values, labels)
            return
        # A batch that comes outside of the replicas is dealt out to them.
        replicas = strategy.num_replicas_in_sync

        def share(x):
            return strategy.experimental_distribute_values_from_function(
                lambda context: x[context.replica_id_in_sync_group :: replicas]
            )

        shares = share(values), None if labels is None else share(ops.convert_to_tensor(labels))
        strategy.run(self._on_replicas, shares)

    def add_on_replica(self, values, labels=None):
        """Takes in this replica's share of a batch; a subclass keeps what it needs of it first."""
        is_strange = ops.logical_not(ops.isfinite(values))
        backend.accumulate(self._strange, ops.sum(ops.cast(is_strange, "int64")))
        backend.accumulate(self._count, ops.cast(ops.shape(values)[0], "int64"))

    def is_finite(self):
        """Returns whether all that was seen is finite, kept or not."""
        return not _array(self._strange)

    def merge(self, state):
        """Takes in what another state of this kind has seen: the sum of both, by default."""
        for mine, theirs in zip(self._variables, state._variables, strict=True):
            self._increase(mine, _array(theirs))

    def reset(self):
        """Forgets everything."""
        with backend.precise():
            for variable in self._variables:
                variable.assign(ops.zeros(variable.shape, dtype=variable.dtype))

    def _increase(self, variable, value):
        """Adds to a variable once, whatever the number of replicas."""
        strategy = _strategy_outside(variable)
        if strategy is None:
            with backend.precise():
                backend.accumulate(variable, value)
            return
        # assign() would divide by the number of replicas, which an int does not survive.
        strategy.experimental_local_results(variable.value)[0].assign_add(value)


class Moments(State):
    """Mean and covariance of all examples, from their sum and that of their products in float64.

    Sums are what replicas and processes can add up. A variance that is small against the squared
    mean is the difference of two large numbers: its relative error is about 1e-16 (mean / standard
    deviation)², times a few. For float32 features that is no more than their own rounding.

    Args:
        metric: `GANMetric`.
        side: str.
        dim: int, the width of an example.
    """

    def __init__(self, metric, side, dim):
        super().__init__(metric, side)
        self._sum = self._add("sum", (dim,), "float64")
        self._products = self._add("products", (dim, dim), "float64")

    def add_on_replica(self, values, labels=None):
        """Takes in this replica's share of a batch; labels do not matter."""
        values = ops.cast(values, "float64")
        backend.accumulate(self._sum, ops.sum(values, axis=0))
        backend.accumulate(self._products, ops.matmul(ops.transpose(values), values))
        super().add_on_replica(values)

    def mean(self):
        """Returns the mean, float64 `(dim,)`."""
        return _array(self._sum) / self.count

    def covariance(self):
        """Returns the unbiased covariance, float64 `(dim, dim)`; at least 2 examples."""
        n, mean = self.count, self.mean()
        return (_array(self._products) - n * np.outer(mean, mean)) / (n - 1)


class Samples(State):
    """The examples themselves, as float32, and their labels; of a longer stream an even part.

    Once `max_samples` are kept, a later example replaces an earlier one with the probability that
    keeps all of them equally likely to stay, as in reservoir sampling (Vitter 1985). What is drawn
    depends on an example's place in the stream only, so that the same stream leaves the same
    samples. Each replica fills slots of its own.

    Args:
        metric: `GANMetric`.
        side: str.
        shape: tuple of int, that of one example.
        max_samples: int >= 1.
        has_labels: bool. Defaults to False.
    """

    def __init__(self, metric, side, shape, max_samples, has_labels=False):
        super().__init__(metric, side)
        self._max_samples = max_samples
        # What is not kept is written to a last row that nobody reads.
        rows = max_samples + 1
        self._values = self._add("values", (rows, *shape), "float32")
        self._is_kept = self._add("is_kept", (rows,), "int64")
        self._labels = self._add("labels", (rows,), "int64") if has_labels else None

    def add_on_replica(self, values, labels=None):
        """Takes in this replica's share of a batch, with labels if it keeps them."""
        values = ops.cast(values, "float32")
        n = ops.cast(ops.shape(values)[0], "int64")
        slots = self._slots(self._count.value + ops.arange(n, dtype="int64"))
        backend.write_rows(self._values, slots, values)
        backend.write_rows(self._is_kept, slots, ops.ones_like(slots))
        if self._labels is not None:
            backend.write_rows(self._labels, slots, ops.cast(labels, "int64"))
        super().add_on_replica(values)

    def _slots(self, numbers):
        """Returns where this replica's examples of these numbers go."""
        context = tf.distribute.get_replica_context()
        replicas = context.num_replicas_in_sync if context else 1
        replica = ops.cast(context.replica_id_in_sync_group, "int64") if replicas > 1 else 0
        room = self._max_samples // replicas
        draws = ops.right_shift(_hash(numbers) * (numbers + 1), 32)
        slots = ops.where(numbers < room, numbers, draws)
        slots = ops.where(slots < room, slots * replicas + replica, self._max_samples)
        # Two that go to one slot must not leave the label of one with the values of the other.
        latest = ops.segment_max(numbers, slots, num_segments=self._max_samples + 1)
        return ops.where(ops.take(latest, slots) == numbers, slots, self._max_samples)

    def merge(self, state):
        """Takes in what another state of this kind has kept, each stream by its length."""
        strange = _array(self._strange) + _array(state._strange)
        states = [state for state in (self, state) if state.count]
        total = sum(state.count for state in states)
        parts = [state._part(self._max_samples, total) for state in states]
        self.reset()
        for values, labels in parts:
            self.add(values, labels)
        self._increase(self._count, total - self.count)
        self._increase(self._strange, strange - _array(self._strange))

    def _part(self, max_samples, total):
        """Returns this stream's share of what is kept of several, with the labels."""
        values = self.values()
        n = min(len(values), round(max_samples * self.count / max(total, max_samples)))
        # Any n would do of a random order, which slots of a short stream do not have.
        rows = np.random.default_rng(0).permutation(len(values))[:n]
        return values[rows], None if self._labels is None else self.labels()[rows]

    def values(self):
        """Returns the examples that are kept, float32 `(n, …)`, in the order of their slots."""
        return _array(self._values)[self._kept()]

    def labels(self):
        """Returns the labels of `values`, int64 `(n,)`."""
        return _array(self._labels)[self._kept()]

    def _kept(self):
        kept = _array(self._is_kept).astype(bool)
        kept[-1] = False
        return kept


class ClassCounts(State):
    """How often each class has the highest logit.

    Args:
        metric: `GANMetric`.
        side: str.
        num_classes: int, the width of an example.
    """

    def __init__(self, metric, side, num_classes):
        super().__init__(metric, side)
        self._counts = self._add("counts", (num_classes,), "int64")

    def add_on_replica(self, values, labels=None):
        """Takes in this replica's share of a batch of logits."""
        classes = ops.argmax(values, axis=-1)
        # XLA does not count in bins.
        ones = ops.ones_like(classes, dtype="int64")
        backend.accumulate(self._counts, ops.segment_sum(ones, classes, self._counts.shape[0]))
        super().add_on_replica(values)

    def counts(self):
        """Returns the counts, int64 `(num_classes,)`."""
        return _array(self._counts)


class Hits(State):
    """How often the highest logit is that of the label.

    Args:
        metric: `GANMetric`.
        side: str.
        num_classes: int, the width of an example.
    """

    def __init__(self, metric, side, num_classes):
        super().__init__(metric, side)
        self._num_classes = num_classes
        self._hits = self._add("hits", (), "int64")
        self._unknown = self._add("unknown_labels", (), "int64")

    def add_on_replica(self, values, labels=None):
        """Takes in this replica's share of a batch of logits with labels."""
        labels = ops.cast(labels, "int64")
        is_hit = ops.equal(ops.cast(ops.argmax(values, axis=-1), "int64"), labels)
        is_unknown = ops.logical_or(labels < 0, labels >= self._num_classes)
        backend.accumulate(self._hits, ops.sum(ops.cast(is_hit, "int64")))
        backend.accumulate(self._unknown, ops.sum(ops.cast(is_unknown, "int64")))
        super().add_on_replica(values)

    @property
    def hits(self):
        """Int, the examples whose highest logit is that of their label."""
        return int(_array(self._hits))

    @property
    def unknown_labels(self):
        """Int, the labels that no logit belongs to."""
        return int(_array(self._unknown))


class SplitEntropies(State):
    """The sums of p and of p log p over each of several splits, for p = softmax(logits).

    Each row of `splits` examples fills all splits, in an order that is turned at random: splits
    are of equal size, and examples that come in cycles of classes are mixed all the same.

    Args:
        metric: `GANMetric`.
        side: str.
        num_classes: int, the width of an example.
        splits: int >= 1.
    """

    def __init__(self, metric, side, num_classes, splits):
        super().__init__(metric, side)
        self._splits = splits
        self._sizes = self._add("sizes", (splits,), "int64")
        self._probabilities = self._add("probabilities", (splits, num_classes), "float64")
        self._negative_entropies = self._add("negative_entropies", (splits,), "float64")

    def add_on_replica(self, values, labels=None):
        """Takes in this replica's share of a batch of logits; labels do not matter."""
        log_p = ops.log_softmax(ops.cast(values, "float64"))
        p = ops.exp(log_p)
        numbers = self._count.value + ops.arange(ops.shape(values)[0], dtype="int64")
        splits = ops.mod(numbers + _hash(numbers // self._splits), self._splits)
        rows = ops.one_hot(splits, self._splits, axis=0, dtype="float64")
        entropies = ops.matmul(rows, ops.sum(p * log_p, axis=1, keepdims=True))[:, 0]
        backend.accumulate(self._sizes, ops.cast(ops.sum(rows, axis=1), "int64"))
        backend.accumulate(self._probabilities, ops.matmul(rows, p))
        backend.accumulate(self._negative_entropies, entropies)
        super().add_on_replica(values)

    def information(self):
        """Returns E KL(p ‖ E p) of each split that has examples, float64."""
        sizes = _array(self._sizes)
        sizes, p, negative_entropies = (
            _array(sums)[sizes > 0]
            for sums in (self._sizes, self._probabilities, self._negative_entropies)
        )
        mean = p / sizes[:, None]
        logarithms = np.log(mean, where=mean > 0, out=np.zeros_like(mean))
        return negative_entropies / sizes - np.sum(mean * logarithms, axis=1)


def _strategy_outside(variable):
    """Returns the strategy that a variable is spread by, but None on one of its replicas."""
    is_outside = not tf.distribute.has_strategy() or tf.distribute.in_cross_replica_context()
    return getattr(variable.value, "distribute_strategy", None) if is_outside else None


def _hash(numbers):
    """Returns 32 bits for each int64 that look random (Wellons 2018, "lowbias32")."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        numbers = ops.bitwise_xor(numbers, ops.right_shift(numbers, shift))
        # The product may overflow; its last 32 bits are right all the same.
        numbers = ops.bitwise_and(numbers * factor, _32_BITS)
    return ops.bitwise_xor(numbers, ops.right_shift(numbers, 16))


def _array(variable):
    """Returns a variable's value, summed over the replicas."""
    return variable.numpy()
