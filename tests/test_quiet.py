import os
import subprocess
import sys

import pytest
from absl import logging

from kgan.quiet import hidden, quiet_absl, quiet_start, unused


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


def test_hidden_packages_are_found_again(monkeypatch):
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    with pytest.raises(ModuleNotFoundError) as error, hidden("wave", "cgi"):
        import wave  # noqa: F401
    assert error.value.name == "wave"
    import wave  # noqa: F401, F811


@pytest.mark.parametrize(
    ("argv", "original", "hides"),
    [
        (["-m", "--epochs=1"], ["python", "-X", "dev", "-m", "kgan.zoo.dcgan", "--epochs=1"], True),
        (["-m"], ["python", "-m", "kgan"], True),
        (["-m"], ["python", "-m", "my.program"], False),
        (["-m"], ["python", "-mkgan.zoo.dcgan"], False),
        (["/usr/bin/pytest", "-m", "kgan"], ["python", "/usr/bin/pytest", "-m", "kgan"], False),
        ([""], ["python"], False),
    ],
)
def test_only_programs_of_kgan_hide_packages(monkeypatch, argv, original, hides):
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", original)
    assert unused() == (("matplotlib", "pandas", "sklearn") if hides else ())


def test_a_program_of_kgan_starts_without_them_and_finds_them_later():
    """What Python's own `-m` does with `sys.argv`, in a program that can be asked afterwards."""
    start = "import sys; sys.argv[:] = ['-m']; sys.orig_argv[:] = ['python', '-m', 'kgan.zoo.gan']"
    answer = run(
        f"{start}; import kgan; print(sorted({{'sklearn', 'matplotlib'}} & {{*sys.modules}}))"
        "; import matplotlib.pyplot; print(len(kgan.data.load('digits', batch_size=100)))"
    )
    assert answer.stdout == "[]\n17\n"
