import os
import stat

import pytest

from kgan.files import atomic_path


def test_writes_a_whole_file_into_folders_that_it_makes(tmp_path):
    path = tmp_path / "a" / "b.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert temporary.parent == path.parent
        assert temporary.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["b.txt"]


def test_a_crash_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "b.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        with atomic_path(path) as temporary:
            temporary.write_text("ha")
            raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["b.txt"]


def test_two_writers_do_not_share_a_temporary_file(tmp_path):
    path = tmp_path / "b.txt"
    with atomic_path(path) as first, atomic_path(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    path = tmp_path / "b.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError):
        with atomic_path(path):
            pass
    assert path.read_text() == "old"


def test_the_file_has_the_permissions_of_any_new_file(tmp_path):
    with atomic_path(tmp_path / "b.txt") as temporary:
        temporary.write_text("")
    (tmp_path / "c.txt").write_text("")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("b.txt", "c.txt")]
    assert modes[0] == modes[1]
