"""What happens around `fit`: pictures, numbers, checkpoints, and an end when all is lost."""

from kgan.callbacks.checkpoint import Checkpoint, CheckpointError, list_checkpoints
from kgan.callbacks.collapse import CollapseWarning, CollapseWatch, Diagnosis, Reading, diagnose
from kgan.callbacks.curves import Curves, save_curves
from kgan.callbacks.evaluate import Evaluate
from kgan.callbacks.interrupt import AgreedInterrupt, GracefulInterrupt
from kgan.callbacks.metrics_log import MetricsLog, read_metrics
from kgan.callbacks.non_finite import NonFiniteLossError, TerminateOnNonFinite
from kgan.callbacks.samples import SampleGrid, save_animation
from kgan.callbacks.tensorboard import TensorBoard

__all__ = [
    "AgreedInterrupt",
    "Checkpoint",
    "CheckpointError",
    "CollapseWarning",
    "CollapseWatch",
    "Curves",
    "Diagnosis",
    "Evaluate",
    "GracefulInterrupt",
    "MetricsLog",
    "NonFiniteLossError",
    "Reading",
    "SampleGrid",
    "TensorBoard",
    "TerminateOnNonFinite",
    "diagnose",
    "list_checkpoints",
    "read_metrics",
    "save_animation",
    "save_curves",
]
