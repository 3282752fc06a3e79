"""Times the train step under XLA beside the step without it, and exports it for other machines.

    python benchmarks/xla_step.py --models dcgan,wgan_gp --batch_sizes 64,512
    python benchmarks/xla_step.py --export exported

Every model of the zoo, on the first GPU that TensorFlow sees, else on the CPU: one GAN, the same
batch, and its step compiled with and without XLA in turn. Images are scikit-learn's digits, resized
and repeated. float32 multiplies in TF32 where the GPU has it, unless --no-tf32. Prints a table, and
writes results/xla_step.json after each row.

With --export it times nothing, and writes for each step what `run_hlo.py` reads:

- NAME.hlo.gz, the serialized HLO module as XLA is given it, so not optimised for this machine;
- NAME.json, what its parameters and outputs are, in order, and which output replaces which
  parameter;
- NAME.npz, what the parameters are in the first step. Large ones that are drawn at random are not
  stored but described, to be drawn anew with the same mean and spread.
"""

import argparse
import functools
import gzip
import json
import math
import pathlib
import statistics
import time

import kgan  # isort: split

import keras
import numpy as np
import tensorflow as tf
from tensorflow.compiler.xla import xla_data_pb2
from tensorflow.compiler.xla.service import hlo_pb2

from kgan.files import atomic_path
from kgan.registry import suggest
from kgan.zoo.__main__ import recipes
from kgan.zoo.recipe import Task
from kgan.zoo.run import machine, versions
from kgan.zoo.runner import prepared

RESULTS = pathlib.Path(__file__).parent / "results" / "xla_step.json"
DTYPES = ("float32", "mixed_bfloat16")
PLAYERS = ("generator", "discriminator")
# A schedule's length, which no step reaches here.
TRAINING_STEPS = 100_000
# Parameters of more elements are not stored if their start can be described instead.
MOST_STORED = 16_384
# What XLA calls a type, as NumPy calls it.
TYPES = {"PRED": "bool", "BF16": "bfloat16", "S": "int", "U": "uint", "F": "float"}
COLUMNS = (
    ("XLA images/s", lambda row: f"{row['xla']['images_per_second']:,.0f}"),
    ("ms", lambda row: f"{row['xla']['milliseconds']:,.2f}"),
    ("compile s", lambda row: f"{row['xla']['compile_seconds']:.1f}"),
    ("plain images/s", lambda row: f"{row['plain']['images_per_second']:,.0f}"),
    ("ms", lambda row: f"{row['plain']['milliseconds']:,.2f}"),
    ("first step s", lambda row: f"{row['plain']['compile_seconds']:.1f}"),
    ("XLA is", lambda row: f"{row['xla_is']:.2f}x"),
)


def make_gan(module, recipe, source):
    """Returns a module's GAN for such images, conditional where it always is."""
    conditional = getattr(module, "CONDITIONAL", "optional") == "always"
    keras.utils.set_random_seed(0)
    num_classes = source.num_classes if conditional else None
    return module.build(recipe, Task(source.image_shape, num_classes, TRAINING_STEPS))


def make_batch(source, images):
    """Returns a batch of the source with so many images, repeated if there are fewer."""
    batch = next(iter(source.stream(min(images, 64), seed=0)))
    return keras.tree.map_structure(
        lambda x: tf.constant(np.resize(x, (images, *x.shape[1:]))), batch
    )


def make_step(gan, jit_compile):
    """Returns the train step as `fit` compiles it."""
    step = functools.partial(gan.train_step)
    return tf.function(step, jit_compile=jit_compile, autograph=False)


# --- Timing -----------------------------------------------------------------------------------


def advance(step, batch, steps):
    """Takes steps, waits for the last one, and returns the seconds a step."""
    began = time.perf_counter()
    for _ in range(steps):
        logs = step(batch)
    next(iter(logs.values())).numpy()
    return (time.perf_counter() - began) / steps


def measure(gan, batch, seconds, rounds):
    """Times both steps in turn; returns their facts by name."""
    ways = {"xla": make_step(gan, True), "plain": make_step(gan, False)}
    facts, steps = {}, {}
    for name, step in ways.items():
        began = time.perf_counter()
        step.get_concrete_function(batch)
        traced = time.perf_counter()
        advance(step, batch, 1)
        facts[name] = {
            "trace_seconds": traced - began,
            "compile_seconds": time.perf_counter() - traced,
            "round_seconds_a_step": [],
        }
        advance(step, batch, 1)
        steps[name] = min(1000, math.ceil(seconds / advance(step, batch, 1)))
    for _ in range(rounds):
        for name, step in ways.items():
            facts[name]["round_seconds_a_step"].append(advance(step, batch, steps[name]))
    images = keras.tree.flatten(batch)[0].shape[0]
    for fact in facts.values():
        median = statistics.median(fact["round_seconds_a_step"])
        fact |= {"milliseconds": 1e3 * median, "images_per_second": images / median}
    return facts


def timed_row(gan, batch, seconds, rounds):
    """Returns what `measure` does and how they compare, or what TensorFlow says against it."""
    try:
        row = measure(gan, batch, seconds, rounds)
    except tf.errors.OpError as error:
        return {"failed": f"{type(error).__name__}: {error.message.splitlines()[0][:200]}"}
    return row | {"xla_is": row["xla"]["images_per_second"] / row["plain"]["images_per_second"]}


def table_row(row):
    """Returns a line of the table."""
    first = f"| {row['model']} | {row['batch_size']} | {row['dtype']} |"
    if "failed" in row:
        return f"{first} {row['failed']} |" + " |" * (len(COLUMNS) - 1)
    return f"{first} {' | '.join(cell(row) for _, cell in COLUMNS)} |"


# --- Export -----------------------------------------------------------------------------------


def export(gan, batch, path, facts):
    """Writes the step's module, what its parameters and outputs are, and their first values.

    Args:
        gan: compiled `kgan.GAN`.
        batch: what `train_step` takes.
        path: where to, without an ending.
        facts: dict, what else to write beside the parameters.

    Raises:
        ValueError: if the module does not have the parameters that are expected.
    """
    step = make_step(gan, True)
    traced = step.get_concrete_function(batch)
    module = step.experimental_get_compiler_ir(batch)(stage="hlo_serialized")
    program = hlo_pb2.HloModuleProto.FromString(module)
    _renumber(program)
    parameters, values = _parameters(gan, traced, batch)
    _check(parameters, program.host_program_shape.parameters)
    stored = {}
    for number, parameter in enumerate(parameters):
        parameter["start"] = _start(number, values, stored)
    facts = {
        **facts,
        "parameters": parameters,
        "outputs": _outputs(program, traced, parameters),
        "custom_calls": custom_calls(program),
        "versions": versions(),
    }
    with atomic_path(path.with_name(f"{path.name}.hlo.gz")) as to:
        to.write_bytes(gzip.compress(program.SerializeToString(deterministic=True), mtime=0))
    with atomic_path(path.with_name(f"{path.name}.npz")) as to, open(to, "wb") as file:
        np.savez_compressed(file, **stored)
    with atomic_path(path.with_name(f"{path.name}.json")) as to:
        to.write_text(json.dumps(facts, indent=1) + "\n")


def _renumber(program):
    """Numbers instructions from 1 on, since XLA before 2025's end reads no number of 64 bits."""
    instructions = [i for one in program.computations for i in one.instructions]
    numbers = {instruction.id: new for new, instruction in enumerate(instructions, start=1)}
    for computation in program.computations:
        computation.root_id = numbers[computation.root_id]
    for instruction in instructions:
        instruction.id = numbers[instruction.id]
        for ids in (instruction.operand_ids, instruction.control_predecessor_ids):
            ids[:] = [numbers[one] for one in ids]


def variables_of(gan, traced):
    """Returns the variables of a traced step, by the number of what it captured."""
    # A trace does not list what a kernel moves without reading it, as Adam's does its means.
    optimizers = [getattr(gan, f"{player}_optimizer", None) for player in PLAYERS]
    moved = [v.value for one in optimizers if one is not None for v in one.variables]
    return {id(variable.handle): variable for variable in [*traced.graph.variables, *moved]}


def _parameters(gan, traced, batch):
    """Returns what a traced step takes, and their values: the batch, then all that it captured."""
    variables = variables_of(gan, traced)
    named = [(f"batch_{i}", "batch", x) for i, x in enumerate(keras.tree.flatten(batch))]
    for number, captured in enumerate(traced.captured_inputs):
        if captured.dtype == tf.resource:
            variable = variables[id(captured)]
            named.append((variable.name.removesuffix(":0"), "state", variable))
        else:
            named.append((f"constant_{number}", "constant", captured))
    parameters = [
        {"name": name, "role": role, "shape": x.shape.as_list(), "dtype": x.dtype.name}
        for name, role, x in named
    ]
    return parameters, [x.numpy() for _, _, x in named]


def _check(parameters, shapes):
    """Checks what is thought of the module's parameters by what it says itself."""
    expected = [(one["shape"], one["dtype"]) for one in parameters]
    received = [(list(shape.dimensions), _dtype(shape)) for shape in shapes]
    if expected != received:
        differ = [pair for pair in zip(expected, received, strict=False) if pair[0] != pair[1]]
        raise ValueError(
            "XLA's parameters must be the batch and all that the step captured, in this order: "
            f"{len(expected)} of them. Received: {len(received)}, and these pairs differ: {differ}"
        )


def _outputs(program, traced, parameters):
    """Returns what the module gives: the step's logs, and what replaces its state."""
    updates = {}
    for alias in program.input_output_alias.entries:
        updates[tuple(alias.output_shape_index)] = alias.parameter_number
    logs = iter(sorted(traced.structured_outputs))
    outputs = []
    for number, shape in enumerate(program.host_program_shape.result.tuple_shapes):
        replaced = updates.get((number,))
        name = next(logs) if replaced is None else parameters[replaced]["name"]
        fact = {"name": name, "shape": list(shape.dimensions), "dtype": _dtype(shape)}
        outputs.append({**fact, "updates": replaced})
    return outputs


def _dtype(shape):
    """Returns NumPy's name of an XLA type: "S64" is int64."""
    name = xla_data_pb2.PrimitiveType.Name(shape.element_type)
    return TYPES.get(name) or TYPES[name[0]] + name[1:]


def custom_calls(program):
    """Returns what a module calls outside XLA, which another machine may lack."""
    instructions = [i for one in program.computations for i in one.instructions]
    outside = ("infeed", "outfeed", "send", "recv")
    targets = {i.custom_call_target for i in instructions if i.opcode == "custom-call"}
    return sorted(targets | {i.opcode for i in instructions if i.opcode in outside})


def _start(number, values, stored):
    """Says what a parameter is in the first step; `stored` takes those that are kept whole."""
    value = values[number]
    if value.size <= MOST_STORED or not np.issubdtype(value.dtype, np.floating):
        stored[str(number)] = value
        return {"kind": "stored"}
    if value.min() == value.max():
        return {"kind": "full", "value": float(value.flat[0])}
    for earlier in range(number):
        if values[earlier].shape == value.shape and np.array_equal(values[earlier], value):
            return {"kind": "copy", "of": earlier}
    mean, spread = float(value.mean()), math.sqrt(3) * float(value.std())
    return {"kind": "uniform", "low": mean - spread, "high": mean + spread}


# --- The program ------------------------------------------------------------------------------


def chosen(models):
    """Returns the zoo's modules by name: those with these names, or all.

    Args:
        models: str with commas between names, or "all".

    Raises:
        ValueError: if there is no such module.
    """
    found = recipes()
    names = list(found) if models == "all" else models.split(",")
    for name in names:
        if name not in found:
            raise ValueError(f"Unknown model. {suggest(name, found)} Received: {name!r}")
    return {name: found[name] for name in names}


def cells(options):
    """Yields name, facts, GAN and batch of each model, precision and batch size."""
    for name, module in chosen(options.models).items():
        recipe = module.RECIPES[options.recipe]
        source = prepared(module, recipe, kgan.data.ImageSource.find)(
            "digits", image_size=options.image_size, channels=options.channels
        )
        for dtype in options.dtype.split(","):
            keras.backend.clear_session()
            keras.config.set_dtype_policy(dtype)
            gan = make_gan(module, recipe, source)
            for batch_size in map(int, options.batch_sizes.split(",")):
                batch = make_batch(source, batch_size * recipe.discriminator_steps)
                facts = {
                    "model": name,
                    "recipe": options.recipe,
                    "image_shape": list(source.image_shape),
                    "batch_size": batch_size,
                    "images_per_step": keras.tree.flatten(batch)[0].shape[0],
                    "dtype": dtype,
                    "tf32": options.tf32,
                }
                yield facts, gan, batch


def export_all(options):
    """Writes all steps into a folder."""
    options.export.mkdir(parents=True, exist_ok=True)
    for facts, gan, batch in cells(options):
        name = "{model}_{recipe}_{batch_size}_{dtype}".format(**facts)
        export(gan, batch, options.export / name, facts)
        print(name, flush=True)


def time_all(options):
    """Times all steps, and writes a row for each."""
    computer = machine()
    device = computer["gpus"][0] if computer["gpus"] else computer["processor"]
    if not computer["gpus"]:
        print("TensorFlow sees no GPU: these are the numbers of the CPU.")
    print(f"{device}\n")
    titles = ("model", "batch", "dtype", *(title for title, _ in COLUMNS))
    print(f"| {' | '.join(titles)} |\n|{' --- |' * len(titles)}")
    record = {"device": device, "machine": computer, "versions": versions(), "rows": []}
    for facts, gan, batch in cells(options):
        row = facts | timed_row(gan, batch, options.seconds, options.rounds)
        print(table_row(row), flush=True)
        record["rows"].append(row)
        with atomic_path(options.out) as to:
            to.write_text(json.dumps(record, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="all", help="names with commas between them")
    parser.add_argument("--batch_sizes", default="64,256,1024,4096", help="a discriminator update")
    parser.add_argument("--dtype", default=",".join(DTYPES), help="dtype policies of Keras")
    parser.add_argument("--tf32", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--recipe", default="default", help="which of each model's recipes")
    parser.add_argument("--image_size", default="64")
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="about what a round takes")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--export", type=pathlib.Path, help="a folder: write steps, time nothing")
    options = parser.parse_args()
    tf.config.experimental.enable_tensor_float_32_execution(options.tf32)
    (export_all if options.export else time_all)(options)


if __name__ == "__main__":
    main()
