"""What only a framework can compute, a file for each: gradients, replicas, the form of a step.

Everything else in kgan is written in `keras.ops`. `KERAS_BACKEND` chooses the file.
"""

import keras

if keras.backend.backend() == "tensorflow":
    from kgan.backend import tensorflow as framework
elif keras.backend.backend() == "jax":
    from kgan.backend import jax as framework
else:
    raise ImportError(
        "kgan trains on Keras's backends tensorflow and jax: set KERAS_BACKEND to one of them "
        f"before the first import of keras. Received: KERAS_BACKEND={keras.backend.backend()}"
    )

Trainer = framework.Trainer
all_gather = framework.all_gather
assert_in_graph = framework.assert_in_graph
assign = framework.assign
batch_norm = framework.batch_norm
cond = framework.cond
input_gradients = framework.input_gradients
is_eager = framework.is_eager
mean_of_replicas = framework.mean_of_replicas
num_replicas = framework.num_replicas
replica = framework.replica

__all__ = [
    "Trainer",
    "all_gather",
    "assert_in_graph",
    "assign",
    "batch_norm",
    "cond",
    "input_gradients",
    "is_eager",
    "mean_of_replicas",
    "num_replicas",
    "replica",
]
