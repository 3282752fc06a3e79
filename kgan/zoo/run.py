"""The run folder: what one training was told, and what it left behind."""

import json
import os
import pathlib
import platform
import shutil
import subprocess

import keras
import tensorflow as tf

from kgan import backend
from kgan.callbacks import list_checkpoints
from kgan.files import atomic_path, read_json_object
from kgan.version import __version__
from kgan.zoo.options import FREE_ON_RESUME


class RunFolder:
    """The folder of one training; DESIGN calls what it holds a run.

    Args:
        path: str or path. Need not exist.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.config = self.path / "config.json"
        self.model = self.path / "model.keras"
        self.checkpoints = self.path / "checkpoints"
        self.samples = self.path / "samples"
        self.metrics = self.path / "metrics.jsonl"
        self.curves = self.path / "curves.png"
        self.logs = self.path / "logs"
        self.export = self.path / "export"

    def last_checkpoint(self):
        """Returns the path of the newest checkpoint, or None."""
        checkpoints = list_checkpoints(self.checkpoints)
        return checkpoints[-1][1] if checkpoints else None

    def open(self, resume, overwrite):
        """Makes sure that nothing is lost by writing here; deletes nothing yet.

        Args:
            resume: bool, whether to go on with the run that is here.
            overwrite: bool, whether its place may be taken.

        Returns:
            The configuration of the run to go on with, or None for a new one.

        Raises:
            ValueError: if both are asked for.
            FileExistsError: if the folder holds something and neither is asked for.
        """
        if resume and overwrite:
            raise ValueError("--resume keeps the run and --overwrite deletes it. Received: both")
        is_run = self.config.exists()
        if resume and is_run:
            return read_json_object(self.config)
        is_free = not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir()))
        if not is_free and not (overwrite and is_run):
            what = "a run" if is_run else "something that is not a run"
            remedy = (
                "--resume goes on with it, --overwrite deletes it, or give" if is_run else "Give"
            )
            raise FileExistsError(
                f"{self.path} holds {what}. {remedy} another --out. Received: --out={self.path}"
            )
        return None

    def begin(self, config):
        """Deletes the run that was here, if there was one, and writes the new configuration."""
        if self.config.exists():
            shutil.rmtree(self.path)
        with atomic_path(self.config) as temporary:
            pathlib.Path(temporary).write_text(json.dumps(config, indent=2) + "\n")


def check_same(given, saved):
    """Refuses to go on with a run under other flags than it was begun with.

    Args:
        given: dict, the flags of this command line.
        saved: dict, the flags of the run's configuration.

    Raises:
        ValueError: naming each flag that differs, with both values.
    """
    different = [
        f"--{name}={_words(value)} (the run has {_words(saved[name])})"
        for name, value in given.items()
        if name in saved and name not in FREE_ON_RESUME and saved[name] != value
    ]
    if different:
        raise ValueError(
            "A resumed run keeps its flags; leave them out, or give another --out for another "
            f"run. Received: {', '.join(different)}"
        )


def _words(value):
    if value is None:
        return "its recipe's"
    return " and ".join(value) if isinstance(value, list) else value


def versions():
    """Returns what a run was computed with, for its configuration."""
    return {
        "kgan": __version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
        "git_revision": _git_revision(),
    }


def machine():
    """Returns what a run was computed on: processor, cores, and GPUs if there are any."""
    return {"processor": _processor(), "cores": len(_cores()), "gpus": backend.devices()}


def _cores():
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count())


def _processor():
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _git_revision():
    """Returns the revision of kgan's own checkout, or None where it is installed without one."""
    folder = pathlib.Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None
    answer = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or None
