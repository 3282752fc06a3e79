"""What the options for less memory save in a train step, and what they cost in time.

    python benchmarks/memory.py --models dcgan,sngan --image_size 64

Each model's step is computed plainly, in four micro-batches, with rematerialization, and with both,
each in a process of its own, which take turns. The peak is that of `train_step.py`: what the step
needs beside weights and optimizer states. Where TensorFlow computes several things at once, it
depends on their order, so the table shows the median of the rounds' peaks.
"""

import functools
import statistics
import sys

from common import markdown, parse, parser, settings, words, write
from train_step import Process, Row, Step, peak_memory

WAYS = {
    "plain": {},
    "micro_batches=4": {"micro_batches": 4},
    "rematerialize": {"rematerialize": True},
    "both": {"micro_batches": 4, "rematerialize": True},
}
COLUMNS = ["model", "step", "peak memory", "of the plain one's", "seconds", "of the plain one's"]


class StepOf(Step):
    """The train step of a row, compiled in one of the ways.

    Args:
        row: `Row`.
        way: str, of `WAYS`.
    """

    def __init__(self, row, way):
        super().__init__(row)
        self.gan.compile(**{**self.gan.compile_arguments, **WAYS[way]})
        self.gan.make_train_function(force=True)

    def measure(self):
        """Returns the bytes and the seconds of a step."""
        peak = peak_memory(lambda: self.time(self.period))
        return peak, self.time(self.period) / self.period


def measure(row, rounds):
    """Returns a dict by way of the median bytes and seconds of a step."""
    processes = {way: Process(functools.partial(StepOf, row, way)) for way in WAYS}
    try:
        for process in processes.values():  # to compile
            process.ask("measure")
        measured = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way, process in processes.items():
                measured[way].append(process.ask("measure"))
    finally:
        for process in processes.values():
            process.close()
    return {
        way: [statistics.median(values) for values in zip(*rows, strict=True)]
        for way, rows in measured.items()
    }


def cells(model, way, measured):
    """Returns a line of the table."""
    (peak, seconds), (plain_peak, plain_seconds) = measured[way], measured["plain"]
    return [
        model,
        way,
        f"{peak / 2**20:,.0f} MiB",
        f"{peak / plain_peak:.0%}",
        f"{seconds:.3f}",
        f"{seconds / plain_seconds:.0%}",
    ]


def main(argv=None):
    made = parser(__doc__, "memory")
    made.add_argument("--models", type=words, default=["dcgan", "sngan"], help="with commas")
    made.add_argument("--recipe", default="mnist", help="default (the paper's), mnist or digits")
    made.add_argument("--image_size", default="28", help="pixels a side, or HEIGHTxWIDTH")
    made.add_argument("--channels", type=int, default=1)
    made.add_argument("--batch_size", type=int, default=256, help="images of an update")
    made.add_argument("--rounds", type=int, default=7)
    options = parse(made, argv, rounds=1, batch_size=32)
    lines, results = [], {}
    for model in options.models:
        row = Row(
            model=model,
            dtype="float32",
            xla=False,
            recipe=options.recipe,
            image_size=options.image_size,
            channels=options.channels,
            batch_size=options.batch_size,
        )
        results[model] = measure(row, options.rounds)
        lines += [cells(model, way, results[model]) for way in WAYS]
    print(markdown(COLUMNS, lines))
    write(options.out, options=settings(options), steps=results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
