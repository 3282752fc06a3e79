import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from absl import flags
from PIL import Image

import kgan
from kgan import evaluate
from tests import networks

SHAPE = (8, 8, 1)
PIXELS = "--features=pixels"


def save_run(path, num_classes=None, shape=SHAPE, dataset="digits"):
    gan = kgan.GAN(
        networks.generator(num_classes, shape),
        networks.discriminator(num_classes, shape),
        num_classes=num_classes,
        seed=0,
    )
    gan.compile()
    gan.fit(np.zeros((4, *shape), "float32"), num_classes and np.arange(4) % 2, verbose=0)
    gan.save(path / "model.keras")
    if dataset:
        config = {"flags": {"dataset": dataset, "data_dir": None}}
        (path / "config.json").write_text(json.dumps(config))
    return gan


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """For each kind of run, its folder."""
    kinds = {
        "plain": {},
        "classes": {"num_classes": 10},
        "strange": {"dataset": None},
        "points": {"shape": (2,)},
    }
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in kinds}
    for kind, arguments in kinds.items():
        save_run(folders[kind], **arguments)
    return folders


@pytest.fixture
def program(monkeypatch, capsys):
    """Runs the program: arguments -> exit code, standard output, standard error."""

    def run(*argv):
        values = flags.FlagValues()
        evaluate.define_flags(values)
        monkeypatch.setattr(evaluate, "FLAGS", values)
        code = evaluate.main(values(["evaluate", *map(str, argv)]))
        return code, *capsys.readouterr()

    return run


def draw_images(folder, n=12, size=8, seed=0, classes=None, mode="L"):
    """Writes noise as PNG files, into a folder for each class if there are any."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        part = folder / classes[i % len(classes)] if classes else folder
        part.mkdir(parents=True, exist_ok=True)
        shape = (size, size) if mode == "L" else (size, size, 3)
        pixels = rng.integers(0, 256, shape, "uint8")
        Image.fromarray(pixels).save(part / f"{i:03d}.png")
    return folder


def rows(out):
    """The lines of the table, split in words, by the metric's name."""
    lines = out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("metric "))
    table = [line.split() for line in lines[start + 1 :] if line and not line.endswith(".json")]
    return {words[0]: words[1:] for words in table}


# --- Runs ---------------------------------------------------------------------------------------


def test_program_writes_metrics_json_and_prints_a_table(runs, tmp_path):
    run = runs["plain"]
    result = subprocess.run(
        [sys.executable, "-m", "kgan.evaluate", run, "--metrics=fd,kd", PIXELS, "--n=1100"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    report = json.loads((run / "metrics.json").read_text())
    shown = rows(result.stdout)
    assert shown["frechet_distance"] == [
        f"{report['frechet_distance']:.4g}",
        "↓",
        "pixels",
        "digits",
        "train",
        "(1,797)",
    ]
    assert set(shown) == {"frechet_distance", "kernel_distance", "kernel_distance_standard_error"}
    assert result.stdout.splitlines()[-1] == str(run / "metrics.json")
    assert "samples: 1100/1100" in result.stdout  # where nobody watches, a bar is a line


def test_metrics_json_says_how_its_numbers_came_about(runs, program):
    run = runs["plain"]
    assert program(run, PIXELS, "--n=200", "--seed=3")[0] == 0
    text = (run / "metrics.json").read_text()
    report = json.loads(text)
    setting = report.pop("evaluation")
    assert list(report) == ["frechet_distance"]
    assert (setting["num_samples"], setting["seed"], setting["step"]) == (200, 3, 1)
    assert (setting["dataset"], setting["splits"]) == ("digits", {"train": 1797})
    key = kgan.metrics.features.get("pixels").key()
    assert setting["features"] == {"pixels": key} and setting["failures"] == {}
    assert setting["versions"]["kgan"] == kgan.__version__
    assert str(run) not in text and os.path.expanduser("~") not in text
    evaluation = kgan.metrics.Evaluation("fd", "pixels")
    evaluation.set_reals(kgan.data.load("digits", shuffle=False, drop_remainder=False))
    results, _ = evaluation.judge(kgan.load_gan(run), 200, seed=3)
    assert report == pytest.approx(results, rel=1e-6)


def test_the_seed_and_the_number_make_the_result(runs, program, tmp_path):
    values = {}
    for name, argv in {"a": ["--n=50"], "b": ["--n=50"], "c": ["--n=50", "--seed=1"]}.items():
        out = tmp_path / f"{name}.json"
        assert program(runs["plain"], PIXELS, f"--out={out}", *argv)[0] == 0
        values[name] = json.loads(out.read_text())["frechet_distance"]
    assert values["a"] == values["b"] != values["c"]


def test_a_file_and_another_data_set_will_do(runs, program, tmp_path):
    reals = draw_images(tmp_path / "reals")
    code, out, _ = program(
        runs["plain"] / "model.keras", PIXELS, "--n=20", f"--dataset={reals}", "--out=", "--seed=1"
    )
    assert code == 0 and rows(out)["frechet_distance"][3:] == ["reals", "train", "(12)"]
    text = (runs["plain"] / "metrics.json").read_text()
    assert json.loads(text)["evaluation"]["dataset"] == "reals" and str(tmp_path) not in text


def test_classes_of_a_conditional_gan(runs, program):
    argv = ["--metrics=icfd", PIXELS, "--n=400"]
    code, out, _ = program(runs["classes"], *argv)
    assert code == 0 and math.isfinite(float(next(iter(rows(out).values()))[0]))
    code, _, err = program(runs["plain"], *argv)
    assert code == 2 and "needs the class of each sample" in err


def test_test_and_validation_images_of_a_data_set_without_them(runs, program):
    code, out, err = program(runs["plain"], "--metrics=parzen", "--n=50")
    assert (code, err) == (0, "")
    # 1,797 = 300 validation images, one in six, and the others.
    assert rows(out)["parzen_log_likelihood"][-3:] == ["digits", "test", "(1,497)"]
    setting = json.loads((runs["plain"] / "metrics.json").read_text())["evaluation"]
    assert setting["splits"] == {"test": 1497, "validation": 300}


def test_splits_of_a_folder_and_flag_split(runs, program, tmp_path):
    for i, split in enumerate(("train", "test")):
        draw_images(tmp_path / "data" / split, n=12 + i, seed=i)
    argv = [runs["plain"], f"--dataset={tmp_path / 'data'}", PIXELS, "--n=20"]
    code, out, _ = program(*argv, "--metrics=parzen:bandwidth=0.2,fd")
    assert code == 0
    assert rows(out)["frechet_distance"][-2:] == ["train", "(12)"]
    assert rows(out)["parzen_log_likelihood"][-2:] == ["test", "(13)"]
    code, out, _ = program(*argv, "--metrics=fd", "--split=test")
    assert code == 0 and rows(out)["frechet_distance"][-2:] == ["test", "(13)"]
    code, _, err = program(*argv, "--metrics=fd", "--split=val")
    assert code == 2 and "['test', 'train']" in err


def test_memorization_needs_images_that_were_held_out(runs, program):
    code, _, err = program(runs["plain"], "--metrics=memo", "--n=50")
    assert code == 2 and err.count("\n") == 1
    assert "held out of training. Received: digits, which has no test split" in err


def test_a_metric_that_fails_does_not_take_the_others_along(runs, program, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    gan = save_run(run)
    for weight in gan.averaged_generator.weights:
        weight.assign(np.zeros(weight.shape))
    gan.save(run / "model.keras")
    code, out, err = program(run, "--metrics=fd,msssim", PIXELS, "--n=50")
    assert code == 2 and err.startswith("kgan.evaluate: frechet_distance: ")
    assert "constant fake features" in err
    assert rows(out)["frechet_distance"][0] == "—"
    report = json.loads((run / "metrics.json").read_text())
    assert report["frechet_distance"] is None and report["ms_ssim_fake"] == pytest.approx(1)
    assert "constant" in report["evaluation"]["failures"]["frechet_distance"]


def test_an_evaluation_without_a_number_does_not_replace_another(runs, program):
    run = runs["plain"]
    assert program(run, PIXELS, "--n=100")[0] == 0
    before = (run / "metrics.json").read_bytes()
    code, out, err = program(run, "--metrics=fd,prdc", PIXELS, "--n=1")
    assert code == 2 and len(err.splitlines()) == 2 and "metrics.json" not in out
    assert (run / "metrics.json").read_bytes() == before


def test_ctrl_c_is_one_line(runs, program, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(kgan.GAN, "generate", interrupted)
    code, _, err = program(runs["plain"], PIXELS, "--n=20")
    assert (code, err) == (130, "kgan.evaluate: interrupted, nothing is written\n")


# --- Folders ------------------------------------------------------------------------------------


def test_folders_are_compared_as_their_arrays_are(program, tmp_path):
    samples, reals = draw_images(tmp_path / "a", 20), draw_images(tmp_path / "b", 30, seed=1)
    out = tmp_path / "new" / "out.json"
    code, shown, err = program(samples, f"--against={reals}", PIXELS, f"--out={out}")
    assert (code, err) == (0, "")
    metric = kgan.metrics.FrechetDistance("pixels")
    for side, folder in (("real", reals), ("fake", samples)):
        stack = np.stack([np.asarray(Image.open(p)) for p in sorted(folder.iterdir())])
        metric.update_state(**{side: stack[..., None].astype("float32") / 127.5 - 1})
    report = json.loads(out.read_text())
    assert report["frechet_distance"] == pytest.approx(metric.result(), rel=1e-5)
    assert rows(shown)["frechet_distance"][-3:] == ["b", "train", "(30)"]
    assert report["evaluation"]["num_samples"] == 20 and report["evaluation"]["samples"] == "a"
    assert str(tmp_path) not in out.read_text()


def test_nothing_is_written_beside_folders(program, tmp_path, monkeypatch):
    samples, reals = draw_images(tmp_path / "a"), draw_images(tmp_path / "b", seed=1)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = sorted(tmp_path.rglob("*"))
    assert program(samples, f"--against={reals}", PIXELS)[0] == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_against_a_data_set_and_grey_against_colour(program, tmp_path):
    grey, colour = draw_images(tmp_path / "a"), draw_images(tmp_path / "b", mode="RGB", seed=1)
    assert program(grey, "--against=digits", PIXELS)[0] == 0
    stacks = {
        path: np.stack([np.asarray(Image.open(p).convert("RGB")) for p in sorted(path.iterdir())])
        for path in (grey, colour)
    }
    for samples, reals in ((grey, colour), (colour, grey)):
        code, out, _ = program(samples, f"--against={reals}", PIXELS)
        metric = kgan.metrics.FrechetDistance("pixels")
        metric.update_state(*(stacks[path] / np.float32(127.5) - 1 for path in (reals, samples)))
        want = pytest.approx(metric.result(), rel=1e-3)
        assert code == 0 and float(rows(out)["frechet_distance"][0]) == want


def test_class_folders_are_labels(program, tmp_path):
    samples = draw_images(tmp_path / "a", 40, classes="xyz")
    reals = draw_images(tmp_path / "b", 50, classes="xyz", seed=1)
    assert program(samples, f"--against={reals}", "--metrics=nne", PIXELS)[0] == 0
    flat, other = draw_images(tmp_path / "c"), draw_images(tmp_path / "d", classes="xyw")
    code, _, err = program(flat, f"--against={reals}", "--metrics=nne", PIXELS)
    assert code == 2 and "a folder for each class. Received: c without classes" in err
    code, _, err = program(other, f"--against={reals}", "--metrics=nne", PIXELS)
    assert code == 2 and "Received: ('w', 'x', 'y') and ('x', 'y', 'z')" in err


def test_sizes_that_differ_need_image_size(program, tmp_path):
    samples, reals = draw_images(tmp_path / "a"), draw_images(tmp_path / "b", size=10, seed=1)
    code, _, err = program(samples, f"--against={reals}", PIXELS)
    assert code == 2 and err == (
        "kgan.evaluate: Samples and reals must be of one size: give --image_size. "
        "Received: a of 8x8 and b of 10x10\n"
    )
    Image.new("L", (6, 5)).save(samples / "odd.png")
    code, _, err = program(samples, f"--against={reals}", PIXELS)
    assert code == 2 and f"{samples} with 8x8 (12), 5x6 (1)" in err and err.count("\n") == 1
    assert program(samples, f"--against={reals}", PIXELS, "--image_size=8")[0] == 0


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("which", ["samples", "reals"])
def test_unreadable_images_are_named(program, tmp_path, which, whole):
    folders = {name: draw_images(tmp_path / name) for name in ("samples", "reals")}
    bad = folders[which] / "bad.png"
    good = (folders[which] / "000.png").read_bytes()
    bad.write_bytes(good[:60] if whole else b"no image")  # a whole header, or none
    code, _, err = program(folders["samples"], f"--against={folders['reals']}", PIXELS)
    assert code == 2 and str(bad) in err and err.count("\n") == 1


def test_a_metric_that_draws_needs_a_run(program, tmp_path):
    samples, reals = draw_images(tmp_path / "a"), draw_images(tmp_path / "b", seed=1)
    code, _, err = program(samples, f"--against={reals}", PIXELS, "--metrics=ppl")
    assert code == 2 and "draws its own samples, so that it needs a run" in err


# --- What is wrong is one line ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "argv", "message"),
    [
        ("plain", ["--metrics=fdd"], "--metrics: Unknown metric"),
        (
            "plain",
            ["--features=pixel"],
            "--features: Unknown feature network. Did you mean 'pixels'",
        ),
        ("plain", ["--dataset=digit", PIXELS], "Did you mean 'digits'"),
        ("plain", ["--features=mnist"], "28x28"),
        ("plain", ["--against=digits"], "a run is compared with --dataset"),
        ("plain", ["--image_size=8"], "--image_size is for folders, with --against"),
        ("strange", [PIXELS], "Give --dataset"),
        ("points", [PIXELS], "Expected a GAN of images"),
    ],
)
def test_what_does_not_fit_is_one_line(runs, program, kind, argv, message):
    before = {path: path.stat().st_mtime_ns for path in runs[kind].iterdir()}
    number = [] if "--against=digits" in argv else ["--n=20"]
    code, _, err = program(runs[kind], *number, *argv)
    assert code == 2 and err.startswith("kgan.evaluate: ") and err.count("\n") == 1
    assert message in err
    assert {path: path.stat().st_mtime_ns for path in runs[kind].iterdir()} == before


def test_paths_that_are_no_runs(program, tmp_path):
    code, _, err = program(tmp_path / "nowhere")
    assert code == 2 and "nowhere" in err and err.count("\n") == 1
    code, _, err = program(draw_images(tmp_path / "a"))
    assert code == 2 and "or a folder of images with --against" in err
    code, _, err = program(tmp_path / "a", "--against=nowhere/at/all")
    assert code == 2 and "nowhere" in err
    code, _, err = program(tmp_path / "a", "--against=digits", "--n=3")
    assert code == 2 and "--n is for a run. Received: --n=3" in err
    code, _, err = program()
    assert code == 2 and err.startswith("Usage: python -m kgan.evaluate RUN [flags]")


def test_help_lists_every_metric():
    lines = evaluate.metric_lines().splitlines()
    text = " ".join(" ".join(lines).split())
    for name in kgan.metrics.names():
        metric = kgan.metrics.get(name)
        assert f"({metric.name})" in text
        assert any(line.startswith(f"  {metric.alias} ") for line in lines)
