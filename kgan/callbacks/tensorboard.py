"""A GAN's numbers and pictures for TensorBoard."""

import pathlib

import keras
import tensorflow as tf

from kgan.callbacks.samples import SampleSheet, check_count

PLAYERS = ("generator", "discriminator")


class TensorBoard(keras.callbacks.Callback):
    """Writes each epoch's logs, both learning rates and a grid of samples for TensorBoard.

    `keras.callbacks.TensorBoard` shows the learning rate of a model's one optimizer, and no
    samples. As there, training goes to `train/` and validation to `validation/`, under the same
    names, so that TensorBoard draws both in one chart. The step is the epoch; the first is 1.

    Args:
        log_dir: str or path, what `tensorboard --logdir` is given.
        every_epochs: int >= 1 or None, draws samples when the epoch is a multiple; None draws
            none, for samples that are no images. Defaults to 1.
        n: int >= 1, samples in a grid. Defaults to 64.
        labels: what to draw, if conditional, as in `SampleGrid`. Defaults to None.
        seed: int, of the latents. Defaults to 0.

    Raises:
        ValueError: if a number is out of range; when training begins, if the samples are no
            images or the labels do not fit them.

    Example:
    >>> callback = kgan.callbacks.TensorBoard("runs/mine/logs")
    >>> history = gan.fit(dataset, epochs=2, callbacks=[callback], verbose=0)
    """

    def __init__(self, log_dir, every_epochs=1, n=64, labels=None, seed=0):
        super().__init__()
        self.log_dir = pathlib.Path(log_dir)
        self.every_epochs = every_epochs and check_count("every_epochs", every_epochs)
        self.sheet = SampleSheet(n, labels, seed)
        self._writers = {}

    def on_train_begin(self, logs=None):
        """Draws once, so that what cannot be drawn is an error before hours of training."""
        if self.every_epochs is not None:
            self.sheet.draw(self.model)

    def on_epoch_end(self, epoch, logs=None):
        """Writes this epoch's numbers and, if it is its turn, samples."""
        logs = logs or {}
        trained = {name: value for name, value in logs.items() if not name.startswith("val_")}
        validated = {name[4:]: value for name, value in logs.items() if name not in trained}
        self._write_scalars("train", {**trained, **self._learning_rates()}, epoch + 1)
        self._write_scalars("validation", validated, epoch + 1)
        if self.every_epochs is not None and (epoch + 1) % self.every_epochs == 0:
            with self._writer("train").as_default(epoch + 1):
                tf.summary.image("samples", self.sheet.draw_picture(self.model)[None])

    def on_train_end(self, logs=None):
        """Closes the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _learning_rates(self):
        """Returns what the next step will use: a schedule's value, not its start."""
        return {
            f"{player}_learning_rate": keras.ops.convert_to_numpy(
                getattr(self.model, f"{player}_optimizer").learning_rate
            )
            for player in PLAYERS
        }

    def _write_scalars(self, part, values, epoch):
        if not values:
            return
        with self._writer(part).as_default(epoch):
            for name, value in values.items():
                tf.summary.scalar(name, float(value))

    def _writer(self, part):
        if part not in self._writers:
            self._writers[part] = tf.summary.create_file_writer(str(self.log_dir / part))
        return self._writers[part]
