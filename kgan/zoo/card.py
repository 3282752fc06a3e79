"""A finished run -> its card: what it is, how it was made, and what it reached.

    python -m kgan.zoo.card runs/dcgan_mnist zoo/dcgan_mnist

Every number comes from the run's own files; who wants another number trains another run.
"""

import importlib
import json
import pathlib
import shutil
import sys

from kgan import presets
from kgan.callbacks import read_metrics
from kgan.files import atomic_path
from kgan.loading import load_gan
from kgan.zoo.run import RunFolder
from kgan.zoo.runner import COMPONENTS

# A larger preset does not go beside the card, so that a checkout of all cards stays small.
MOST_BYTES = 5_000_000
TEMPLATE = """# {title}

{what} ({paper})

![Samples of the averaged generator]({samples})

| | |
| --- | --- |
| data | {dataset}, {shape} |
| command | `{command}` |
| training | {steps:,} generator updates, {images_seen:,} images, {minutes:.1f} minutes |
| machine | {machine} |
| software | {versions} |
| weights | {weights} |
{quality}
## Recipe

{recipe}

## How it went

![Losses and scores]({curves})

After the last epoch: {last}.
"""


def write_card(run, folder):
    """Writes a run's card.

    Args:
        run: str or path, the folder of a finished run. If it holds a `metrics.json`, as
            `python -m kgan.evaluate` writes it, its numbers are shown.
        folder: str or path, where the card goes: `README.md`, `recipe.json`, `samples.png`,
            `curves.png`, `metrics.json`, `metrics.jsonl`, and the three files of a preset if they
            are at most 5 MB.

    Returns:
        Path of the `README.md`.

    Raises:
        FileNotFoundError: if the run has not finished.
        FileExistsError: if the folder is that of a run.
    """
    run, folder = RunFolder(run), pathlib.Path(folder)
    for path in (run.config, run.metrics, run.curves, run.model):
        if not path.exists():
            raise FileNotFoundError(
                f"A card needs a run that has finished. Received: {run.path} without {path.name}"
            )
    presets.check_free(folder)
    config = json.loads(run.config.read_text())
    quality = run.path / "metrics.json"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(max(run.samples.glob("epoch-*.png")), folder / "samples.png")
    for path in (run.curves, run.metrics, quality):
        if path.exists():
            shutil.copyfile(path, folder / path.name)
    (folder / "recipe.json").write_text(json.dumps(config, indent=2) + "\n")
    numbers = json.loads(quality.read_text()) if quality.exists() else {}
    weights = _write_preset(run, folder)
    card = folder / "README.md"
    with atomic_path(card) as temporary:
        temporary.write_text(_fill(config, read_metrics(run.metrics)[-1], numbers, weights))
    return card


def _write_preset(run, folder):
    """Puts the trained GAN beside the card unless it is large, and says so in words."""
    for name in presets.FILES:
        (folder / name).unlink(missing_ok=True)
    size = presets.save(load_gan(run.path), folder, MOST_BYTES)
    if size > MOST_BYTES:
        return f"{size / 1e6:.1f} MB, too large for this folder; the command makes them"
    return f'{size / 1e6:.1f} MB, `kgan.GAN.from_preset("zoo/{folder.name}")`'


def title_of(config):
    """Returns what a run is called: its module, its data, and what it has of its own.

    Args:
        config: dict, a run's `config.json`.
    """
    flags = config["flags"]
    own = ["conditional"] if _is_conditional(flags) else []
    name = pathlib.PurePath(flags["dataset"]).name
    return ", ".join([f"{config['module']} on {name}", *own, *(flags.get("set") or [])])


def _is_conditional(flags):
    return flags["conditional"] or flags.get("num_classes")


def published_for(config):
    """Returns the paper's numbers for such a run, `Published` by result name.

    A key of a module's `PUBLISHED` is a data set, and the flags that the numbers are for, if any.

    Args:
        config: dict, a run's `config.json`.
    """
    module = importlib.import_module(f"kgan.zoo.{config['module']}")
    flags = config["flags"]
    given = {flags["dataset"], *config["command"].split()}
    given |= {"--conditional=true"} if _is_conditional(flags) else set()
    published = getattr(module, "PUBLISHED", {})
    fitting = [key for key in published if given.issuperset(key.split())]
    return published[max(fitting, key=len)] if fitting else {}


def against_paper(name, value, published):
    """Returns a result in words, beside the paper's number if there is one.

    Args:
        name: str, the result's name.
        value: float or int.
        published: dict of `Published` by result name.
    """
    if name not in published:
        return str(_number(value))
    shortfall = published[name].shortfall(value)
    verdict = f"missed by {_number(float(shortfall))}" if shortfall > 0 else "reached"
    return f"{_number(value)}; published: {published[name]}: {verdict}"


def _fill(config, last, quality, weights):
    module = importlib.import_module(f"kgan.zoo.{config['module']}")
    machine = config["machine"]
    rows = _quality(quality, published_for(config))
    return TEMPLATE.format(
        title=title_of(config),
        what=module.__doc__.splitlines()[0],
        paper=module.PAPER,
        samples="samples.png",
        curves="curves.png",
        dataset=config["flags"]["dataset"],
        shape="x".join(map(str, config["image_shape"])),
        command=config["command"],
        steps=last["step"],
        images_seen=last["images_seen"],
        minutes=last["seconds"] / 60,
        machine=", ".join([machine["processor"], _cores(machine["cores"]), *machine["gpus"]]),
        versions=", ".join(f"{k} {v}" for k, v in config["versions"].items() if v),
        weights=weights,
        quality="".join(f"| {_words(k)} | {v} |\n" for k, v in rows.items()),
        recipe=_table(config["recipe"] | _replaced(config["flags"])),
        last=", ".join(
            f"{_words(k)} {_number(v)}"
            for k, v in last.items()
            if k not in ("epoch", "step", "images_seen", "seconds")
        ),
    )


def _quality(numbers, published):
    """Returns the rows of a metrics.json: its numbers, and in words how they came about."""
    numbers = dict(numbers)
    setting = numbers.pop("evaluation", None)
    rows = {
        name: against_paper(name, value, published)
        for name, value in numbers.items()
        if value is not None
    }
    if setting:
        rows["measured with"] = _measured_with(setting)
    return rows


def _measured_with(setting):
    splits = " and ".join(f"{name} ({n:,})" for name, n in setting["splits"].items())
    words = [
        f"{setting['num_samples']:,} samples, seed {setting['seed']}",
        f"{setting['dataset']} {splits}",
    ]
    if setting["features"]:
        words.append(f"features {' and '.join(setting['features'])}")
    return "; ".join(words)


def _replaced(flags):
    """Returns the settings of the recipe in whose place the run was given flags."""
    names = {flag: argument for flag, (argument, _) in COMPONENTS.items()}
    names |= {"loss": "loss", "updates": "updates"}
    return {argument: flags[flag] for flag, argument in names.items() if flags.get(flag)}


def _table(values):
    shown = {
        key: ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        for key, value in values.items()
    }
    rows = [
        f"| {_words(key)} | {value} |" for key, value in shown.items() if value not in ("", None)
    ]
    return "\n".join(["| | |", "| --- | --- |", *rows])


def _cores(n):
    return "1 core" if n == 1 else f"{n} cores"


def _words(name):
    return name.replace("_", " ")


def _number(value):
    return f"{value:.4g}" if isinstance(value, float) else value


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m kgan.zoo.card RUN FOLDER, where RUN is the folder of a training")
    try:
        print(write_card(*sys.argv[1:]))
    except (ValueError, OSError) as error:
        sys.exit(f"card: {error}")
