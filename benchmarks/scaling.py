"""How many images a second N accelerators would train, on paper.

    python benchmarks/scaling.py --step_ms 10 --bandwidth_gbps 400
    python benchmarks/scaling.py --step_json benchmarks/results/train_step.json --bandwidth_gbps 10

Nothing is measured here. The step of one accelerator is given, in milliseconds or as the row of
train_step.py's JSON for the model. Each accelerator keeps its batch (so the global batch grows),
and after each update's backward pass all of them sum their gradients in a ring:

    t(N) = 2 (N - 1) / N * bytes / bandwidth + reductions * 2 (N - 1) * latency

with the bytes of the gradients of both players (the discriminator's once for each of its updates).
Without overlap a step takes step + t(N). With overlap the sums run beside the backward pass, and
cost only what outlasts it: step + max(0, t(N) - backward * step). That is the bound that perfect
overlap would reach: the last gradients exist only when the pass is over. Input, stragglers and
batch norm's statistics are left out. images/s are N * images / seconds; the efficiency is those
over N times one accelerator's.
"""

import json
import pathlib
import sys

from common import markdown, parse, parser, settings, write

ACCELERATORS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def ring_seconds(accelerators, num_bytes, bandwidth, latency=0.0, reductions=1):
    """Returns the seconds in which a ring of accelerators sums its gradients.

    Each of the 2 (N - 1) turns passes an N-th of the bytes to the neighbour (Patarasuk, Yuan 2009,
    "Bandwidth optimal all-reduce algorithms for clusters of workstations").

    Args:
        accelerators: int >= 1, N.
        num_bytes: int >= 0, of all sums of a step together.
        bandwidth: float > 0, bytes a second that a link carries each way.
        latency: float >= 0, seconds of a turn, however small what is passed. Defaults to 0.
        reductions: int >= 1, sums of a step, each with turns of its own. Defaults to 1.
    """
    turns = 2 * (accelerators - 1)
    return turns / accelerators * num_bytes / bandwidth + reductions * turns * latency


def step_seconds(alone, reduction, overlapped=0.0):
    """Returns the seconds of a step.

    Args:
        alone: float > 0, seconds of the step of one accelerator.
        reduction: float >= 0, seconds in which gradients are summed.
        overlapped: float in [0, 1], share of the step beside which they may be. Defaults to 0.
    """
    return alone + max(0.0, reduction - overlapped * alone)


def predict(accelerators, alone, images, overlapped=0.0, **ring):
    """Returns what N accelerators reach, a dict.

    Args:
        accelerators: int >= 1, N.
        alone: float > 0, seconds of the step of one.
        images: int >= 1, of a step of one.
        overlapped: as of `step_seconds`. Defaults to 0.
        **ring: further arguments of `ring_seconds`.
    """
    reduction = ring_seconds(accelerators, **ring)
    seconds = step_seconds(alone, reduction, overlapped)
    return {
        "accelerators": accelerators,
        "reduction_seconds": reduction,
        "step_seconds": seconds,
        "images_per_second": accelerators * images / seconds,
        "efficiency": alone / seconds,
    }


def measured_row(path, model, dtype):
    """Returns the fastest row of a model in the JSON of train_step.py.

    Raises:
        ValueError: if there is none.
    """
    rows = json.loads(pathlib.Path(path).read_text())["rows"]
    found = [row for row in rows if row["model"] == model and row["dtype"] == dtype]
    if not found:
        raise ValueError(
            f"{path} has the models {sorted({row['model'] for row in rows})}. "
            f"Received: --model={model} --dtype={dtype}"
        )
    return max(found, key=lambda row: row["images_per_second"])


def counted_row(options):
    """Returns the bytes of a zoo model's gradients, and the images of its step."""
    import train_step

    names = "model dtype recipe image_size channels batch_size".split()
    row = train_step.Row(xla=False, **{name: getattr(options, name) for name in names})
    gan, batch = train_step.build(row)
    bytes_of = train_step.variable_bytes(gan)
    return {**bytes_of, "step_images": len(batch[0]), "step_seconds": options.step_ms / 1e3}


def options_of(argv):
    made = parser(__doc__, "scaling")
    step = made.add_mutually_exclusive_group(required=True)
    step.add_argument("--step_ms", type=float, help="of one accelerator: a hypothesis")
    step.add_argument("--step_json", type=pathlib.Path, help="what train_step.py has written")
    made.add_argument("--bandwidth_gbps", type=float, required=True, help="gigabits/s of a link")
    made.add_argument("--latency_us", type=float, default=10.0, help="microseconds of a turn")
    made.add_argument("--backward", type=float, default=0.5, help="share of the step: overlap")
    made.add_argument("--accelerators", type=int, nargs="+", default=list(ACCELERATORS))
    made.add_argument("--model", default="dcgan", help="a zoo module")
    made.add_argument("--recipe", default="default", help="with --step_ms, as the following")
    made.add_argument("--image_size", default="64")
    made.add_argument("--channels", type=int, default=3)
    made.add_argument("--batch_size", type=int, default=64, help="images of an update")
    made.add_argument("--dtype", default="float32")
    return parse(made, argv)


def describe(options, known):
    """Returns what the table is for, a line."""
    source = "hypothetical" if options.step_ms else f"measured, {options.step_json.name}"
    return (
        f"{options.model}, {options.dtype.removeprefix('mixed_')}, {known['step_images']} images "
        f"a step of {1e3 * known['step_seconds']:.4g} ms ({source}); gradients of "
        f"{known['gradient_bytes'] / 1e6:.1f} MB in {1 + known['discriminator_steps']} sums over "
        f"links of {options.bandwidth_gbps:g} Gbit/s and {options.latency_us:g} µs."
    )


def main(argv=None):
    options = options_of(argv)
    known = (
        counted_row(options)
        if options.step_ms
        else measured_row(options.step_json, options.model, options.dtype)
    )
    shared = {
        "alone": known["step_seconds"],
        "images": known["step_images"],
        "num_bytes": known["gradient_bytes"],
        "bandwidth": options.bandwidth_gbps * 1e9 / 8,
        "latency": options.latency_us / 1e6,
        "reductions": 1 + known["discriminator_steps"],
    }
    ways = {"without overlap": 0.0, "with overlap": options.backward}
    rows = {
        way: [predict(n, overlapped=share, **shared) for n in options.accelerators]
        for way, share in ways.items()
    }
    print(describe(options, known) + "\n")
    columns = ["accelerators", "sums of gradients"]
    columns += [f"{what}, {way}" for way in ways for what in ("images/s", "efficiency")]
    lines = []
    for plain, overlapping in zip(*rows.values(), strict=True):
        line = [f"{plain['accelerators']}", f"{1e3 * plain['reduction_seconds']:.2f} ms"]
        for row in (plain, overlapping):
            line += [f"{row['images_per_second']:,.0f}", f"{row['efficiency']:.1%}"]
        lines.append(line)
    print(markdown(columns, lines))
    write(
        options.out, options=settings(options), **shared, about=describe(options, known), rows=rows
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
