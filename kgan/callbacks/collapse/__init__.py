"""The watch for runs that collapse: its signals, what they mean, and the callback."""

from kgan.callbacks.collapse.diagnosis import ADVICE, Diagnosis, diagnose
from kgan.callbacks.collapse.signals import Reading, Snapshot, measure
from kgan.callbacks.collapse.watch import CollapseWarning, CollapseWatch

__all__ = [
    "ADVICE",
    "CollapseWarning",
    "CollapseWatch",
    "Diagnosis",
    "Reading",
    "Snapshot",
    "diagnose",
    "measure",
]
