"""`python -m kgan.zoo` lists the GANs that can be trained."""

import importlib
import pathlib
import pkgutil

import kgan.zoo
from kgan.files import read_json_object
from kgan.zoo.gallery import cards

# The results of a checkout; an installed package has none.
RESULTS = pathlib.Path(kgan.zoo.__file__).parents[2] / "zoo"
LABELS = {"never": "no", "optional": "yes", "always": "always"}


def recipes():
    """Returns the zoo's modules that can be run, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(kgan.zoo.__path__))
    modules = {
        name: importlib.import_module(f"kgan.zoo.{name}") for name in names if name != "__main__"
    }
    return {name: module for name, module in modules.items() if hasattr(module, "RECIPES")}


def table(results=RESULTS):
    """Returns the list of the zoo as text.

    Args:
        results: path of the folder of cards. Defaults to the checkout's `zoo`.
    """
    trained = {}
    for card in cards(results):
        config = read_json_object(card / "recipe.json")
        trained.setdefault(config["module"], {})[config["flags"]["dataset"]] = None
    rows = [("name", "year", "labels", "cards", "what it is, and what it is for")]
    for name, module in recipes().items():
        labels = LABELS[getattr(module, "CONDITIONAL", "optional")]
        shown = ", ".join(trained.get(name, ["-"]))
        what = module.__doc__.splitlines()[0].rstrip(".").split(": ", 1)[-1]
        rows.append((name, str(module.PAPER.year), labels, shown, what))
        rows.append(("", "", "", "", module.PURPOSE))
        rows.append(("", "", "", "", str(module.PAPER.authors)))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = ["  ".join([*map(str.ljust, row, widths), row[4]]).rstrip() for row in rows]
    return "\n".join([*lines, "", "Train one with: python -m kgan.zoo.NAME --dataset mnist"])


if __name__ == "__main__":
    print(table())
