"""Gradients of a batch in equal parts, one after the other, in the memory that one part takes."""

import keras
from keras import ops

from kgan import backend, replicas
from kgan.layers.noise import NoiseInjection
from kgan.layers.normalization import ReferenceBatch
from kgan.layers.reparametrization import shared_weights


def check(gan, count, components):
    """Raises ValueError if the steps of a game cannot be taken in so many micro-batches.

    Args:
        gan: `kgan.GAN`.
        count: int, what `compile` was given.
        components: list of `kgan.component.Component`.
    """
    if isinstance(count, bool) or not (isinstance(count, int) and count >= 1):
        raise ValueError(f"micro_batches must be an int of 1 or more. Received: {count!r}")
    layers = [x for one in gan.networks.values() for x in one._flatten_layers()]
    assigns = [one for one in layers if isinstance(one, keras.layers.SpectralNormalization)]
    if count > 1 and assigns:
        raise ValueError(
            "keras.layers.SpectralNormalization assigns its kernel in each micro-batch; "
            "kgan.layers.SpectralNormalization leaves its own alone. "
            f"Received: micro_batches={count}, {assigns[0]!r}"
        )
    references = [layer for layer in layers if isinstance(layer, ReferenceBatch)]
    refused = references + [component for component in components if component.whole_batch]
    if count > 1 and refused:
        raise ValueError(
            f"{type(refused[0]).__name__} looks at the whole batch, which micro-batches never see "
            f"at once. Received: micro_batches={count}, {refused[0]!r}"
        )


def differentiate(gan, players, images, labels):
    """Does what `gan.differentiate` does, part by part.

    Parts are like replicas: each starts from the same random state and the same statistics, draws
    for the whole batch and takes its share, and afterwards all have the means of what each has.

    Args:
        gan: `kgan.GAN`.
        players: tuple of `"generator"`, `"discriminator"` or both.
        images: float tensor `(batch, …)`, a multiple of `gan.micro_batches`.
        labels: tensor, tuple of tensors, or None.

    Returns:
        `(logs, gradients)`: means over the parts, but under `"round"` the round of all examples,
        in which nothing more can be scored or drawn.
    """
    count = gan.micro_batches
    data = keras.tree.flatten((images, labels))  # labels may be None
    parts = [
        ops.reshape(x, (count, ops.shape(x)[0] // count, *x.shape[1:]))
        for x in data
        if x is not None
    ]
    statistics = [v for one in gan.networks.values() for v in one.non_trainable_weights]
    statistics = [v for v in statistics if keras.backend.is_float_dtype(v.dtype)]
    states = [*statistics, *_shared_seeds(gan)]
    before = [ops.copy(state) for state in states]
    shape = _Shape()

    def play(i, part):
        part = iter(part)
        part = [None if x is None else next(part) for x in data]
        images_part, labels_part = keras.tree.pack_sequence_as((images, labels), part)
        replicas.assign(states, before)
        with shared_weights(), replicas.part(i, count):
            logs, gradients = gan.differentiate(players, images_part, labels_part)
        changes = [v - old for v, old in zip(statistics, before, strict=False)]
        return shape.take_apart(logs, gradients, changes)

    totals, rows = backend.accumulate_parts(play, parts, count)
    means = [total / count for total in totals]
    logs, gradients, changes = shape.put_together(means, rows)
    moved = [old + change for old, change in zip(before, changes, strict=False)]
    replicas.assign(statistics, moved)
    return logs, gradients


def _shared_seeds(gan):
    """Returns the states of the seeds whose draws are for the whole batch."""
    layers = [x for one in gan.networks.values() for x in one._flatten_layers()]
    noises = [layer for layer in layers if isinstance(layer, NoiseInjection)]
    return [gan._training_seeds.state, *(layer.seed_generator.state for layer in noises)]


class _Shape:
    """How what a part has computed comes apart: numbers to take the mean of, rows to collect."""

    def take_apart(self, logs, gradients, changes):
        """Returns a list of tensors of numbers, and one of tensors that have a row an example."""
        self.round = logs.get("round")
        numbers = {name: value for name, value in logs.items() if name != "round"}
        self.tree = (numbers, gradients, changes, _fields(self.round))
        *trees, fields = self.tree
        self.kinds = [None if x is None else "number" for x in keras.tree.flatten(trees)]
        self.kinds += [_kind(x) for x in keras.tree.flatten(fields)]
        leaves = list(zip(self.kinds, keras.tree.flatten(self.tree), strict=True))
        return tuple([x for kind, x in leaves if kind == wanted] for wanted in ("number", "row"))

    def put_together(self, numbers, rows):
        """Returns logs, gradients and changes as `take_apart` was given them."""
        values = {"number": iter(numbers), "row": iter(rows)}
        leaves = zip(self.kinds, keras.tree.flatten(self.tree), strict=True)
        leaves = [next(values[kind]) if kind else leaf for kind, leaf in leaves]
        logs, gradients, changes, fields = keras.tree.pack_sequence_as(self.tree, leaves)
        if self.round is not None:
            fields = {"shown": fields["fake"], **fields}
            logs["round"] = self.round.but(**fields, score=_refuse, synthesize=_refuse)
        return logs, gradients, changes


def _fields(round):
    """Returns the parts of a round that hold tensors, without features, which may be large."""
    if round is None:
        return {}
    fields = {name: getattr(round, name) for name in round.TENSORS}
    if round.shown is round.fake:
        del fields["shown"]
    return {
        name: {key: value for key, value in field.items() if key != "features"}
        for name, field in fields.items()
    }


def _kind(leaf):
    if not hasattr(leaf, "shape"):
        return None
    return "row" if len(leaf.shape) else "number"


def _refuse(*_, **__):
    raise ValueError(
        "What looks at a round after its update cannot score or draw with it where the round was "
        "played in parts. Received: micro_batches above 1"
    )
