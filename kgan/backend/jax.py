"""JAX's form of the step: functions of all state, one `vjp` through a round for both players.

What assigns to variables runs under a `keras.StatelessScope`, which keeps the new values apart. A
function that JAX traces by itself (to differentiate it, or as a branch) must return them, since
they mean nothing outside of its trace: `Recording` tells which they are.
"""

import contextlib
import functools
import itertools
import os

import jax
import keras
import numpy as np
import tensorflow as tf

from kgan.quiet import quiet_start
from kgan.recording import Recording

# TensorFlow feeds and measures here; it would take the memory of GPUs that JAX computes on.
with quiet_start():
    tf.config.set_visible_devices([], "GPU")

# Whether variables hold the state of the last step at any time; here, after `synchronize`.
variables_are_current = False

# --- Gradients ----------------------------------------------------------------------------------


def input_gradients(function, inputs):
    """Returns the gradient of the sum of a function's outputs with respect to its inputs.

    Args:
        function: callable from `inputs` to a float tensor.
        inputs: float tensor.
    """
    assigned = []

    def total(inputs):
        with Recording() as recording:
            value = function(inputs).sum()
        assigned[:] = recording.assigned
        return value, recording.values(assigned)

    gradients, values = jax.grad(total, has_aux=True)(inputs)
    assign(assigned, values)
    return gradients


def rematerialized(function):
    """Returns a function whose gradient computes it again, and keeps only what it was given.

    Args:
        function: of trees of float tensors, to a list of float tensors and a list of tensors that
            are constants for gradients. It has no side effects.
    """
    return jax.checkpoint(function)


def accumulate_parts(function, parts, count):
    """Computes parts one after the other, none before all of the one before it is done.

    Args:
        function: of a part's number and the part, to a list of tensors that are added up, and one
            of tensors whose rows are collected.
        parts: list of tensors of `count` parts along the first axis.
        count: int >= 2.

    Returns:
        The two lists.
    """
    with Recording() as recording:
        totals, first = function(0, [x[0] for x in parts])
    assigned = recording.assigned

    def body(carry, part):
        totals, values = carry
        with Recording(zip(assigned, values, strict=True)) as recording:
            more, rows = function(*part)
        totals = [a + b for a, b in zip(totals, more, strict=True)]
        return (totals, recording.values(assigned)), rows

    # A loop, of which XLA cannot compute two rounds at once.
    others = (jax.numpy.arange(1, count), [x[1:] for x in parts])
    start = (totals, recording.values(assigned))
    (totals, values), rows = jax.lax.scan(body, start, others)
    assign(assigned, values)
    rows = [x.reshape(-1, *x.shape[2:]) for x in rows]
    return totals, [jax.numpy.concatenate(x) for x in zip(first, rows, strict=True)]


def cond(predicate, true, false):
    """Returns what one of two functions computes; nothing of the other is executed.

    Args:
        predicate: bool scalar.
        true: function without arguments to a tensor.
        false: likewise, to a tensor of the same shape and type.
    """
    assigned = {}

    def probe(function):
        with Recording() as recording:
            value = function()
        assigned.update({id(v): v for v in recording.assigned})
        return value

    def branch(function):
        with Recording() as recording:
            value = function()
        return value, recording.values(list(assigned.values()))

    for function in (true, false):
        jax.eval_shape(functools.partial(probe, function))
    branches = (functools.partial(branch, function) for function in (true, false))
    value, values = jax.lax.cond(predicate, *branches)
    assign(list(assigned.values()), values)
    return value


# --- Kernels ------------------------------------------------------------------------------------


def batch_norm(x, scale, offset, epsilon):
    """Returns normalised images, and the mean and variance of each channel.

    Args:
        x: float tensor `(batch, height, width, channels)`.
        scale: float32 `(channels,)`.
        offset: float32 `(channels,)`.
        epsilon: float, what is added to the variance.

    Returns:
        `(outputs, mean, variance)`: of `x`'s type and shape, and float32 `(channels,)`, which are
        constants for gradients.
    """
    # XLA makes one kernel of it.
    wide = x.astype("float32")
    mean, variance = wide.mean((0, 1, 2)), wide.var((0, 1, 2))
    outputs = (wide - mean) * (jax.lax.rsqrt(variance + epsilon) * scale) + offset
    constants = jax.lax.stop_gradient((mean, variance))
    return outputs.astype(x.dtype), *constants


def adam_step(*args, **kwargs):
    """Returns False: XLA makes one kernel of Keras's form."""
    return False


# --- Replicas -----------------------------------------------------------------------------------
# There are none: `keras.distribution` shards the arrays of one program, which sees whole batches.


def num_replicas():
    """Returns how many replicas share the batch, an int."""
    return 1


def replica():
    """Returns the number of this replica, from 0."""
    return 0


def mean_of_replicas(x):
    """Returns the mean over replicas of tensors that each of them has."""
    return x


def all_gather(x):
    """Returns the batches of all replicas, one after the other."""
    return x


def assign(variables, values):
    """Sets variables to values.

    Args:
        variables: list of `keras.Variable`.
        values: list of tensors.
    """
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


# --- What metrics keep ---------------------------------------------------------------------------
# Metrics are shown a batch after its step, outside of what is compiled.


def precise():
    """Returns a context in which `keras.ops` computes in 64 bits where it is told to."""
    return jax.enable_x64(True)


def accumulate(variable, value):
    """Adds to a variable.

    Args:
        variable: `keras.Variable`.
        value: tensor of its shape and type.
    """
    variable.assign(variable.value + value)


def write_rows(variable, places, rows):
    """Writes rows of a variable.

    Args:
        variable: `keras.Variable`.
        places: int tensor `(n,)`.
        rows: tensor `(n, …)`.
    """
    variable.assign(_written(variable.value, places, rows))


@functools.partial(jax.jit, donate_argnums=0)  # In place, which the old value does not survive.
def _written(values, places, rows):
    return values.at[places].set(rows)


def compiled(function):
    """Returns a function without state, of an array to a dict of tensors, that runs as one program.

    Args:
        function: callable.
    """
    return jax.jit(lambda x: function(x))


# --- Checks -------------------------------------------------------------------------------------


def is_eager(x):
    """Returns whether a tensor's numbers are known now."""
    return not isinstance(x, jax.core.Tracer)


def assert_in_graph(condition, message, shown, x):
    """Returns `x`; a compiled step checks no numbers, so `fit` calls this for each batch before.

    Args:
        condition: bool scalar tensor.
        message: str.
        shown: tensor that is told with the message.
        x: tensor.

    Raises:
        ValueError: if the condition is known, and false.
    """
    if is_eager(condition) and not condition:
        raise ValueError(f"{message} Received: {shown}")
    return x


# --- The machine --------------------------------------------------------------------------------


def devices():
    """Returns the names of the GPUs and TPUs that are trained on, a list of str."""
    return [device.device_kind for device in jax.devices() if device.platform != "cpu"]


def mirrored():
    """Lets all devices of this machine train from now on; there is no strategy to return."""
    keras.distribution.set_distribution(keras.distribution.DataParallel())


def multi_worker():
    """Raises `ValueError`: several machines need TensorFlow."""
    raise ValueError("Several workers need Keras's backend tensorflow. Received: KERAS_BACKEND=jax")


def default_jit_compile(strategy):
    """Returns True: without XLA every operation would be dispatched by itself.

    Args:
        strategy: None.
    """
    return True


def make_deterministic(with_xla):
    """Makes equal runs equal to the bit on a GPU too; must stand before the first computation.

    Args:
        with_xla: bool, whether steps are compiled by XLA.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()


# --- The step -----------------------------------------------------------------------------------

# The parts of the state, in the order of Keras's steps.
PARTS = (
    "trainable_variables",
    "non_trainable_variables",
    "optimizer_variables",
    "metrics_variables",
)
# Those of a step that does not learn.
JUDGED = tuple(part for part in PARTS if part != "optimizer_variables")


class Trainer:
    """What a GAN's training asks of the framework; `kgan.GAN` is one."""

    # Keras's names; `keras.distribution` takes their place.
    distribute_strategy = _distribute_strategy = None

    def scope(self):
        """Returns the scope in which variables are made."""
        return contextlib.nullcontext()

    def synchronize(self):
        """Gives the variables the state of the last step, which `fit` else does once an epoch."""
        self.jax_state_sync()

    def train_step(self, state, data):
        """Moves the discriminator `discriminator_steps` times and the generator once."""
        return self._stateless(self.play_step, PARTS, state, data)

    def test_step(self, state, data):
        """Plays one round without learning, and returns its logs with what metrics compare."""
        return self._stateless(self.judge_step, JUDGED, state, data)

    def predict_step(self, state, data):
        """Computes the samples of a batch of inputs."""
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        outputs, after = self._stateless(self, PARTS[:2], state, inputs)
        return outputs, after[1]

    def _stateless(self, step, parts, state, data):
        """Returns a step's logs and the state after it, from the state before it."""
        variables = self._state_variables()
        pairs = [
            pair
            for part, values in zip(parts, state, strict=True)
            for pair in zip(variables[part], values, strict=True)
        ]
        with keras.StatelessScope(pairs, collect_losses=True) as scope:
            logs = step(data)
        after = [[scope.get_current_value(v) for v in variables[part]] for part in parts]
        return logs, tuple(after)

    def _state_variables(self):
        """Returns a dict by part of all variables that a step reads or assigns."""
        components = [v for one in (*self._components, *self._observers) for v in one.variables]
        players = ("generator", "discriminator") if self.compiled else ()
        optimizers = [getattr(self, f"{player}_optimizer") for player in players]
        return {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": [*self.non_trainable_variables, *components],
            "optimizer_variables": [v for one in optimizers for v in one.variables],
            "metrics_variables": self.metrics_variables,
        }

    def differentiate(self, players, images, labels):
        """Plays a round, goes back through it once for each player, and returns their gradients.

        Args:
            players: tuple of `"generator"`, `"discriminator"` or both.
            images: float tensor `(batch, …)`.
            labels: tensor or None.

        Returns:
            `(logs, gradients)`: what `compute_losses` returns, and a dict by player of a list of
            tensors.
        """
        variables = [self.variables_of(player) for player in players]
        assigned, rebuild = [], []

        def play(*values):
            moved = [
                pair
                for own, tensors in zip(variables, values, strict=True)
                for pair in zip(own, tensors, strict=True)
            ]
            with Recording(moved) as recording:
                logs = self.compute_losses(images, labels)
                objectives = [self.objective(player, logs) for player in players]
            assigned[:] = recording.assigned
            tensors, rebuild[:] = _split(logs)
            return objectives, (tensors, recording.values(assigned))

        values = [[v.value for v in own] for own in variables]
        objectives, pull_back, (tensors, states) = jax.vjp(play, *values, has_aux=True)
        assign(assigned, states)
        gradients = {}
        for i, player in enumerate(players):
            chosen = [keras.ops.full_like(one, float(i == j)) for j, one in enumerate(objectives)]
            gradients[player] = pull_back(chosen)[i]
        return _join(tensors, *rebuild), gradients

    def apply(self, player, gradients):
        """Moves a player's variables as its optimizer says."""
        optimizer, variables = getattr(self, f"{player}_optimizer"), self.variables_of(player)
        # Not `apply`, whose scaling of losses for float16 assigns inside of a branch.
        moved, states = optimizer.stateless_apply(
            [v.value for v in optimizer.variables], gradients, [v.value for v in variables]
        )
        assign([*variables, *optimizer.variables], [*moved, *states])

    def make_train_function(self, force=False):
        """Makes what `fit` calls for each step, which checks the numbers of a batch before."""
        if self.train_function is not None and not force:
            return
        super().make_train_function(force)
        step = self.train_function
        self.train_function = lambda state, batches: step(state, map(self._checked, batches))

    def make_test_function(self, force=False):
        """Makes what `evaluate` calls for each step, which shows the metrics what the step made."""
        if self.test_function is not None and not force:
            return
        super().make_test_function(force)
        step = self.test_function

        def test_function(state, batches):
            more = itertools.islice(batches, self.steps_per_execution)
            for data in itertools.chain([next(more)], more):
                (logs, shown), state = step(state, iter([self._checked(data)]))
                if shown is not None:
                    # Metrics may ask the GAN, and draw from its random state.
                    self._take(JUDGED, state)
                    self.show_metrics(*shown)
                    state = self._get_jax_state(**dict.fromkeys(JUDGED, True))
            return logs, state

        self.test_function = test_function

    def _checked(self, data):
        """Returns a batch; a compiled step sees its shapes, and no number such as a label's."""
        leaves = keras.tree.flatten(data)
        if any(keras.backend.is_int_dtype(x.dtype) for x in leaves if x is not None):
            self.unpack(keras.tree.map_structure(_numbers, data))
        return data

    def evaluate(self, *args, **kwargs):
        """Keras's, also in the middle of an epoch of `fit`."""
        self.synchronize()
        return super().evaluate(*args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """Keras's, also in the middle of an epoch of `fit`, and of arrays of any length."""
        self.synchronize()
        distribution = keras.distribution.distribution()
        leaves = keras.tree.flatten(x)
        if distribution is None or not all(isinstance(leaf, np.ndarray) for leaf in leaves):
            return super().predict(x, *args, **kwargs)
        # Keras gives each device an equal part of a batch: some examples come twice.
        n, parts = len(leaves[0]), distribution.device_mesh.shape[0]
        rows = np.arange(n + -n % parts) % n
        return super().predict(keras.tree.map_structure(lambda a: a[rows], x), *args, **kwargs)[:n]

    # --- Keras's way to carry the state from step to step, for two optimizers -------------------

    def _get_jax_state(self, purge_model_variables=False, **parts):
        variables, seen = self._state_variables(), set()

        def own(value):
            # Two variables may have been assigned one array, which a step cannot be given twice.
            is_new = id(value) not in seen
            seen.add(id(value))
            return value if is_new else value.copy()

        return tuple([own(v.value) for v in variables[part]] for part in PARTS if parts.get(part))

    def _take(self, parts, state):
        """Gives the variables the state of a step."""
        self._jax_state = dict(zip(parts, state, strict=True))
        self._jax_state_synced = False
        self.jax_state_sync()

    def jax_state_sync(self):
        """Gives the variables the state of the last step."""
        if not getattr(self, "_jax_state", None) or self._jax_state_synced:
            return
        variables = self._state_variables()
        for part, values in self._jax_state.items():
            if values is not None:
                assign(variables[part], values)
        self._jax_state_synced = True

    def _get_state_sharding_spec(self):
        variables = self._state_variables()
        return tuple([v.value.sharding for v in variables[part]] for part in PARTS)


def _numbers(x):
    """Returns whole numbers on the host, and no floats: reading those would wait for the device."""
    is_float = keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype))
    return np.zeros((0, *x.shape[1:]), "float32") if is_float else np.asarray(x)


def _split(logs):
    """Returns the tensors in what `compute_losses` returned, and what puts them back."""
    leaves, structure = jax.tree.flatten({**logs, "round": _fields(logs.get("round"))})
    is_tensor = [isinstance(leaf, jax.Array) for leaf in leaves]
    tensors = [leaf for leaf, tensor in zip(leaves, is_tensor, strict=True) if tensor]
    others = [None if tensor else leaf for leaf, tensor in zip(leaves, is_tensor, strict=True)]
    return tensors, (structure, is_tensor, others, logs.get("round"))


def _join(tensors, structure, is_tensor, others, round):
    tensors = iter(tensors)
    pairs = zip(is_tensor, others, strict=True)
    leaves = [next(tensors) if tensor else other for tensor, other in pairs]
    logs = jax.tree.unflatten(structure, leaves)
    fields = logs.pop("round")
    return logs if round is None else {**logs, "round": round.but(**fields)}


def _fields(round):
    """Returns the parts of a round that hold tensors."""
    return {} if round is None else {name: getattr(round, name) for name in round.TENSORS}
