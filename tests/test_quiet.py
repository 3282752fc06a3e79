import os
import subprocess
import sys

import pytest
from absl import logging

from kgan.quiet import quiet_absl, quiet_start


def test_what_c_code_writes_is_hidden(capfd):
    with quiet_start():
        os.write(2, b"a note")
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"


def test_what_c_code_writes_is_shown_if_it_fails(capfd):
    with pytest.raises(ImportError), quiet_start():
        os.write(2, b"the reason")
        raise ImportError
    os.write(2, b", and on")
    assert capfd.readouterr().err == "the reason, and on"


def test_absl_is_quiet_for_a_while(capfd):
    before = logging.get_verbosity()
    with quiet_absl():
        assert not logging.vlog_is_on(logging.WARNING)
    assert logging.get_verbosity() == before


def run(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )


def test_importing_kgan_says_nothing():
    answer = run("import kgan; kgan.data.ImageSource.find('digits')")
    assert (answer.stdout, answer.stderr) == ("", "")


def test_importing_kgan_loads_nothing_heavy():
    """What Keras itself loads (it looks for scikit-learn and matplotlib) is not kgan's doing."""
    heavy = "{'tensorflow_datasets', 'keras_cv', 'matplotlib', 'sklearn', 'tensorboard', 'PIL'}"
    answer = run(
        "import sys, keras, tensorflow; before = set(sys.modules); import kgan; "
        f"print(sorted({heavy} & (set(sys.modules) - before)))"
    )
    assert answer.stdout == "[]\n"
