"""Checkpoints: complete or absent, never of broken weights."""

import errno
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

import kgan
from kgan.callbacks import Checkpoint, CheckpointError, list_checkpoints
from tests import networks

IMAGES = np.random.default_rng(0).uniform(-1, 1, (12, 2)).astype("float32")


def make_gan():
    gan = kgan.GAN(networks.generator(), networks.discriminator(), seed=1)
    gan.compile("adam", "adam")
    return gan


def fit(gan, folder, epochs=1, initial_epoch=0, callbacks=(), **kwargs):
    gan.fit(
        IMAGES,
        batch_size=4,
        epochs=epochs,
        initial_epoch=initial_epoch,
        callbacks=[*callbacks, Checkpoint(folder, **kwargs)],
        verbose=0,
        shuffle=False,
    )


def steps(folder):
    return [step for step, _ in list_checkpoints(folder)]


def test_keeps_the_newest(tmp_path):
    fit(make_gan(), tmp_path, epochs=4, keep=2)
    assert steps(tmp_path) == [9, 12]
    assert len(list(tmp_path.iterdir())) == 2


def test_every_few_epochs_and_at_the_end(tmp_path):
    fit(make_gan(), tmp_path, epochs=5, every_epochs=2, keep=9)
    assert steps(tmp_path) == [6, 12, 15]


def test_a_stopped_training_is_saved(tmp_path):
    class StopAfter(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    fit(make_gan(), tmp_path, epochs=5, every_epochs=5, callbacks=[StopAfter()])
    assert steps(tmp_path) == [2]


def test_training_goes_on_from_a_checkpoint(tmp_path):
    uninterrupted = make_gan()
    fit(uninterrupted, tmp_path / "a", epochs=2)
    loaded = kgan.load_gan(list_checkpoints(tmp_path / "a")[0][1])
    fit(loaded, tmp_path / "b", epochs=2, initial_epoch=1)
    for a, b in zip(uninterrupted.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    (tmp_path / ".step-00000003.0123abcd.keras").write_bytes(b"half of it")
    fit(make_gan(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000003.keras"]


def test_order_is_by_step_not_by_name(tmp_path):
    for name in ("step-00000099.keras", "step-100000000.keras", "step-x.keras", "other.keras"):
        (tmp_path / name).touch()
    assert steps(tmp_path) == [99, 100000000]


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    gan = make_gan()
    fit(gan, tmp_path)
    gan.generator.layers[-2].bias.assign([np.nan, 0.0])
    with pytest.raises(CheckpointError, match=r"weights .* are not finite.*step-00000003\.keras"):
        fit(gan, tmp_path)
    assert steps(tmp_path) == [3]


def test_a_failing_disk_keeps_the_previous_checkpoint(tmp_path, monkeypatch):
    gan = make_gan()
    fit(gan, tmp_path)

    def full(path):
        with open(path, "wb") as file:
            file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gan, "save", full)
    with pytest.raises(CheckpointError, match=r"No space left.*from .*step-00000003\.keras"):
        fit(gan, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000003.keras"]
    kgan.load_gan(tmp_path / "step-00000003.keras")


@pytest.mark.slow
def test_a_really_full_disk_keeps_the_previous_checkpoint(tmp_path):
    """The operating system refuses to write more than half a checkpoint, in another process."""
    program = f"""
        import resource, sys
        from tests.callbacks.test_checkpoint import *
        import pathlib
        folder = pathlib.Path({str(tmp_path)!r})
        gan = make_gan()
        fit(gan, folder)
        size = (folder / "step-00000003.keras").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))
        try:
            fit(gan, folder)
        except CheckpointError as error:
            print("refused:", error)
    """
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "refused: Could not write the checkpoint" in answer.stdout, answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000003.keras"]
    assert kgan.load_gan(tmp_path / "step-00000003.keras").generate(1, seed=1).shape == (1, 2)


@pytest.mark.parametrize("name", ["every_epochs", "keep"])
@pytest.mark.parametrize("value", [0, 1.5])
def test_bad_numbers(name, value, tmp_path):
    with pytest.raises(ValueError, match=f"{name}.*Received: {value}"):
        Checkpoint(tmp_path, **{name: value})
