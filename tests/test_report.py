import base64
import html
import io
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tomllib

import keras
import numpy as np
import pytest
from absl import flags
from matplotlib.figure import Figure
from PIL import Image

import kgan
from kgan.grid import make_grid
from kgan.report import Run, __main__, charts, pictures, write_report

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium or Chrome")


def make_gan(image_shape=(8, 8, 1), latent_dim=5, latent_distribution="normal", **condition):
    gan = kgan.GAN(
        kgan.backbones.MLPGenerator(image_shape, latent_dim=latent_dim, units=(6,), **condition),
        kgan.backbones.MLPDiscriminator(image_shape, units=(6,), **condition),
        latent_distribution=latent_distribution,
        **condition,
    )
    keras.utils.set_random_seed(1)
    for weight in gan.averaged_generator.weights:
        weight.assign(keras.random.normal(weight.shape))
    return gan


def save_run(folder, results=None, rows=2, dataset="digits", loss="non_saturating", **kwargs):
    gan = make_gan(**kwargs)
    gan.compile(loss=loss)
    folder.mkdir(parents=True)
    gan.save(folder / "model.keras")
    config = {
        "module": "dcgan",
        "command": f"python -m kgan.zoo.dcgan --dataset={dataset}",
        "flags": {"dataset": dataset, "data_dir": None},
        "machine": {"processor": "abacus", "cores": 2, "gpus": []},
        "versions": {"kgan": "0.1.0", "git_revision": None},
    }
    (folder / "config.json").write_text(json.dumps(config))
    lines = [
        {
            "epoch": i + 1,
            "step": 10 * (i + 1),
            "images_seen": 640 * (i + 1),
            "seconds": 60.0 * (i + 1),
            "generator_loss": 0.7 + i,
            "real_score": 0.6,
            "fake_score": None if i else 0.25,
        }
        for i in range(rows)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if results:
        (folder / "metrics.json").write_text(json.dumps(results))
    return folder


def evaluated(n=60_000, **values):
    """What kgan.evaluate writes of two metrics, in its form."""
    metrics = {
        "frechet_distance": {"results": ["frechet_distance"], "best": ["↓"], "features": "mnist"},
        "prdc": {"results": ["recall", "spread"], "best": ["↑", ""], "features": None},
    }
    for how in metrics.values():
        how["split"] = "train"
    settings = {"dataset": "digits", "splits": {"train": 1797}, "num_samples": n}
    return {**values, "evaluation": {**settings, "metrics": metrics, "failures": {}}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    plain = evaluated(frechet_distance=1.5, recall=0.25, spread=3.0)
    other = evaluated(frechet_distance=12.0, recall=0.75, spread=None)
    return {
        "plain": save_run(folder / "plain", plain),
        "other": save_run(folder / "other", other, latent_dim=2, rows=3),
        "classes": save_run(folder / "classes", num_classes=3, image_shape=(8, 8, 3)),
        "uniform": save_run(folder / "uniform", latent_distribution="uniform", loss="hinge"),
    }


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    return write_report(runs.values(), tmp_path_factory.mktemp("page") / "report.html", n=9)


@pytest.fixture
def program(monkeypatch, capsys):
    """Runs the program: arguments -> exit code, standard output, standard error."""

    def run(*argv):
        values = flags.FlagValues()
        __main__.define_flags(values)
        monkeypatch.setattr(__main__, "FLAGS", values)
        code = __main__.main(values(["report", *map(str, argv)]))
        return code, *capsys.readouterr()

    return run


def section(text, name):
    return re.search(rf'<section id="{name}">(.*?)</section>', text, re.DOTALL)[1]


def images_of(text):
    """Returns every image of a page as (alt, pixels)."""
    found = re.findall(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]+)"', text)
    return [
        (html.unescape(alt), np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))))
        for data, alt in found
    ]


# --- In a browser -------------------------------------------------------------------------------

# A window is never narrower than 500 pixels, a frame is.
FRAME = """<iframe src="page.html" style="border:0;width:WIDTHpx;height:900px"></iframe>
<output></output>
<script>
addEventListener("message", e => document.querySelector("output").append(e.data));
</script>"""
MEASURE = """<script>
addEventListener("load", () => parent.postMessage(JSON.stringify({
  images: [...document.images].map(i => [i.naturalWidth, i.getBoundingClientRect().width]),
  loaded: performance.getEntriesByType("resource").map(r => r.name),
  wide: document.scrollingElement.scrollWidth, window: innerWidth,
  numbers: [...document.querySelectorAll("td")].map(e => getComputedStyle(e).textAlign),
  rendering: [...document.images].map(i => getComputedStyle(i).imageRendering),
}), "*"));
</script>"""


DUMP = ("--dump-dom", "--virtual-time-budget=5000")


def chromium(page, profile, width, *options):
    result = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            f"--user-data-dir={profile}",
            f"--window-size={width},900",
            *options,
            f"file://{page}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    return result.stdout, console


@needs_chromium
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_all_of_it_and_asks_nobody(page, tmp_path, width):
    picture = tmp_path / "screenshot.png"
    _, console = chromium(page, tmp_path / "profile", width, f"--screenshot={picture}")
    assert console == []
    with Image.open(picture) as screenshot:
        assert screenshot.width == width
        assert len(np.unique(np.asarray(screenshot.convert("L")))) > 10

    # Measured by a script, which the page itself forbids.
    text = page.read_text()
    allowed = text.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    (tmp_path / "page.html").write_text(allowed.replace("</body>", MEASURE + "</body>"))
    (tmp_path / "frame.html").write_text(FRAME.replace("WIDTH", str(width)))
    dom, console = chromium(tmp_path / "frame.html", tmp_path / "profile", 1400, *DUMP)
    assert console == []
    found = json.loads(html.unescape(re.search(r"<output>(.*)</output>", dom)[1]))
    assert len(found["images"]) == len(images_of(text)) > 20
    assert all(natural > 0 and shown > 0 for natural, shown in found["images"])
    assert [name for name in found["loaded"] if not name.startswith("data:")] == []
    assert found["wide"] <= found["window"] == width
    assert set(found["numbers"]) == {"right"}
    assert "pixelated" in found["rendering"]


def test_nothing_lies_outside_of_the_file(page):
    text = page.read_text()
    assert "<script" not in text and "<link" not in text and "@import" not in text
    references = re.findall(r'(?:src|href|srcset|action)="([^"]*)"', text)
    assert references and all(r.startswith(("data:image/png;base64,", "#")) for r in references)
    assert re.findall(r"url\(", text) == []
    assert "default-src 'none'" in text
    ids = re.findall(r' id="([^"]+)"', text)
    links = [r[1:] for r in references if r.startswith("#")]
    assert links == ids and len(set(ids)) == len(ids) == 7


def test_every_picture_is_described(page):
    text = page.read_text()
    assert text.count("<img ") == len(images_of(text)) == len(re.findall(r'alt="[^"]{8,}"', text))


def test_the_style_sheet_is_installed_with_the_package():
    with open("pyproject.toml", "rb") as file:
        data = tomllib.load(file)["tool"]["setuptools"]["package-data"]
    assert "report/*.css" in data["kgan"]


# --- What it shows ------------------------------------------------------------------------------


def test_samples_are_those_of_the_seed(runs, page):
    found = dict(images_of(section(page.read_text(), "samples")))
    gan = kgan.load_gan(runs["plain"])
    want = make_grid(gan.generate(9, seed=0), columns=3, pad=1, scale=1)
    np.testing.assert_array_equal(found["Samples of plain, 3 in a row"], want[..., 0])
    gan = kgan.load_gan(runs["classes"])
    want = make_grid(gan.generate(9, np.arange(9) % 3, seed=0), columns=3, pad=1, scale=1)
    np.testing.assert_array_equal(found["Samples of classes, 3 in a row"], want)


def test_what_each_run_is(page):
    facts = section(page.read_text(), "runs")
    for words in (
        "dcgan (Radford, Metz, Chintala 2015)",
        "digits, 8×8×3, one of 3 classes",
        "python</span> <span>-m</span> <span>kgan.zoo.dcgan</span> <span>--dataset=digits",
        "20 steps in 2 epochs, 1,280 images, 2 minutes",
        "abacus, 2 cores",
        "5, uniform",
        "hinge",
    ):
        assert words in facts
    assert facts.count('class="card"') == 4


def metric_rows(page):
    """Returns the cells of the metric table by the words at the beginning of the row."""
    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', section(page.read_text(), "metrics"))
    return {head: re.findall(r'<td class="number">(.*?)</td>', cells) for head, cells in rows}


def test_the_best_number_is_bold(runs, tmp_path):
    rows = metric_rows(write_report([runs["plain"], runs["other"]], tmp_path / "page.html", n=1))
    small = "<small>{} of 60,000 samples, against 1,797 images of digits train</small>"
    assert rows == {
        f"frechet distance ↓{small.format('mnist features')}": ["<b>1.5</b>", "12"],
        f"recall ↑{small.format('images as they are')}": ["0.25", "<b>0.75</b>"],
        f"spread{small.format('images as they are')}": ["3", "–"],
    }


def test_one_way_of_measuring_is_said_once(tmp_path):
    results = evaluated(frechet_distance=1.0)
    del results["evaluation"]["metrics"]["prdc"]
    page = write_report([save_run(tmp_path / "run", results)], tmp_path / "page.html", n=1)
    assert metric_rows(page) == {"frechet distance ↓": ["1"]}
    setting = "mnist features of 60,000 samples, against 1,797 images of digits train."
    assert f"All of it: {setting}" in section(page.read_text(), "metrics")


def test_numbers_of_different_measurements_are_not_compared(runs, tmp_path):
    fewer = evaluated(n=100, frechet_distance=1.0, recall=0.9, spread=1.0)
    fewer = save_run(tmp_path / "fewer", fewer)
    page = write_report([runs["plain"], fewer], tmp_path / "page.html", n=1)
    (head, *_), cells = zip(*metric_rows(page).items(), strict=True)
    assert head.count("<small>") == 2 and "100 samples" in head and "60,000 samples" in head
    assert cells[:2] == (["1.5", "1"], ["0.25", "0.9"])


def test_other_numbers_are_shown_as_they_are(tmp_path):
    other = {"my_distance": 2.5, "num_samples": 12_345, "is_good": True, "classes": [1, 2]}
    page = write_report([save_run(tmp_path / "run", other)], tmp_path / "page.html", n=1)
    assert metric_rows(page) == {"my distance": ["2.5"], "num samples": ["12,345"]}


def test_what_is_missing_has_its_command(runs, page, tmp_path):
    text = page.read_text()
    metrics = re.sub("</?span>", "", section(text, "metrics"))
    assert "Not evaluated yet: classes, uniform" in metrics
    assert f"python -m kgan.evaluate {runs['classes']} --dataset=digits" in metrics

    bare = save_run(tmp_path / "bare", rows=0, dataset="no/such/folder")
    text = write_report([bare], tmp_path / "page.html", n=1).read_text()
    assert "nav" not in text.split("</style>")[1]
    assert "metrics.jsonl, which kgan.callbacks.MetricsLog writes: bare" in text
    neighbors = re.sub("</?span>", "", section(text, "neighbours"))
    assert "no/such/folder" in neighbors and f"kgan.report {bare} --dataset=" in neighbors
    (bare / "config.json").unlink()
    text = write_report([bare], tmp_path / "page.html", n=1).read_text()
    assert "there is no config.json" in re.sub("</?span>", "", text)
    assert "does not say what it was trained on" in section(text, "neighbours")


def test_a_run_is_evaluated_as_it_was_while_it_trained(tmp_path):
    run = save_run(tmp_path / "a run")
    config = json.loads((run / "config.json").read_text())
    config["flags"] |= {"metrics": "fd,prdc", "features": "pixels"}
    (run / "config.json").write_text(json.dumps(config))
    text = write_report([run], tmp_path / "page.html", n=1).read_text()
    metrics = html.unescape(re.sub("</?span>", "", section(text, "metrics")))
    assert f"kgan.evaluate '{run}' --dataset=digits --metrics=fd,prdc --features=pixels" in metrics


def test_other_data_can_be_named(tmp_path):
    run = save_run(tmp_path / "run", dataset="no/such/folder")
    page = write_report([run], tmp_path / "page.html", n=1, dataset="digits")
    assert "Of 1,797 training images" in page.read_text()


def test_named_data_that_are_not_there_are_an_error(runs, program, tmp_path):
    out = tmp_path / "page.html"
    code, _, stderr = program(runs["plain"], "--out", out, "--dataset", "no/such/folder")
    assert code == 2 and stderr.startswith("kgan.report: ") and "no/such/folder" in stderr
    assert stderr.count("\n") == 1 and not out.exists()


def test_held_out_reals_stand_beside_the_samples(tmp_path):
    random = np.random.default_rng(0)
    for split, n in (("train", 6), ("test", 3)):
        (tmp_path / "data" / split).mkdir(parents=True)
        for i in range(n):
            pixels = random.integers(0, 256, (8, 8), dtype="uint8")
            Image.fromarray(pixels).save(tmp_path / "data" / split / f"{i}.png")
    run = save_run(tmp_path / "run", dataset=str(tmp_path / "data"))
    neighbors = section(write_report([run], tmp_path / "page.html", n=4).read_text(), "neighbours")
    caption = re.search("<figcaption>(.*?)</figcaption>", neighbors)[1]
    train, test = (
        np.concatenate([x for x, _ in kgan.data.load(str(tmp_path / "data"), 3, split=split)])
        for split in ("train", "test")
    )
    samples = kgan.load_gan(run).generate(4, seed=0)
    medians = [
        np.median(np.linalg.norm((x[:, None] - train[None]).reshape(len(x), 6, -1), axis=2).min(1))
        for x in (samples, test)
    ]
    assert caption == (
        f"Of 6 training images. Median distance to the nearest: {medians[0]:.4g} for 4 samples, "
        f"{medians[1]:.4g} for 3 held-out reals."
    )


def test_runs_of_one_name_are_told_apart_and_names_are_text(tmp_path):
    runs = [save_run(tmp_path / name / "<b>run") for name in ("a", "b")]
    text = write_report(runs, tmp_path / "page.html", n=1).read_text()
    assert "<b>run" not in text
    for run in runs:
        assert html.escape(str(run)) in text


def test_a_file_of_a_run_will_do(runs, tmp_path):
    found = Run(runs["plain"] / "model.keras")
    assert found.name == "plain" and found.dataset == "digits" and len(found.rows) == 2
    shutil.copyfile(runs["plain"] / "model.keras", tmp_path / "best.keras")
    found = Run(tmp_path / "best.keras")
    assert found.name == "best" and found.dataset is None and found.rows == []


def test_the_same_seed_makes_the_same_page(runs, tmp_path):
    pages = [
        write_report([runs["uniform"]], tmp_path / f"{i}.html", n=2, seed=seed).read_text()
        for i, seed in enumerate([3, 3, 4])
    ]
    assert pages[0] == pages[1] != pages[2]


# --- Curves -------------------------------------------------------------------------------------


@pytest.fixture
def figures(monkeypatch):
    """The figures that were saved, newest last."""
    figures, save = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda f, *a, **k: figures.append(f) or save(f, *a, **k))
    return figures


def test_a_chart_has_a_line_for_each_run(runs, figures):
    found = [Run(runs[name]) for name in ("plain", "other")]
    assert charts.logged_names(found) == ["generator_loss", "real_score", "fake_score"]
    assert charts.draw_chart(found, "generator_loss").startswith(b"\x89PNG")
    first, second = figures[-1].axes[0].get_lines()
    assert [first.get_color(), second.get_color()] == list(charts.COLORS[:2])
    assert (list(first.get_xdata()), list(first.get_ydata())) == ([1, 2], [0.7, 1.7])
    assert list(second.get_ydata()) == [0.7, 1.7, 2.7]


def test_only_probabilities_have_a_line_where_one_can_only_guess(runs, figures):
    guessing = []
    for names in (("plain", "other"), ("plain", "uniform")):
        charts.draw_chart([Run(runs[name]) for name in names], "real_score")
        guessing.append(
            [0.5, 0.5] in [list(x.get_ydata()) for x in figures[-1].axes[0].get_lines()]
        )
    assert guessing == [True, False]


def test_what_is_not_finite_is_a_gap(runs, figures):
    charts.draw_chart([Run(runs["plain"])], "fake_score")
    values = figures[-1].axes[0].get_lines()[0].get_ydata()
    assert values[0] == 0.25 and np.isnan(values[1])


# --- Pictures -----------------------------------------------------------------------------------


def test_slerp_goes_along_the_great_circle():
    start, end = 2.0 * np.eye(3)[:2]
    angles = np.linspace(0, np.pi / 2, 5)
    want = 2.0 * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    np.testing.assert_allclose(pictures.slerp(start, end, np.linspace(0, 1, 5)), want, atol=1e-12)
    for stubborn in (start, -start):  # no circle, or many
        between = pictures.slerp(start, stubborn, np.array([0.0, 0.5, 1.0]))
        np.testing.assert_allclose(between, [start, (start + stubborn) / 2, stubborn])


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_interpolations_lead_from_latent_to_latent(distribution):
    gan = make_gan(latent_distribution=distribution, num_classes=2)
    latents, labels = pictures.interpolations(gan, rows=3, columns=4, seed=7)
    ends = pictures.draw_latents(gan, 6, seed=7)
    rows = latents.reshape(3, 4, 5)
    np.testing.assert_allclose(rows[:, 0], ends[0::2])
    np.testing.assert_allclose(rows[:, -1], ends[1::2])
    assert labels.tolist() == [0] * 4 + [1] * 4 + [0] * 4
    steps = np.diff(rows, axis=1)
    is_straight = np.allclose(steps[:, :1], steps)
    assert is_straight == (distribution == "uniform")


def test_latents_are_those_of_training():
    for distribution in ("normal", "uniform"):
        gan = make_gan(latent_distribution=distribution)
        images = pictures.draw(gan, pictures.draw_latents(gan, 4, seed=3))
        np.testing.assert_allclose(images, gan.generate(4, seed=3), atol=1e-6)


def test_a_grid_of_normal_latents_is_a_patch_of_their_sphere():
    grid = pictures.latent_grid(make_gan(latent_dim=7), 5, seed=0)
    assert grid.shape == (25, 7)
    np.testing.assert_allclose(np.linalg.norm(grid, axis=1), np.sqrt(7))
    assert np.linalg.matrix_rank(grid, tol=1e-6) == 3
    cosines = grid @ grid[12] / 7  # from the middle
    np.testing.assert_allclose(cosines[[2, 10, 14, 22]], 0.5, atol=1e-12)  # 60 degrees
    np.testing.assert_allclose(cosines[[0, 4, 20, 24]], 0.25, atol=1e-12)  # cos² 60°


def test_a_grid_of_two_latents_is_the_inverse_distribution():
    quantiles = [0.025, 0.5, 0.975]
    for distribution, inverse in (
        ("normal", statistics.NormalDist().inv_cdf),
        ("uniform", lambda p: 2 * p - 1),
    ):
        steps = [inverse(p) for p in quantiles]
        gan = make_gan(latent_dim=2, latent_distribution=distribution)
        want = [[a, b] for a in steps for b in steps]
        np.testing.assert_allclose(pictures.latent_grid(gan, 3, seed=0), want, atol=1e-12)
        line = pictures.latent_grid(
            make_gan(latent_dim=1, latent_distribution=distribution), 3, seed=0
        )
        np.testing.assert_allclose(line, np.array(steps)[:, None], atol=1e-12)


def test_a_grid_of_many_uniform_latents_lies_between_four():
    gan = make_gan(latent_distribution="uniform")
    grid, corners = pictures.latent_grid(gan, 3, seed=2), pictures.draw_latents(gan, 4, seed=2)
    np.testing.assert_allclose(grid[[0, 2, 6, 8]], corners)
    np.testing.assert_allclose(grid[4], corners.mean(axis=0))
    np.testing.assert_allclose(grid[1], corners[:2].mean(axis=0))


def test_neighbours_are_the_nearest_of_all_batches():
    random = np.random.default_rng(0)
    queries, references = (random.normal(size=(n, 4, 4, 1)).astype("float32") for n in (6, 50))
    references[37] = queries[2]
    batches = np.split(references, [3, 20, 41])
    found = pictures.nearest_images(queries, batches, k=5)
    distances = np.linalg.norm((queries[:, None] - references).reshape(6, 50, -1), axis=2)
    order = np.argsort(distances, axis=1)[:, :5]
    np.testing.assert_array_equal(found.images, references[order])
    np.testing.assert_allclose(
        found.distances, np.take_along_axis(distances, order, 1), rtol=1e-5, atol=1e-6
    )
    assert found.distances[2, 0] == 0
    assert pictures.nearest_images(queries, batches[:1], k=5).distances.shape == (6, 3)


# --- Errors -------------------------------------------------------------------------------------


def test_program_writes_a_page_and_says_only_where(runs, tmp_path):
    out = tmp_path / "new" / "page.html"
    result = subprocess.run(
        [sys.executable, "-m", "kgan.report", runs["plain"], "--n=2", f"--out={out}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{out}\n", "")
    assert "Samples of plain" in out.read_text()


@pytest.mark.parametrize(
    "kwargs, message",
    [
        ({"image_shape": (2,)}, "takes runs on images .* Received: .*bad.*shape .2,"),
        ({"condition_dim": 2}, "Received: .*bad, with condition_dim=2"),
    ],
)
def test_what_draws_no_images_is_named(kwargs, message, runs, program, tmp_path):
    bad = save_run(tmp_path / "bad", **kwargs)
    code, stdout, stderr = program(runs["plain"], bad, "--out", tmp_path / "page.html")
    assert code == 2 and stdout == "" and stderr.count("\n") == 1
    assert re.search(message, stderr) and not (tmp_path / "page.html").exists()


def test_no_run_or_a_damaged_one_is_one_line(program, tmp_path):
    assert program()[2].endswith("Received: no run\n")
    assert "nowhere" in program(tmp_path / "nowhere")[2]
    run = save_run(tmp_path / "run")
    (run / "metrics.json").write_text("[1]")
    code, _, stderr = program(run)
    assert code == 2 and "metrics.json must hold a JSON object. Received: a list" in stderr
    (run / "metrics.json").write_text("{")
    assert "metrics.json must hold JSON. Received: Expecting" in program(run)[2]
    (run / "metrics.json").write_text('{"evaluation": {"metrics": {"fd": {}}}}')
    assert "must be what python -m kgan.evaluate writes" in program(run)[2]


def test_ctrl_c_is_one_line(runs, program, tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures, "draw", interrupted)
    code, stdout, stderr = program(runs["plain"], "--out", tmp_path / "page.html")
    assert (code, stdout) == (130, "")
    assert stderr == "kgan.report: interrupted, nothing is written\n"
    assert list(tmp_path.iterdir()) == []


def test_arguments_are_checked(runs):
    with pytest.raises(ValueError, match="n must be an int of 1 or more. Received: 0"):
        write_report([runs["plain"]], n=0)
    with pytest.raises(ValueError, match="at least one run. Received: none"):
        write_report([])
