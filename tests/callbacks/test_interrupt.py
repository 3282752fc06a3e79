"""Signals stop training after the step, and only then."""

import itertools
import os
import signal
import threading

import keras
import numpy as np
import pytest

import kgan
from kgan import workers
from kgan.callbacks import AgreedInterrupt, GracefulInterrupt
from tests import networks


@pytest.fixture(autouse=True)
def python_s_own_handler():
    """A shell that starts tests in the background lets them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class SignalAt(keras.callbacks.Callback):
    """Sends this process a signal in the middle of a step."""

    def __init__(self, number, batch):
        super().__init__()
        self.number, self.batch = number, batch

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.batch:
            os.kill(os.getpid(), self.number)


def fit(*callbacks):
    gan = kgan.GAN(networks.generator(), networks.discriminator())
    gan.compile("sgd", "sgd")
    gan.fit(np.zeros((12, 2), "float32"), batch_size=2, callbacks=callbacks, verbose=0)
    return int(gan.generator_optimizer.iterations)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_step_is_finished_and_the_next_is_not_begun(number):
    interrupt = GracefulInterrupt()
    handler = signal.getsignal(number)
    assert fit(interrupt, SignalAt(number, batch=2)) == 3
    assert interrupt.received == number
    assert signal.getsignal(number) is handler


class SignalInStep(keras.callbacks.Callback):
    """Sends it when the second step has used up the state before it, and not yet told its own."""

    def on_train_begin(self, logs=None):
        gan, count = self.model, itertools.count(1)
        step = gan.train_function

        def train_function(*args):
            results = step(*args)
            if next(count) == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return results

        gan.train_function = train_function


def test_what_the_interrupted_step_has_learned_is_kept():
    assert fit(GracefulInterrupt(), SignalInStep()) == 2


def test_without_a_signal_training_ends_by_itself():
    interrupt = GracefulInterrupt()
    assert fit(interrupt) == 6
    assert interrupt.received is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_signal_ends_it_at_once():
    interrupt = GracefulInterrupt()
    with pytest.raises(KeyboardInterrupt):
        fit(interrupt, SignalAt(signal.SIGINT, 2), SignalAt(signal.SIGINT, 2))


def test_other_threads_train_without_it():
    interrupt, steps = GracefulInterrupt(), []
    thread = threading.Thread(target=lambda: steps.append(fit(interrupt)))
    thread.start()
    thread.join()
    assert steps == [6]


# --- Several workers ----------------------------------------------------------------------------


@pytest.fixture
def others(monkeypatch):
    """What each exchange with another worker brought: a function decides what that one says."""
    told = []
    said = {}

    def gather(strategy, rows):
        told.append(list(rows))
        return np.array([*rows, said.get(len(told), 0)])

    monkeypatch.setattr(workers, "gather", gather)
    return told, said


def test_a_worker_goes_on_until_all_have_heard(others):
    told, _ = others
    interrupt = AgreedInterrupt(every_steps=2)
    assert fit(interrupt, SignalAt(signal.SIGTERM, batch=2)) == 4
    assert told == [[0], [15], [15]]  # after 2 and 4 batches, and at the end of the epoch
    assert interrupt.received is signal.SIGTERM


def test_a_worker_stops_when_another_was_asked_to(others):
    told, said = others
    said[2] = signal.SIGINT
    interrupt = AgreedInterrupt(every_steps=2)
    assert fit(interrupt) == 4
    assert interrupt.received is signal.SIGINT


def test_each_worker_speaks_as_often(others):
    told, _ = others
    assert fit(AgreedInterrupt(every_steps=4)) == 6
    assert told == [[0], [0]]  # after 4 of 6 batches, and at the end


def test_workers_must_speak_now_and_then():
    with pytest.raises(ValueError, match="every_steps"):
        AgreedInterrupt(every_steps=0)


class Failing(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise ArithmeticError("in the middle of training")


def test_a_training_that_failed_has_no_say_after_the_next():
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(ArithmeticError):
        fit(GracefulInterrupt(), Failing())
    assert fit(GracefulInterrupt()) == 6
    assert signal.getsignal(signal.SIGINT) is handler


def test_what_stopped_a_training_does_not_stop_the_next():
    interrupt = AgreedInterrupt(every_steps=1)
    assert fit(interrupt, SignalAt(signal.SIGINT, batch=2)) == 3
    assert interrupt.received == signal.SIGINT
    assert fit(interrupt) == 6
    assert interrupt.received is None
