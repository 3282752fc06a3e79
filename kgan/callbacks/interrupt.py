"""Ctrl-C and a scheduler's SIGTERM as a request to stop after the step, not a crash."""

import signal

import keras

from kgan import workers
from kgan.layers.checks import check_positive_int


class GracefulInterrupt(keras.callbacks.Callback):
    """Stops training after the current step when the process is asked to end.

    The first Ctrl-C (SIGINT) or SIGTERM lets the step finish, so that a `Checkpoint` saves a
    state to resume from; a second one ends the process at once, as Python does by itself.

    Attributes:
        received: `signal.Signals` or None, what asked the training to stop.

    Example:
    >>> interrupt = kgan.callbacks.GracefulInterrupt()
    >>> interrupt.received is None
    True
    """

    def __init__(self):
        super().__init__()
        self.received = None
        self._previous = {}
        self._trained = None

    def on_train_begin(self, logs=None):
        """Takes over both signals, where Python lets it: in the main thread."""
        # Under JAX asking a callback for its `model` reads the last step's state, which the step
        # that a signal comes in the middle of has given away.
        self._trained = self.model
        self.received = None
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                # Of a `fit` that raised Keras does not tell its callbacks that it has ended.
                ended = getattr(signal.getsignal(number), "__self__", None)
                if isinstance(ended, GracefulInterrupt):
                    ended._restore()
                self._previous[number] = signal.signal(number, self._on_signal)
        except ValueError:
            # Only the main thread may handle signals; elsewhere whoever owns it decides.
            self._previous = {}

    def _on_signal(self, number, frame):
        self.received = signal.Signals(number)
        self._ask_to_stop()
        self._restore()

    def _ask_to_stop(self):
        # Python calls this between two steps or within one; fit looks at it after the step.
        self._trained.stop_training = True

    def _restore(self):
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def on_train_end(self, logs=None):
        """Gives the signals back."""
        self._restore()


class AgreedInterrupt(GracefulInterrupt):
    """Stops all workers of a training after the same step when one of them is asked to end.

    Under `tf.distribute.MultiWorkerMirroredStrategy` a worker that stopped by itself would leave
    the others waiting for its part of the next step. So each tells the others whether it was
    asked, and `received` becomes the same on all of them. All workers must have this callback.

    Args:
        every_steps: int >= 1, how often they tell each other; also at the end of an epoch.
            Defaults to 10, which costs next to nothing.

    Raises:
        ValueError: if `every_steps` is below 1.

    Example:
    >>> interrupt = kgan.callbacks.AgreedInterrupt(every_steps=5)
    """

    def __init__(self, every_steps=10):
        super().__init__()
        check_positive_int("every_steps", every_steps)
        self.every_steps = every_steps

    def _ask_to_stop(self):
        """Leaves it to `_agree`: the others do not know yet."""

    def on_epoch_begin(self, epoch, logs=None):
        """Counts the batches of this epoch, since each `fit` has as many on all workers."""
        self._batches = 0

    def on_train_batch_end(self, batch, logs=None):
        """Tells the others, if it is time."""
        done = batch + 1
        if done // self.every_steps > self._batches // self.every_steps:
            self._agree()
        self._batches = done

    def on_epoch_end(self, epoch, logs=None):
        """Tells the others before they begin another epoch."""
        self._agree()

    def _agree(self):
        numbers = workers.gather(self.model.distribute_strategy, [self.received or 0])
        if numbers.any():
            self.received = signal.Signals(int(numbers.max()))
            self.model.stop_training = True
