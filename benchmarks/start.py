"""How long a program takes from its start to the end of its first train step.

    python benchmarks/start.py

Runs `python -m kgan.zoo.dcgan --dataset=mnist` (needs MNIST in TFDS_DATA_DIR) in fresh processes,
in three ways that take turns: without XLA; with it and an empty persistent cache; and with one that
a run before has filled. That is TensorFlow's own, of TF_XLA_FLAGS. A process is left as it is,
but that Keras's first call of `on_train_batch_end`, when the step's logs are numbers, ends it.
Seconds and processor time, of all cores, are from before Python starts until then.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from common import markdown, parse, parser, settings, write

ROOT = pathlib.Path(__file__).parents[1]
WAYS = ("no XLA", "XLA, empty cache", "XLA, full cache")
# Python imports this module by itself before the program begins.
WATCH = '''
import importlib.machinery, os, sys

class Watch:
    """Lets the first train step end the process."""

    def find_spec(self, name, path=None, target=None):
        if name != "keras.src.callbacks.callback_list":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            module.CallbackList.on_train_batch_end = end

        spec.loader.exec_module = exec_module
        return spec

def end(self, batch, logs=None):
    values = [float(value) for value in logs.values()]
    sys.stdout.flush()
    os._exit(0 if values else 1)

sys.meta_path.insert(0, Watch())
'''


def measure(command, folder, way):
    """Returns the seconds, and those of the processor, until the first step has ended.

    Args:
        command: list of str, the program and its flags.
        folder: path, for what the process reads and writes.
        way: str, one of `WAYS`.
    """
    xla = way != "no XLA"
    cache = folder / ("full" if way == "XLA, full cache" else f"empty{time.time_ns()}")
    cache.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (folder, ROOT))),
        "TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={cache}" if xla else "",
    }
    flags = [f"--jit_compile={str(xla).lower()}", f"--out={folder / str(time.time_ns())}"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *command, *flags], env=environment, capture_output=True, text=True
    )
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "processor_seconds": spent, "cache_bytes": _size(cache)}


def _size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(argv=None):
    made = parser(__doc__, "start")
    made.add_argument("--command", default="kgan.zoo.dcgan --dataset=mnist", help="what starts")
    made.add_argument("--rounds", type=int, default=5, help="processes of each way")
    options = parse(made, argv, command="kgan.zoo.gan --dataset=digits", rounds=1)
    command, measured = options.command.split(), {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "sitecustomize.py").write_text(WATCH)
        for way in WAYS:  # reads files, and fills the full cache
            measure(command, folder, way)
        for _ in range(options.rounds):
            for way in WAYS:
                measured[way].append(measure(command, folder, way))
    rows = [{"way": way, "runs": runs, **_medians(runs)} for way, runs in measured.items()]
    lines = [
        [row["way"], *(f"{row[name]:.1f} s" for name in ("seconds", "processor_seconds"))]
        for row in rows
    ]
    print(markdown(["", "first step after", "processor time"], lines))
    write(options.out, options=settings(options), rows=rows)
    return 0


def _medians(runs):
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


if __name__ == "__main__":
    sys.exit(main())
