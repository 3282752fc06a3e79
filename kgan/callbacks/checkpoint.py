"""Checkpoints to resume from: the whole GAN in one file that is either complete or absent."""

import pathlib
import re

import keras
import numpy as np

from kgan.files import atomic_path

_PATTERN = re.compile(r"step-(\d+)\.keras")


class CheckpointError(RuntimeError):
    """A checkpoint could not be written; the one before it is still there."""


def list_checkpoints(folder):
    """Returns the checkpoints in a folder as `(step, path)`, oldest first.

    Args:
        folder: str or path; one that does not exist holds none.

    Example:
    >>> kgan.callbacks.list_checkpoints("no/such/folder")
    []
    """
    folder = pathlib.Path(folder)
    names = [(_PATTERN.fullmatch(path.name), path) for path in folder.glob("step-*.keras")]
    return sorted((int(match[1]), path) for match, path in names if match)


class Checkpoint(keras.callbacks.Callback):
    """Saves everything that training needs to go on, bit for bit, after each epoch.

    A checkpoint is the `.keras` file of the GAN: both networks, both optimizers, the averaged
    generator and the random state, named `step-00000469.keras` for its generator updates. It is
    written under a temporary name and renamed, so that a crash or a full disk leaves the previous
    one as it was. Weights that are not finite are never written.

    Args:
        folder: str or path, where the checkpoints lie.
        every_epochs: int >= 1, how often to save; a stopped training is always saved. Defaults
            to 1.
        keep: int >= 1, how many of the newest stay. Defaults to 2.

    Raises:
        CheckpointError: while training, if a checkpoint cannot be written.

    Example:
    >>> checkpoint = kgan.callbacks.Checkpoint("runs/mine/checkpoints", keep=3)
    """

    def __init__(self, folder, every_epochs=1, keep=2):
        super().__init__()
        for name, value in (("every_epochs", every_epochs), ("keep", keep)):
            if not (isinstance(value, int) and value >= 1):
                raise ValueError(f"{name} must be an int of 1 or more. Received: {value!r}")
        self.folder = pathlib.Path(folder)
        self.every_epochs = every_epochs
        self.keep = keep

    def on_train_begin(self, logs=None):
        """Clears away what a process that was killed while it saved has left."""
        for path in self.folder.glob(".step-*.keras"):
            path.unlink()

    def on_epoch_end(self, epoch, logs=None):
        """Saves when it is time, or when something has stopped the training."""
        if (epoch + 1) % self.every_epochs == 0 or self.model.stop_training:
            self.save()

    def on_train_end(self, logs=None):
        """Saves the end of training."""
        self.save()

    def save(self):
        """Saves now, unless this step is saved already, and forgets the oldest."""
        self.model.synchronize()
        step = self.model.steps_trained
        path = self.folder / f"step-{step:08d}.keras"
        if path.exists():
            return
        self._check_finite(step)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as temporary:
                self.model.save(temporary)
        except OSError as error:
            raise CheckpointError(
                f"Could not write the checkpoint {path}: {error}. Free some disk space and "
                f"resume{self._from_last()}."
            ) from error
        for _, old in list_checkpoints(self.folder)[: -self.keep]:
            old.unlink()

    def _check_finite(self, step):
        for variable in self.model.weights:
            values = keras.ops.convert_to_numpy(variable.value)
            if not np.all(np.isfinite(values)):
                raise CheckpointError(
                    f"After step {step} the weights {variable.path} are not finite, so they are "
                    f"not saved. Resume{self._from_last()} with lower learning rates."
                )

    def _from_last(self):
        checkpoints = list_checkpoints(self.folder)
        return f" from {checkpoints[-1][1]}" if checkpoints else " from the beginning"
