"""How fast the same games train here and in PyTorch, side by side.

    python -m benchmarks.against_pytorch --rounds 7 --xla

Three games, each with the same layers, losses, optimizers and order of updates on both sides
(tests/benchmarks/test_against_pytorch.py proves it), in float32 and bfloat16. PyTorch runs eager,
channels-last and compiled. Each way has a process of its own and all cores, and trains for a few
seconds in turn, while the others wait on a pipe. Prints the median images a second (reals that the
discriminator sees) and whether the goals are met, and writes them as JSON.
"""

import argparse
import dataclasses
import importlib
import json
import pathlib

from benchmarks.against_pytorch.games import GAMES, GPU_GOAL, draw_images
from benchmarks.against_pytorch.ways import Way, count_flops

DTYPES = ("float32", "bfloat16")
MODES = {
    "in_pytorch": ("eager", "channels last", "compile", "compile, channels last"),
    "in_kgan": ("fit", "fit, XLA"),
}
DENSE_GAMES = ("wgan_gp",)


def modes_for(name, with_xla):
    """Yields side and mode of each way that makes a difference in this game."""
    for side, modes in MODES.items():
        for mode in modes:
            if "channels last" in mode and name in DENSE_GAMES:
                continue
            if "XLA" in mode and not with_xla:
                continue
            yield side, mode


def play(name, dtype, options):
    """Returns all ways of one game in one dtype, measured in turn."""
    game = GAMES[name]
    images = draw_images(game)
    arguments = {way: (name, game, way[1], dtype, images) for way in modes_for(name, options.xla)}
    ways = [Way(*way, arguments[way]) for way in arguments]
    try:
        for way in ways:
            way.warm_up()
        for number in range(options.rounds):
            # Back and forth, so that no way always follows the same one.
            for way in ways[:: -1 if number % 2 else 1]:
                way.measure(game.images_per_step, options.round_seconds)
    finally:
        for way in ways:
            way.close()
    return ways


def flops_of(name):
    """Returns the floating-point operations of a step by side; exact forms save some in kgan."""
    game = GAMES[name]
    counted = {}
    for side, (mode, *_) in MODES.items():
        try:
            counted[side] = count_flops(side, (name, game, mode, "float32", draw_images(game)))
        except ImportError as error:
            print(f"{side} is not counted: {error}")
    return counted


def judge(name, dtype, ways, on_gpu):
    """Returns kgan's best rate over PyTorch's, the goal, and what they are of."""
    peers = [way for way in ways if way.side == "in_pytorch"]
    if on_gpu:
        peers = [way for way in peers if "compile" in way.mode]
    peer = max(peers, key=lambda way: way.rate)
    best = max((way for way in ways if way.side == "in_kgan"), key=lambda way: way.rate)
    goal = GPU_GOAL if on_gpu else GAMES[name].goals[dtype]
    ratio = best.rate / peer.rate if peer.rate else None
    return {
        "kgan": best.mode,
        "pytorch": peer.mode,
        "ratio": ratio,
        "goal": goal,
        "met": ratio is not None and ratio >= goal,
    }


def show(name, dtype, ways, verdict):
    """Prints one table."""
    best = max(way.rate for way in ways if way.side == "in_pytorch")
    print(f"\n{name}, {dtype} ({GAMES[name].source})")
    print(f"{'':32}{'images/s':>10}{'ratio':>8}{'compile':>10}{'spread':>9}")
    for way in ways:
        label = f"{'PyTorch' if way.side == 'in_pytorch' else 'kgan'}, {way.mode}"
        if way.error is not None:
            print(f"{label:32}  failed: {way.error.splitlines()[0]}")
            continue
        ratio = f"{way.rate / best:.2f}x" if best else "-"
        spread = (max(way.rates) - min(way.rates)) / way.rate
        row = f"{way.rate:10,.0f}{ratio:>8}{way.compile_seconds:8.1f} s{spread:9.0%}"
        print(f"{label:32}{row}")
    ratio = "unknown" if verdict["ratio"] is None else f"{verdict['ratio']:.2f}x"
    print(
        f"kgan ({verdict['kgan']}) is {ratio} of PyTorch ({verdict['pytorch']}), "
        f"goal {verdict['goal']}x: {'met' if verdict['met'] else 'missed'}",
        flush=True,
    )


def environment():
    """Returns the machine and the versions, torch's among them."""
    run = importlib.import_module("kgan.zoo.run")
    versions = run.versions()
    try:
        versions["torch"] = importlib.import_module("torch").__version__
    except ImportError:
        versions["torch"] = None
    return run.machine(), versions


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--games", default=",".join(GAMES), help="names, with commas between")
    parser.add_argument("--dtypes", default=",".join(DTYPES), help="names, with commas between")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--round_seconds", type=float, default=3.0, help="of a way in a round")
    parser.add_argument("--xla", action="store_true", help="kgan under XLA as well")
    parser.add_argument("--quick", action="store_true", help="one short round: does it run?")
    parser.add_argument("--out", default="benchmarks/results/against_pytorch.json")
    options = parser.parse_args(arguments)
    for flag, known in (("games", tuple(GAMES)), ("dtypes", DTYPES)):
        chosen = getattr(options, flag).split(",")
        if set(chosen) - set(known):
            parser.error(f"--{flag} takes {', '.join(known)}. Received: {','.join(chosen)}")
        setattr(options, flag, chosen)
    if options.quick:
        options.rounds, options.round_seconds = 1, 0.5
    return options


def main():
    options = parse()
    machine, versions = environment()
    results = []
    for name in options.games:
        flops = flops_of(name)
        if len(flops) == len(MODES):
            more = flops["in_pytorch"] / flops["in_kgan"]
            print(f"\n{name}: PyTorch has {more:.2f}x the operations a step of kgan", flush=True)
        for dtype in options.dtypes:
            ways = play(name, dtype, options)
            verdict = judge(name, dtype, ways, bool(machine["gpus"]))
            show(name, dtype, ways, verdict)
            sides = {"in_pytorch": "PyTorch", "in_kgan": "kgan"}
            rows = {f"{sides[way.side]}, {way.mode}": way.as_json() for way in ways}
            about = dataclasses.asdict(GAMES[name])
            named = {"name": name, "dtype": dtype, "game": about, "flops_per_step": flops}
            results.append({**named, "ways": rows, **verdict})
    path = pathlib.Path(options.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {name: value for name, value in vars(options).items() if name != "out"}
    result = {"options": given, "machine": machine, "versions": versions}
    path.write_text(json.dumps({**result, "results": results}, indent=2))


if __name__ == "__main__":
    main()
