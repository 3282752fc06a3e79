"""The flag --init_from: a new run starts from the weights of another, and says what it took."""

import json
import shutil

import keras
import numpy as np
import pytest

import kgan
from kgan.zoo import options, runner
from kgan.zoo.run import RunFolder
from tests.zoo import tiny


def train(out, *argv):
    return runner.run(tiny, [f"--out={out}", "--nodeterministic", "--noexport", *argv])


def untrained(out, *argv):
    """The GAN of a new run before its first step, and what its config.json will say."""
    flags = runner._settings(tiny, *options.parse(["--nodeterministic", *argv]), None)
    training = runner.Training(tiny, flags, RunFolder(out))
    return training._build(), training.config


def config(out):
    return json.loads((out / "config.json").read_text())


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "source"
    assert train(out, "--steps=8") == 0
    return out


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "labelled"
    assert train(out, "--steps=1", "--conditional", "--num_classes=12") == 0
    return out


def test_a_run_begins_with_the_same_samples(source, tmp_path):
    gan, told = untrained(tmp_path, "--seed=1", f"--init_from={source}")
    trained = kgan.load_gan(source)
    np.testing.assert_array_equal(gan.generate(8, seed=3), trained.generate(8, seed=3))
    for role, network in trained.networks.items():
        for a, b in zip(gan.networks[role].get_weights(), network.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    assert gan.steps_trained == 0 and int(gan.images_seen) == 0
    assert told["init_from"]["left"] == told["init_from"]["rows"] == {}


def test_the_run_tells_what_it_took_in_words_and_in_its_config(source, tmp_path, capsys):
    assert train(tmp_path / "run", "--steps=1", f"--init_from={source}") == 0
    words = "start from  " + str(source) + ": 8 of 8 variables, 100.0% of "
    assert words in capsys.readouterr().out
    told = config(tmp_path / "run")
    assert told["flags"]["init_from"] == str(source) and f"--init_from={source}" in told["command"]
    assert told["init_from"]["source"] == str(source) and len(told["init_from"]["loaded"]) == 8
    assert kgan.load_gan(tmp_path / "run").steps_trained == 1
    assert "init_from" not in config(source)


def test_other_classes_take_the_rows_of_common_ones(labelled, tmp_path, capsys):
    gan, told = untrained(tmp_path, "--conditional", f"--init_from={labelled}")
    assert told["init_from"]["left"] == {}
    assert told["init_from"]["rows"] == {
        "generator/embed_label/table": "10 of 10 classes",
        "discriminator/embed_label/table": "10 of 10 classes",
    }
    assert "in part  generator/embed_label/table: 10 of 10 classes" in capsys.readouterr().out
    labels = np.arange(10)
    np.testing.assert_array_equal(
        gan.generate(10, labels, seed=1), kgan.load_gan(labelled).generate(10, labels, seed=1)
    )


def test_another_image_size_leaves_what_depends_on_it(source, tmp_path, capsys):
    _, told = untrained(tmp_path, "--image_size=12", f"--init_from={source}")
    left = told["init_from"]["left"]
    assert len(left) == 3 and len(told["init_from"]["loaded"]) == 5
    assert left["generator/dense_1/kernel"] == "shape differs: (8, 64) there, (8, 144) here"
    assert "new      generator/dense_1/bias: shape differs" in capsys.readouterr().out


def test_a_preset_and_a_file_are_sources(source, tmp_path):
    kgan.load_gan(source).save_to_preset(tmp_path / "preset")
    samples = kgan.load_gan(source).generate(4, seed=1)
    for path in (tmp_path / "preset", source / "model.keras"):
        gan, _ = untrained(tmp_path / "run", f"--init_from={path}")
        np.testing.assert_array_equal(gan.generate(4, seed=1), samples)


def test_a_resumed_run_needs_its_source_no_more(source, tmp_path, capsys):
    gone, out = tmp_path / "gone", tmp_path / "run"
    shutil.copytree(source, gone)
    train(out, "--steps=2", f"--init_from={gone}")
    told = config(out)
    told["flags"]["steps"] = 4
    (out / "config.json").write_text(json.dumps(told))
    shutil.rmtree(gone)
    capsys.readouterr()
    assert train(out, "--resume") == 0
    assert "start from" not in capsys.readouterr().out
    assert kgan.load_gan(out).steps_trained == 4
    assert config(out)["init_from"] == told["init_from"]
    with pytest.raises(ValueError, match=r"--init_from=zoo/x \(the run has .*gone\)"):
        train(out, "--resume", "--init_from=zoo/x")


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_from_it_again(source, tmp_path):
    out = tmp_path / "run"
    train(out, "--steps=2", f"--init_from={source}")
    first = kgan.load_gan(out).get_weights()
    for path in out.iterdir():
        if path.name != "config.json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    train(out, "--resume")
    for a, b in zip(kgan.load_gan(out).get_weights(), first, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_a_dry_run_shows_it_and_writes_nothing(source, tmp_path, capsys):
    assert train(tmp_path / "run", "--dry_run", f"--init_from={source}") == 0
    assert "8 of 8 variables" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "--init_from: Expected a run's folder .*preset.*Received: nowhere"),
        ("zoo/nothing_like_it", "--init_from: The zoo has the presets .*zoo/nothing_like_it"),
        ("hf://someone", "--init_from: Expected hf://USER/REPO"),
    ],
)
def test_a_wrong_source_is_told_before_anything_is_written(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "run", f"--init_from={name}")
    assert list(tmp_path.iterdir()) == []


def test_a_source_of_which_nothing_fits_is_told(tmp_path):
    networks = (
        keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]),
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]),
    )
    kgan.GAN(*networks).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="--init_from: .*weights that fit.*other.keras, of which"):
        train(tmp_path / "run", f"--init_from={tmp_path / 'other.keras'}")
    assert not (tmp_path / "run").exists()
