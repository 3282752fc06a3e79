"""Times exported train steps where there is no TensorFlow: on any PJRT client of JAX.

    python benchmarks/xla_step.py --export exported      # where TensorFlow is
    python run_hlo.py exported                           # where the accelerator is

Needs numpy and jax alone. Each step of the folder is compiled for JAX's default device, with the
state donated as the module's aliases say; what a step writes is what the next one reads. Steps of
one model and batch size (its precisions) are timed in turn. Prints a table, and writes it with the
device's name to FOLDER/timings.json after each group of rows.
"""

import argparse
import dataclasses
import gzip
import itertools
import json
import math
import os
import pathlib
import platform
import statistics
import time
from typing import Any

import jax
import jax.extend.mlir
import numpy as np
from jax.extend.core import Primitive
from jax.extend.mlir import ir
from jax.extend.mlir.dialects import func, stablehlo
from jax.interpreters import mlir

# Seeds and counters of a step have 64 bits, which JAX would cut to 32.
jax.config.update("jax_enable_x64", True)

COLUMNS = (
    ("images/s", "images_per_second", "{:,.0f}"),
    ("ms a step", "milliseconds", "{:,.3f}"),
    ("compile s", "compile_seconds", "{:.1f}"),
    ("TFLOP/s", "tera_flops_per_second", "{:.2f}"),
    ("GiB a step", "gibibytes", "{:.3f}"),
)


@dataclasses.dataclass
class Program:
    """A step that `xla_step.py` has exported: its facts, and where its files are."""

    path: pathlib.Path
    facts: dict

    @classmethod
    def read(cls, path):
        return cls(path, json.loads(path.read_text()))

    @property
    def donated(self):
        """The numbers of the parameters that the step replaces."""
        updates = (output["updates"] for output in self.facts["outputs"])
        return tuple(sorted(number for number in updates if number is not None))

    def module(self):
        """Returns the serialized HLO module."""
        return gzip.decompress(self.path.with_suffix(".hlo.gz").read_bytes())

    def start(self):
        """Returns what the parameters are in the first step, as NumPy arrays."""
        values = []
        with np.load(self.path.with_suffix(".npz")) as stored:
            for number, parameter in enumerate(self.facts["parameters"]):
                values.append(_start(number, parameter, stored, values))
        return values


def _start(number, parameter, stored, values):
    start, shape = parameter["start"], tuple(parameter["shape"])
    dtype = jax.numpy.dtype(parameter["dtype"])
    if start["kind"] == "stored":
        return stored[str(number)]
    if start["kind"] == "full":
        return np.full(shape, start["value"], dtype)
    if start["kind"] == "copy":
        return values[start["of"]].copy()
    if start["kind"] == "uniform":
        draws = np.random.default_rng(number).random(shape, "float32")
        return (start["low"] + (start["high"] - start["low"]) * draws).astype(dtype)
    raise ValueError(
        "A parameter starts as stored, full, copy or uniform. "
        f"Received: {start!r} for {parameter['name']!r}"
    )


def read_all(folder, models="all"):
    """Returns the folder's programs by model, batch size and dtype.

    Args:
        folder: path.
        models: str, which of them: names with commas between them. Defaults to "all".

    Raises:
        ValueError: if there is none of such a name, or none at all.
    """
    programs = [
        Program.read(path.with_name(path.name.removesuffix(".hlo.gz") + ".json"))
        for path in sorted(pathlib.Path(folder).glob("*.hlo.gz"))
    ]
    found = sorted({program.facts["model"] for program in programs})
    wanted = found if models == "all" else models.split(",")
    if not programs or not set(wanted) <= set(found):
        raise ValueError(f"{folder} holds exported steps of {found}. Received: models={models!r}")
    chosen = [program for program in programs if program.facts["model"] in wanted]
    return sorted(chosen, key=lambda program: (*_group(program), program.facts["dtype"]))


def _group(program):
    return program.facts["model"], program.facts["batch_size"]


# --- HLO into JAX -----------------------------------------------------------------------------


def to_stablehlo(module):
    """Returns an HLO module as StableHLO, which is what JAX compiles.

    Raises:
        ImportError: if this JAX has no converter that is known here.
    """
    if hasattr(jax.extend.mlir, "hlo_to_stablehlo"):
        return jax.extend.mlir.hlo_to_stablehlo(module)
    # An older JAX has it where its own conversion from TensorFlow looks for it.
    from jaxlib import xla_client

    if not hasattr(xla_client, "XlaComputation") or not hasattr(xla_client._xla, "mlir"):
        raise ImportError(
            "Expected jax.extend.mlir.hlo_to_stablehlo or, of older versions, "
            "jaxlib.xla_client.XlaComputation, which convert an HLO module. "
            f"Received: jax {jax.__version__}, which has neither"
        )
    computation = xla_client.XlaComputation(module)
    return xla_client._xla.mlir.xla_computation_to_mlir_module(computation)


def as_function(program):
    """Returns a function of JAX arrays that is lowered to the program's module."""
    module = to_stablehlo(program.module())
    results = [
        jax.core.ShapedArray(tuple(output["shape"]), jax.numpy.dtype(output["dtype"]))
        for output in program.facts["outputs"]
    ]
    step = Primitive(program.path.stem)
    step.multiple_results = True
    step.def_abstract_eval(lambda *operands: results)

    def lower(context, *operands):
        source = ir.Module.parse(module)
        types = ir.SymbolTable(source.operation)["main"].type.results
        context = context.module_context
        name = mlir.merge_mlir_modules(
            context.module, "step", source, dst_symtab=context.symbol_table
        )
        call = func.CallOp(types, ir.FlatSymbolRefAttr.get(name), list(operands))
        if isinstance(types[0], ir.TupleType):  # as an older converter leaves it
            return [
                stablehlo.get_tuple_element(call, mlir.i32_attr(i)) for i in range(len(results))
            ]
        return list(call.results)

    mlir.register_lowering(step, lower)
    return lambda *operands: step.bind(*operands)


# --- Running ----------------------------------------------------------------------------------


@dataclasses.dataclass
class Run:
    """A compiled program and its parameters, which move with each step."""

    program: Program
    step: Any
    parameters: list
    facts: dict
    outputs: Any = None

    @classmethod
    def begin(cls, program):
        """Compiles a program for the default device, and puts its first parameters there."""
        jitted = jax.jit(as_function(program), donate_argnums=program.donated)
        shapes = [
            jax.ShapeDtypeStruct(tuple(p["shape"]), jax.numpy.dtype(p["dtype"]))
            for p in program.facts["parameters"]
        ]
        lowered = jitted.lower(*shapes)
        began = time.perf_counter()
        step = lowered.compile()
        facts = {"compile_seconds": time.perf_counter() - began, "flops": _flops(jitted, shapes)}
        memory = step.memory_analysis()
        if memory is not None:
            needed = memory.argument_size_in_bytes + memory.output_size_in_bytes
            needed += memory.temp_size_in_bytes - memory.alias_size_in_bytes
            facts["gibibytes"] = needed / 2**30
        return cls(program, step, [jax.device_put(x) for x in program.start()], facts)

    def advance(self, steps):
        """Takes steps, and waits for the last one."""
        for _ in range(steps):
            self.outputs = self.step(*self.parameters)
            for output, fact in zip(self.outputs, self.program.facts["outputs"], strict=True):
                if fact["updates"] is not None:
                    self.parameters[fact["updates"]] = output
        jax.block_until_ready(self.outputs)

    def named(self):
        """Yields name and value of each output: the step's logs, then its state."""
        for output, fact in zip(self.outputs, self.program.facts["outputs"], strict=True):
            yield fact["name"], output

    def not_finite(self):
        """Returns the names of the outputs that hold a number which is not finite."""
        # On the host, where no shape needs a program of its own to be compiled.
        return [name for name, value in self.named() if not np.isfinite(np.asarray(value)).all()]

    def logs(self):
        """Returns what the step reports, as floats."""
        count = len(self.program.facts["outputs"]) - len(self.program.donated)
        return {name: float(value) for name, value in itertools.islice(self.named(), count)}


def _flops(jitted, shapes):
    """Returns what XLA counts before it optimises, or None where JAX has no CPU beside the rest."""
    try:
        cpu = jax.devices("cpu")[0]
    except RuntimeError:  # JAX_PLATFORMS leaves it out
        return None
    # The count is the same for all devices, but clients of plug-ins (such as CUDA's) do not tell.
    with jax.default_device(cpu):
        costs = jitted.lower(*shapes).cost_analysis()
    return (costs or {}).get("flops")


def measure(programs, seconds, rounds):
    """Times programs in turn, and returns a row of the table for each."""
    runs = [_attempt(program) for program in programs]
    steps, times = {}, {}
    for number, run in enumerate(runs):
        if isinstance(run, Run):
            began = time.perf_counter()
            run.advance(1)
            pace = time.perf_counter() - began
            steps[number], times[number] = min(1000, math.ceil(seconds / pace)), []
    for _ in range(rounds):
        for number in steps:
            began = time.perf_counter()
            runs[number].advance(steps[number])
            times[number].append((time.perf_counter() - began) / steps[number])
    return [
        _row(program, run, times.get(number))
        for number, (program, run) in enumerate(zip(programs, runs, strict=True))
    ]


def _attempt(program):
    """Returns a program's run after a step to warm up, or what this device says against it."""
    try:
        run = Run.begin(program)
        run.advance(1)
        return run
    except jax.errors.JaxRuntimeError as error:
        return str(error).splitlines()[0]


def _row(program, run, times):
    names = ("model", "recipe", "image_shape", "batch_size", "images_per_step", "dtype", "tf32")
    row = {name: program.facts[name] for name in names}
    if not isinstance(run, Run):
        return {**row, "failed": run}
    bad = run.not_finite()
    if bad:
        return {**row, **run.facts, "failed": f"not finite: {', '.join(bad)}"}
    seconds = statistics.median(times)
    row = {**row, **run.facts, "milliseconds": 1e3 * seconds, "round_seconds_a_step": times}
    row["images_per_second"] = row["images_per_step"] / seconds
    if row["flops"]:
        row["tera_flops_per_second"] = row["flops"] / seconds / 1e12
    # The device counts since the process began, so this is the most of all rows so far.
    stats = jax.devices()[0].memory_stats() or {}
    return {**row, "device_peak_bytes_so_far": stats.get("peak_bytes_in_use"), "logs": run.logs()}


def device_facts():
    """Returns what the steps are computed on, and with."""
    device = jax.devices()[0]
    return {
        "device": device.device_kind,
        "platform": device.platform,
        "platform_version": device.client.platform_version,
        "jax": jax.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }


def table_row(row):
    """Returns a line of the table."""
    first = f"| {row['model']} | {row['batch_size']} | {row['dtype']} |"
    if "failed" in row:
        return f"{first} {row['failed']} |" + " |" * (len(COLUMNS) - 1)
    cells = (
        style.format(row[name]) if row.get(name) is not None else "-" for _, name, style in COLUMNS
    )
    return f"{first} {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="what xla_step.py --export has written")
    parser.add_argument("--models", default="all", help="names with commas between them")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="about what a round takes")
    options = parser.parse_args()
    programs = read_all(options.folder, options.models)
    record = {"machine": device_facts(), "rows": []}
    print(f"{record['machine']['device']} ({record['machine']['platform']}), jax {jax.__version__}")
    titles = ("model", "batch", "dtype", *(title for title, _, _ in COLUMNS))
    print(f"\n| {' | '.join(titles)} |\n|{' --- |' * len(titles)}")
    for _, group in itertools.groupby(programs, _group):
        rows = measure(list(group), options.seconds, options.rounds)
        record["rows"] += rows
        print("\n".join(map(table_row, rows)), flush=True)
        (options.folder / "timings.json").write_text(json.dumps(record, indent=2) + "\n")
    failed = sum("failed" in row for row in record["rows"])
    if failed:
        raise SystemExit(f"{failed} of {len(record['rows'])} steps failed, as the table says.")


if __name__ == "__main__":
    main()
