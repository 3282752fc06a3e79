"""TensorFlow's start-up notes, kept off the console."""

import contextlib
import os
import sys
import tempfile


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
