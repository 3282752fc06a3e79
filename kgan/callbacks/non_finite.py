"""Training that has failed for good stops, and says where."""

import math

import keras

from kgan.callbacks.checkpoint import list_checkpoints

ADVICE = (
    "People lower the learning rate, add a penalty such as R1, or clip gradients; with float16, "
    "they try bfloat16 or float32."
)


class NonFiniteLossError(RuntimeError):
    """A player's loss became NaN or infinite.

    Args:
        message: str, what happened and where.
        step: int, the generator update of the whole run at which it showed; with
            `steps_per_execution` above 1, the last one that it can have been.
        epoch: int, the epoch; the first is 1.
        losses: dict of the logs that are not finite.

    Example:
    >>> try:
    ...     history = gan.fit(
    ...         dataset, callbacks=[kgan.callbacks.TerminateOnNonFinite()], verbose=0
    ...     )
    ... except kgan.callbacks.NonFiniteLossError as error:
    ...     print(error.step)
    """

    def __init__(self, message, step=None, epoch=None, losses=None):
        super().__init__(message)
        self.step = step
        self.epoch = epoch
        self.losses = dict(losses or {})


class TerminateOnNonFinite(keras.callbacks.Callback):
    """Stops training with an error as soon as a loss is NaN or infinite.

    `keras.callbacks.TerminateOnNaN` looks at `loss`, which a GAN does not log. No step after such
    a loss repairs the weights, and a checkpoint of them would replace a good one; so put this
    callback before those that save.

    On a GPU the check does not make the next step wait: where no other callback looks at every
    batch either, Keras runs it beside the training, and the error comes a few steps late, still
    with the right step. No epoch ends before its batches are checked.

    Args:
        checkpoints: str, path or None, the folder of the run's `Checkpoint`, whose newest file
            the error names. Defaults to None.

    Raises:
        NonFiniteLossError: in training, when a log whose name ends in `loss` is not finite.

    Example:
    >>> callback = kgan.callbacks.TerminateOnNonFinite("runs/mine/checkpoints")
    >>> history = gan.fit(dataset, callbacks=[callback], verbose=0)
    """

    # Keras's own name: the checks of several batches may run in other threads.
    async_safe = True

    def __init__(self, checkpoints=None):
        super().__init__()
        self.checkpoints = checkpoints

    def on_epoch_begin(self, epoch, logs=None):
        """Notes where the epoch begins, since the optimizer may be ahead of a check."""
        self._epoch = epoch + 1
        self._steps_before = self.model.steps_trained

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the running means, in which a value that is not finite stays."""
        for name, value in (logs or {}).items():
            if name.endswith("loss") and not math.isfinite(value):
                raise self._error(batch, logs)

    def _error(self, batch, logs):
        bad = {name: value for name, value in logs.items() if not math.isfinite(value)}
        first = batch - batch % self.model.steps_per_execution
        step, first = (self._steps_before + i + 1 for i in (batch, first))
        where = f"step {step}" if step == first else f"one of the steps {first} to {step}"
        values = ", ".join(f"{name}={value}" for name, value in bad.items())
        saved = list_checkpoints(self.checkpoints) if self.checkpoints is not None else []
        checkpoint = f" The last checkpoint before it: {saved[-1][1]}." if saved else ""
        return NonFiniteLossError(
            f"Every loss must be finite; {_players(bad)} is not since {where}, in epoch "
            f"{self._epoch}, and no later step would repair it.{checkpoint} {ADVICE} "
            f"Received: {values}",
            step=step,
            epoch=self._epoch,
            losses=bad,
        )


def _players(bad):
    names = [player for player in ("generator", "discriminator") if f"{player}_loss" in bad]
    if not names:
        return ", ".join(name for name in bad if name.endswith("loss"))
    return " and ".join(f"the {name}'s" for name in names)
