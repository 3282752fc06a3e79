"""What one process must know of the others, where several train one GAN together.

Each worker is a process, on a machine of its own perhaps, that computes its part of every batch
under `tf.distribute.MultiWorkerMirroredStrategy`. They exchange tensors at the same places of the
same program: who does so alone waits for ever. The first, the chief, writes what a run leaves.
"""

import contextlib
import functools
import json
import os
import signal
import threading

import numpy as np
import tensorflow as tf

CONFIG = "TF_CONFIG"
EXAMPLE = (
    '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'
)
JOBS = ("chief", "worker")
# A worker that says nothing for so long is taken for dead, and all others end with an error.
HEARTBEAT_SECONDS = 60
# How long the first to come waits for the last one.
START_SECONDS = 1800


def connect(environment=None):
    """Joins the other workers that `TF_CONFIG` names, and returns the strategy of all.

    This waits for them. It must come before TensorFlow's first computation in this process.

    Args:
        environment: dict, where `TF_CONFIG` stands. Defaults to `os.environ`.

    Raises:
        ValueError: if `TF_CONFIG` is missing or malformed.
        RuntimeError: if TensorFlow has computed something already.
    """
    jobs, job, index = read_config(os.environ if environment is None else environment)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(jobs), task_type=job, task_id=index, rpc_layer="grpc"
    )
    _bound_waiting(jobs)
    strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
    if threading.current_thread() is threading.main_thread():
        # TensorFlow takes SIGTERM for itself and then lets it pass unheard.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return strategy


def read_config(environment):
    """Returns the jobs' addresses, this worker's job and its index, as `TF_CONFIG` tells them.

    Args:
        environment: dict, such as `os.environ`.

    Returns:
        `(jobs, job, index)`: dict of lists of `host:port`, `"chief"` or `"worker"`, and int.

    Raises:
        ValueError: if it is missing or malformed, with an example of what is accepted.

    Example:
    >>> read_config({"TF_CONFIG": EXAMPLE})
    ({'worker': ['host0:2222', 'host1:2222']}, 'worker', 0)
    """
    text = environment.get(CONFIG)
    accepted = f"the environment variable {CONFIG} such as {EXAMPLE}"
    if not text:
        raise ValueError(f"Several workers need {accepted}. Received: no {CONFIG}")
    try:
        config = json.loads(text)
        jobs, job = dict(config["cluster"]), config["task"]["type"]
        index = int(config["task"]["index"])
        addresses = [address for name in jobs for address in jobs[name]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"Several workers need {accepted}. Received: {text} ({type(error).__name__}: {error})"
        ) from None
    wrong = _what_is_wrong(jobs, job, index, addresses)
    if wrong:
        raise ValueError(f"Several workers need {accepted}. {wrong} Received: {text}")
    return jobs, job, index


def _what_is_wrong(jobs, job, index, addresses):
    """Returns a sentence, or None where nothing is wrong."""
    if not set(jobs) <= set(JOBS):
        return (
            f"Its jobs are {' and '.join(JOBS)}: no worker only evaluates, or only keeps weights."
        )
    if any(not isinstance(jobs[name], list) for name in jobs):
        return "The addresses of a job are a list."
    if len(jobs.get("chief", ())) > 1:
        return "There is at most one chief."
    if not isinstance(job, str) or job not in jobs or not 0 <= index < len(jobs[job]):
        return "The task must be one of the cluster's."
    bad = [a for a in addresses if not (isinstance(a, str) and a.rpartition(":")[2].isdigit())]
    if bad or len(set(addresses)) < len(addresses):
        return "Each address is a host:port, and another one."
    return None


def _bound_waiting(jobs):
    """Sets how long workers wait for each other, where TensorFlow's own times are for ever or so.

    Raises:
        RuntimeError: if it is too late for that.
    """
    # The strategy does so by itself otherwise, and has no argument for the times.
    from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
    from tensorflow.python.eager import context

    if context.context()._initialized:
        raise RuntimeError(
            "Workers must be connected before TensorFlow computes anything: call it first. "
            "Received: a TensorFlow that has computed already"
        )
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{'chief' if 'chief' in jobs else 'worker'}/replica:0/task:0",
        cluster_register_timeout_in_ms=1000 * START_SECONDS,
        heartbeat_timeout_in_ms=1000 * HEARTBEAT_SECONDS,
        shutdown_barrier_timeout_in_ms=1000 * HEARTBEAT_SECONDS,
        coordinated_jobs=[
            coordination_config_pb2.CoordinatedJob(name=name, num_tasks=len(jobs[name]))
            for name in JOBS
            if name in jobs
        ],
    )


# --- Who is who -----------------------------------------------------------------------------------


def _addresses(strategy):
    """Returns (job, index) of each worker, the chief first; one of a strategy without workers."""
    resolver = getattr(strategy, "cluster_resolver", None)
    jobs = resolver.cluster_spec().as_dict() if resolver is not None else {}
    return [(job, i) for job in JOBS for i in range(len(jobs.get(job, ())))] or [(None, 0)]


def count(strategy):
    """Returns the number of workers, 1 where there is one process only.

    Args:
        strategy: `tf.distribute.Strategy`, or None as of backends that have none.

    Example:
    >>> count(tf.distribute.get_strategy())
    1
    """
    return len(_addresses(strategy))


def index(strategy):
    """Returns which of the workers this one is; 0 is the chief.

    Args:
        strategy: `tf.distribute.Strategy`.

    Example:
    >>> index(tf.distribute.get_strategy())
    0
    """
    if count(strategy) == 1:
        return 0
    resolver = strategy.cluster_resolver
    return _addresses(strategy).index((resolver.task_type, resolver.task_id))


def is_chief(strategy):
    """Returns whether this process writes what a run leaves.

    Args:
        strategy: `tf.distribute.Strategy`.
    """
    return index(strategy) == 0


# --- Together -------------------------------------------------------------------------------------


def gather(strategy, rows):
    """Returns the rows of all workers, one worker's after the other's; all must call it.

    Args:
        strategy: `tf.distribute.Strategy`.
        rows: array of 32 or 64 bits a number, of any number of rows, which are of one shape on all
            workers.

    Example:
    >>> gather(tf.distribute.get_strategy(), np.arange(3))
    array([0, 1, 2])
    """
    rows = np.asarray(rows)
    if count(strategy) == 1:
        return rows
    # Their bits, as numbers in a line: all kinds of rows go through one graph. As floats, since
    # TensorFlow keeps int32 off the GPU.
    line = np.ascontiguousarray(rows).reshape(-1).view("float32")
    gathered = strategy.experimental_local_results(_gatherer(strategy)(line))[0].numpy()
    return gathered.view(rows.dtype).reshape(-1, *rows.shape[1:])


@functools.cache
def _gatherer(strategy):
    """Returns a function of one graph: made anew at each call, it would take 100 ms."""
    own = index(strategy) * len(strategy.extended.worker_devices)

    def gather_replicas(line):
        context = tf.distribute.get_replica_context()
        # The other devices of this worker have nothing to add.
        n = tf.where(tf.equal(context.replica_id_in_sync_group, own), tf.size(line), 0)
        return context.all_gather(line[:n], axis=0)

    return tf.function(
        lambda line: strategy.run(gather_replicas, (line,)),
        autograph=False,
        input_signature=[tf.TensorSpec([None], tf.float32)],
    )


def first(strategy, values):
    """Returns the chief's values; all must call it.

    Args:
        strategy: `tf.distribute.Strategy`.
        values: list of numbers, as many on each worker.

    Example:
    >>> first(tf.distribute.get_strategy(), [0.5, 3.0])
    array([0.5, 3. ])
    """
    return gather(strategy, np.asarray([values]))[0]


def share(strategy, n):
    """Returns this worker's part of n rows, as a slice; it may be empty.

    Args:
        strategy: `tf.distribute.Strategy`.
        n: int >= 0.

    Example:
    >>> share(tf.distribute.get_strategy(), 10)
    slice(0, 10, None)
    """
    part, parts = index(strategy), count(strategy)
    return slice(part * n // parts, (part + 1) * n // parts)


def distribute(strategy, stream, batch_size):
    """Returns what `fit` takes: a data set of which each worker reads its part of each batch.

    Keras would give every worker the whole batches, or other ones than one process sees.

    Args:
        strategy: `tf.distribute.Strategy`.
        stream: function of `share=(index, count)` to a `tf.data.Dataset` of that part of each
            batch.
        batch_size: int, that of all workers together.
    """
    workers = count(strategy)
    if workers == 1:
        return stream(share=(0, 1))
    replica_batch_size = batch_size // strategy.num_replicas_in_sync
    return strategy.distribute_datasets_from_function(
        lambda context: stream(share=(index(strategy), workers)).rebatch(
            replica_batch_size, drop_remainder=True
        )
    )


@contextlib.contextmanager
def alone(model):
    """Lets one worker compute with a model by itself in the block, as if there were no others.

    Args:
        model: `keras.Model`.
    """
    strategy = model.distribute_strategy
    if count(strategy) == 1:
        yield
        return
    model._distribute_strategy = None
    try:
        yield
    finally:
        model._distribute_strategy = strategy
