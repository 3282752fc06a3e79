"""TensorFlow's form of the step: a tape for each player, and replicas of `tf.distribute`."""

import contextlib
import functools
import os
import threading

import keras
import tensorflow as tf
from keras.src.backend.tensorflow import nn as keras_nn

from kgan import workers
from kgan.quiet import quiet_start

# Whether variables hold the state of the last step at any time.
variables_are_current = True

# --- Gradients ----------------------------------------------------------------------------------


def input_gradients(function, inputs):
    """Returns the gradient of the sum of a function's outputs with respect to its inputs.

    Args:
        function: callable from `inputs` to a float tensor.
        inputs: float tensor.
    """
    with _tape() as tape, _differentiable_twice():
        tape.watch(inputs)
        total = tf.reduce_sum(function(inputs))
    return tape.gradient(total, inputs)


# Batch norm's moments, as Keras computes them. Keras offers no public way to replace them.
_keras_moments = keras_nn._compute_moments
_twice = threading.local()


def _moments(x, axes, keepdims):
    """Returns mean and variance, of which TensorFlow's own have a wrong second derivative.

    They stop the gradient of the mean inside the variance. That changes nothing of the first
    derivative, but a penalty on gradients through batch norm is differentiated twice.
    """
    if not getattr(_twice, "is_asked", False):
        return _keras_moments(x, axes, keepdims)
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), axes, keepdims=keepdims)
    return mean if keepdims else tf.squeeze(mean, axes), variance


keras_nn._compute_moments = _moments


@contextlib.contextmanager
def _differentiable_twice():
    before = getattr(_twice, "is_asked", False)
    _twice.is_asked = True
    try:
        yield
    finally:
        _twice.is_asked = before


def _tape():
    """A tape that watches only what it is told to, so that it never goes through the rest."""
    return tf.GradientTape(watch_accessed_variables=False)


def rematerialized(function):
    """Returns a function whose gradient computes it again, and keeps only what it was given.

    Args:
        function: of trees of float tensors, to a list of float tensors and a list of tensors that
            are constants for gradients. It has no side effects.

    Returns:
        A function to the same two lists, differentiable once.
    """

    def call(*trees):
        constants = []

        @tf.custom_gradient
        def compute(*tensors):
            results, constants[:] = function(*keras.tree.pack_sequence_as(trees, tensors))

            def gradient(*upstream):
                with _tape() as tape:
                    again = [_after(upstream[0], x) for x in tensors]
                    tape.watch(again)
                    results, _ = function(*keras.tree.pack_sequence_as(trees, again))
                return tape.gradient(results, again, upstream)

            return results, gradient

        results = compute(*map(tf.convert_to_tensor, keras.tree.flatten(trees)))
        return results, [tf.stop_gradient(x) for x in constants]

    return call


def _after(first, x):
    """Returns `x`, which is not there before `first` is.

    Control dependencies would not do: neither XLA nor the search for common subexpressions, which
    would find what was computed before, minds them.
    """
    one = tf.reshape(first, [-1])[:1]
    # 0, or nan where `first` is nan; no compiler can know which.
    zero = tf.reduce_sum(tf.where(one == one, tf.zeros_like(one), one))
    return x + tf.cast(zero, x.dtype)


def cond(predicate, true, false):
    """Returns what one of two functions computes; nothing of the other is executed.

    Args:
        predicate: bool scalar.
        true: function without arguments to a tensor.
        false: likewise, to a tensor of the same shape and type.
    """
    return keras.ops.cond(predicate, true, false)


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

    def play(i):
        numbers, rows = function(i, [tf.gather(x, i) for x in parts])
        # Gradients of tables come as the rows that have any.
        return [tf.convert_to_tensor(x) for x in numbers], rows

    if num_replicas() > 1:  # Replicas cannot meet inside of a loop.
        return _accumulate_unrolled(play, count)
    # The first outside of the loop: it tells what there is to add up.
    totals, rows = play(tf.constant(0))
    stacks = [tf.TensorArray(x.dtype, count, element_shape=x.shape).write(0, x) for x in rows]

    def body(i, totals, stacks):
        more, rows = play(i)
        totals = [a + b for a, b in zip(totals, more, strict=True)]
        return i + 1, totals, [x.write(i, row) for x, row in zip(stacks, rows, strict=True)]

    start = (tf.constant(1), totals, stacks)
    _, totals, stacks = tf.while_loop(
        lambda i, *_: i < count, body, start, parallel_iterations=1, maximum_iterations=count - 1
    )
    rows = [x.stack() for x in stacks]
    return totals, [tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0)) for x in rows]


def _accumulate_unrolled(play, count):
    totals, collected = play(tf.constant(0))
    collected = [collected]
    for i in range(1, count):
        with tf.control_dependencies(totals):
            more, rows = play(tf.constant(i))
        totals = [a + b for a, b in zip(totals, more, strict=True)]
        collected.append(rows)
    return totals, [tf.concat(x, axis=0) for x in zip(*collected, strict=True)]


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
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=scale, offset=offset, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    # The kernel's variance is that of a sample, divided by n - 1.
    n = tf.cast(tf.size(x) // tf.size(scale), variance.dtype)
    return outputs, tf.stop_gradient(mean), tf.stop_gradient(variance) * (n - 1) / n


def adam_step(variable, momentum, velocity, gradient, learning_rate, beta_1, beta_2, epsilon, step):
    """Moves a variable, and the means of its gradient and of their squares, as Adam says.

    Args:
        variable: variable of an optimizer's `update_step`.
        momentum: `keras.Variable` of its shape.
        velocity: likewise.
        gradient: tensor of its shape and type, as are all that follow.
        learning_rate: scalar.
        beta_1: scalar.
        beta_2: scalar.
        epsilon: float.
        step: scalar, from 1.

    Returns:
        Bool, False where there is no kernel for it and nothing was moved: for gradients of some
        rows only.
    """
    if isinstance(gradient, tf.IndexedSlices):
        return False
    value = variable.value if isinstance(variable, keras.Variable) else variable
    tf.raw_ops.ResourceApplyAdam(
        var=value.handle,
        m=momentum.value.handle,
        v=velocity.value.handle,
        beta1_power=beta_1**step,
        beta2_power=beta_2**step,
        lr=learning_rate,
        beta1=beta_1,
        beta2=beta_2,
        epsilon=epsilon,
        grad=gradient,
    )
    return True


# --- Precision ----------------------------------------------------------------------------------


def _bias_add(add):
    """Returns TensorFlow's `bias_add` with the gradient of a bias in bfloat16 as it should be.

    TensorFlow's own sums it in bfloat16 on CPU, where a sum stands still once its terms are below
    1/256 of it: over 65,536 positions it is 128 times too small. A plain sum's gradient is right.
    Every Keras layer with a bias calls this.
    """

    def bias_add(value, bias, data_format=None, name=None):
        value = tf.convert_to_tensor(value)
        if value.dtype != tf.bfloat16:
            return add(value, bias, data_format=data_format, name=name)
        bias = tf.convert_to_tensor(bias, value.dtype)
        if (data_format or "N").startswith("NC"):
            bias = tf.reshape(bias, (-1, *[1] * (len(value.shape) - 2)))
        return tf.add(value, bias, name=name)

    return functools.update_wrapper(bias_add, add)


tf.nn.bias_add = _bias_add(tf.nn.bias_add)


# --- Replicas -----------------------------------------------------------------------------------


def num_replicas():
    """Returns how many replicas share the batch, an int."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def replica():
    """Returns the number of this replica, from 0."""
    context = tf.distribute.get_replica_context()
    return 0 if context is None else context.replica_id_in_sync_group


def _exchanges():
    """Returns the context of a replica that has others, or None."""
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context


def mean_of_replicas(x):
    """Returns the mean over replicas of tensors that each of them has; differentiable."""
    context = _exchanges()
    return x if context is None else context.all_reduce(tf.distribute.ReduceOp.MEAN, x)


def all_gather(x):
    """Returns the batches of all replicas, one after the other; differentiable."""
    context = _exchanges()
    return x if context is None else context.all_gather(x, axis=0)


def assign(variables, values):
    """Sets variables to values that are the same on every replica.

    Args:
        variables: list of `keras.Variable`.
        values: list of tensors.
    """
    variables = [variable.value for variable in variables]
    context = tf.distribute.get_replica_context()
    if context is None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return
    context.merge_call(_assign_all, args=(variables, list(values)))


def _assign_all(strategy, variables, values):
    for variable, value in zip(variables, values, strict=True):
        strategy.extended.update(variable, lambda v, x: v.assign(x), args=(value,), group=False)


# --- What metrics keep ---------------------------------------------------------------------------


def precise():
    """Returns a context in which `keras.ops` computes in 64 bits where it is told to."""
    return contextlib.nullcontext()


def accumulate(variable, value):
    """Adds to a variable that replicas sum.

    Args:
        variable: `keras.Variable`.
        value: tensor of its shape and type.
    """
    variable.value.assign_add(value)


def write_rows(variable, places, rows):
    """Writes rows of a variable.

    Args:
        variable: `keras.Variable`.
        places: int tensor `(n,)`.
        rows: tensor `(n, …)`.
    """
    # In place: assign() would copy the whole variable.
    tf.raw_ops.ResourceScatterNdUpdate(
        ref=variable.value.handle, indices=places[:, None], updates=rows
    )


def compiled(function):
    """Returns a function without state, of an array to a dict of tensors, that runs as one graph.

    Args:
        function: callable.
    """
    graph = tf.function(lambda x: function(x), autograph=False)
    return lambda x: graph(tf.constant(x))


# --- Checks -------------------------------------------------------------------------------------


def is_eager(x):
    """Returns whether a tensor's numbers are known now."""
    return tf.executing_eagerly()


def assert_in_graph(condition, message, shown, x):
    """Returns `x`, and stops the step where a condition fails.

    Args:
        condition: bool scalar tensor.
        message: str.
        shown: tensor that is told with the message.
        x: tensor.

    Raises:
        tf.errors.InvalidArgumentError: if the condition is false when the step runs.
    """
    check = tf.debugging.Assert(condition, [message, "Received:", shown])
    # Eager execution has raised by now and returns None.
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(x)


# --- The machine --------------------------------------------------------------------------------


def devices():
    """Returns the names of the GPUs that are trained on, a list of str."""
    gpus = tf.config.list_physical_devices("GPU")
    details = map(tf.config.experimental.get_device_details, gpus)
    return [one.get("device_name", "GPU") for one in details]


def mirrored():
    """Returns the strategy of all GPUs of this machine."""
    return tf.distribute.MirroredStrategy()


def multi_worker():
    """Returns the strategy of all machines that `TF_CONFIG` names; waits for them."""
    return workers.connect()


def default_jit_compile(strategy):
    """Returns whether `jit_compile="auto"` is XLA: on GPU and TPU; oneDNN is faster on CPU.

    Args:
        strategy: `tf.distribute.Strategy` of the game, or None.
    """
    if strategy is not None:
        return False  # XLA cannot leave the step to meet the other devices.
    with quiet_start():
        devices = tf.config.list_physical_devices()
    return any(device.device_type in ("GPU", "TPU") for device in devices)


def make_deterministic(with_xla):
    """Makes equal runs equal to the bit on a GPU too; must stand before the first computation.

    Args:
        with_xla: bool, whether steps are compiled by XLA.
    """
    if with_xla:  # Keras compiles nothing by XLA where TensorFlow's own determinism is on.
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    else:
        tf.config.experimental.enable_op_determinism()


# --- The step -----------------------------------------------------------------------------------


class Trainer:
    """What a GAN's training asks of the framework; `kgan.GAN` is one."""

    def scope(self):
        """Returns the scope in which variables are made for all replicas."""
        return self.distribute_strategy.scope()

    def synchronize(self):
        """Does nothing: variables always hold the state of the last step."""

    def train_step(self, data):
        """Moves the discriminator `discriminator_steps` times and the generator once."""
        return self._averaged_by_keras(self.play_step(data))

    def test_step(self, data):
        """Plays one round without learning, and shows the metrics what it made."""
        logs, shown = self.judge_step(data)
        if shown is not None:
            self.show_metrics(*shown)
        return self._averaged_by_keras(logs)

    def _averaged_by_keras(self, logs):
        """Returns logs as Keras wants them: of several workers it averages rows, not scalars."""
        if workers.count(self.distribute_strategy) == 1:
            return logs
        return {name: value[None] for name, value in logs.items()}

    def predict(self, *args, **kwargs):
        """Keras's `predict`; of several workers, each computes its own samples by itself."""
        with workers.alone(self):
            return super().predict(*args, **kwargs)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Does nothing, as `build`: Keras would look at a batch, which fails with workers."""

    def differentiate(self, players, images, labels):
        """Plays a round, with a tape for each player, and returns each player's gradients.

        Args:
            players: tuple of `"generator"`, `"discriminator"` or both.
            images: float tensor `(batch, …)`.
            labels: tensor or None.

        Returns:
            `(logs, gradients)`: what `compute_losses` returns, and a dict by player of a list of
            tensors or None, of this replica's share of the loss.
        """
        watched = {player: [v.value for v in self.variables_of(player)] for player in players}
        with contextlib.ExitStack() as stack:
            tapes = {player: stack.enter_context(_tape()) for player in players}
            for player, tape in tapes.items():
                tape.watch(watched[player])
            logs = self.compute_losses(images, labels)
            objectives = {player: self.objective(player, logs) for player in players}
        gradients = {
            player: tape.gradient(objectives[player], watched[player])
            for player, tape in tapes.items()
        }
        return logs, gradients

    def apply(self, player, gradients):
        """Moves a player's variables as its optimizer says."""
        getattr(self, f"{player}_optimizer").apply(gradients, self.variables_of(player))

    def make_train_function(self, force=False):
        """Makes what `fit` calls for each step.

        Keras lets the compiled function fetch its own batch. Where it runs one step on one device,
        Python fetches it here, which takes 3 % less time on two CPU cores.
        """
        if self.train_function is not None and not force:
            return
        super().make_train_function(force)
        # A strategy of one device has variables that only it knows to assign.
        one_device = self._distribute_strategy is None
        if self.run_eagerly or self.steps_per_execution > 1 or not one_device:
            return
        step = tf.function(
            # Not the method itself, which TensorFlow would warn of as traced again for each GAN.
            functools.partial(self.train_step),
            reduce_retracing=True,
            jit_compile=self.jit_compile,
            autograph=False,  # as in Keras
        )

        def train_function(iterator):
            data = keras.tree.map_structure(_value, next(iterator))
            self.check_batch_size(keras.tree.flatten(data)[0].shape[0], self.parts_per_step)
            return step(data)

        self.train_function = train_function


def _value(element):
    """Keras's generators of arrays spell an absent label as an empty Optional."""
    return None if isinstance(element, tf.experimental.Optional) else element
