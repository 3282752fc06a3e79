"""Networks whose activations are computed again where gradients need them, and not kept till then.

Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost" (arXiv 1604.06174).
"""

import contextlib
import dataclasses
import itertools
import math
import threading
from collections.abc import Callable

import keras

# Keras offers no public way to the seeds of what is drawn without a seed.
from keras.src.backend.common.global_state import get_global_attribute
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR, global_seed_generator

from kgan import backend
from kgan.layers.reparametrization import Reparametrization, given_weights
from kgan.recording import Recording

# How many limits of a part's size are tried; more would hardly save more.
MOST_LIMITS = 100

_thread = threading.local()


@contextlib.contextmanager
def paused():
    """Within it, this thread keeps activations.

    Penalties differentiate gradients, and what is computed again is differentiable once.
    """
    before = getattr(_thread, "is_paused", False)
    _thread.is_paused = True
    try:
        yield
    finally:
        _thread.is_paused = before


def graph_of(network):
    """Returns the Functional model that a network computes, or None if it computes more or else.

    Args:
        network: built `keras.Model`.
    """
    graph = getattr(network, "_functional", network)
    # The class whose `call` it is; a user's own may do anything with the graph.
    caller = next(one for one in type(network).__mro__ if "call" in vars(one))
    is_keras = caller.__module__.split(".")[0] == "keras"
    return graph if is_keras and hasattr(graph, "_nodes_by_depth") else None


class Rematerialized:
    """A network that keeps in training what enters each of its parts, and nothing inside of them.

    A Functional or Sequential network is cut where that takes the least memory; another is one
    part. What it computes, draws and assigns is the same, to the bit, as without.

    Args:
        network: built `keras.Model`.
        losses_of: `keras.Model`, whose `losses` then hold those that layers add. Defaults to the
            network.
    """

    def __init__(self, network, losses_of=None):
        self.network = network
        self.losses_of = losses_of or network
        self.functional = graph_of(network)
        self.parts = _parts(self.functional) if self.functional else None

    def __call__(self, inputs, training=False):
        """Returns what the network returns."""
        if not training or getattr(_thread, "is_paused", False):
            return self.network(inputs, training=training)
        self.losses_of._clear_losses()
        if self.functional is None:
            return self._call_whole(inputs)
        tensors = self.functional._standardize_inputs(inputs)
        known = dict(zip(map(id, self.functional.inputs), tensors, strict=True))
        for part in self.parts:
            outputs = self._compute(part.layers, part.call, [known[name] for name in part.takes])
            known.update(zip(part.gives, outputs, strict=True))
        return _packed(
            self.functional._outputs_struct, [known[id(x)] for x in self.functional.outputs]
        )

    def _call_whole(self, inputs):
        returned = []

        def call(values):
            outputs = self.network(_packed(inputs, values), training=True)
            returned[:] = [outputs]
            return keras.tree.flatten(outputs)

        outputs = self._compute([self.network], call, keras.tree.flatten(inputs))
        return _packed(returned[0], outputs)

    def _compute(self, layers, function, inputs):
        """Returns what a function of tensors and of the variables of layers computes, as a list."""
        weights = _effective_weights(layers)  # which moves the states of their power iterations
        own = [v for layer in layers for v in layer.variables]
        variables = _unique([*own, *_shared_seeds()])
        trained = [v for v in variables if v.trainable]
        states = [(v, keras.ops.copy(v)) for v in variables if not v.trainable]
        is_float = [keras.backend.is_float_dtype(_dtype(x)) for x in inputs]
        count, assigned = [], []

        def pure(values, effective, floats):
            floats = iter(floats)
            pairs = zip(inputs, is_float, strict=True)
            given = [next(floats) if learns else x for x, learns in pairs]
            scope = Recording([*zip(trained, values, strict=True), *states])
            with given_weights(_replaced(weights, effective), training=True), scope:
                outputs = function(given)
            _check_assigned(scope.assigned)
            count[:], assigned[:] = [len(outputs)], scope.assigned
            return [*outputs, *scope.losses], scope.values(assigned)

        results, after = backend.rematerialized(pure)(
            [v.value for v in trained],
            [[value for _, value in pairs] for _, pairs in weights],
            [x for x, learns in zip(inputs, is_float, strict=True) if learns],
        )
        for variable, value in zip(assigned, after, strict=True):
            variable.assign(value)
        for loss in results[count[0] :]:
            # Not the method of a Functional model, which refuses.
            keras.layers.Layer.add_loss(self.losses_of, loss)
        return results[: count[0]]


def _shared_seeds():
    """Returns the state of what layers without a seed of their own draw from, as a list."""
    generator = get_global_attribute(GLOBAL_SEED_GENERATOR)
    # Keras makes it when something is first drawn, which a pass that is recorded cannot. Under JAX
    # and on replicas nothing can be drawn from a new one.
    if generator is None and keras.backend.backend() == "tensorflow":
        generator = global_seed_generator() if backend.num_replicas() == 1 else None
    return [] if generator is None else [generator.state]


def _check_assigned(variables):
    """Raises ValueError if these, which were assigned in a pass, are not all states."""
    learned = [variable.path for variable in variables if variable.trainable]
    if learned:
        raise ValueError(
            "rematerialize computes a pass twice, so no layer may assign what it learns in one; "
            "kgan.layers.SpectralNormalization leaves its kernel alone, and Keras's does not. "
            f"Received: a network that assigns {learned[0]}"
        )


@dataclasses.dataclass(frozen=True)
class _Part:
    """Nodes of a graph that are computed together, and the ids of what they take and give."""

    layers: list
    call: Callable
    takes: list
    gives: list


def _parts(functional):
    """Returns the parts of a Functional model."""
    levels = sorted(functional._nodes_by_depth.items(), reverse=True)
    nodes = [node for _, level in levels for node in level if not node.is_input]
    last_use = {id(x): i for i, node in enumerate(nodes) for x in node.input_tensors}
    last_use |= {id(x): len(nodes) for x in functional.outputs}
    sizes = [sum(map(_size, node.outputs)) for node in nodes]
    made = [
        [(last_use[id(x)], _size(x)) for x in node.outputs if id(x) in last_use] for node in nodes
    ]
    crossing = [
        sum(size for one in made[:i] for last, size in one if last >= i) for i in range(len(nodes))
    ]
    edges = [*_cuts(sizes, crossing), len(nodes)]
    return [
        _part(nodes[begin:end], {name for name, last in last_use.items() if last >= end})
        for begin, end in itertools.pairwise(edges)
    ]


def _part(nodes, used_later):
    """Returns the part of some nodes; `used_later` are ids of what others or the output take."""
    made = [id(x) for node in nodes for x in node.outputs]
    used = _unique(x for node in nodes for x in node.input_tensors)
    takes = [id(x) for x in used if id(x) not in made]
    gives = [name for name in made if name in used_later]

    def call(values):
        known = dict(zip(takes, values, strict=True))
        for node in nodes:
            args, kwargs = node.arguments.fill_in(known)
            if "training" in getattr(node.operation, "_call_context_args", ()):
                kwargs["training"] = True
            outputs = keras.tree.flatten(node.operation(*args, **kwargs))
            known.update(zip(map(id, node.outputs), outputs, strict=True))
        return [known[name] for name in gives]

    operations = _unique(node.operation for node in nodes)
    layers = [one for one in operations if isinstance(one, keras.layers.Layer)]
    return _Part(layers, call, takes, gives)


def _cuts(sizes, crossing):
    """Returns where parts begin, so that the least is in memory: all edges and the largest part.

    Args:
        sizes: list of what each node makes.
        crossing: list of what must be kept from before a node for it and those after it.
    """
    ends = [0, *itertools.accumulate(sizes)]
    limits = sorted({b - a for a, b in itertools.combinations(ends, 2) if b - a >= max(sizes)})
    plans = [
        _cuts_within(limit, ends, crossing) for limit in limits[:: 1 + len(limits) // MOST_LIMITS]
    ]
    return min(plans)[1]


def _cuts_within(limit, ends, crossing):
    """Returns the memory and the cuts of parts that are no larger than a limit."""
    # Of the first nodes, how much their edges hold, and where their last part begins.
    best = [(0, 0)]
    for end in range(1, len(ends)):
        begins = [i for i in range(end) if ends[end] - ends[i] <= limit]
        best.append(min((best[i][0] + crossing[i], i) for i in begins))
    cuts, end = [], len(ends) - 1
    while end:
        end = best[end][1]
        cuts.insert(0, end)
    return best[-1][0] + limit, cuts


def _size(x):
    """Returns the numbers of an example, as far as they are known."""
    return math.prod(side or 1 for side in x.shape[1:])


def _effective_weights(layers):
    """Returns the reparametrised layers in these, with their weights and what stands for them."""
    flat = _unique(x for layer in layers for x in layer._flatten_layers())
    return [
        (layer, layer.effective_values(training=True))
        for layer in flat
        if isinstance(layer, Reparametrization)
    ]


def _replaced(weights, values):
    return [
        (layer, [(v, value) for (v, _), value in zip(pairs, own, strict=True)])
        for (layer, pairs), own in zip(weights, values, strict=True)
    ]


def _unique(things):
    return list({id(thing): thing for thing in things}.values())


def _dtype(x):
    return keras.backend.standardize_dtype(x.dtype)


def _packed(structure, leaves):
    return keras.tree.pack_sequence_as(structure, leaves)
