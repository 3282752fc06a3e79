"""Ctrl-C and a scheduler's SIGTERM as a request to stop after the step, not a crash."""

import signal

import keras


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

    def on_train_begin(self, logs=None):
        """Takes over both signals, where Python lets it: in the main thread."""
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._on_signal)
        except ValueError:
            # Only the main thread may handle signals; elsewhere whoever owns it decides.
            self._previous = {}

    def _on_signal(self, number, frame):
        self.received = signal.Signals(number)
        # Python calls this between two steps or within one; fit looks at it after the step.
        self.model.stop_training = True
        self._restore()

    def _restore(self):
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def on_train_end(self, logs=None):
        """Gives the signals back."""
        self._restore()
