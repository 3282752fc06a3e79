"""What `benchmarks/train_step.py` measures hangs together, and a model that fails is told."""

import functools
import math
import os

import pytest
import tensorflow as tf

TINY = ("--recipe=digits", "--batch_size=4", "--dtype=float32")


@pytest.mark.slow
def test_the_numbers_of_a_row_hang_together(run_program):
    flags = (*TINY, "--models=gan", "--image_size=8", "--xla=false,true")
    status, record, text = run_program("train_step", *flags)
    assert status == 0 and record["failed"] == []
    rows = record["rows"]
    assert [row["xla"] for row in rows] == [False, True]
    best = max(one["flops_per_second"] for one in record["rooflines"]["float32"].values())
    for row in rows:
        step = row["step_seconds"]
        assert min(row["rounds_step_seconds"]) <= step <= max(row["rounds_step_seconds"])
        assert row["images_per_second"] == pytest.approx(4 / step)
        assert row["flops_per_second"] == pytest.approx(row["flops_per_step"] / step)
        assert row["fraction_of_best"] == pytest.approx(row["flops_per_second"] / best)
        assert row["compile_seconds"] > step
        # All weights are dense: forward and for its gradient, an image takes each at least twice
        # (but biases), of 2 operations a use and 4 bytes a weight.
        assert row["flops_per_step"] > 0.9 * 4 * 2 * 2 * row["gradient_bytes"] / 4
        assert f"| gan | float32 | {'on' if row['xla'] else 'off'} |" in text
    assert rows[0]["flops_per_step"] == rows[1]["flops_per_step"]


@pytest.mark.slow
def test_a_model_that_fails_is_told_and_the_others_go_on(run_program):
    flags = (*TINY, "--models=dcgan,gan", "--image_size=1")
    status, record, text = run_program("train_step", *flags)
    assert status == 1
    assert [row["model"] for row in record["rows"]] == ["gan"]
    (failed,) = record["failed"]
    assert failed["model"] == "dcgan" and "Error: " in failed["error"]
    assert f"| dcgan | float32 | off | failed: {failed['error']} |" in text


def test_an_unknown_model_is_refused_with_those_that_there_are(load, capsys):
    with pytest.raises(SystemExit):
        load("train_step").main(["--models=dcgan,nothing"])
    error = capsys.readouterr().err
    assert "wgan_gp" in error and "Received: dcgan,nothing" in error


@pytest.mark.slow
@pytest.mark.parametrize(
    "make, message",
    [
        (functools.partial(math.sqrt, -1), "ValueError: math domain error"),
        (functools.partial(os._exit, 7), "its process ended with exit code 7"),
    ],
)
def test_what_happens_in_a_process_is_a_failure(load, make, message):
    step = load("train_step")
    process = step.Process(make)
    try:
        with pytest.raises(step.Failed) as failed:
            process.ask("anything")
        assert str(failed.value) == message
    finally:
        process.close()


def test_peak_memory_is_what_is_alive_at_once(load):
    step = load("train_step")
    x = tf.ones((512, 1024))  # 2 MiB

    def two_at_once():
        first = x + 1
        return first * 2

    if step.peak_memory(lambda: None) is None:
        pytest.skip("this TensorFlow's allocator does not count")
    assert 4 * 2**20 <= step.peak_memory(two_at_once) < 6 * 2**20


def test_rounds_are_whole_periods_and_fewer_where_steps_are_long(load):
    step = load("train_step")
    fast = {"step_seconds": 0.01, "period": 16}
    slow = {"step_seconds": 10.0, "period": 2}
    assert step._steps(fast, rounds=5, seconds=4.0) == 80 and step._rounds(fast, 5, 4.0) == 5
    assert step._steps(slow, rounds=5, seconds=4.0) == 2 and step._rounds(slow, 5, 4.0) == 3


@pytest.mark.slow
def test_the_ways_to_less_memory_are_compared(run):
    status, record, text = run("memory", "--models=dcgan", "--recipe=digits")
    assert status == 0
    assert list(record["steps"]["dcgan"]) == ["plain", "micro_batches=4", "rematerialize", "both"]
    peaks = {way: peak for way, (peak, seconds) in record["steps"]["dcgan"].items()}
    assert peaks["both"] < peaks["plain"]
    assert text.count("| dcgan |") == 4 and "| dcgan | plain |" in text
