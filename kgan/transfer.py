"""Transfer: a new GAN starts from the weights of another, as far as they fit."""

import collections
import dataclasses
import math
import re

import numpy as np
from keras import ops

from kgan.gan import GAN
from kgan.loading import load_gan

# How numbered layers find each other: by their names, or counted from either end of the network.
# A generator's are numbered from the latents on, and one of larger images has more of them before
# those that it shares with one of smaller images.
COUNTS = ("name", "first", "last")


@dataclasses.dataclass(frozen=True)
class Transfer:
    """What a GAN took from another.

    Args:
        source: str, what the other is called.
        loaded: list of str, variables that were taken whole.
        rows: dict of str to str, those of which the rows of common classes were taken, and which.
        left: dict of str to str, those that stay as they were, and why.
        loaded_parameters: int, numbers that were taken.
        parameters: int, numbers that there are.

    Example:
    >>> def build(num_classes):
    ...     return kgan.GAN(
    ...         kgan.backbones.MLPGenerator((2,), 4, [8], num_classes=num_classes),
    ...         kgan.backbones.MLPDiscriminator((2,), [8], num_classes=num_classes),
    ...         num_classes=num_classes,
    ...     )
    >>> report = kgan.transfer.initialize(build(5), build(3))
    >>> report.rows["generator/embed_label/table"]
    '3 of 5 classes'
    """

    source: str
    loaded: list
    rows: dict
    left: dict
    loaded_parameters: int
    parameters: int

    def table(self):
        """Returns lines for people: counts, and what was left."""
        count = len(self.loaded) + len(self.rows) + len(self.left)
        part = self.loaded_parameters / self.parameters
        lines = [
            f"{self.source}: {len(self.loaded) + len(self.rows)} of {count} variables, {part:.1%} "
            f"of {self.parameters:,} weights and statistics"
        ]
        for title, reasons in (("in part", self.rows), ("new", _by_layer(self.left))):
            lines += [f"  {title:<7}  {name}: {why}" for name, why in reasons.items()]
        return lines


def _by_layer(reasons):
    """Returns the reasons with one line for the variables of a layer that share theirs."""
    groups = collections.defaultdict(list)
    for name, why in reasons.items():
        layer, _, variable = name.rpartition("/")
        groups[layer, why].append(variable)
    return {
        f"{layer}/{', '.join(variables)}".lstrip("/"): why
        for (layer, why), variables in groups.items()
    }


def initialize(gan, source):
    """Starts a GAN's networks from another's weights and statistics, as far as they fit.

    Networks of the same role are compared, the generator's average with its average. A variable is
    taken if one of the same layer and name has the same shape; layers are found by name, or, if
    more fits then, counted from the first or the last of their kind, so that other depths fit.
    Where only the number of classes differs, the rows of the common classes are taken: row i is
    class i. What is left stays as it was initialised. Optimizers and the counts of steps and images
    start anew.

    Args:
        gan: `kgan.GAN`, which is changed.
        source: `kgan.GAN`, or what `kgan.load_gan` takes: a run, a `.keras` file or a preset.

    Returns:
        `Transfer`.

    Raises:
        FileNotFoundError: if there is no such source.
        ValueError: if nothing fits.
    """
    name = source.name if isinstance(source, GAN) else str(source)
    source = source if isinstance(source, GAN) else load_gan(source)
    classes = gan.num_classes, source.num_classes
    plans = {}
    for role, network in gan.networks.items():
        other = source.networks.get(role)
        plans[role] = None if other is None else _plan(network, other, classes)
    report = _report(name, gan, plans)
    if not report.loaded and not report.rows:
        reasons = [f"{path}: {why}" for path, why in report.left.items()]
        raise ValueError(
            f"Expected a GAN with weights that fit. Received: {name}, of which nothing does, such "
            f"as {'; '.join(reasons[:3])}"
        )
    _copy(plans)
    if gan.averaged_generator is not gan.generator:
        averages = _plan(gan.averaged_generator, source.averaged_generator, classes)
        _copy({"averaged_generator": averages})
    return report


@dataclasses.dataclass(frozen=True)
class _Step:
    """What happens to one variable: it takes a value, or a reason says why not."""

    name: str
    variable: object
    value: object = None
    taken: int = 0
    words: str = ""


def _plan(network, source, classes):
    """Returns a list of steps, one a variable, by the count that fits the most numbers."""
    plans = [_steps(network, source, count, classes) for count in COUNTS]
    return max(plans, key=lambda steps: sum(step.taken for step in steps))


def _steps(network, source, count, classes):
    known = _variables(source, count)
    steps = []
    for key, (layer, variable, name) in _variables(network, count).items():
        other_layer, other, _ = known.get(key, (None, None, None))
        if other is None:
            steps.append(_Step(name, variable, words="no layer there that answers to this one"))
            continue
        if _is_progress(layer, variable) and _config(layer) != _config(other_layer):
            steps.append(_Step(name, variable, words="counts the parts of another layer there"))
            continue
        layer_classes = tuple(
            getattr(one, "num_classes", None) or number
            for one, number in zip((layer, other_layer), classes, strict=True)
        )
        steps.append(_step(name, variable, other, layer_classes))
    return steps


def _is_progress(layer, variable):
    """Returns whether a variable is a number that a layer keeps, such as how far it has grown."""
    kept = {id(one) for one in layer._non_trainable_variables}
    return tuple(variable.shape) == () and id(variable) in kept


def _config(layer):
    return {**layer.get_config(), "name": None}


def _step(name, variable, other, classes):
    if tuple(variable.shape) == tuple(other.shape):
        return _Step(name, variable, other, math.prod(variable.shape))
    rows = _common_rows(variable.shape, other.shape, *classes)
    if rows is None:
        shapes = f"{tuple(other.shape)} there, {tuple(variable.shape)} here"
        return _Step(name, variable, words=f"shape differs: {shapes}")
    axis, here, there = rows
    value = ops.convert_to_numpy(variable.value)
    value[(slice(None),) * axis + (here,)] = np.take(
        ops.convert_to_numpy(other.value), there, axis=axis
    )
    taken = len(here) * math.prod(variable.shape) // variable.shape[axis]
    return _Step(name, variable, value, taken, f"{min(classes)} of {classes[0]} classes")


def _common_rows(shape, other_shape, classes, other_classes):
    """Returns an axis and the rows of common classes on both sides, or None.

    Rows are one a class; one a class and one more, of fakes, which is the last; or two a class, of
    reals and of fakes.
    """
    if None in (classes, other_classes) or len(shape) != len(other_shape):
        return None
    pairs = list(zip(shape, other_shape, strict=True))
    different = [i for i, (here, there) in enumerate(pairs) if here != there]
    if len(different) != 1 or different[0] not in (0, len(shape) - 1):
        return None
    (axis,) = different
    common = list(range(min(classes, other_classes)))
    for blocks, more in ((1, 0), (1, 1), (2, 0)):
        sides = [(shape[axis], classes), (other_shape[axis], other_classes)]
        if all(size == blocks * number + more for size, number in sides):
            return axis, *(
                [b * number + i for b in range(blocks) for i in common] + [number] * more
                for _, number in sides
            )
    return None


def _copy(plans):
    for step in (step for steps in plans.values() for step in steps or ()):
        if step.value is not None:
            step.variable.assign(ops.convert_to_numpy(step.value))


def _report(name, gan, plans):
    loaded, rows, left, taken, parameters = [], {}, {}, 0, 0
    for role, steps in plans.items():
        parameters += gan.networks[role].count_params()
        if steps is None:
            left[role] = "no such network there"
        for step in steps or ():
            taken += step.taken
            path = f"{role}/{step.name}"
            if step.value is None:
                left[path] = step.words
            elif step.words:
                rows[path] = step.words
            else:
                loaded.append(path)
    return Transfer(name, loaded, rows, left, taken, parameters)


# --- Which variable is which --------------------------------------------------------------------


def _variables(network, count):
    """Returns a network's weights and statistics by the layers that they lie in.

    Args:
        network: `keras.Model`.
        count: one of `COUNTS`.

    Returns:
        Dict of a tuple, the names on the way, to `(layer, variable, name for people)`.
    """
    found, seen = {}, set()
    for key, layer, variable, path in _walk(network, count):
        if id(variable) not in seen:  # A layer may stand in several places.
            seen.add(id(variable))
            found[key] = layer, variable, "/".join(path)
    return found


def _walk(layer, count, key=(), path=()):
    """Yields key, layer, variable and path of all that a layer and those in it learn or keep."""
    own = [*layer._trainable_variables, *layer._non_trainable_variables]
    for variable, part in zip(own, _keys(layer, own, count), strict=True):
        yield (*key, part), layer, variable, (*path, variable.name)
    children = list(layer._flatten_layers(include_self=False, recursive=False))
    for child, part in zip(children, _keys(layer, children, count), strict=True):
        yield from _walk(child, count, (*key, part), (*path, child.name))


def _keys(owner, members, count):
    """Returns what identifies each of several layers or variables of one owner."""
    kinds = [member.name if count == "name" else _kind(owner, member) for member in members]
    order = range(len(members)) if count != "last" else reversed(range(len(members)))
    numbers, seen = {}, collections.Counter()
    for i in order:
        numbers[i] = seen[kinds[i]]
        seen[kinds[i]] += 1
    return [(kind, numbers[i]) for i, kind in enumerate(kinds)]


def _kind(owner, member):
    """Returns which attribute of its owner a member is in, or its name without a number."""
    for name, value in vars(owner).items():
        values = value if isinstance(value, (list, tuple)) else [value]
        if not name.startswith("_") and any(one is member for one in values):
            return name
    return re.sub(r"_\d+$", "", member.name)
