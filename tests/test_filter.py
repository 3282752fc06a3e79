import csv
import json
import os
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from absl import flags
from PIL import Image

import kgan
from kgan import filter as filter_program
from kgan.metrics import realness
from tests import networks

SHAPE = (8, 8, 1)


def brightness_discriminator(num_classes=None):
    """The brighter, the more real: four times the mean pixel; a class's number is added."""
    images = keras.Input(SHAPE)
    mean = keras.layers.GlobalAveragePooling2D()(images)
    four = keras.initializers.Constant(4.0)
    score = keras.layers.Dense(1, use_bias=False, kernel_initializer=four)(mean)
    if num_classes is None:
        return keras.Model(images, score)
    labels = keras.Input((), dtype="int32")
    embedding = keras.layers.Embedding(num_classes, 1)
    numbers = embedding(labels)
    embedding.set_weights([np.arange(num_classes)[:, None]])
    return keras.Model([images, labels], keras.layers.Add()([score, numbers]))


def save_run(folder, dataset=None, loss="non_saturating", num_classes=None):
    gan = kgan.GAN(
        networks.generator(num_classes, shape=SHAPE),
        brightness_discriminator(num_classes),
        num_classes=num_classes,
    )
    gan.compile(loss=loss)
    folder.mkdir(parents=True)
    gan.save(folder / "model.keras")
    config = {"flags": {"dataset": str(dataset), "data_dir": None}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def save_images(folder, levels, size=(8, 8)):
    """A grey image for each level of brightness, named by its number."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, level in enumerate(levels):
        Image.fromarray(np.full(size, level, "uint8")).save(folder / f"{i}.png")
    return folder


def probability(level):
    return 1 / (1 + np.exp(-4 * (level / 127.5 - 1)))


def threshold(stderr):
    return float(re.search("threshold (.*?),", stderr)[1])


@pytest.fixture
def program(monkeypatch, capsys):
    """Runs the program: arguments -> exit code, rows of the list, standard error."""

    def run(*argv):
        values = flags.FlagValues()
        filter_program.define_flags(values)
        monkeypatch.setattr(filter_program, "FLAGS", values)
        code = filter_program.main(values(["filter", *map(str, argv)]))
        stdout, stderr = capsys.readouterr()
        return code, [line.split(maxsplit=2) for line in stdout.splitlines()], stderr

    return run


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Reals: bright ones to learn from, and a hundred of all levels that were held out."""
    folder = tmp_path_factory.mktemp("data") / "squares"
    save_images(folder / "train", [250, 255])
    save_images(folder / "test", range(100, 200))
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("run") / "run", data)


@pytest.fixture
def mixture(tmp_path):
    """Seven reals and four generated images, of which two look real."""
    save_images(tmp_path / "mixture" / "real", [90, 120, 150, 180, 210, 240, 255])
    save_images(tmp_path / "mixture" / "generated", [10, 60, 130, 200])
    return tmp_path / "mixture"


def test_files_are_listed_by_realness_and_those_below_the_threshold_marked(run, mixture, program):
    code, rows, stderr = program(run, mixture, "--threshold=0.5")
    assert code == 0
    values = [float(row[0]) for row in rows]
    levels = [10, 60, 90, 120, 130, 150, 180, 200, 210, 240, 255]
    np.testing.assert_allclose(values, probability(np.array(levels)), rtol=1e-4)
    assert [row[1] for row in rows] == ["generated"] * 4 + ["real"] * 7
    assert [row[2] for row in rows[:4]] == [
        "generated/0.png",
        "generated/1.png",
        "real/0.png",
        "real/1.png",
    ]
    assert "threshold 0.5, as --threshold says\n4 of 11 images" in stderr
    assert "of folder generated 2 of 4, of folder real 2 of 7" in stderr
    # Of 28 pairs, 120 < 130, 150 < 200, 180 < 200, 90 < 130, 90 < 200, 120 < 200 are wrong.
    assert stderr.endswith(f"AUROC {22 / 28:.4f}\n")


def test_by_default_95_of_100_held_out_reals_pass(run, mixture, program):
    _, rows, stderr = program(run, mixture)
    # Levels 100 to 199 were held out: five of them are below 105.
    assert threshold(stderr) == pytest.approx(probability(105), rel=1e-4)
    assert "which 95% of 100 test images of squares pass\n" in stderr
    assert sum(row[1] == "generated" for row in rows) == 3  # 10, 60, 90


def test_training_images_stand_for_held_out_ones_and_that_is_said(tmp_path, program):
    data = save_images(tmp_path / "data", [100, 150, 200])
    run = save_run(tmp_path / "run", data)
    _, _, stderr = program(run, data)
    assert threshold(stderr) == pytest.approx(probability(100), rel=1e-4)
    assert "95% of 3 train images of data pass; the run has learnt from these" in stderr
    assert "0 of 3 images are taken for generated" in stderr
    other = save_images(tmp_path / "other", [50, 60])
    _, _, stderr = program(run, data, "--dataset", other)
    assert threshold(stderr) == pytest.approx(probability(50), rel=1e-4)
    assert "95% of 2 train images of other pass\n" in stderr


def test_without_data_probabilities_have_a_threshold_and_scores_have_none(
    mixture, tmp_path, program
):
    code, _, stderr = program(save_run(tmp_path / "run", tmp_path / "gone"), mixture)
    assert code == 0 and "threshold 0.5, for want of real images" in stderr and "gone" in stderr
    code, rows, stderr = program(save_run(tmp_path / "w", tmp_path / "gone", "hinge"), mixture)
    assert code == 2 and rows == [] and stderr.count("\n") == 1
    assert "Give --threshold, or real images" in stderr and "gone" in stderr
    assert program(tmp_path / "w", mixture, "--threshold=-1")[0] == 0


def test_named_data_that_are_not_there_are_an_error(run, mixture, program):
    code, rows, stderr = program(run, mixture, "--dataset=no/such/folder")
    assert code == 2 and rows == [] and stderr.count("\n") == 1 and "no/such/folder" in stderr


def test_a_threshold_is_finite(run, mixture, program):
    code, rows, stderr = program(run, mixture, "--threshold=nan")
    assert code == 2 and rows == []
    assert stderr == "kgan.filter: --threshold must be finite. Received: nan\n"


def test_ctrl_c_is_one_line(run, mixture, program, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(filter_program, "read_images", interrupted)
    assert program(run, mixture, "--threshold=0.5") == (130, [], "kgan.filter: interrupted\n")


def test_csv(run, mixture, tmp_path, program):
    out = tmp_path / "new" / "scores.csv"
    code, rows, _ = program(run, mixture, "--out", out)
    assert code == 0 and rows == [[str(out)]]
    with open(out, newline="") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["file", "realness", "taken_for"] and len(table) == 11
    assert table[0]["file"] == "generated/0.png" and table[0]["taken_for"] == "generated"
    assert float(table[0]["realness"]) == pytest.approx(probability(10), rel=1e-5)


def test_without_the_two_folders_there_is_no_auroc(run, mixture, program):
    assert "AUROC" not in program(run, mixture / "real")[2]
    shutil.rmtree(mixture / "generated")
    assert "AUROC" not in program(run, mixture)[2]


def test_a_conditional_gan_takes_the_best_class_or_the_one_given(data, mixture, tmp_path, program):
    run = save_run(tmp_path / "run", data, "wasserstein", num_classes=3)
    for options, added in (([], 2), (["--label=1"], 1)):
        _, rows, stderr = program(run, mixture, *options)
        assert float(rows[0][0]) == pytest.approx(4 * (10 / 127.5 - 1) + added, rel=1e-4)
        assert threshold(stderr) == pytest.approx(4 * (105 / 127.5 - 1) + added, rel=1e-4)
    code, _, stderr = program(run, mixture, "--label=3")
    assert code == 2 and "num_classes=3). Received: 3" in stderr


def test_files_become_what_kgan_data_makes_of_them(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "images"
    folder.mkdir()
    for i, shape in enumerate([(8, 8), (12, 9, 3), (20, 16, 4)]):
        Image.fromarray(random.integers(0, 256, shape, dtype="uint8")).save(folder / f"{i}.png")
    paths = filter_program.find_images(folder)
    images = filter_program.read_images(paths, (6, 8, 3))
    dataset = kgan.data.load(
        folder, 3, image_size=(6, 8), channels=3, shuffle=False, drop_remainder=False
    )
    want, _ = next(dataset.as_numpy_iterator())
    np.testing.assert_allclose(images, want, atol=1.1 / 127.5)  # 16 bits instead of 8


def test_resizing_is_said(run, tmp_path, program):
    save_images(tmp_path / "images", [100], size=(16, 12))
    save_images(tmp_path / "images" / "more", [100])
    code, rows, stderr = program(run, tmp_path / "images")
    assert code == 0 and len(rows) == 2
    assert stderr.startswith("1 of 2 images are not 8x8 and were cropped and resized")


def test_an_image_of_16_bits_beside_others_keeps_its_range(run, tmp_path, program):
    folder = save_images(tmp_path / "images", [255])
    Image.fromarray(np.full((8, 8), 200 * 257, "uint16")).save(folder / "wide.png")
    assert float(program(run, folder)[1][0][0]) == pytest.approx(probability(200), rel=1e-4)


def test_it_is_realness_in_whole_batches(tmp_path, run, monkeypatch):
    monkeypatch.setattr(filter_program, "BATCH", 4)
    values = flags.FlagValues()
    filter_program.define_flags(values)
    monkeypatch.setattr(filter_program, "FLAGS", values(["filter"]) and values)
    paths = filter_program.find_images(save_images(tmp_path / "images", range(0, 250, 25)))
    gan = kgan.load_gan(run)
    want = realness(gan, filter_program.read_images(paths, SHAPE))
    np.testing.assert_array_equal(filter_program._scores(gan, paths), want)


def test_hidden_files_and_others_are_left_alone(tmp_path):
    save_images(tmp_path / "images" / "a", [1])
    save_images(tmp_path / "images" / ".cache", [1])
    (tmp_path / "images" / "notes.txt").write_text("")
    assert filter_program.find_images(tmp_path / "images") == [tmp_path / "images" / "a" / "0.png"]


def test_bad_folders_and_files_are_named(run, mixture, tmp_path, program):
    (tmp_path / "empty").mkdir()
    for folder, message in (
        (tmp_path / "empty", "empty, which holds none"),
        (tmp_path / "gone", "gone, which does not exist"),
        (mixture / "real" / "0.png", "Received the file: .*0.png"),
    ):
        code, rows, stderr = program(run, folder)
        assert code == 2 and rows == [] and stderr.count("\n") == 1
        assert stderr.startswith("kgan.filter: Expected a folder of images")
        assert re.search(message, stderr)
    (mixture / "real" / "broken.png").write_text("no image")
    code, rows, stderr = program(run, mixture)
    assert code == 2 and rows == [] and "broken.png" in stderr
    assert program(tmp_path / "nowhere", mixture / "generated")[0] == 2
    assert program(run)[2].startswith("Usage: python -m kgan.filter RUN FOLDER")


def test_vectors_have_no_files(tmp_path, mixture, program):
    gan = kgan.GAN(networks.generator(), networks.discriminator())
    (tmp_path / "points").mkdir()
    gan.save(tmp_path / "points" / "model.keras")
    code, _, stderr = program(tmp_path / "points", mixture)
    assert code == 2 and "points, whose samples have the shape (2,)" in stderr


def test_as_a_program_whose_reader_soon_has_enough(run, mixture):
    save_images(mixture / "real", [200] * 3000)  # more than a pipe holds
    program = f"{sys.executable} -m kgan.filter {run} {mixture} --threshold=0.5"
    result = subprocess.run(
        f"{program} | head -n 2; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[2] for line in lines] == ["generated/0.png", "generated/1.png"]
    assert float(lines[0][0]) == pytest.approx(probability(10), rel=1e-4)
    assert re.fullmatch(r"threshold .*\n.* taken .*\nof folder .*\nAUROC .*\n", result.stderr)
