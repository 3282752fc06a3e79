"""All cards of a folder -> its README: a table with their samples as thumbnails.

python -m kgan.zoo.gallery zoo
"""

import importlib
import pathlib
import sys

from kgan.callbacks import read_metrics
from kgan.files import atomic_path, read_json_object
from kgan.zoo.card import against_paper, published_for, title_of

HEAD = """# Trained GANs

Each folder is the card of one training: what it is, its command, machine and time, its samples and
curves, and what was measured of it. Every number was written by the run or by
`python -m kgan.evaluate`; this page is what `python -m kgan.zoo.gallery zoo` makes of them.
Where a folder holds weights, `kgan.GAN.from_preset("zoo/NAME")` loads them.

"""
COLUMNS = (
    *("samples", "model", "Fréchet distance", "precision", "recall", "coverage", "features"),
    *("the paper's", "minutes"),
)
MEASURES = ("frechet_distance", "precision", "recall", "coverage")
THUMBNAIL = '<img src="{name}/samples.png" width="120" alt="{title}">'


def cards(folder):
    """Returns the folders of the cards in a folder, in the order of their names.

    Args:
        folder: str or path.
    """
    return sorted(path.parent for path in pathlib.Path(folder).glob("*/recipe.json"))


def gallery(folder):
    """Returns the text of a folder's README.

    Args:
        folder: str or path, which holds cards as `kgan.zoo.card` writes them.

    Raises:
        FileNotFoundError: if it holds no card.
    """
    found = cards(folder)
    if not found:
        raise FileNotFoundError(f"Expected a folder of cards. Received: {folder}, without any")
    rows = [COLUMNS, ["---"] * len(COLUMNS), *map(_cells, found)]
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(card):
    config = read_json_object(card / "recipe.json")
    numbers = read_json_object(card / "metrics.json")
    numbers = {name: value for name, value in numbers.items() if value is not None}
    published = published_for(config)
    papers = [
        f"{name.replace('_', ' ')} {against_paper(name, numbers[name], published)}"
        for name in published
        if name in numbers
    ]
    title = title_of(config)
    paper = importlib.import_module(f"kgan.zoo.{config['module']}").PAPER
    return [
        THUMBNAIL.format(name=card.name, title=title),
        f"[{title}]({card.name}/README.md), {paper.authors} {paper.year}",
        *(f"{numbers[name]:.4g}" if name in numbers else "" for name in MEASURES),
        _features(numbers),
        "<br>".join(papers),
        f"{read_metrics(card / 'metrics.jsonl')[-1]['seconds'] / 60:.1f}",
    ]


def _features(numbers):
    """Returns what the distance was measured on: numbers of other features do not compare."""
    metrics = numbers.get("evaluation", {}).get("metrics", {})
    return metrics.get("frechet_distance", {}).get("features", "")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m kgan.zoo.gallery FOLDER")
    readme = pathlib.Path(sys.argv[1]) / "README.md"
    try:
        text = gallery(sys.argv[1])
        with atomic_path(readme) as temporary:
            pathlib.Path(temporary).write_text(text)
    except (ValueError, OSError) as error:
        sys.exit(f"gallery: {error}")
    print(readme)
