"""That an exported step is the same step where there is JAX alone.

All that runs there runs in a process of its own, which can import neither TensorFlow nor Keras.
"""

import importlib.util
import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.zoo import dcgan, sngan, wgan_gp
from kgan.zoo.recipe import Task
from tests.benchmarks.walk import Walk

PATH = pathlib.Path(__file__).parents[2] / "benchmarks" / "run_hlo.py"
ALONE = """
import pathlib, runpy, sys
for name in ("tensorflow", "keras", "kgan"):
    sys.modules[name] = None
"""
STEP = """
import numpy as np
sys.path.insert(0, str(pathlib.Path(sys.argv[1]).parent))
import run_hlo
for program in run_hlo.read_all(sys.argv[2]):
    run = run_hlo.Run.begin(program)
    given = list(run.parameters)
    run.advance(int(sys.argv[3]))
    assert all(given[number].is_deleted() for number in program.donated), "not donated"
    values = [np.asarray(value) for value in run.outputs]
    np.savez(program.path.with_suffix(".after.npz"), *values)
"""
PROGRAM = "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
STEPS = 2
# Adam's first update is the sign of a gradient, of rounding errors too, unless epsilon is large.
SMALL = {"epsilon": 1e-2, "batch_size": 4, "generator_width": 4, "discriminator_width": 4}
# As narrow, and as few blocks and updates of the discriminator: XLA compiles each step twice.
SNGAN = {"max_width": 8, "discriminator_stages": 1, "flat_blocks": 0}
WGAN_GP = {"latent_dim": 8, "discriminator_stages": 1, "discriminator_steps": 1}
GAMES = {
    "dcgan": (dcgan, {"latent_dim": 8, "discriminator_stages": 1}),
    "sngan": (sngan, SNGAN),
    "wgan_gp": (wgan_gp, WGAN_GP),
}
FACTS = {
    "recipe": "digits",
    "image_shape": [4, 2],
    "batch_size": 4,
    "images_per_step": 4,
    "dtype": "float32",
    "tf32": True,
}


@pytest.fixture
def benchmark(load):
    return load("xla_step")


class Explosion(Walk):
    def train_step(self, batch):
        self.position.assign((self.position + 2.0) ** 4)
        return {"reach": tf.reduce_max(self.position)}


class Portrait(Walk):
    """Tells what its large variables are like."""

    def __init__(self):
        super().__init__()
        noise = np.random.default_rng(0).normal(0.3, 0.02, (200, 100)).astype("float32")
        self.noise, self.shadow = tf.Variable(noise), tf.Variable(noise)

    def train_step(self, batch):
        self.steps.assign_add(1)
        difference = tf.reduce_max(tf.abs(self.noise - self.shadow))
        mean = tf.reduce_mean(self.noise)
        spread = tf.sqrt(tf.reduce_mean((self.noise - mean) ** 2))
        return {"difference": difference, "mean": mean, "spread": spread}


def alone(code, *arguments):
    """Runs code where there is no TensorFlow, and returns what it was like."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed: pip install 'kgan[test]'")
    command = [sys.executable, "-c", ALONE + code, str(PATH), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def after(benchmark, gan, batch, path):
    """Exports a step, and returns what its outputs are after some steps in TensorFlow's XLA."""
    benchmark.export(gan, batch, path, FACTS | {"model": path.name})
    step = benchmark.make_step(gan, jit_compile=True)
    traced = step.get_concrete_function(batch)
    variables = benchmark.variables_of(gan, traced)
    taken = [*keras.tree.flatten(batch), *(variables[id(x)] for x in traced.captured_inputs)]
    for _ in range(STEPS):
        logs = step(batch)
    return [
        (
            one["name"],
            (logs[one["name"]] if one["updates"] is None else taken[one["updates"]]).numpy(),
        )
        for one in json.loads(path.with_suffix(".json").read_text())["outputs"]
    ]


@pytest.mark.slow
def test_steps_are_those_of_tensorflow(benchmark, tmp_path):
    expected = {}
    for name, (module, narrow) in GAMES.items():
        keras.utils.set_random_seed(0)
        recipe = module.RECIPES["digits"].but(**SMALL, **narrow)
        gan = module.build(recipe, Task((8, 8, 1), None, 1000))
        batch = (keras.random.uniform((recipe.batch_size, 8, 8, 1), -1, 1, seed=1),)
        expected[name] = after(benchmark, gan, batch, tmp_path / name)
    there = alone(STEP, tmp_path, STEPS)
    assert there.returncode == 0, there.stderr
    for name, pairs in expected.items():
        with np.load(tmp_path / f"{name}.after.npz") as received:
            assert len(received.files) == len(pairs)
            for number, (variable, value) in enumerate(pairs):
                actual = received[f"arr_{number}"]
                assert actual.dtype == value.dtype, variable
                np.testing.assert_allclose(
                    actual, value, rtol=1e-5, atol=1e-5, err_msg=f"{name}: {variable}"
                )


def test_state_goes_from_step_to_step(benchmark, tmp_path):
    expected = dict(after(benchmark, Walk(), tf.ones((4, 2)), tmp_path / "walk"))
    # So far beyond 32 bits that JAX would cut it, were it not told otherwise.
    assert expected["steps"] == 2**40 + STEPS and expected["reach"] == 0.5 * STEPS
    there = alone(STEP, tmp_path, STEPS)
    assert there.returncode == 0, there.stderr
    facts = json.loads((tmp_path / "walk.json").read_text())
    with np.load(tmp_path / "walk.after.npz") as received:
        for number, output in enumerate(facts["outputs"]):
            np.testing.assert_array_equal(received[f"arr_{number}"], expected[output["name"]])


def test_large_variables_are_drawn_anew(benchmark, tmp_path):
    benchmark.export(Portrait(), tf.ones((4, 2)), tmp_path / "portrait", FACTS | {"model": "it"})
    assert (tmp_path / "portrait.npz").stat().st_size < 2000  # of 160,000 bytes
    there = alone(STEP, tmp_path, 1)
    assert there.returncode == 0, there.stderr
    with np.load(tmp_path / "portrait.after.npz") as received:
        difference, mean, spread = (received[f"arr_{number}"] for number in range(3))
    assert difference == 0
    # 20,000 draws: ten standard errors of the mean.
    assert mean == pytest.approx(0.3, abs=10 * 0.02 / 20_000**0.5)
    assert spread == pytest.approx(0.02, rel=0.03)


def test_the_program_times_and_tells_what_failed(benchmark, tmp_path):
    for name, game in (("walk", Walk()), ("explosion", Explosion())):
        benchmark.export(game, tf.ones((4, 2)), tmp_path / name, FACTS | {"model": name})
    there = alone(PROGRAM, tmp_path, "--rounds=3", "--seconds=0.001")
    assert there.returncode == 1 and "1 of 2 steps failed" in there.stderr
    record = json.loads((tmp_path / "timings.json").read_text())
    explosion, walk = record["rows"]
    assert explosion["failed"].startswith("not finite: reach, position")
    assert len(walk["round_seconds_a_step"]) == 3
    median = np.median(walk["round_seconds_a_step"])
    assert walk["images_per_second"] == pytest.approx(4 / median)
    assert walk["logs"].keys() == {"ahead", "reach"}
    assert record["machine"]["platform"] == "cpu" and record["machine"]["device"]
    assert "| walk | 4 | float32 |" in there.stdout


def test_an_unknown_model_is_refused(tmp_path):
    there = alone(PROGRAM, tmp_path, "--models=dcgan")
    assert there.returncode == 1
    assert "holds exported steps of []. Received: models='dcgan'" in there.stderr
