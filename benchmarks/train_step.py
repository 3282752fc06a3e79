"""How fast every zoo model trains, in what memory, and how near to what the machine can do.

    python benchmarks/train_step.py
    python benchmarks/train_step.py --models dcgan,wgan_gp --xla false,true --recipe default

Each row (a model, a precision, XLA or not) is a process of its own, forked from one that has
loaded the libraries and computed nothing: what one row leaves behind does not touch another. The
rows of a model take turns, one computing at a time, and the median round counts. A step is what
`fit` calls for a batch: all of the discriminator's updates and one of the generator, each on
--batch_size images, of the embedded digits.

* images/s: the images that a step takes in, over its seconds.
* compile: seconds of the first call, in which TensorFlow traces and compiles the step.
* peak memory: the peak of TensorFlow's allocator in a step, over what is in use between steps:
  activations, gradients and work space, but not weights, optimizer states and libraries. (The
  process's resident memory does not tell: the allocator keeps what is free for the next step.) On
  CPU it does not count tensors below 256 KiB, and nothing without oneDNN.
* FLOP/s: operations of the matrix products and convolutions of the traced step, gradients
  included, over its seconds; a lazy penalty counts by its share. See benchmarks/flops.py.
* of the best: that, over the best plain matrix product or convolution of this machine in the same
  precision, measured before the rows.

A row that fails is reported with its error, the others go on, and the exit status is 1.
"""

import dataclasses
import functools
import gc
import math
import multiprocessing
import statistics
import sys
import time

from common import markdown, parse, parser, settings, words, write

COLUMNS = [
    "model",
    "precision",
    "XLA",
    "images/s",
    "step",
    "compile",
    "peak memory",
    "GFLOP a step",
    "GFLOP/s",
    "of the best",
]
DTYPES = ("float32", "mixed_bfloat16", "mixed_float16")
# What a process forked for a row has loaded already.
PRELOADED = ["kgan.zoo.__main__"]


@dataclasses.dataclass(frozen=True)
class Row:
    """What is measured in one process; as the flags of the same names."""

    model: str
    dtype: str
    xla: bool
    recipe: str
    image_size: str
    channels: int
    batch_size: int


# --- In the process of a row --------------------------------------------------------------------


class Step:
    """The train step of a row, on one batch that stays in memory.

    Args:
        row: `Row`.
    """

    def __init__(self, row):
        import keras
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(row.dtype)
        self.gan, self.batch = build(row)
        # In a lazy penalty's period each kind of step is there.
        self.period = math.lcm(*(getattr(one, "every", 1) for one in self.gan.penalties))
        dataset = tf.data.Dataset.from_tensors(self.batch).repeat()
        no_tuner = tf.data.Options()
        no_tuner.autotune.enabled = False
        self.batches = iter(dataset.with_options(no_tuner))
        self.gan.make_train_function()

    def prepare(self):
        """Compiles, and returns what is known before the rounds."""
        compile_seconds = self.time(1)
        self.time(self.period)
        peak = peak_memory(lambda: self.time(self.period))
        return {
            "compile_seconds": compile_seconds,
            "peak_bytes": peak,
            "step_images": int(self.batch[0].shape[0]),
            "period": self.period,
            "step_seconds": self.time(self.period) / self.period,
            **variable_bytes(self.gan),
        }

    def time(self, steps):
        """Returns the seconds of some steps, until their results are there."""
        began = time.perf_counter()
        for _ in range(steps):
            logs = self.gan.train_function(self.batches)
        for value in logs.values():
            float(value)
        return time.perf_counter() - began

    def count(self):
        """Returns the floating-point operations of a step."""
        import flops
        import tensorflow as tf

        step = tf.function(self.gan.train_step, autograph=False)
        return flops.count(step.get_concrete_function(self.batch))


def build(row):
    """Returns the compiled GAN of a row and a batch of what it sees of the digits."""
    import kgan
    from kgan.zoo.__main__ import recipes
    from kgan.zoo.recipe import Task
    from kgan.zoo.runner import prepared

    module = recipes()[row.model]
    recipe = module.RECIPES[row.recipe]
    recipe = recipe.but(batch_size=row.batch_size, image_size=row.image_size)
    find = prepared(module, recipe, kgan.data.ImageSource.find)
    source = find("digits", image_size=row.image_size, channels=row.channels)
    is_conditional = getattr(module, "CONDITIONAL", "optional") == "always"
    task = Task(source.image_shape, source.num_classes if is_conditional else None, steps=100_000)
    gan = module.build(recipe, task, jit_compile=row.xla)
    batch = next(iter(source.stream(recipe.batch_size * recipe.discriminator_steps)))
    return gan, batch


def variable_bytes(gan):
    """Returns the bytes of each player's trainable variables, and of the gradients of a step.

    A gradient is as large as its variables; the discriminator has one for each of its updates.
    """
    players = {
        player: sum(_bytes(v) for v in getattr(gan, f"{player}_variables"))
        for player in ("generator", "discriminator")
    }
    return {
        **{f"{player}_bytes": number for player, number in players.items()},
        "discriminator_steps": gan.discriminator_steps,
        "gradient_bytes": players["generator"] + gan.discriminator_steps * players["discriminator"],
    }


def _bytes(variable):
    import tensorflow as tf

    return math.prod(variable.shape) * tf.as_dtype(variable.dtype).size


def peak_memory(function):
    """Returns by how many bytes a call's peak is above what is in use before it, or None."""
    import tensorflow as tf

    device = "GPU:0" if tf.config.list_physical_devices("GPU") else "CPU:0"
    memory = tf.config.experimental
    gc.collect()
    try:
        memory.reset_memory_stats(device)
    except ValueError:  # An allocator that does not count: that of CPUs without oneDNN.
        return None
    before = memory.get_memory_info(device)["current"]
    function()
    return memory.get_memory_info(device)["peak"] - before


def work(connection, make):
    """Answers the questions of the other process: names of methods of what `make()` returns."""
    try:
        worker = make()
        while True:
            name, *arguments = connection.recv()
            connection.send((getattr(worker, name)(*arguments), None))
    except EOFError:
        pass  # The other process has closed its end: all is measured.
    except Exception as error:
        lines = str(error).strip().splitlines()
        connection.send((None, f"{type(error).__name__}: {lines[0] if lines else ''}"[:500]))


class Roofline:
    """The best plain operations of this machine, measured in a process of their own."""

    def measure(self, dtype, quick):
        import roofline

        return roofline.measure(dtype, rounds=2 if quick else 5, quick=quick)


# --- In the process that asks -------------------------------------------------------------------


class Failed(Exception):
    """A process could not do what it was asked."""


class Process:
    """A fresh process that makes something and answers with its methods.

    Args:
        make: function without arguments that can be pickled.
    """

    def __init__(self, make):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self._connection, other = context.Pipe()
        self._process = context.Process(target=work, args=(other, make), daemon=True)
        self._process.start()
        other.close()

    def ask(self, name, *arguments):
        """Returns the result of a method there.

        Raises:
            Failed: if it raised, or the process ended.
        """
        try:
            self._connection.send((name, *arguments))
            result, error = self._connection.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join()
            raise Failed(f"its process ended with exit code {self._process.exitcode}") from None
        if error is not None:
            raise Failed(error)
        return result

    def close(self):
        self._connection.close()
        self._process.join()


def measure(rows, rounds, seconds):
    """Returns the results of the rows of a model, and the errors of those that failed, by row.

    Args:
        rows: list of `Row`.
        rounds: int >= 1; at most 3 where a step takes longer than a round should.
        seconds: float, what the rounds of a row should take together.
    """
    processes, facts, errors = {}, {}, {}
    try:
        for row in rows:
            processes[row] = Process(functools.partial(Step, row))
            _try(errors, row, lambda row=row: facts.update({row: processes[row].ask("prepare")}))
        times = {row: [] for row in facts}
        for number in range(rounds):
            for row, known in facts.items():
                if row in errors or number >= _rounds(known, rounds, seconds):
                    continue
                steps = _steps(known, rounds, seconds)
                spent = _try(errors, row, lambda row=row, n=steps: processes[row].ask("time", n))
                times[row].append(spent and spent / steps)
        operations = _count(processes, facts, errors)
    finally:
        for process in processes.values():
            process.close()
    return {
        row: _result(row, facts[row], times[row], operations) for row in facts if row not in errors
    }, errors


def _try(errors, row, ask):
    try:
        return ask()
    except Failed as failed:
        errors[row] = str(failed)
        return None


def _rounds(known, rounds, seconds):
    return min(rounds, 3) if known["step_seconds"] * rounds > seconds else rounds


def _steps(known, rounds, seconds):
    """Returns the steps of a round, whole periods of lazy penalties."""
    periods = seconds / rounds / known["step_seconds"] / known["period"]
    return max(1, round(periods)) * known["period"]


def _count(processes, facts, errors):
    """Returns the operations of a step: the rows of a model compute the same."""
    for row in facts:
        if row not in errors:
            found = _try(errors, row, lambda row=row: processes[row].ask("count"))
            if found is not None:
                return found
    return None


def _result(row, known, times, operations):
    step = statistics.median(times)
    return {
        **dataclasses.asdict(row),
        **known,
        "step_seconds": step,
        "rounds_step_seconds": times,
        "images_per_second": known["step_images"] / step,
        "flops_per_step": operations,
        "flops_per_second": operations / step,
    }


def cells(result, rooflines):
    """Returns a result as a row of the table, after it was compared with the roofline."""
    best = max(one["flops_per_second"] for one in rooflines[result["dtype"]].values())
    result["fraction_of_best"] = result["flops_per_second"] / best
    peak = result["peak_bytes"]
    return [
        result["model"],
        result["dtype"].removeprefix("mixed_"),
        "on" if result["xla"] else "off",
        f"{result['images_per_second']:,.0f}",
        f"{1e3 * result['step_seconds']:.1f} ms",
        f"{result['compile_seconds']:.1f} s",
        "-" if peak is None else f"{peak / 2**20:,.0f} MiB",
        f"{result['flops_per_step'] / 1e9:.2f}",
        f"{result['flops_per_second'] / 1e9:,.0f}",
        f"{result['fraction_of_best']:.1%}",
    ]


def measure_rooflines(options):
    """Returns the best plain operations by precision, and prints them."""
    rooflines, lines = {}, []
    for dtype in options.dtype:
        process = Process(Roofline)
        try:
            rooflines[dtype] = process.ask("measure", dtype, options.quick)
        finally:
            process.close()
        for kind, best in rooflines[dtype].items():
            speed, xla = f"{best['flops_per_second'] / 1e9:,.0f}", "on" if best["xla"] else "off"
            kind = kind.replace("_", " ")
            lines.append([dtype.removeprefix("mixed_"), kind, best["shape"], xla, speed])
    print(markdown(["precision", "the best", "of", "XLA", "GFLOP/s"], lines), flush=True)
    return rooflines


def options_of(argv):
    """Returns the command line, with the models that it names."""
    made = parser(__doc__, "train_step")
    made.add_argument("--models", type=words, default=["all"], help="names with commas, or all")
    made.add_argument("--recipe", default="mnist", help="default (the paper's), mnist or digits")
    made.add_argument("--image_size", default="28", help="pixels a side, or HEIGHTxWIDTH")
    made.add_argument("--channels", type=int, default=1)
    made.add_argument("--batch_size", type=int, default=64, help="images of an update")
    made.add_argument("--dtype", type=words, default=["float32", "mixed_bfloat16"])
    made.add_argument("--xla", type=words, default=["false"], help="false, true, or false,true")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--seconds", type=float, default=4.0, help="that the rounds of a row take")
    options = parse(made, argv, rounds=2, seconds=0.2)
    from kgan.zoo.__main__ import recipes

    zoo = recipes()
    options.models = list(zoo) if options.models == ["all"] else options.models
    for name, given, known in (
        ("models", options.models, zoo),
        ("dtype", options.dtype, DTYPES),
        ("xla", options.xla, ("false", "true")),
    ):
        if not set(given) <= set(known):
            made.error(f"--{name} must be of {', '.join(known)}. Received: {','.join(given)}")
    return options


def main(argv=None):
    options = options_of(argv)
    rooflines = measure_rooflines(options)
    print("\n" + markdown(COLUMNS, []), flush=True)
    results, failed = [], []
    shared = {
        name: getattr(options, name) for name in "recipe image_size channels batch_size".split()
    }
    for model in options.models:
        rows = [
            Row(model, dtype, xla == "true", **shared)
            for dtype in options.dtype
            for xla in options.xla
        ]
        measured, errors = measure(rows, options.rounds, options.seconds)
        for row in rows:
            if row in errors:
                failed.append({**dataclasses.asdict(row), "error": errors[row]})
                shown = [row.model, row.dtype.removeprefix("mixed_"), "on" if row.xla else "off"]
                shown += [f"failed: {errors[row]}"] + [""] * (len(COLUMNS) - 4)
            else:
                results.append(measured[row])
                shown = cells(measured[row], rooflines)
            print(f"| {' | '.join(shown)} |", flush=True)
    record = {"options": settings(options), "rooflines": rooflines, "rows": results}
    write(options.out, **record, failed=failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
