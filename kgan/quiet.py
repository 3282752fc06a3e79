"""Notes of TensorFlow and its companions that are not news to a user, kept off the console."""

import contextlib
import os
import sys
import tempfile

from absl import logging


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
