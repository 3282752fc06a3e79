"""Two workers, in processes of their own on this machine, train what one process would."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

import kgan

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
# Batch norm in the generator; a lazy penalty, flips and metrics of three kinds.
COMMAND = [
    *(sys.executable, "-m", "kgan.zoo.dcgan", "--dataset=digits", "--image_size=8"),
    *("--set=generator_width=4", "--set=discriminator_width=4", "--batch_size=256"),
    *("--epochs=4", "--horizontal_flip", "--noexport", "--penalty=r1:0.03,every=2"),
    *("--metrics=fd:features=pixels,prdc:features=pixels,swd", "--evaluation_samples=301"),
]
SEVERAL = ["--strategy=multi_worker", "--synchronized_batch_norm"]
STEPS_PER_EPOCH = 7
TIMEOUT_SECONDS = 300


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def processes():
    """List of all processes that were started: none outlives its test module."""
    started = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def start(processes, out, *argv, **environment):
    process = subprocess.Popen(
        [*COMMAND, f"--out={out}", *argv],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    processes.append(process)
    return process


def start_workers(processes, out, *argv, n=2):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(n)]}
    return [
        start(
            processes,
            out,
            *SEVERAL,
            *argv,
            TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}}),
        )
        for i in range(n)
    ]


def end(process):
    """Returns the exit status, what was printed, and the errors."""
    shown, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    return process.returncode, shown, errors


def assert_ends_well(workers):
    for worker in workers:
        status, _, errors = end(worker)
        assert status == 0, errors


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def state(run):
    gan = kgan.load_gan(run)
    optimizers = [*gan.generator_optimizer.variables, *gan.discriminator_optimizer.variables]
    return [np.asarray(v.value) for v in [*gan.variables, *optimizers]]


def assert_close(run, other, atol):
    for a, b in zip(state(run), state(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


@pytest.fixture(scope="module")
def one_process(tmp_path_factory, processes):
    out = tmp_path_factory.mktemp("workers") / "one_process"
    assert_ends_well([start(processes, out)])
    return out


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, processes):
    out = tmp_path_factory.mktemp("workers") / "undisturbed"
    assert_ends_well(start_workers(processes, out))
    return out


def test_two_workers_train_as_one_process(one_process, undisturbed):
    """All weights, both optimizers' moments, the averaged generator and the random state."""
    assert_close(one_process, undisturbed, atol=1e-4)


def test_two_workers_measure_as_one_process(one_process, undisturbed):
    rows, expected = (
        kgan.callbacks.read_metrics(run / "metrics.jsonl") for run in (undisturbed, one_process)
    )
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert "frechet_distance" in rows[0] and "coverage" in rows[0]
    for row, other in zip(rows, expected, strict=True):
        assert row.keys() == other.keys()
        for name in row.keys() - {"seconds", "images_per_second"}:
            np.testing.assert_allclose(row[name], other[name], rtol=1e-4, atol=1e-4)


def test_only_the_chief_writes(one_process, undisturbed):
    """What one process writes, once: a second event file would be another worker's."""

    def names(run):
        return sorted(
            "events" if path.name.startswith("events") else str(path.relative_to(run))
            for path in run.rglob("*")
        )

    assert names(undisturbed) == names(one_process)


@pytest.mark.parametrize("victim", [0, 1])
def test_sigkill_ends_all_and_a_resumed_run_is_the_same(tmp_path, processes, undisturbed, victim):
    out = tmp_path / "killed"
    workers = start_workers(processes, out)
    wait_for(out / "checkpoints" / f"step-{2 * STEPS_PER_EPOCH:08d}.keras", workers[0])
    workers[victim].kill()
    status, _, errors = end(workers[1 - victim])
    assert status == 1 and "Another worker is gone" in errors, errors
    assert not (out / "model.keras").exists()
    assert_ends_well(start_workers(processes, out, "--resume"))
    assert_close(out, undisturbed, atol=0)


def test_sigterm_to_one_stops_all_at_the_same_step(tmp_path, processes, undisturbed):
    out = tmp_path / "stopped"
    workers = start_workers(processes, out)
    wait_for(out / "checkpoints" / f"step-{STEPS_PER_EPOCH:08d}.keras", workers[0])
    workers[1].send_signal(signal.SIGTERM)
    (status, shown, errors), (other_status, *_) = [end(worker) for worker in workers]
    assert status == other_status == 130, errors
    assert "Stopped by SIGTERM after step" in shown and "--resume" in shown
    assert_ends_well(start_workers(processes, out, "--resume"))
    assert_close(out, undisturbed, atol=0)


def test_workers_that_see_other_files_refuse(tmp_path, processes, undisturbed):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    workers = [
        start(
            processes,
            out,
            "--resume",
            *SEVERAL,
            TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}}),
        )
        for i, out in enumerate([undisturbed, tmp_path / "empty"])
    ]
    for worker in workers:
        status, _, errors = end(worker)
        assert status == 1 and "last checkpoints of steps [28, -1]" in errors, errors
