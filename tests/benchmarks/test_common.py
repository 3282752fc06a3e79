"""What the scripts of `benchmarks/` share."""

import json
import pathlib

import pytest


@pytest.fixture
def common(load):
    return load("common")


def test_ways_take_turns_after_a_warm_up(common):
    calls = []
    ways = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    seconds = common.alternate(ways, rounds=3, warm_up=1)
    assert calls == ["a", "b"] * 4
    assert {name: len(spent) for name, spent in seconds.items()} == {"a": 3, "b": 3}


def test_a_trial_leaves_the_results_alone_and_yields_to_what_is_given(common):
    made = common.parser("What it does.", "train_step")
    made.add_argument("--rounds", type=int, default=7)
    made.add_argument("--steps", type=int, default=100)
    whole = common.parse(made, [], rounds=1)
    assert (whole.rounds, whole.out) == (7, common.RESULTS / "train_step.json")
    made = common.parser("What it does.", "train_step")
    made.add_argument("--rounds", type=int, default=7)
    made.add_argument("--steps", type=int, default=100)
    trial = common.parse(made, ["--quick", "--steps=5"], rounds=1, steps=2)
    assert (trial.rounds, trial.steps) == (1, 5)
    assert trial.out == pathlib.Path("build/train_step.json")


def test_a_table_is_markdown(common):
    table = common.markdown(["", "images/s"], [["kgan", "1,224"], ["other", 7]])
    assert table.splitlines() == [
        "|  | images/s |",
        "| --- | --- |",
        "| kgan | 1,224 |",
        "| other | 7 |",
    ]


def test_a_record_says_where_it_was_measured(common, tmp_path):
    common.write(tmp_path / "new" / "a.json", options={"out": tmp_path}, rows=[1.5])
    record = json.loads((tmp_path / "new" / "a.json").read_text())
    assert record["rows"] == [1.5] and record["options"]["out"] == str(tmp_path)
    assert record["machine"]["cores"] >= 1 and record["versions"]["kgan"]
