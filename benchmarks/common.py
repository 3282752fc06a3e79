"""What the scripts share: flags, taking turns, tables, and the record with machine and versions."""

import argparse
import json
import pathlib
import time

from kgan.files import atomic_path
from kgan.zoo.run import machine, versions

RESULTS = pathlib.Path(__file__).parent / "results"


def parser(doc, name):
    """Returns a parser whose help is the script's docstring, with `--quick` and `--out`.

    Args:
        doc: str, the docstring.
        name: str, of the script, and so of its file in `results/`.
    """
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--quick", action="store_true", help="a trial in little time, whose JSON goes to build/"
    )
    out = RESULTS / f"{name}.json"
    made.add_argument("--out", type=pathlib.Path, default=out, help="where the JSON goes")
    return made


def parse(made, argv=None, **quick):
    """Reads the command line; `--quick` sets what is not given to the values of `quick`.

    Args:
        made: a parser of `parser`.
        argv: list of str, or None for the process's own.
        **quick: defaults under `--quick`.
    """
    if made.parse_known_args(argv)[0].quick:
        name = made.get_default("out").name
        made.set_defaults(out=pathlib.Path("build") / name, **quick)
    return made.parse_args(argv)


def settings(options):
    """Returns the command line as a dict, for the record, without where that goes."""
    return {name: value for name, value in vars(options).items() if name != "out"}


def words(text):
    """Returns the words of a flag that takes several, with commas between them."""
    return [word.strip() for word in text.split(",")]


def timed(function):
    """Returns the seconds of a call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def alternate(ways, rounds, warm_up=1):
    """Returns the seconds of each way in each round, all ways in turn, after rounds to warm up.

    Args:
        ways: dict of functions without arguments, by name.
        rounds: int >= 1, measured calls of each.
        warm_up: int >= 0, calls before them that do not count. Defaults to 1.
    """
    seconds = {name: [] for name in ways}
    for number in range(-warm_up, rounds):
        for name, way in ways.items():
            spent = timed(way)
            if number >= 0:
                seconds[name].append(spent)
    return seconds


def markdown(columns, rows):
    """Returns a table as it is pasted into the README.

    Args:
        columns: list of str.
        rows: list of lists of str.
    """
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def write(path, **record):
    """Writes a record as JSON, with what it was measured on and with.

    Args:
        path: str or path.
        **record: what was measured.
    """
    record = {**record, "machine": machine(), "versions": versions()}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2, default=str) + "\n")
