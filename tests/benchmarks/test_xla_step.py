"""What `benchmarks/xla_step.py` times and exports; `test_run_hlo.py` takes the steps elsewhere."""

import argparse
import gzip
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.benchmarks.walk import Walk
from tests.zoo.test_conformance import MODULES, source_for, tiny

hlo_pb2 = pytest.importorskip("tensorflow.compiler.xla.service.hlo_pb2")


@pytest.fixture
def benchmark(load):
    return load("xla_step")


class Wordy(Walk):
    def train_step(self, batch):
        return {"length": tf.strings.length(tf.strings.as_string(batch))}


def exported(benchmark, folder, walk):
    benchmark.export(walk, tf.ones((4, 2)), folder / "walk", {"model": "walk"})
    facts = json.loads((folder / "walk.json").read_text())
    module = gzip.decompress((folder / "walk.hlo.gz").read_bytes())
    return facts, hlo_pb2.HloModuleProto.FromString(module)


def test_parameters_come_in_the_modules_order(benchmark, tmp_path):
    facts, module = exported(benchmark, tmp_path, Walk())
    parameters = {one.pop("name"): one for one in facts["parameters"]}
    assert parameters["batch_0"]["role"] == "batch" and parameters["batch_0"]["shape"] == [4, 2]
    assert parameters["steps"]["dtype"] == "int64" and parameters["steps"]["role"] == "state"
    shapes = [list(shape.dimensions) for shape in module.host_program_shape.parameters]
    assert [one["shape"] for one in parameters.values()] == shapes
    assert list(parameters)[0] == "batch_0" and set(parameters) == {
        "batch_0",
        "pace",
        "steps",
        "position",
    }


def test_outputs_are_logs_by_name_and_then_what_replaces_the_state(benchmark, tmp_path):
    facts, _ = exported(benchmark, tmp_path, Walk())
    assert [one["name"] for one in facts["outputs"]][:2] == ["ahead", "reach"]
    assert [one["updates"] for one in facts["outputs"]][:2] == [None, None]
    for output in facts["outputs"][2:]:
        parameter = facts["parameters"][output["updates"]]
        assert {k: parameter[k] for k in ("name", "shape", "dtype")} == {
            k: output[k] for k in ("name", "shape", "dtype")
        }
    assert {"steps", "position"} <= {one["name"] for one in facts["outputs"]}


def test_old_readers_can_read_the_numbers(benchmark, tmp_path):
    _, module = exported(benchmark, tmp_path, Walk())
    instructions = [i for one in module.computations for i in one.instructions]
    numbers = [instruction.id for instruction in instructions]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert all(number in numbers for i in instructions for number in i.operand_ids)
    assert all(one.root_id in numbers for one in module.computations)


def test_a_start_is_stored_or_described(benchmark):
    normal = np.random.default_rng(0).normal(0.3, 0.02, (200, 100)).astype("float32")
    values = [np.arange(3), np.ones((200, 100), "float32"), normal, normal.copy()]
    stored = {}
    starts = [benchmark._start(number, values, stored) for number in range(4)]
    assert starts[0] == {"kind": "stored"} and list(stored) == ["0"]
    assert starts[1] == {"kind": "full", "value": 1.0}
    assert starts[2]["kind"] == "uniform" and starts[3] == {"kind": "copy", "of": 2}
    low, high = starts[2]["low"], starts[2]["high"]
    # The mean of a uniform distribution, and its standard deviation.
    assert (low + high) / 2 == pytest.approx(0.3, abs=1e-3)
    assert (high - low) / 12**0.5 == pytest.approx(0.02, rel=0.02)


def test_other_parameters_than_expected_are_refused(benchmark):
    expected = [{"shape": [2], "dtype": "float32"}]
    with pytest.raises(ValueError, match="in this order: 1 of them. Received: 0"):
        benchmark._check(expected, [])


def test_calls_that_leave_xla_are_listed(benchmark):
    module = hlo_pb2.HloModuleProto()
    instructions = module.computations.add().instructions
    instructions.add(opcode="add")
    instructions.add(opcode="custom-call", custom_call_target="TopK")
    instructions.add(opcode="infeed")
    assert benchmark.custom_calls(module) == ["TopK", "infeed"]


def test_both_steps_are_timed_on_one_state(benchmark):
    walk = Walk()
    row = benchmark.timed_row(walk, tf.ones((4, 2)), seconds=1e-9, rounds=3)
    for name in ("xla", "plain"):
        times = row[name]["round_seconds_a_step"]
        assert len(times) == 3
        assert row[name]["images_per_second"] == pytest.approx(4 / np.median(times))
        assert row[name]["milliseconds"] == pytest.approx(1e3 * np.median(times))
    rates = row["xla"]["images_per_second"], row["plain"]["images_per_second"]
    assert row["xla_is"] == pytest.approx(rates[0] / rates[1])
    # A first step, one to warm up, one to know the pace, and three rounds, each of both ways.
    assert walk.steps.numpy() - 2**40 == 2 * (1 + 1 + 1 + 3)


def test_what_xla_cannot_compile_is_told(benchmark):
    row = benchmark.timed_row(Wordy(), tf.ones((4, 2)), seconds=1e-9, rounds=1)
    assert "InvalidArgumentError" in row["failed"]
    line = benchmark.table_row({"model": "wordy", "batch_size": 4, "dtype": "float32", **row})
    assert line.count("|") == 3 + len(benchmark.COLUMNS) + 1 and row["failed"] in line


def test_an_unknown_model_is_refused(benchmark):
    with pytest.raises(ValueError, match="Unknown model.*dcgan.*Received: 'dcgun'"):
        benchmark.chosen("dcgun")


def test_cells_cover_precisions_and_batch_sizes(benchmark):
    options = argparse.Namespace(
        models="wgan_gp",
        recipe="digits",
        image_size="16",
        channels=3,
        dtype="float32,mixed_bfloat16",
        batch_sizes="2,100",
        tf32=True,
    )
    seen = []
    for facts, gan, batch in benchmark.cells(options):
        images, _ = batch
        turns = gan.discriminator_steps
        assert gan.generator.dtype_policy.name == facts["dtype"]
        assert images.shape == (facts["batch_size"] * turns, 16, 16, 3)
        assert facts["images_per_step"] == images.shape[0]
        seen.append((facts["dtype"], facts["batch_size"]))
    assert seen == [(d, n) for d in ("float32", "mixed_bfloat16") for n in (2, 100)]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_every_step_stays_within_xla(benchmark, tmp_path, name):
    # One update of the discriminator holds all operations that five of them do.
    recipe = tiny(MODULES[name].RECIPES["digits"]).but(discriminator_steps=1)
    source = source_for(MODULES[name], recipe)
    gan = benchmark.make_gan(MODULES[name], recipe, source)
    batch = benchmark.make_batch(source, recipe.batch_size)
    benchmark.export(gan, batch, tmp_path / name, {})
    assert json.loads((tmp_path / f"{name}.json").read_text())["custom_calls"] == []
