"""Files that a reader never sees half of, and what they hold."""

import contextlib
import json
import os
import pathlib
import secrets


@contextlib.contextmanager
def atomic_path(path):
    """Gives a temporary path beside `path`, and renames it to `path` once it is written.

    A reader, or who comes back after a crash, finds the old file or the whole new one. The
    temporary name ends like the real one, for writers that choose a format by it, and begins with
    a dot, so that a pattern such as `epoch-*.png` does not match it. Folders on the way are made.

    Args:
        path: str or `os.PathLike`, a local file to write or to replace.

    Yields:
        `pathlib.Path`, where to write. If the block raises, nothing stays there.

    Raises:
        FileNotFoundError: if the block ends without having written the file.

    Example:
    >>> folder = tempfile.mkdtemp()
    >>> with atomic_path(f"{folder}/run/note.txt") as temporary:
    ...     _ = temporary.write_text("done")
    >>> os.listdir(f"{folder}/run")
    ['note.txt']
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        # A rename may reach the disk before the bytes do.
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json_object(path):
    """Returns the object in a JSON file, or an empty one without the file.

    Args:
        path: `pathlib.Path`.

    Returns:
        dict.

    Raises:
        ValueError: if the file holds something else.

    Example:
    >>> read_json_object(pathlib.Path(tempfile.mkdtemp()) / "config.json")
    {}
    """
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} must hold JSON. Received: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(
            f"{path} must hold a JSON object. Received: a {type(values).__name__}: {values!r:.100}"
        )
    return values


def keras_home():
    """Returns the folder of Keras's caches: `~/.keras`, or what `KERAS_HOME` names.

    Keras reads the environment variable when it is imported; this reads it now.

    Returns:
        `pathlib.Path`.

    Example:
    >>> keras_home().name
    '.keras'
    """
    return pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras")
