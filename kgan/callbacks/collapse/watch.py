"""The callback that tells when a run has collapsed."""

import threading
import warnings

import keras

from kgan import backend, workers
from kgan.callbacks.checkpoint import list_checkpoints
from kgan.callbacks.collapse.diagnosis import HISTORY, diagnose
from kgan.callbacks.collapse.signals import Reading, Snapshot, measure
from kgan.gan import GAN
from kgan.layers.checks import check_positive_int

ACTIONS = ("warn", "stop", "restore")
# A kind of trouble is told again after so many readings without any.
READINGS_TO_RECOVER = 50
# How the fakes of a smaller batch vary is chance.
LEAST_IMAGES = 8


class CollapseWarning(UserWarning):
    """Says what is wrong with a run, since when, and what people do about it."""


class CollapseWatch(keras.callbacks.Callback):
    """Says when a GAN's training has gone wrong: what, since which step, and what people do.

    Every few steps it looks at up to 64 reals and 64 fakes of the batch, as the players saw them,
    at their scores, and at the norms of both gradients; `kgan.callbacks.diagnose` says what they
    mean. Training itself is not changed: the weights are those of a run without it. Where a fit
    begins and ends, its step is traced anew.

    An untrained generator looks as a collapsed one does. So the first 500 steps of a run and the
    first 60 looks are not judged, and a run that has never been well is let alone as long as it
    gets better; only what is not finite is told at once. Batches of fewer than 8 images are passed
    over. Small losses of many modes go unseen: half of 25 Gaussians may be missing.

    `action="restore"` puts the GAN back to the last checkpoint that was saved before the trouble
    began, with its optimizers and random state, deletes the later ones, and goes on with new
    batches. The steps since then count towards the epochs. Where there is no such checkpoint, or
    after `max_restores`, it stops. Trouble is mostly seen 10 to 20 looks after it began, so
    `Checkpoint(keep=…)` must reach back further. Put the watch before callbacks that save.

    Args:
        action: `"warn"`, `"stop"` (which warns too) or `"restore"` (likewise). Defaults to
            `"warn"`.
        checkpoints: str, path or None, the folder of the run's `Checkpoint`; what `"restore"`
            needs. Defaults to None.
        every_steps: int >= 1, how often it looks. Defaults to 10.
        max_restores: int >= 1, how often it restores before it stops. Defaults to 3.

    Attributes:
        diagnoses: list of `kgan.callbacks.Diagnosis`, what it has said, oldest first.

    Raises:
        ValueError: if an argument is out of range, or `checkpoints` is missing or unused; when
            training begins, if the model is no `kgan.GAN`.

    Example:
    >>> watch = kgan.callbacks.CollapseWatch(action="stop")
    >>> history = gan.fit(dataset, epochs=2, callbacks=[watch], verbose=0)
    >>> watch.diagnoses
    []
    """

    def __init__(self, action="warn", checkpoints=None, every_steps=10, max_restores=3):
        super().__init__()
        if action not in ACTIONS:
            raise ValueError(f"action must be one of {ACTIONS}. Received: {action!r}")
        if (action == "restore") != (checkpoints is not None):
            raise ValueError(
                'checkpoints, the folder to restore from, belongs to action="restore". '
                f"Received: action={action!r}, checkpoints={checkpoints!r}"
            )
        check_positive_int("every_steps", every_steps)
        check_positive_int("max_restores", max_restores)
        self.action = action
        self.checkpoints = checkpoints
        self.every_steps = every_steps
        self.max_restores = max_restores
        self.diagnoses = []
        self.history = []
        # Keras's own name: where it only looks, it may do so beside the training.
        self.async_safe = action != "restore" and backend.variables_are_current
        self._lock = threading.Lock()
        self._restores = 0
        self._forget()

    def _forget(self):
        """Begins to look anew."""
        self.history.clear()
        self._told, self._readings_well = set(), 0

    def on_train_begin(self, logs=None):
        """Begins to look at each step."""
        if not isinstance(self.model, GAN):
            raise ValueError(f"CollapseWatch watches a kgan.GAN. Received: {self.model!r}")
        self._snapshot = Snapshot(self.every_steps)
        self.model.observe(self._snapshot)
        self._batches, self._counted = 0, 0
        # A new run, or one that was put back.
        if self.history and self.history[-1].step > self.model.steps_trained:
            self._forget()
        self._offset = self.model.steps_trained

    def on_epoch_begin(self, epoch, logs=None):
        """Notes how many batches came before."""
        self._batches_before = self._batches

    def on_train_batch_end(self, batch, logs=None):
        """Looks if it is time, and says what is wrong."""
        with self._lock:
            self._batches = max(self._batches, self._batches_before + batch + 1)
            if self._batches // self.every_steps > self._counted // self.every_steps:
                self._look()

    def _look(self):
        self._counted, kept = self._snapshot.read()
        if kept["images"].shape[1] < LEAST_IMAGES:
            return
        step = self._offset + self._counted - self._counted % self.every_steps
        self.history.append(self._chiefs(measure(step, **kept)))
        del self.history[:-HISTORY]
        self._tell(diagnose(self.history))

    def _chiefs(self, reading):
        """Returns what the first of several workers has read, so that all do the same about it."""
        strategy = self.model.distribute_strategy
        values = workers.first(strategy, list(vars(reading).values()))
        return Reading(**{**dict(zip(vars(reading), values, strict=True)), "step": reading.step})

    def _tell(self, diagnosis):
        """Acts on a diagnosis, once while the same trouble lasts."""
        if diagnosis is None:
            self._readings_well += 1
            if self._readings_well >= READINGS_TO_RECOVER:
                self._told.clear()
            return
        self._readings_well = 0
        if diagnosis.kind in self._told:
            return
        self._told.add(diagnosis.kind)
        self.diagnoses.append(diagnosis)
        outcome = {"warn": lambda _: "", "stop": self._stop, "restore": self._restore}
        action = outcome[self.action](diagnosis)
        warnings.warn(f"{diagnosis}{action}", CollapseWarning, stacklevel=2)

    def _stop(self, diagnosis):
        self.model.stop_training = True
        return " Training stops."

    def _restore(self, diagnosis):
        """Puts the GAN back to before the trouble, or stops, and returns what it did."""
        if self._restores == self.max_restores:
            return f" Restored {self._restores} times already." + self._stop(diagnosis)
        checkpoints = list_checkpoints(self.checkpoints)
        last_well = diagnosis.since_step - self.every_steps
        good = [(step, path) for step, path in checkpoints if step <= last_well]
        if not good:
            return f" {self.checkpoints} holds no checkpoint from before." + self._stop(diagnosis)
        step, path = good[-1]
        self.model.load_weights(path)
        # Later ones are sick, and a resumed run would take the newest.
        if workers.is_chief(self.model.distribute_strategy):
            for _, later in checkpoints[len(good) :]:
                later.unlink()
        # In the running means of this epoch a value that is not finite would stay.
        self.model.reset_metrics()
        self._forget()
        self._offset = self.model.steps_trained - self._counted
        self._restores += 1
        return f" Training goes on from {path}."
