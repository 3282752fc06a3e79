import pytest

from kgan.data import memory

GIB = 2**30


@pytest.fixture
def machine(monkeypatch):
    """Returns a function that sets what the operating system says of memory, in bytes."""

    def say(available=None, limit=None, used=0):
        files = {}
        if available is not None:
            lines = ["MemTotal: 99999 kB", f"MemAvailable:   {available // 1024} kB"]
            files["/proc/meminfo"] = lines
        if limit is not None:
            files["/sys/fs/cgroup/memory.max"] = [str(limit)]
            files["/sys/fs/cgroup/memory.current"] = [str(used)]
        monkeypatch.setattr(memory, "_lines", lambda path: files.get(path, []))

    return say


@pytest.mark.parametrize(
    ("said", "available"),
    [
        ({"available": 12 * GIB}, 12 * GIB),
        ({"available": 12 * GIB, "limit": "max"}, 12 * GIB),
        ({"available": 12 * GIB, "limit": 4 * GIB, "used": 1 * GIB}, 3 * GIB),
        ({"available": 2 * GIB, "limit": 4 * GIB}, 2 * GIB),
        ({}, 8 * GIB),
    ],
)
def test_available_memory_is_the_tightest_bound(machine, said, available):
    machine(**said)
    assert memory.available_bytes() == available


def test_a_quarter_fits(machine):
    machine(available=4 * GIB)
    assert memory.fits(GIB)
    assert not memory.fits(GIB + 1)


def test_this_machine_tells():
    assert memory.available_bytes() > 2**20
