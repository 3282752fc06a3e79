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
accumulate = framework.accumulate
accumulate_parts = framework.accumulate_parts
adam_step = framework.adam_step
all_gather = framework.all_gather
assert_in_graph = framework.assert_in_graph
assign = framework.assign
batch_norm = framework.batch_norm
compiled = framework.compiled
cond = framework.cond
default_jit_compile = framework.default_jit_compile
devices = framework.devices
input_gradients = framework.input_gradients
is_eager = framework.is_eager
make_deterministic = framework.make_deterministic
mean_of_replicas = framework.mean_of_replicas
mirrored = framework.mirrored
multi_worker = framework.multi_worker
num_replicas = framework.num_replicas
precise = framework.precise
rematerialized = framework.rematerialized
replica = framework.replica
variables_are_current = framework.variables_are_current
write_rows = framework.write_rows

__all__ = [
    "Trainer",
    "accumulate",
    "accumulate_parts",
    "adam_step",
    "all_gather",
    "assert_in_graph",
    "assign",
    "batch_norm",
    "compiled",
    "cond",
    "default_jit_compile",
    "devices",
    "input_gradients",
    "is_eager",
    "make_deterministic",
    "mean_of_replicas",
    "mirrored",
    "multi_worker",
    "num_replicas",
    "precise",
    "rematerialized",
    "replica",
    "variables_are_current",
    "write_rows",
]
