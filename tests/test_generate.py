import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from absl import flags
from PIL import Image

import kgan
from kgan import generate, grid


def save_gan(path, image_shape=(4, 4, 1), **condition):
    """A GAN of tiny images whose averaged generator's weights are not nearly 0."""
    gan = kgan.GAN(
        kgan.backbones.MLPGenerator(image_shape, latent_dim=3, units=(5,), **condition),
        kgan.backbones.MLPDiscriminator(image_shape, units=(5,), **condition),
        **condition,
    )
    keras.utils.set_random_seed(1)
    for weight in gan.averaged_generator.weights:
        weight.assign(keras.random.normal(weight.shape))
    gan.save(path / "model.keras")
    return gan


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """For each kind of GAN, the GAN and its run's folder."""
    kinds = {
        "plain": {},
        "classes": {"num_classes": 3},
        "vectors": {"condition_dim": 2},
        "points": {"image_shape": (2,)},
    }
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in kinds}
    return {kind: (save_gan(folders[kind], **kinds[kind]), folders[kind]) for kind in kinds}


@pytest.fixture
def program(monkeypatch, capsys):
    """Runs the program: arguments -> exit code, standard output, standard error."""

    def run(*argv):
        values = flags.FlagValues()
        generate.define_flags(values)
        monkeypatch.setattr(generate, "FLAGS", values)
        code = generate.main(values(["generate", *map(str, argv)]))
        return code, *capsys.readouterr()

    return run


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_program_draws_what_generate_draws_and_says_only_where(runs, tmp_path):
    gan, run = runs["plain"]
    out = tmp_path / "new" / "grid.png"
    result = subprocess.run(
        [sys.executable, "-m", "kgan.generate", run, "--n=6", "--seed=2", f"--out={out}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{out}\n", "")
    np.testing.assert_array_equal(pixels(out), grid.make_grid(gan.generate(6, seed=2))[..., 0])


@pytest.mark.parametrize(
    "kind, label, labels", [("classes", "2", 2), ("vectors", "0.5,-1", [0.5, -1.0])]
)
def test_label_says_what_is_drawn(kind, label, labels, runs, program, tmp_path):
    gan, run = runs[kind]
    out = tmp_path / "grid.png"
    code, *_ = program(run, "--n=4", "--seed=2", f"--label={label}", "--columns=4", "--out", out)
    assert code == 0
    want = grid.make_grid(gan.generate(4, labels, seed=2), columns=4)
    np.testing.assert_array_equal(pixels(out), want[..., 0])


def test_the_file_of_a_run_will_do(runs, program, tmp_path):
    out = tmp_path / "grid.png"
    assert program(runs["plain"][1] / "model.keras", "--out", out) == (0, f"{out}\n", "")
    assert pixels(out).ndim == 2


@pytest.mark.parametrize(
    "kind, label, message",
    [
        ("classes", "3", "num_classes=3). Received: 3"),
        ("classes", "-1", "num_classes=3). Received: -1"),
        ("classes", "1,2", "--label must be one class number. Received: 1,2"),
        ("classes", "cat", "--label must be one class number. Received: cat"),
        ("plain", "1", "This GAN is unconditional"),
        ("vectors", None, "condition_dim=2). Received: None"),
        ("vectors", "1", "condition_dim=2). Received: (1,)"),
        ("points", None, "Only images make a picture"),
    ],
)
def test_a_wrong_label_is_one_line(kind, label, message, runs, program, tmp_path):
    out = tmp_path / "grid.png"
    options = [] if label is None else [f"--label={label}"]
    code, stdout, stderr = program(runs[kind][1], "--n=2", "--out", out, *options)
    assert code == 2 and stdout == "" and not out.exists()
    assert stderr.startswith("kgan.generate: ") and stderr.count("\n") == 1
    assert message in stderr


def test_a_missing_run_is_one_line(program, tmp_path):
    code, _, stderr = program(tmp_path / "nowhere")
    assert code == 2 and "nowhere" in stderr and stderr.count("\n") == 1
    code, _, stderr = program()
    assert code == 2 and stderr == "Usage: python -m kgan.generate RUN [flags]. Received: []\n"
