import json

import pytest


@pytest.mark.slow
def test_the_first_step_ends_a_process_in_each_way(load, tmp_path, capsys):
    start = load("start")
    out = tmp_path / "start.json"
    assert start.main(["--quick", "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["way"] for row in rows] == list(start.WAYS)
    assert all(row["seconds"] > 0 and row["processor_seconds"] > 0 for row in rows)
    assert [row["cache_bytes"] > 0 for row in rows] == [False, True, True]
    assert "| no XLA |" in capsys.readouterr().out


def test_a_program_that_fails_says_why(load, tmp_path):
    start = load("start")
    with pytest.raises(RuntimeError, match="No module named kgan.zoo.nothing"):
        start.measure(["kgan.zoo.nothing"], tmp_path, "no XLA")
