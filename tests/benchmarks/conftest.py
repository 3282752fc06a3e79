"""Scripts of `benchmarks/`, which are no package: imported, or run as programs."""

import importlib
import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Returns a function from a script's name to its module."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def read(path):
    record = json.loads(path.read_text())
    assert record["machine"]["cores"] > 0 and "tensorflow" in record["versions"]
    return record


@pytest.fixture
def run(load, tmp_path, capsys):
    """Returns a function that runs a script's `main` quickly: exit status, record and text."""
    policy = keras.config.dtype_policy()

    def run(name, *flags):
        out = tmp_path / f"{name}.json"
        status = load(name).main(["--quick", f"--out={out}", *flags])
        return status, read(out), capsys.readouterr().out

    yield run
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def run_program(tmp_path):
    """Returns a function that does the same in a process of its own."""

    def run(name, *flags):
        out = tmp_path / f"{name}.json"
        command = [sys.executable, str(FOLDER / f"{name}.py"), "--quick", f"--out={out}", *flags]
        path = os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
        )
        assert out.exists(), done.stderr
        return done.returncode, read(out), done.stdout

    return run
