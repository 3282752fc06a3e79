"""What `benchmarks/collapse_watch.py` measures and counts, where the answer is known."""

import dataclasses
import importlib.util
import json
import pathlib
import types

import numpy as np
import pytest

PATH = pathlib.Path(__file__).parents[1] / "benchmarks" / "collapse_watch.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("collapse_watch", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- Ground truth -------------------------------------------------------------------------------


@pytest.fixture
def truth(benchmark):
    points, labels = benchmark.grid()
    return benchmark.Truth(points[:1000], labels[:1000])


def test_other_reals_are_well(benchmark, truth):
    found = truth.measure(benchmark.grid()[0][1000:2000].astype("float64"))
    assert found["classes"] == 1 and found["coverage"] > 0.9 and not found["sick"]


def test_half_of_the_modes_are_sick(benchmark, truth):
    points, labels = benchmark.grid()
    for modes, sick in ((13, False), (12, True)):
        found = truth.measure(points[labels < modes][:1000].astype("float64"))
        assert found["classes"] == modes / 25 and found["sick"] is sick


def test_what_is_far_from_all_reals_is_sick(truth):
    found = truth.measure(truth.reals + [0.0, 0.2])
    assert found["coverage"] < 0.05 and found["sick"]
    assert truth.measure(np.full((1000, 2), np.nan))["sick"]
    assert truth.measure(truth.reals, finite=False)["sick"]


def points(sick, coverage=0.5, classes=1.0):
    """One point each 50 steps; `sick` is a string of "." and "x"."""
    return [
        {"step": 50 * i, "sick": c == "x", "coverage": coverage, "classes": classes}
        for i, c in enumerate(sick, start=1)
    ]


@pytest.mark.parametrize(
    "sick, at, collapse",
    [
        ("x" * 10 + "." * 30, None, None),  # a start is no collapse
        ("x" * 40, None, 550),  # one that never ends is, from step 500 on
        ("." * 20 + "x" * 20, 1000, 1050),
        ("." * 20 + ".." + "x" * 18, 1000, 1150),
        ("." * 20 + "xxx." + "x" * 16, 1000, 1050),  # well at one point of twenty
        ("." * 20 + "x" * 10 + "." * 10, 1000, None),  # it recovered
        ("." * 32 + "x" * 8, 1000, None),  # too late to tell
        ("." * 18 + "x" * 22, 1000, None),  # sick before the blow
        ("." * 19 + "x" * 21, 1000, 1050),  # and at it
    ],
)
def test_when_a_run_has_collapsed(benchmark, sick, at, collapse):
    assert benchmark.collapse_step(points(sick), at) == collapse


def test_when_a_run_is_healthy(benchmark):
    assert benchmark.is_healthy(points("x" * 10 + "." * 30))
    assert not benchmark.is_healthy(points("x" * 11 + "." * 29))
    assert not benchmark.is_healthy(points("." * 40, coverage=0.1))
    assert not benchmark.is_healthy(points("." * 40, classes=0.7))


@pytest.mark.parametrize(
    "at, said, right",
    [
        (1000, [], False),
        (1000, [990, 1100], False),  # before the blow
        (1000, [1550], True),
        (1000, [1560], False),
        (None, [990], False),  # it was well at step 1,000
        (None, [1000], True),
    ],
)
def test_when_the_watch_is_right_about_a_collapse(benchmark, at, said, right):
    run = benchmark.Run("ring", at=at)
    found = benchmark.judge(points("." * 20 + "x" * 20), said, run, made_to_collapse=True)
    assert found == {"counts": True, "right": right, "collapse": 1050}


def test_when_the_watch_is_right_about_health(benchmark):
    run = benchmark.Run("ring")
    for said, right in (([], True), ([700], False)):
        found = benchmark.judge(points("." * 40), said, run, made_to_collapse=False)
        assert found == {"counts": True, "right": right, "collapse": None}
    assert not benchmark.judge(points("x" * 40), [], run, made_to_collapse=False)["counts"]


# --- Settings and table -------------------------------------------------------------------------


def test_enough_runs_of_all_kinds(benchmark):
    assert len(benchmark.COLLAPSING) >= 24 and len(benchmark.HEALTHY) >= 24
    for runs in (benchmark.COLLAPSING, benchmark.HEALTHY):
        assert {run.data for run in runs.values()} == {"ring", "grid", "digits", "mnist"}
        assert len({run.loss for run in runs.values()}) >= 5
        assert sum(run.new for run in runs.values()) >= 8
    assert not set(benchmark.COLLAPSING) & set(benchmark.HEALTHY)


def test_players_of_every_setting_fit_its_data(benchmark):
    shapes = {"ring": (2,), "grid": (2,), "digits": (8, 8, 1), "mnist": (28, 28, 1)}
    runs = (*benchmark.COLLAPSING.values(), *benchmark.HEALTHY.values())
    kinds = {(run.data, run.backbone, run.conditional, run.pack): run for run in runs}
    for run in kinds.values():
        small = dataclasses.replace(run, width=2)
        gan = benchmark.make_gan(small, shapes[run.data], 10, seed=0)
        assert gan.image_shape == shapes[run.data]
        assert gan.is_conditional == run.conditional


def test_a_run_and_its_table(benchmark, tmp_path):
    name = "discriminator frozen, ring"
    run = dataclasses.replace(benchmark.COLLAPSING[name], at=50, steps=100)
    row = benchmark.play(name, run, seed=0)
    assert [step for step, *_ in row["points"]] == [50, 100]
    assert not row["counts"] and row["diagnoses"] == []
    said = [{"kind": "mode_collapse", "step": 1200, "since_step": 1000}]
    rows = {
        "collapsing": [row, {**row, "counts": True, "right": True, "diagnoses": said}],
        "healthy": [{**row, "counts": True, "right": False, "diagnoses": said}],
    }
    rows["collapsing"][1]["collapse"] = 1050
    path = tmp_path / "out" / "collapse_watch.json"
    benchmark.save(path, rows, types.SimpleNamespace(seed=0, only=None))
    saved = json.loads(path.read_text())
    assert saved["summary"]["collapsing"] == {"runs": 1, "right": 1, "median_delay_steps": 150}
    assert saved["summary"]["healthy"] == {"runs": 1, "right": 0}
    text = path.with_suffix(".md").read_text()
    assert f"| {name} | 50 | 1,050 | 1,200 | mode collapse | yes |" in text
    assert f"| {name} | 50 | – | – | – | not counted: sick at 0 points |" in text
    assert "1,200 | **no** |" in text and "silent in 0 of 1" in text
