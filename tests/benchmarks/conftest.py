"""Scripts of `benchmarks/`, which are no package: imported, or run as programs."""

import importlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Returns a function from a script's name to its module."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.fixture
def run(tmp_path):
    """Returns a function that runs a script quickly, and gives its exit status, record and text."""

    def run(name, *flags):
        out = tmp_path / f"{name}.json"
        command = [sys.executable, str(FOLDER / f"{name}.py"), "--quick", f"--out={out}", *flags]
        path = os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
        )
        assert out.exists(), done.stderr
        record = json.loads(out.read_text())
        assert record["machine"]["cores"] > 0 and "tensorflow" in record["versions"]
        return done.returncode, record, done.stdout

    return run
