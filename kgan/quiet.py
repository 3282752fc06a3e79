"""What TensorFlow and its companions do when they start that a user need not wait for or read."""

import contextlib
import os
import sys
import tempfile

from absl import logging

# What Keras imports only in case that somebody wants to train on tables, plot images or wrap a
# model for scikit-learn: a quarter of the time that it takes TensorFlow and Keras to load.
UNUSED = ("matplotlib", "pandas", "sklearn")


class _Hidden:
    """A finder of modules that finds these packages nowhere."""

    def __init__(self, packages):
        self.packages = packages

    def find_spec(self, name, path=None, target=None):
        if name in self.packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextlib.contextmanager
def hidden(*packages):
    """Lets imports within it do without packages that are installed; later ones find them.

    A package that was imported before is not hidden.

    Args:
        *packages: str.

    Example:
    >>> import sys
    >>> _ = sys.modules.pop("wave", None)
    >>> with hidden("wave"):
    ...     try:
    ...         import wave
    ...     except ImportError as error:
    ...         print(error)
    No module named 'wave'
    >>> import wave
    """
    finder = _Hidden(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def unused():
    """Returns the packages that may stay hidden while Keras is imported.

    None, unless a module of kgan is the program: others may use what Keras makes of them.
    """
    # While Python looks for the module to run, the program's name is that of the option.
    words = sys.orig_argv if sys.argv[:1] == ["-m"] else []
    program = words[words.index("-m") + 1] if "-m" in words else ""
    return UNUSED if program.split(".")[0] == "kgan" else ()


@contextlib.contextmanager
def quiet_start():
    """Hides what C++ code writes to standard error, unless the block raises.

    TensorFlow writes notes on oneDNN and on absent CUDA drivers when it is loaded and when it
    first lists its devices, before any log level can be set.

    Example:
    >>> import os
    >>> with quiet_start():
    ...     _ = os.write(2, b"This is not seen.")
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden.seek(0)
            os.write(kept, hidden.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def quiet_absl():
    """Hides absl's warnings: TensorFlow Datasets warns of its own use of what it deprecates.

    Example:
    >>> from absl import logging
    >>> with quiet_absl():
    ...     logging.warning("This is not seen.")
    """
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
