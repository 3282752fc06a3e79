"""Processes that train in turn, so that no thread of one way disturbs another."""

import concurrent.futures
import importlib
import multiprocessing
import statistics
import time

# Forked threads of TensorFlow would hang.
CONTEXT = multiprocessing.get_context("spawn")


def count_flops(side, arguments):
    """Returns the floating-point operations of a step, counted in a process of its own."""
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=CONTEXT) as pool:
        return pool.submit(_count_here, side, arguments).result()


def _count_here(side, arguments):
    return importlib.import_module(f"benchmarks.against_pytorch.{side}").Side(*arguments).flops()


def serve(pipe, side, arguments):
    """Trains as many steps as the pipe asks for, and answers with the seconds it took."""
    try:
        module = importlib.import_module(f"benchmarks.against_pytorch.{side}")
        way = module.Side(*arguments)
        pipe.send(0.0)
        while True:
            steps = pipe.recv()
            began = time.perf_counter()
            way.train(steps)
            pipe.send(time.perf_counter() - began)
    except EOFError:
        return  # the parent has closed the pipe: all rounds are over
    except Exception as error:
        # A way that this machine lacks (no C++ compiler) must not take the others with it.
        pipe.send(f"{type(error).__name__}: {error}"[:500])


class Way:
    """A process that trains one game in one way when it is asked to."""

    def __init__(self, side, mode, arguments):
        self.side, self.mode = side, mode
        self.rates = []
        self.compile_seconds = self.error = self.step_seconds = None
        self.pipe, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=serve, args=(theirs, side, arguments), daemon=True)
        self.process.start()
        theirs.close()
        # Ways start one after the other: else they would compile at the same time.
        self._receive()

    def _receive(self):
        """Returns the seconds that the process answers with, or None if it has failed."""
        try:
            answer = self.pipe.recv()
        except EOFError:
            answer = f"its process has ended, with exit code {self.process.exitcode}"
        if isinstance(answer, str):
            self.error = answer
            return None
        return answer

    def train(self, steps):
        """Returns the seconds of these steps, or None once it has failed."""
        if self.error is not None:
            return None
        self.pipe.send(steps)
        return self._receive()

    def warm_up(self):
        """Compiles, and finds out how long a step takes."""
        first, _, later, last = (self.train(steps) for steps in (1, 1, 2, 2))
        if self.error is None:
            self.step_seconds = min(later, last) / 2
            self.compile_seconds = max(0.0, first - self.step_seconds)

    def measure(self, images_per_step, round_seconds):
        """Trains for about this long, and keeps the images a second."""
        if self.error is not None:
            return
        steps = max(2, round(round_seconds / self.step_seconds))
        seconds = self.train(steps)
        if seconds is not None:
            self.rates.append(steps * images_per_step / seconds)

    def close(self):
        self.pipe.close()
        self.process.join(timeout=30)
        if self.process.is_alive():
            self.process.kill()

    @property
    def rate(self):
        """The median of its rounds, in images a second; 0 if it failed."""
        return statistics.median(self.rates) if self.error is None else 0.0

    def as_json(self):
        return {
            "images_per_second": self.rates,
            "median": self.rate,
            "compile_seconds": self.compile_seconds,
            "error": self.error,
        }
