"""A killed run, in processes of its own, ends as one that was never interrupted."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import kgan

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tests.zoo.tiny", "--epochs=6", "--noexport"]


def start(out, *argv):
    return subprocess.Popen(
        [*COMMAND, f"--out={out}", *argv],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def state(run):
    gan = kgan.load_gan(run)
    optimizers = [*gan.generator_optimizer.variables, *gan.discriminator_optimizer.variables]
    return [np.asarray(v.value) for v in [*gan.variables, *optimizers]]


def assert_same(run, other):
    for a, b in zip(state(run), state(other), strict=True):
        np.testing.assert_array_equal(a, b)


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    out = tmp_path_factory.mktemp("resume") / "uninterrupted"
    process = start(out)
    assert process.wait() == 0, process.communicate()
    return out


@pytest.mark.parametrize("delay_seconds", [0.0, 0.1, 0.3])
def test_sigkill(tmp_path, uninterrupted, delay_seconds):
    """Killed at an arbitrary moment: in a step, in drawing samples, in writing a checkpoint."""
    out = tmp_path / "killed"
    process = start(out)
    wait_for(out / "checkpoints" / "step-00000014.keras", process)
    time.sleep(delay_seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "model.keras").exists()
    process = start(out, "--resume")
    assert process.wait() == 0, process.communicate()
    assert_same(out, uninterrupted)
    epochs = [row["epoch"] for row in kgan.callbacks.read_metrics(out / "metrics.jsonl")]
    assert epochs == [1, 2, 3, 4, 5, 6]
    assert not [name for name in os.listdir(out / "checkpoints") if name.startswith(".")]


def test_sigint_says_how_to_resume(tmp_path, uninterrupted):
    out = tmp_path / "interrupted"
    process = start(out)
    wait_for(out / "checkpoints" / "step-00000007.keras", process)
    process.send_signal(signal.SIGINT)
    shown, errors = process.communicate()
    assert process.returncode == 130, errors
    assert "Stopped by SIGINT after step" in shown
    assert f"--out={out} --resume" in shown
    process = start(out, "--resume")
    assert process.wait() == 0, process.communicate()
    assert_same(out, uninterrupted)


def test_a_run_compiled_by_xla_is_repeatable_and_really_compiled(tmp_path):
    """Keras would quietly do without XLA where TensorFlow's determinism is on."""
    runs = []
    for name in ("a", "b"):
        argv = ["--dataset=digits", "--steps=3", "--noexport", "--jit_compile=true"]
        command = [sys.executable, "-m", "tests.zoo.tiny", *argv, f"--out={tmp_path / name}"]
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert "jit_compile" not in answer.stderr
        runs.append(kgan.load_gan(tmp_path / name))
    assert runs[0].jit_compile
    for a, b in zip(*(run.get_weights() for run in runs), strict=True):
        np.testing.assert_array_equal(a, b)
