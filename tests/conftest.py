"""Threads are bounded before TensorFlow starts them: tests share a machine with others."""

import os
import pathlib

for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(name, "1")

import kgan  # noqa: E402, I001  first, so that it keeps TensorFlow's start quiet
import keras  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.python.framework.config import disable_op_determinism  # noqa: E402  no public one

# Two replicas on a machine without GPUs; this must be said before the first computation.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(autouse=True)
def reset_keras():
    """Each test begins with the same random state, in float32, and where XLA may compile."""
    keras.config.set_dtype_policy("float32")
    disable_op_determinism()  # which programs that ran in this process have asked for
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def doctest_names(doctest_namespace):
    """Names that the examples in docstrings use without importing them."""
    doctest_namespace.update(kgan=kgan, keras=keras, np=np)


@pytest.fixture(scope="session")
def mnist_dir():
    """Where TensorFlow Datasets has prepared MNIST; skips where nobody has."""
    shared = pathlib.Path(__file__).parents[2] / "shared" / "data" / "tfds"
    for folder in (os.environ.get("TFDS_DATA_DIR"), shared):
        if folder and (pathlib.Path(folder) / "mnist").is_dir():
            return str(folder)
    pytest.skip("MNIST is neither in TFDS_DATA_DIR nor in ../shared/data/tfds")


@pytest.fixture(scope="session")
def two_replicas():
    """The one MirroredStrategy of this process: TensorFlow's collectives share keys among them."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow only: replicas of tf.distribute")
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
