"""What `benchmarks/mode_coverage.py` measures, where the answer is known."""

import dataclasses
import importlib.util
import pathlib

import keras
import numpy as np
import pytest

import kgan

PATH = pathlib.Path(__file__).parents[1] / "benchmarks" / "mode_coverage.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("mode_coverage", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_real_points_cover_all_modes(benchmark):
    data = benchmark.draw_data(seed=3)
    assert data.shape == (100_000, 2) and np.abs(data).max() < 1
    result = benchmark.measure(5.0 * data)
    assert result["modes"] == result["modes_with_any"] == 25
    # A normal point of the plane is farther than r deviations with probability exp(-r²/2).
    assert result["within_4_deviations"] == pytest.approx(1 - np.exp(-8), abs=5e-4)
    assert result["within_3_deviations"] == pytest.approx(1 - np.exp(-4.5), abs=2e-3)
    assert result["kl_to_uniform"] == pytest.approx(0, abs=1e-3)


def test_one_mode_is_one_mode(benchmark):
    result = benchmark.measure(np.full((1000, 2), 2.0))
    assert result["modes"] == result["modes_with_any"] == 1
    assert result["within_4_deviations"] == 1
    assert result["kl_to_uniform"] == pytest.approx(np.log(25))
    assert sum(result["counts_within_4_deviations"]) == 1000


def test_points_between_the_modes_cover_none(benchmark):
    result = benchmark.measure(benchmark.MEANS + [0.21, 0.0])
    assert result["modes"] == result["modes_with_any"] == 0
    assert result["within_4_deviations"] == result["within_3_deviations"] == 0
    assert result["kl_to_uniform"] == pytest.approx(0)


@pytest.mark.parametrize("extra, modes", [(8, 25), (7, 24)])
def test_a_mode_needs_a_fifth_of_its_share(benchmark, extra, modes):
    """Of 1,000 points, 40 are a mode's share; the last mode has 8 or 7."""
    counts = [40] * 23 + [80 - extra, extra]
    result = benchmark.measure(np.repeat(benchmark.MEANS, counts, axis=0))
    assert result["modes"] == modes and result["modes_with_any"] == 25


def test_3_and_4_deviations_are_told_apart(benchmark):
    points = np.concatenate([benchmark.MEANS + [0.0, 0.149], benchmark.MEANS + [0.0, 0.199]])
    result = benchmark.measure(points)
    assert result["within_3_deviations"] == 0.5 and result["within_4_deviations"] == 1


@pytest.mark.parametrize("name", ["r1", "wgan_gp", "rpgan_r1_r2"])
def test_penalties_are_those_of_the_networks_unit(benchmark, name):
    """A score of slope 3 in the networks' unit has the penalty of slope 3 in any unit."""
    setting = benchmark.METHODS[name]
    factor = benchmark.DATA_SCALE / setting.unit
    points = np.random.default_rng(0).normal(size=(4, 2)).astype("float32")
    views = {"real": {"images": points}, "fake": {"images": -points}}

    def penalty(factor):
        round = kgan.Round(
            **views,
            score=lambda x: 3 * factor * x[:, 0],
            seed=keras.random.SeedGenerator(1),
        )
        return sum(float(one(round)) for one in setting.penalties(factor))

    assert penalty(factor) == pytest.approx(penalty(1.0), rel=1e-5)


def test_players_of_every_setting_take_and_make_points(benchmark):
    for setting in benchmark.SETTINGS.values():
        small = dataclasses.replace(setting, units=(3,))
        generator, discriminator = benchmark.make_players(small)
        points = generator(np.zeros((4, 2), "float32"))
        assert points.shape == (4, 2)
        assert discriminator(points).shape == (4 // setting.pack, 1)


def test_a_run_ends_when_its_time_is_over(benchmark):
    setting = dataclasses.replace(benchmark.METHODS["gan"], units=(3,))
    points, row = benchmark.run(setting, seed=0, seconds=0.0)
    assert row["steps"] == benchmark.STEPS_PER_EXECUTION
    assert points.shape == (benchmark.NUM_SAMPLES, 2)
    assert 0 <= row["modes"] <= 25 and row["cpu_seconds"] > 0
