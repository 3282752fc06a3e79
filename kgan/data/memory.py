"""How much memory decoded images may take."""

import pathlib

# What the operating system does not tell (only Linux does, in a file) is taken to be 8 GiB.
_UNKNOWN_BYTES = 8 * 2**30

_SHARE = 4


def fits(num_bytes):
    """Whether `num_bytes` are at most a quarter of the memory that is available now."""
    return num_bytes <= available_bytes() // _SHARE


def available_bytes():
    """Returns the bytes of memory that are free, or can be freed, for this process."""
    bounds = [_machine_bytes(), _container_bytes()]
    return min((bound for bound in bounds if bound is not None), default=_UNKNOWN_BYTES)


def _machine_bytes():
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _container_bytes():
    limit, used = (_lines(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if not limit or not used or limit[0] == "max":
        return None
    return max(0, int(limit[0]) - int(used[0]))


def _lines(path):
    try:
        return pathlib.Path(path).read_text().splitlines()
    except OSError:
        return []
