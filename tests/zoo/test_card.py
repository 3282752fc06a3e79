import json
import os
import subprocess
import sys

import numpy as np
import pytest

import kgan
from kgan.zoo import card, dcgan, options, runner
from kgan.zoo.card import published_for, write_card
from kgan.zoo.recipe import Published


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("card") / "run"
    arguments = ["--steps=2", "--batch_size=32", "--noexport", "--nodeterministic"]
    runner.run(dcgan, [f"--out={out}", "--image_size=8", *arguments])
    return out


def test_every_number_comes_from_the_run(run, tmp_path):
    (run / "metrics.json").write_text(json.dumps({"frechet_distance": 1.25, "num_samples": 10}))
    text = write_card(run, tmp_path / "card").read_text()
    assert "# dcgan on digits" in text and dcgan.PAPER.url in text
    assert "2 generator updates, 64 images" in text
    assert "| frechet distance | 1.25 |" in text
    assert "| batch size | 32 |" in text
    assert "| penalties | r1:0.03,every=2 |" in text and "| dynamics |" not in text
    assert "--batch_size=32" in text
    names = {path.name for path in (tmp_path / "card").iterdir()}
    expected = {"README.md", "recipe.json", "samples.png", "curves.png"}
    assert names == expected | {"metrics.json", "metrics.jsonl", *kgan.presets.FILES}
    gan = kgan.GAN.from_preset(tmp_path / "card")
    np.testing.assert_array_equal(gan.generate(2, seed=1), kgan.load_gan(run).generate(2, seed=1))


def test_large_weights_stay_where_they_are(run, tmp_path, monkeypatch):
    write_card(run, tmp_path / "card")
    monkeypatch.setattr(card, "MOST_BYTES", 1000)
    text = write_card(run, tmp_path / "card").read_text()
    assert "MB, too large for this folder" in text and "from_preset" not in text
    assert not any((tmp_path / "card" / name).exists() for name in kgan.presets.FILES)


def test_an_evaluation_is_shown_with_how_it_came_about(run, tmp_path):
    setting = {
        "num_samples": 10000,
        "seed": 0,
        "dataset": "mnist",
        "splits": {"test": 10000, "train": 60000},
        "features": {"mnist": "mnist-0123", "pixels": "pixels-4567"},
        "metrics": {},
    }
    numbers = {"precision": 0.75, "recall": None, "evaluation": setting}
    (run / "metrics.json").write_text(json.dumps(numbers))
    text = write_card(run, tmp_path / "card").read_text()
    assert (
        "| precision | 0.75 |\n| measured with | 10,000 samples, seed 0; mnist test (10,000)"
        in text
    )
    assert "(10,000) and train (60,000); features mnist and pixels |\n" in text
    assert "recall" not in text and "mnist-0123" not in text


def test_a_result_stands_beside_the_papers(run, tmp_path, monkeypatch):
    published = {"precision": Published(0.9, "table 1"), "recall": Published(0.2, "table 1", 0.1)}
    monkeypatch.setattr(dcgan, "PUBLISHED", {"digits": published}, raising=False)
    (run / "metrics.json").write_text(json.dumps({"precision": 0.75, "recall": 0.25}))
    text = write_card(run, tmp_path / "card").read_text()
    assert "| precision | 0.75; published: 0.9 (table 1): missed by 0.15 |" in text
    assert "| recall | 0.25; published: 0.2 ± 0.1 (table 1): reached |" in text


def test_a_number_of_a_variant_is_for_that_variant():
    def published(*flags):
        _, given = options.parse(list(flags))
        config = {"module": "dcgan", "flags": given, "command": runner._command(dcgan, given)}
        return {name: one.value for name, one in published_for(config).items()}

    assert published("--dataset=stacked_mnist") == {"modes_covered": 99, "mode_kl": 3.4}
    packed = published("--dataset=stacked_mnist", "--set", "pack=2", "--epochs=3")
    assert packed == {"modes_covered": 1000, "mode_kl": 0.06}
    assert published("--dataset=mnist") == {}
    assert list(published("--dataset=mnist", "--conditional")) == ["nearest_neighbor_error"]


def test_settings_that_flags_replaced_are_shown(tmp_path):
    arguments = ["--steps=1", "--batch_size=8", "--noexport", "--image_size=8", "--loss=hinge"]
    runner.run(dcgan, [f"--out={tmp_path / 'run'}", *arguments, "--penalty=r1:7", "--penalty=r2:3"])
    text = write_card(tmp_path / "run", tmp_path / "card").read_text()
    assert "| loss | hinge |" in text and "| penalties | r1:7, r2:3 |" in text


def test_the_numbers_of_the_program_are_shown(run, tmp_path):
    program = [sys.executable, "-m", "kgan.evaluate", run, "--features=pixels", "--n=20"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(program, env=environment, check=True, capture_output=True)
    distance = json.loads((run / "metrics.json").read_text())["frechet_distance"]
    text = write_card(run, tmp_path / "card").read_text()
    assert f"| frechet distance | {distance:.4g} |" in text
    assert "| measured with | 20 samples, seed 0; digits train (1,797); features pixels |" in text


def test_a_card_does_not_go_into_a_run(run):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    with pytest.raises(FileExistsError, match="Received: .*, whose config.json is another's"):
        write_card(run, run)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


@pytest.mark.parametrize("program", ["card", "gallery"])
def test_programs_end_with_a_sentence(program, tmp_path):
    arguments = [tmp_path / "none"] * (2 if program == "card" else 1)
    command = [sys.executable, "-m", f"kgan.zoo.{program}", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert f"{program}: " in ended.stderr and str(tmp_path / "none") in ended.stderr


def test_unfinished_run(run, tmp_path):
    with pytest.raises(FileNotFoundError, match="has finished. Received: .* without config.json"):
        write_card(tmp_path, tmp_path / "card")
