"""What `benchmarks/scaling.py` predicts, beside numbers computed by hand."""

import json

import pytest


@pytest.fixture
def scaling(load):
    return load("scaling")


def test_one_accelerator_waits_for_nobody(scaling):
    assert scaling.ring_seconds(1, num_bytes=10**9, bandwidth=1.0, latency=1.0) == 0
    row = scaling.predict(1, alone=0.01, images=64, num_bytes=10**9, bandwidth=1.0)
    assert row["images_per_second"] == pytest.approx(6400) and row["efficiency"] == 1


def test_a_ring_passes_nearly_twice_the_bytes(scaling):
    # Eight pass 14 parts of an eighth of 100 MB over 50 GB/s: 3.5 ms. Each turn waits 10 µs.
    bare = scaling.ring_seconds(8, num_bytes=100e6, bandwidth=50e9)
    assert bare == pytest.approx(3.5e-3)
    late = scaling.ring_seconds(8, num_bytes=100e6, bandwidth=50e9, latency=1e-5, reductions=2)
    assert late == pytest.approx(3.5e-3 + 2 * 14 * 1e-5)
    many = scaling.ring_seconds(10**6, num_bytes=100e6, bandwidth=50e9)
    assert many == pytest.approx(2 * 100e6 / 50e9, rel=1e-5)


def test_a_ring_sums_in_as_many_turns_as_are_counted(scaling):
    """The ring itself, turn by turn, with what each link carries."""
    n, parts = 4, [[10**i * (j + 1) for j in range(4)] for i in range(4)]
    total, carried = [sum(column) for column in zip(*parts, strict=True)], 0
    for turn in range(2 * (n - 1)):
        sent = [(i, (i - turn) % n, parts[i][(i - turn) % n]) for i in range(n)]
        for i, part, value in sent:
            adds = turn < n - 1
            neighbour = parts[(i + 1) % n]
            neighbour[part] = neighbour[part] + value if adds else value
        carried += 1 / n
    assert all(part == total for part in parts)
    assert scaling.ring_seconds(n, num_bytes=1, bandwidth=1.0) == pytest.approx(carried)


def test_overlap_hides_what_the_backward_pass_is_long_enough_for(scaling):
    assert scaling.step_seconds(0.010, 0.004) == pytest.approx(0.014)
    assert scaling.step_seconds(0.010, 0.004, overlapped=0.5) == pytest.approx(0.010)
    assert scaling.step_seconds(0.010, 0.007, overlapped=0.5) == pytest.approx(0.012)


def test_images_and_efficiency_follow_from_the_step(scaling):
    ring = {"num_bytes": 100e6, "bandwidth": 50e9}
    row = scaling.predict(8, alone=0.01, images=64, **ring)
    assert row["step_seconds"] == pytest.approx(0.0135)
    assert row["images_per_second"] == pytest.approx(8 * 64 / 0.0135)
    assert row["efficiency"] == pytest.approx(0.01 / 0.0135)
    row = scaling.predict(8, alone=0.01, images=64, overlapped=0.5, **ring)
    assert row["images_per_second"] == pytest.approx(8 * 6400) and row["efficiency"] == 1


def test_bytes_are_those_of_the_variables_once_an_update(load):
    step = load("train_step")
    row = step.Row("wgan_gp", "float32", False, "mnist", "28", 1, 4)
    gan, batch = step.build(row)
    found = step.variable_bytes(gan)
    for player in ("generator", "discriminator"):
        parameters = sum(w.size for w in getattr(gan, player).get_weights())
        fixed = sum(int(v.numpy().size) for v in getattr(gan, player).non_trainable_variables)
        assert found[f"{player}_bytes"] == 4 * (parameters - fixed)
    assert found["discriminator_steps"] == 5 and len(batch[0]) == 20
    assert found["gradient_bytes"] == found["generator_bytes"] + 5 * found["discriminator_bytes"]


def test_the_script_predicts_from_a_hypothesis(run):
    flags = ("--step_ms=10", "--bandwidth_gbps=400", "--recipe=digits", "--image_size=16")
    status, record, text = run("scaling", *flags, "--latency_us=0")
    assert status == 0 and "hypothetical" in record["about"] and "| 256 |" in text
    assert [row["accelerators"] for row in record["rows"]["with overlap"]] == [
        2**i for i in range(9)
    ]
    eight = record["rows"]["without overlap"][3]
    sums = 2 * 7 / 8 * record["num_bytes"] / 50e9
    assert eight["images_per_second"] == pytest.approx(8 * 64 / (0.01 + sums))


def test_the_script_takes_the_fastest_measured_step(run, tmp_path):
    rows = [
        {
            "model": "dcgan",
            "dtype": "float32",
            "images_per_second": 64 / seconds,
            "step_seconds": seconds,
            "step_images": 64,
            "gradient_bytes": 10**6,
            "discriminator_steps": 1,
        }
        for seconds in (0.2, 0.1)
    ]
    path = tmp_path / "step.json"
    path.write_text(json.dumps({"rows": rows}))
    status, record, text = run("scaling", f"--step_json={path}", "--bandwidth_gbps=8")
    assert status == 0 and record["alone"] == 0.1 and "measured, step.json" in text
    two = record["rows"]["without overlap"][1]
    assert two["step_seconds"] == pytest.approx(0.1 + 1e6 / 1e9 + 2 * 2 * 10e-6)
