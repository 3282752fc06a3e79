"""The page: one section a question, in each section the runs side by side."""

import collections
import dataclasses
import importlib
import pathlib
import re
import shlex

import numpy as np
import tensorflow as tf

from kgan.callbacks.samples import SampleSheet, check_count
from kgan.files import atomic_path
from kgan.registry import snake_case
from kgan.report import charts, pictures
from kgan.report.html import command_line, note, number, png, sheet, tag, text, words
from kgan.report.run import Run
from kgan.version import __version__

STYLE = pathlib.Path(__file__).with_name("style.css")
# Nothing may be fetched, from nowhere: the page is all in its file.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
BEST = {"↓": min, "↑": max}
# Samples beside which their nearest training images stand, and how many of these.
NEIGHBOR_ROWS, NEIGHBORS = 8, 5
# As wide as a small image is shown there, about.
NEIGHBOR_PIXELS = 56
INTERPOLATION_ROWS, INTERPOLATION_COLUMNS = 8, 9
GRID_SIDE = 8
# Reals that the samples' distances are compared with.
HELD_OUT = 256


@dataclasses.dataclass(frozen=True)
class Options:
    """What a reader may choose; see `write_report`."""

    n: int = 64
    seed: int = 0
    dataset: str | None = None
    data_dir: str | None = None


def write_report(runs, out="report.html", n=64, seed=0, dataset=None, data_dir=None):
    """Writes one self-contained HTML page on several runs, side by side.

    Args:
        runs: list of str or path, runs' folders or `.keras` files.
        out: str or path, the page. Defaults to `"report.html"`.
        n: int >= 1, samples that are shown of each run; rounded to whole rows where the columns
            show classes. Defaults to 64.
        seed: int, of all latents, the same for every run. Defaults to 0.
        dataset: str, where to look for samples' neighbours: a name or a folder, for all runs.
            Defaults to what each run was trained on.
        data_dir: str, where TensorFlow Datasets keeps its data. Defaults to each run's own.

    Returns:
        `pathlib.Path` of the page.

    Raises:
        FileNotFoundError: if a run has no model.
        ValueError: if `runs` is empty, a number is out of range, a run draws no images, or the
            `dataset` is not to be read.

    Example:
    >>> path = kgan.report.write_report(["runs/dcgan_mnist"], "report.html", n=16)
    """
    if not runs:
        raise ValueError("A report needs at least one run. Received: none")
    options = Options(check_count("n", n), seed, dataset, data_dir)
    runs = [Run(path) for path in runs]
    for run in runs:
        run.check_images()
    _tell_apart(runs)
    out = pathlib.Path(out)
    with atomic_path(out) as temporary:
        temporary.write_text(_page(runs, options), encoding="utf-8")
    return out


def _tell_apart(runs):
    """Names runs of one name by their paths."""
    counts = collections.Counter(run.name for run in runs)
    for run in runs:
        if counts[run.name] > 1:
            run.name = str(run.path)


def _page(runs, options):
    sheets = [SampleSheet(options.n, seed=options.seed).draw(run.gan) for run in runs]
    sections = [
        ("runs", "What they are" if len(runs) > 1 else "What it is", _facts(runs)),
        ("samples", "Samples", _samples(runs, sheets, options)),
        ("metrics", "Metrics", _metrics(runs)),
        ("curves", "Curves", _curves(runs)),
        ("neighbours", "Nearest training images", _neighbors(runs, sheets, options)),
        ("interpolations", "From one latent to another", _interpolations(runs, options)),
        ("grid", "A surface of latents", _grids(runs, options)),
    ]
    title = ", ".join(run.name for run in runs)
    body = [_header(title, runs, sections)]
    for anchor, heading, content in sections:
        body.append(tag("section", tag("h2", heading), content, id=anchor))
    body.append(tag("footer", tag("p", f"kgan {__version__}: ", command_line(_command(options)))))
    return PAGE.format(
        policy=POLICY,
        title=text(title),
        style=STYLE.read_text(encoding="utf-8"),
        body="\n".join(body),
    )


def _header(title, runs, sections):
    if len(runs) == 1:
        return tag("header", tag("h1", text(title)))
    links = [tag("li", tag("a", name, href=f"#{anchor}")) for anchor, name, _ in sections]
    return tag("header", tag("h1", text(title)), tag("nav", tag("ul", *links)))


def _command(options):
    given = {k: v for k, v in dataclasses.asdict(options).items() if v is not None}
    flags = shlex.join(f"--{name}={value}" for name, value in given.items())
    return f"python -m kgan.report RUN … {flags}"


# --- What is said of each run -------------------------------------------------------------------


def _dot(runs, i):
    return tag("span", class_="dot", style=f"background:{charts.color(i)}") if runs[1:] else ""


def _cards(runs, contents, name="figure"):
    """Returns a card for each run, under its name."""
    cards = [
        tag(name, tag("h3", _dot(runs, i), text(run.name)), content, class_="card")
        for i, (run, content) in enumerate(zip(runs, contents, strict=True))
    ]
    return tag("div", *cards, class_="runs")


def _facts(runs):
    contents = []
    for run in runs:
        rows = [tag("dt", name) + tag("dd", value) for name, value in _facts_of(run) if value]
        contents.append(tag("dl", *rows))
    return _cards(runs, contents, "div")


def _facts_of(run):
    config, gan = run.config, run.gan
    shape = "×".join(map(str, gan.image_shape))
    classes = f"one of {gan.num_classes} classes" if gan.num_classes else "unconditional"
    machine = config.get("machine", {})
    cores = f"{machine['cores']} cores" if "cores" in machine else ""
    versions = config.get("versions", {}).items()
    yield "model", text(_paper(config)) or text(type(gan).__name__)
    yield "data", text(", ".join(filter(None, [run.dataset, shape, classes])))
    yield "loss", text(words(snake_case(type(gan.loss).__name__)) if gan.compiled else "")
    yield "latents", text(f"{gan.latent_dim}, {gan.latent_distribution}")
    yield "parameters", _parameters(gan)
    yield "training", _training(run)
    parts = [machine.get("processor"), cores, *machine.get("gpus", [])]
    yield "machine", text(", ".join(filter(None, parts)))
    yield (
        "versions",
        text(", ".join(f"{words(k)} {v[:10]}" for k, v in versions if isinstance(v, str))),
    )
    command = config.get("command")
    yield (
        "command",
        command_line(command) if command else text("not known: there is no config.json"),
    )


def _paper(config):
    """Returns the zoo module's name with its paper, as far as this kgan knows it."""
    name = config.get("module", "")
    try:
        paper = importlib.import_module(f"kgan.zoo.{name}").PAPER if name.isidentifier() else None
    except (ImportError, AttributeError):
        paper = None
    return f"{name} ({paper.authors} {paper.year})" if paper else name


def _parameters(gan):
    counts = gan.generator.count_params(), gan.discriminator.count_params()
    return "generator {}, discriminator {}".format(*map(number, counts))


def _training(run):
    if not run.rows:
        return text(f"{number(run.gan.steps_trained)} steps") if run.gan.compiled else ""
    last = run.rows[-1]
    return text(
        f"{number(last['step'])} steps in {number(last['epoch'])} epochs, "
        f"{number(last['images_seen'])} images, {number(round(last['seconds'] / 60, 1))} minutes"
    )


# --- Samples ------------------------------------------------------------------------------------


def _samples(runs, sheets, options):
    lead = (
        f"Drawn by the averaged generator from seed {options.seed}, not chosen. Look for pictures "
        "that come again (a collapsed generator), for what no real picture has, and for kinds of "
        "real pictures that are missing."
    )
    contents = []
    for run, (images, columns) in zip(runs, sheets, strict=True):
        caption = f"{len(images)} samples."
        if run.num_classes is not None:
            caption += " " + _which_classes(run.num_classes, columns)
        alt = f"Samples of {run.name}, {columns} in a row"
        contents.append(sheet(images, columns, alt) + tag("figcaption", caption))
    return tag("p", lead) + _cards(runs, contents)


def _which_classes(num_classes, columns):
    if columns % num_classes:
        return f"The {num_classes} classes take turns, row by row."
    return f"Each column is a class, from 0 to {num_classes - 1}."


# --- Numbers ------------------------------------------------------------------------------------


def _metrics(runs):
    missing = [run for run in runs if not run.results]
    box = ""
    if missing:
        commands = [_evaluate_command(run) for run in missing]
        names = ", ".join(run.name for run in missing)
        box = note(f"Not evaluated yet: {names}. What would do it:", *commands)
    if len(missing) == len(runs):
        return box
    lead = (
        "What python -m kgan.evaluate measured: ↓ is better the lower it is, ↑ the higher, → the "
        "nearer."
    )
    if len(runs) > 1:
        lead += " The best is bold, where all runs were measured in the same way."
    names = list({name: None for run in runs for name in run.results})
    settings = {result.setting for run in runs for result in run.results.values()}
    if len(settings) == 1 and any(settings):
        lead += f" All of it: {', '.join(settings)}."
    rows = [_metric_row(name, runs, len(settings) > 1) for name in names]
    heads = [tag("th", _head(runs, i), scope="col", class_="number") for i in range(len(runs))]
    head = tag("thead", tag("tr", tag("th", "metric", scope="col"), *heads))
    table = tag("div", tag("table", head, tag("tbody", *rows)), class_="scroll")
    return tag("p", text(lead)) + table + box


def _head(runs, i):
    """Returns a run's name, which a narrow column may break after each underscore."""
    first, *others = map(text, re.split("(?<=_)", runs[i].name))
    return "<wbr>".join([tag("span", _dot(runs, i), first, class_="whole"), *others])


def _evaluate_command(run):
    words = f"python -m kgan.evaluate {shlex.quote(str(run.path))} --dataset="
    words += shlex.quote(run.dataset or "DATASET")
    # As training was measured: the default network need not be on this machine.
    trained = run.config.get("flags", {})
    for name in ("metrics", "features") if trained.get("metrics") else ():
        words += f" --{name}={shlex.quote(trained[name])}"
    return words


def _metric_row(name, runs, with_setting):
    results = {i: run.results[name] for i, run in enumerate(runs) if name in run.results}
    known = [result.value for result in results.values() if result.value is not None]
    settings = list(dict.fromkeys(result.setting for result in results.values()))
    direction = next(iter(results.values())).best
    is_comparison = len(known) > 1 and len(settings) == 1 and direction in BEST
    best = BEST[direction](known) if is_comparison else None
    cells = []
    for i in range(len(runs)):
        value = results[i].value if i in results else None
        shown = "–" if value is None else number(value)
        shown = tag("b", shown) if is_comparison and value == best else shown
        cells.append(tag("td", shown, class_="number"))
    heading = text(f"{words(name)} {direction}".strip())
    details = "".join(
        tag("small", text(setting)) for setting in settings if setting and with_setting
    )
    return tag("tr", tag("th", heading, details, scope="row"), *cells)


def _curves(runs):
    silent = ", ".join(run.name for run in runs if not run.rows)
    box = note(f"Without metrics.jsonl, which kgan.callbacks.MetricsLog writes: {silent}")
    names = charts.logged_names(runs)
    if not names:
        return box
    lead = (
        "One chart for each number that training logged. Losses of two players do not fall as a "
        "classifier's does: look for both staying in bounds. Where scores are probabilities, real "
        "and fake should approach the dotted line at 0.5, where the discriminator can only guess."
    )
    return tag("p", lead) + _legend(runs) + _charts(runs, names) + (box if silent else "")


def _legend(runs):
    if len(runs) == 1:
        return ""
    items = [tag("li", _dot(runs, i), text(run.name)) for i, run in enumerate(runs)]
    return tag("ul", *items, class_="legend")


def _charts(runs, names):
    figures = []
    for name in names:
        last = ", ".join(
            f"{run.name} {number(run.rows[-1][name])}"
            for run in runs
            if run.rows and name in run.rows[-1]
        )
        alt = f"{words(name)} over the epochs; at the end: {last}"
        chart = png(charts.draw_chart(runs, name), alt, class_="chart", width=880, height=540)
        caption = tag("figcaption", text(f"At the end: {last}"))
        figures.append(tag("figure", tag("h3", text(words(name))), chart, caption, class_="card"))
    return tag("div", *figures, class_="charts")


# --- Neighbours ---------------------------------------------------------------------------------


def _neighbors(runs, sheets, options):
    lead = (
        "On the left a sample, beside it the training images whose pixels are nearest, and the "
        "distance of the first (Euclidean, pixels from -1 to 1). A generator that has learnt by "
        "heart draws what is in its training set: samples then lie much nearer to it than real "
        "pictures that were held out."
    )
    contents = []
    for run, (images, _) in zip(runs, sheets, strict=True):
        try:
            contents.append(_neighbors_of(run, images, options))
        except (ValueError, OSError, tf.errors.OpError) as error:
            if options.dataset is not None:
                raise  # Who names images wants to see them, not a note that they are not there.
            contents.append(
                note(
                    f"No neighbours, for want of the training images. {error}",
                    f"python -m kgan.report {shlex.quote(str(run.path))} --dataset=NAME_OR_FOLDER "
                    "--data_dir=FOLDER_OF_TFDS",
                )
            )
    return tag("p", lead) + _cards(runs, contents)


def _neighbors_of(run, images, options):
    source = run.data("train", options.dataset, options.data_dir)
    held_out = _held_out(run, options)
    queries = np.concatenate([images, held_out])
    found = pictures.nearest_images(queries, pictures.batches_of(source), NEIGHBORS)
    rows = [
        _neighbor_row(i, images[i], found.images[i], found.distances[i, 0])
        for i in range(min(NEIGHBOR_ROWS, len(images)))
    ]
    nearest = found.distances[:, 0]
    caption = (
        f"Of {number(source.num_examples)} training images. Median distance to the nearest: "
        f"{number(float(np.median(nearest[: len(images)])))} for {len(images)} samples"
    )
    if len(held_out):
        caption += (
            f", {number(float(np.median(nearest[len(images) :])))} for {len(held_out)} held-out "
            "reals"
        )
    return "".join(rows) + tag("figcaption", text(f"{caption}."))


def _held_out(run, options):
    """Returns reals that training has not seen, none if the data set keeps none."""
    try:
        source = run.data("test", options.dataset, options.data_dir)
    except ValueError:
        return np.empty((0, *run.gan.image_shape), "float32")
    return np.concatenate(list(pictures.batches_of(source, HELD_OUT)))


def _neighbor_row(i, sample, neighbors, distance):
    width, count = sample.shape[1], len(neighbors)
    strip_width = count * (width + 1) - 1
    shown = min(width * max(1, NEIGHBOR_PIXELS // width), 2 * NEIGHBOR_PIXELS)
    alt = f"The {count} training images nearest to sample {i + 1}, the first {distance:.2f} away"
    # Both pictures keep their common height, however narrow the card is.
    style = f"--strip:{strip_width / width:.3f}fr; --pictures:{shown * (count + 1)}px"
    return tag(
        "div",
        sheet(sample[None], 1, f"Sample {i + 1}", width=None),
        sheet(neighbors, count, alt, width=None),
        tag("span", f"{distance:.2f}", class_="number"),
        class_="neighbor",
        style=style,
    )


# --- Latents ------------------------------------------------------------------------------------


def _interpolations(runs, options):
    lead = (
        "Each row leads from one latent to another in equal steps: along a great circle where "
        "latents are normal, along a straight line where they are uniform. Look for pictures that "
        "change little by little and are plausible all the way; a jump, or a row that fades from "
        "one picture to the other, is a sign of single pictures learnt by heart."
    )
    contents = []
    for run in runs:
        latents, labels = pictures.interpolations(
            run.gan, INTERPOLATION_ROWS, INTERPOLATION_COLUMNS, options.seed
        )
        images = pictures.draw(run.gan, latents, labels)
        alt = f"{INTERPOLATION_ROWS} interpolations of {run.name}, one a row"
        caption = "" if labels is None else "Each row keeps one class, from 0 on."
        contents.append(
            sheet(images, INTERPOLATION_COLUMNS, alt) + tag("figcaption", caption) * bool(caption)
        )
    return tag("p", lead) + _cards(runs, contents)


def _grids(runs, options):
    lead = (
        "What lies between, in two directions at once. Neighbours should be alike, and the "
        "corners should differ."
    )
    contents = []
    for run in runs:
        latents = pictures.latent_grid(run.gan, GRID_SIDE, options.seed)
        labels = None if run.num_classes is None else np.zeros(len(latents), "int32")
        images = pictures.draw(run.gan, latents, labels)
        caption = _surface(run.gan) + ("" if labels is None else " All of class 0.")
        alt = f"Samples of {run.name} over a surface of latents"
        columns = min(GRID_SIDE, len(images))
        contents.append(sheet(images, columns, alt) + tag("figcaption", caption))
    return tag("p", lead) + _cards(runs, contents)


def _surface(gan):
    """Returns which latents `pictures.latent_grid` has taken."""
    if gan.latent_dim <= 2:
        return "All latents there are, at equal steps of probability."
    if gan.latent_distribution == "normal":
        return "A patch of the sphere on which normal latents lie, 60° to each side."
    return "A surface between four latents, which are in the corners."
