"""The callbacks together, as a run uses them."""

import doctest
import inspect
import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest
from PIL import Image

import kgan
from kgan import callbacks


def run(folder, gan, images, **kwargs):
    """One session: nothing but the folder and the GAN survives it."""
    all_callbacks = [
        callbacks.TerminateOnNonFinite(folder / "checkpoints"),
        callbacks.MetricsLog(folder / "metrics.jsonl"),
        callbacks.Curves(folder / "curves.png", folder / "metrics.jsonl"),
        callbacks.SampleGrid(folder / "samples", n=4),
        callbacks.TensorBoard(folder / "logs", n=4),
    ]
    gan.fit(images, batch_size=8, callbacks=all_callbacks, verbose=0, **kwargs)
    gan.save(folder / "model.keras")


def test_two_sessions_are_one_run(tmp_path, images, make_gan):
    run(tmp_path, make_gan(), images, epochs=3)
    early = (tmp_path / "metrics.jsonl").read_text()
    keras.utils.clear_session()
    gan = keras.models.load_model(tmp_path / "model.keras")
    run(tmp_path, gan, images, epochs=5, initial_epoch=3)

    text = (tmp_path / "metrics.jsonl").read_text()
    assert text.startswith(early)
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["step"] for row in rows] == [6, 12, 18, 24, 30]
    assert [row["images_seen"] for row in rows] == [48, 96, 144, 192, 240]
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)
    with Image.open(tmp_path / "samples" / "animation.gif") as animation:
        assert animation.n_frames == 6
    with Image.open(tmp_path / "curves.png") as picture:
        picture.verify()
    hidden = [name for _, _, names in os.walk(tmp_path) for name in names if name[0] == "."]
    assert hidden == []


def test_importing_is_light():
    # Keras itself imports some of these where they are installed.
    code = (
        "import sys, keras, tensorflow; before = set(sys.modules); import kgan.callbacks;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(new & {'matplotlib', 'PIL', 'tensorboard'})"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr


NAMES = (
    "Curves",
    "MetricsLog",
    "NonFiniteLossError",
    "SampleGrid",
    "TensorBoard",
    "TerminateOnNonFinite",
    "read_metrics",
    "save_animation",
    "save_curves",
)


@pytest.mark.parametrize("name", NAMES)
def test_docstring_describes_and_its_example_runs(tmp_path, monkeypatch, images, name, make_gan):
    documented = getattr(callbacks, name)
    text = inspect.getdoc(documented)
    for parameter in inspect.signature(documented).parameters:
        assert f"{parameter}:" in text
    monkeypatch.chdir(tmp_path)
    rows = '{"epoch": 1, "images_seen": 1, "seconds": 1, "generator_loss": 1}'
    pathlib.Path("runs/mine").mkdir(parents=True)
    pathlib.Path("runs/mine/metrics.jsonl").write_text(rows)
    pathlib.Path("samples").mkdir()
    Image.new("L", (4, 4)).save("samples/epoch-0001.png")
    scope = {"gan": make_gan(), "dataset": images, "kgan": kgan, "os": os, "pathlib": pathlib}
    scope["save_animation"] = callbacks.save_animation
    example = doctest.DocTestParser().get_doctest(text, scope, name, None, None)
    assert example.examples
    assert doctest.DocTestRunner().run(example, out=sys.stderr.write).failed == 0
