"""`python -m kgan.zoo` lists the GANs that can be trained."""

import importlib
import pkgutil

import kgan.zoo


def recipes():
    """Returns the zoo's modules that can be run, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(kgan.zoo.__path__))
    modules = {
        name: importlib.import_module(f"kgan.zoo.{name}") for name in names if name != "__main__"
    }
    return {name: module for name, module in modules.items() if hasattr(module, "RECIPES")}


def table():
    """Returns the list of the zoo as text: name, year, what it is, and its data sets."""
    lines = ["name      year  what it is"]
    for name, module in recipes().items():
        what = module.__doc__.splitlines()[0].rstrip(".").split(": ", 1)[-1]
        lines.append(f"{name:<8}  {module.PAPER.year}  {what} ({module.PAPER.authors})")
        lines.append(f"{'':16}recipes for {', '.join(module.RECIPES)}")
    return "\n".join([*lines, "", "Train one with: python -m kgan.zoo.NAME --dataset mnist"])


if __name__ == "__main__":
    print(table())
