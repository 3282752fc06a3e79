"""metrics.jsonl: what an epoch brought, a line each, across the sessions of a run."""

import json
import math
import pathlib
import time

import keras

from kgan.files import atomic_path

# Where `Evaluate` tells, in the `params` that callbacks share, how long it took in this `fit`.
EVALUATION_SECONDS = "evaluation_seconds"


class MetricsLog(keras.callbacks.Callback):
    """Writes one JSON object an epoch, a line each, to a file that a resumed run continues.

    Each line holds `epoch` (the first is 1), `step` (generator updates of the whole run),
    `images_seen`, `seconds` (of training, over all its sessions, without `Evaluate`),
    `images_per_second` (this epoch's, without validation either), and every log of `fit` as a
    number. NaN and infinity, which JSON does not have, are null.

    A `fit` that begins with epoch `e` keeps the lines of earlier epochs and replaces those that
    it trains again. A line is there as soon as its epoch ends, and the file is whole at any time.

    Args:
        path: str or path, the file, usually `metrics.jsonl`.

    Raises:
        ValueError: when training begins, if the file exists and holds something else.

    Example:
    >>> callback = kgan.callbacks.MetricsLog("runs/mine/metrics.jsonl")
    >>> history = gan.fit(dataset, epochs=2, callbacks=[callback], verbose=0)
    >>> [row["epoch"] for row in kgan.callbacks.read_metrics("runs/mine/metrics.jsonl")]
    [1, 2]
    """

    def __init__(self, path):
        super().__init__()
        self.path = pathlib.Path(path)
        self._epoch_trained = 0.0

    def on_train_begin(self, logs=None):
        """Reads what earlier sessions wrote."""
        self._rows = read_metrics(self.path)
        self._first_epoch = None
        self._earlier_seconds = 0.0
        self._began = self._now()

    def on_epoch_begin(self, epoch, logs=None):
        """Keeps the lines of earlier epochs."""
        self._images_before = int(self.model.images_seen.numpy())
        if self._first_epoch is None:
            self._first_epoch = epoch
            self._earlier_seconds = self._seconds_at(epoch, self._images_before)
            self._rows = [row for row in self._rows if row["epoch"] <= epoch]
        self._epoch_began = self._now()
        self._epoch_trained = None

    def on_test_begin(self, logs=None):
        """Stops the epoch's clock: validation is not training."""
        if self._epoch_trained is None:
            self._epoch_trained = self._now()

    def on_epoch_end(self, epoch, logs=None):
        """Writes this epoch's line."""
        now = self._now()
        images_seen = int(self.model.images_seen.numpy())
        trained_seconds = (self._epoch_trained or now) - self._epoch_began
        self._epoch_trained = now
        row = {
            "epoch": epoch + 1,
            "step": self.model.steps_trained,
            "images_seen": images_seen,
            "seconds": round(self._earlier_seconds + now - self._began, 3),
            "images_per_second": round((images_seen - self._images_before) / trained_seconds, 1),
            **{name: float(value) for name, value in (logs or {}).items()},
        }
        self._rows.append(row)
        with atomic_path(self.path) as temporary:
            temporary.write_text("".join(_to_line(row) for row in self._rows))

    def _now(self):
        """Returns the time of a clock that stands still while `Evaluate` works."""
        return time.perf_counter() - (self.params or {}).get(EVALUATION_SECONDS, 0.0)

    def _seconds_at(self, epoch, images_seen):
        """Returns how long earlier sessions trained for what this one starts with.

        An interrupted epoch's line is replaced, but its time counts if its images do.
        """
        seconds = [
            row["seconds"]
            for row in self._rows
            if row["epoch"] <= epoch or row["images_seen"] <= images_seen
        ]
        return max(seconds, default=0.0)


def read_metrics(path):
    """Returns the lines of a `metrics.jsonl` as dicts, null as NaN.

    Args:
        path: str or path, a file that `MetricsLog` wrote.

    Returns:
        List of dicts by epoch; empty if there is no such file.

    Raises:
        ValueError: if a line is something else, with its number.

    Example:
    >>> rows = kgan.callbacks.read_metrics("runs/mine/metrics.jsonl")
    >>> losses = [row["generator_loss"] for row in rows]
    """
    path = pathlib.Path(path)
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            row = json.loads(line)
            if not {"epoch", "images_seen", "seconds"} <= row.keys():
                raise ValueError
        except (ValueError, AttributeError):
            raise ValueError(
                f"{path} must hold one JSON object of MetricsLog a line; move it away if it is "
                f"something else. Received: line {number}: {line[:200]}"
            ) from None
        rows.append({name: math.nan if value is None else value for name, value in row.items()})
    return rows


def _to_line(row):
    values = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
    return json.dumps(values, allow_nan=False) + "\n"
