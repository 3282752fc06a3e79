"""Which type to compute in: float32 where less would lose too much, and the fastest elsewhere."""

import contextlib
import statistics
import threading
import time

import keras

HALF = ("float16", "bfloat16")
# What `fastest` chooses from, the exact one first, and by which factor of its time another must
# be faster: less would be chance, and not worth the digits.
CANDIDATES = ("float32", "mixed_bfloat16")
WORTH = 0.95


class _Float32InThreads(keras.DTypePolicy):
    """A layer's own policy, but computing in float32 in the threads that asked for it.

    Replicas are traced in threads of their own, which take turns wherever they exchange something:
    one may be in the middle of a call in float32 while another makes a call that is not.

    Args:
        layer: built `keras.layers.Layer`.
    """

    def __init__(self, layer):
        super().__init__("float32")
        self.own = layer._dtype_policy  # of several layers, where it is a DTypePolicyMap
        self.own_compute_dtype = layer.compute_dtype
        self._variable_dtype = layer.variable_dtype
        self.threads = []

    @property
    def compute_dtype(self):
        return "float32" if threading.get_ident() in self.threads else self.own_compute_dtype


def _is_float16(layer):
    """A Sequential gives its input, which has no policy, what its first layer computes in."""
    dtype = layer.dtype if isinstance(layer, keras.layers.InputLayer) else layer.compute_dtype
    return dtype == "float16" or isinstance(layer._dtype_policy, _Float32InThreads)


def _enter(layer, thread):
    if not isinstance(layer._dtype_policy, _Float32InThreads):
        layer._dtype_policy = _Float32InThreads(layer)
        if isinstance(layer, keras.layers.InputLayer):
            # Other threads need no turn here: their first layer casts if its input does not.
            layer._dtype_policy.own_dtype = layer.dtype
            _set_input_dtype(layer, "float32")
    layer._dtype_policy.threads.append(thread)


def _leave(layer, thread):
    policy = layer._dtype_policy
    policy.threads.remove(thread)
    if not policy.threads:
        layer._dtype_policy = policy.own
        if isinstance(layer, keras.layers.InputLayer):
            _set_input_dtype(layer, policy.own_dtype)


def _set_input_dtype(layer, dtype):
    layer._dtype = layer.output._dtype = dtype


@contextlib.contextmanager
def without_float16(network):
    """Within it, layers of a network that compute in float16 compute in float32.

    A penalty's gradients are far smaller than those that train a network, and no loss scaling
    reaches them: in float16 they would vanish. bfloat16 has the range of float32, and keeps each
    to 0.4 %. Other layers stay as they are, and other threads notice nothing.

    Args:
        network: built `keras.Model` or layer.
    """
    layers = [layer for layer in network._flatten_layers() if _is_float16(layer)]
    thread = threading.get_ident()
    for layer in layers:
        _enter(layer, thread)
    try:
        yield
    finally:
        for layer in layers:
            _leave(layer, thread)


class _Stopwatch(keras.callbacks.Callback):
    """Notes when each step of a `fit` ends."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock
        self.times = []

    def on_train_batch_end(self, batch, logs=None):
        """Waits until the device has finished the step."""
        for value in logs.values():
            float(value)
        self.times.append(self.clock())


def _seconds_per_step(gan, dataset, steps, clock):
    watch = _Stopwatch(clock)
    # The first step is not counted: only its end is seen.
    gan.fit(
        dataset, steps_per_epoch=steps + 1, epochs=1, shuffle=False, verbose=0, callbacks=[watch]
    )
    return (watch.times[-1] - watch.times[0]) / steps


def seconds_per_step(make, dataset, steps=5, rounds=5, limit_seconds=10.0, clock=time.perf_counter):
    """Returns how long a train step of a game takes under each policy, on this machine.

    The games are trained in turn, so that what else the machine does is the same to all.

    Args:
        make: function without arguments to a new compiled `kgan.GAN` of the global policy, which
            is trained and thrown away.
        dataset: `tf.data.Dataset` of batches, of `steps + 1` or more.
        steps: int >= 1, which are timed together. Defaults to 5.
        rounds: int >= 1, how often; the result is the median. Defaults to 5.
        limit_seconds: float, no round begins later than this after the first. Defaults to 10.
        clock: function to the seconds since some moment. Defaults to `time.perf_counter`.

    Returns:
        Dict of seconds by `CANDIDATES`.
    """
    own, games = keras.config.dtype_policy(), {}
    try:
        for policy in CANDIDATES:
            keras.config.set_dtype_policy(policy)
            games[policy] = make()
    finally:
        keras.config.set_dtype_policy(own)
    for gan in games.values():  # to compile
        _seconds_per_step(gan, dataset, 1, clock)
    measured, begun = {policy: [] for policy in games}, clock()
    for _ in range(rounds):
        for policy, gan in games.items():
            measured[policy].append(_seconds_per_step(gan, dataset, steps, clock))
        if clock() - begun > limit_seconds:
            break
    return {policy: statistics.median(values) for policy, values in measured.items()}


def fastest(seconds):
    """Returns the policy to compute in: float32, unless another is clearly faster.

    Args:
        seconds: dict, what `seconds_per_step` returns.

    Example:
    >>> kgan.precision.fastest({"float32": 0.0198, "mixed_bfloat16": 0.0123})
    'mixed_bfloat16'
    >>> kgan.precision.fastest({"float32": 0.0198, "mixed_bfloat16": 0.0197})
    'float32'
    """
    exact, *others = CANDIDATES
    best = min(others, key=seconds.get)
    return best if seconds[best] < WORTH * seconds[exact] else exact
