"""The training program that all zoo modules share.

A zoo module calls `main()` and holds what makes it that GAN: `PAPER`, `RECIPES` by data set with a
`"default"`, and `build(recipe, task, **compile_options)`. It may say `CONDITIONAL`, `"never"` or
`"always"` where the default, `"optional"`, is wrong; `PUBLISHED`, the paper's numbers by data set
and result; and `prepare(source, recipe)`, what its GAN sees of the data.
"""

import contextlib
import dataclasses
import functools
import pathlib
import shlex
import shutil
import sys
import textwrap

import keras
import tensorflow as tf

import kgan
from kgan import backend, precision, transfer, workers
from kgan.data import augmentation
from kgan.export import ExportError
from kgan.files import atomic_path
from kgan.layers.normalization import synchronize_batch_norm
from kgan.metrics.evaluation import parse_metrics
from kgan.metrics.splits import datasets_for
from kgan.quiet import quiet_start
from kgan.zoo import options
from kgan.zoo.recipe import Task
from kgan.zoo.run import RunFolder, check_same, machine, versions

# What a user can mend: shown as one line, without a traceback.
USER_ERRORS = (
    ValueError,
    OSError,
    kgan.callbacks.CheckpointError,
    kgan.callbacks.NonFiniteLossError,
)
INTERRUPTED = 130
# One of several workers was killed, or its machine or the network failed: the others cannot go on.
WORKER_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.DeadlineExceededError,
)
# Flags that replace the recipe's setting of the same name.
RECIPE_FLAGS = (
    "epochs",
    "batch_size",
    "generator_learning_rate",
    "discriminator_learning_rate",
    "discriminator_steps",
    "image_size",
)
# Flags of which there may be several: the argument of `GAN.compile`, and what reads a value.
COMPONENTS = {
    "auxiliary_loss": ("auxiliary_losses", kgan.losses.get_auxiliary),
    "penalty": ("penalties", kgan.penalties.get),
    "augment": ("augment", kgan.augment.get),
    "dynamics": ("dynamics", kgan.dynamics.get),
}


def main(module=None, argv=None):
    """Runs a zoo module as a program and ends the process with its exit status.

    Args:
        module: the zoo module. Defaults to the one that Python was started with.
        argv: list of str, the command line without the program's name. Defaults to `sys.argv`'s.
    """
    module = sys.modules["__main__"] if module is None else module
    argv = sys.argv[1:] if argv is None else argv
    if {"--help", "--helpshort", "--helpfull", "-h", "-help"} & set(argv):
        print(f"{module.__doc__}{options.help_text()}")
        sys.exit(0)
    try:
        sys.exit(run(module, argv))
    except USER_ERRORS as error:
        sys.exit(f"{_name(module)}: {error}")
    except WORKER_LOST as error:
        sys.exit(f"{_name(module)}: {_worker_lost(error)}")


def run(module, argv):
    """Trains as the command line says, and returns the exit status.

    Args:
        module: the zoo module.
        argv: list of str, the command line without the program's name.

    Raises:
        ValueError, OSError: for what a user can mend; the message says how.
    """
    given, values = options.parse(argv)
    folder = RunFolder(values["out"] or f"runs/{_name(module)}_{_dataset_name(values)}")
    saved = folder.open(values["resume"], values["overwrite"])
    if saved is None and values["resume"]:
        print(f"{folder.path} holds no run yet: a new one begins.")
    flags = _settings(module, given, values, saved)
    return Training(module, flags, folder, saved).run(values["dry_run"])


def _settings(module, given, values, saved):
    """Returns the flags of the run: those given, over the saved run's, over the defaults."""
    given, values = (
        {name: value for name, value in flags.items() if name not in options.CALL_ONLY}
        for flags in (given, values)
    )
    if saved is not None:
        if saved["module"] != _name(module):
            raise ValueError(
                f"The run was trained by kgan.zoo.{saved['module']}: resume it with that. "
                f"Received: kgan.zoo.{_name(module)}"
            )
        if saved.get("precision"):  # measured once, when the run began
            given = {k: v for k, v in given.items() if (k, v) != ("mixed_precision", "auto")}
        check_same(given, saved["flags"])
        return {**values, **saved["flags"], **given}  # A flag may be younger than the run.
    if given.get("epochs") and given.get("steps"):
        raise ValueError(
            "Give --epochs or --steps, not both. "
            f"Received: --epochs={given['epochs']} --steps={given['steps']}"
        )
    if values["mixed_precision"] == "auto" and values["strategy"] == "multi_worker":
        raise ValueError(
            "Workers could each choose another type: give one by name with --mixed_precision. "
            "Received: --mixed_precision=auto --strategy=multi_worker"
        )
    return values


class Training:
    """One training, from finding the data to the exported model.

    Args:
        module: the zoo module.
        flags: dict, the settings of the run by flag name.
        folder: `RunFolder`.
        saved: dict, the configuration of the run to go on with, or None for a new one.
    """

    def __init__(self, module, flags, folder, saved=None):
        self.module = module
        self.flags = flags
        self.folder = folder
        self.recipe = _resolve_recipe(module, flags)
        self._set_up_machine()
        self.source = prepared(module, self.recipe, kgan.data.ImageSource.find)(
            flags["dataset"],
            image_size=self.recipe.image_size,
            channels=flags["channels"],
            data_dir=flags["data_dir"],
        )
        self.num_classes = self._num_classes()
        _read(
            "data_augment",
            lambda names: augmentation.parse(names, self.source.image_shape),
            flags["data_augment"],
        )
        self.game = _game(flags)
        self.evaluation = self._evaluation()
        self.batch_size = self.recipe.batch_size * self.recipe.discriminator_steps
        self._check_parts()
        self.steps_per_epoch = self.source.num_examples // self.batch_size
        if self.steps_per_epoch == 0:
            raise ValueError(
                f"{self.source.name} has {self.source.num_examples} images, and a step takes "
                f"{self.batch_size}: give a smaller --batch_size. Received: "
                f"--batch_size={self.recipe.batch_size}"
            )
        self.steps = flags["steps"] or self.recipe.epochs * self.steps_per_epoch
        self.precision = (saved or {}).get("precision")
        if flags["mixed_precision"] == "auto":
            self._measure_precision()
        self.config = {
            "module": _name(module),
            "command": _command(module, flags),
            "flags": flags,
            "recipe": dataclasses.asdict(self.recipe),
            "image_shape": self.source.image_shape,
            "steps_per_epoch": self.steps_per_epoch,
            "steps": self.steps,
            "precision": self.precision,
            "versions": versions(),
            "machine": machine(),
        }
        self.is_new = saved is None

    def run(self, dry_run=False):
        """Trains, saves and exports, and returns the exit status.

        Args:
            dry_run: bool, whether to stop before anything is written. Defaults to False.
        """
        if self.is_chief:
            self._print_configuration()
        with self._scope():
            gan = self._restore() or self._build()
        if self.flags["synchronized_batch_norm"]:
            synchronize_batch_norm(*gan.networks.values())
        for callback in self.evaluation:
            callback.evaluation.prepare(callback.dataset, gan)
        if dry_run:  # Not before: it refuses what the run would refuse.
            return 0
        if self.is_new and self.is_chief:
            self.folder.begin(self.config)
        interrupted = self._train(gan)
        if self.is_chief:
            self._say_how_to_resume(gan, interrupted) if interrupted else self._finish(gan)
        workers.gather(self.strategy, [0])  # The chief may still need who would end before it.
        return INTERRUPTED if interrupted else 0

    def _set_up_machine(self):
        with quiet_start():
            tf.config.list_physical_devices()
            self.strategy = _strategy(self.flags)
        self.is_chief = workers.is_chief(self.strategy)
        keras.utils.set_random_seed(self.flags["seed"])
        if self.flags["deterministic"]:
            by_default = backend.default_jit_compile(self.strategy)
            with_xla = {"auto": by_default, "true": True, "false": False}
            backend.make_deterministic(with_xla[self.flags["jit_compile"]])
        kind = self.flags["mixed_precision"]
        is_half = kind in precision.HALF
        keras.config.set_dtype_policy(f"mixed_{kind}" if is_half else "float32")

    def _measure_precision(self):
        """Decides what `--mixed_precision=auto` is here; the run is as if it had been given so."""

        def make():
            with self._scope():
                return self._compiled()

        data = self.source.stream(self.batch_size, seed=self.flags["seed"])
        seconds = precision.seconds_per_step(make, data)
        chosen = precision.fastest(seconds)
        kinds = {policy: policy.removeprefix("mixed_") for policy in seconds}
        self.precision = {
            "chosen": kinds[chosen],
            "milliseconds_per_step": {kinds[k]: 1000 * value for k, value in seconds.items()},
        }
        self.flags["mixed_precision"] = {"float32": "none"}.get(kinds[chosen], kinds[chosen])
        # Names of layers and random states begin anew.
        keras.utils.clear_session()
        self._set_up_machine()

    def _precision_words(self):
        chosen = self.precision["chosen"]
        took = dict(self.precision["milliseconds_per_step"])
        own = f"{chosen}, measured {took.pop(chosen):.3g} ms a step against "
        return own + ", ".join(f"{value:.3g} in {kind}" for kind, value in took.items())

    def _num_classes(self):
        """Returns the classes of a conditional game, or None."""
        mode = getattr(self.module, "CONDITIONAL", "optional")
        asked, given = self.flags["conditional"], self.flags["num_classes"]
        received = "--conditional" if given is None else f"--num_classes={given}"
        if mode == "never" and (asked or given):
            raise ValueError(f"There is no conditional form of it. Received: {received}")
        if mode == "always" and asked is False:
            raise ValueError("It needs the data's labels. Received: --noconditional")
        if asked is False and given:
            raise ValueError(f"Without labels there are no classes. Received: {received}")
        if not (asked or given or mode == "always"):
            return None
        found = self.source.num_classes
        if found is None:
            raise ValueError(
                "A conditional GAN needs a data set with two classes or more. "
                f"Received: --dataset={self.flags['dataset']}, which has none"
            )
        if given is not None and given < found:
            raise ValueError(
                f"--num_classes must be at least the data's {found}. Received: {given}"
            )
        return given or found

    def _find(self, split, cache="auto"):
        """Returns the images of a split, all of the shape that is learned."""
        if split == "train":
            return self.source
        shape = {"image_size": self.recipe.image_size, "channels": self.flags["channels"]}
        if not hasattr(self.module, "prepare"):  # which may change the shape of what is found
            shape = {
                "image_size": self.source.image_shape[:2],
                "channels": self.source.image_shape[2],
            }
        return prepared(self.module, self.recipe, kgan.data.ImageSource.find)(
            self.flags["dataset"],
            split=split,
            cache=cache,
            data_dir=self.flags["data_dir"],
            **shape,
        )

    def _evaluation(self):
        """Returns a list of the callback that measures samples, empty if nothing is measured."""
        if not self.flags["metrics"]:
            return []
        metrics = _read("metrics", parse_metrics, self.flags["metrics"])
        features = self.flags["features"]
        if features != "auto":
            features = _read("features", kgan.metrics.features.get, features)
        return [
            kgan.callbacks.Evaluate(
                metrics,
                datasets_for(metrics, self._find),
                every=self.flags["evaluate_every_epochs"],
                n=self.flags["evaluation_samples"],
                features=features,
            )
        ]

    def _scope(self):
        """Returns the scope in which variables are made for all replicas."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def _check_parts(self):
        replicas = self.strategy.num_replicas_in_sync if self.strategy else 1
        if self.recipe.batch_size % replicas:
            raise ValueError(
                f"Each of {replicas} devices takes an equal part of a batch: give a --batch_size "
                f"that {replicas} divides. Received: --batch_size={self.recipe.batch_size}"
            )
        parts = self.flags["micro_batches"]
        if self.recipe.batch_size // replicas % parts:
            raise ValueError(
                f"--micro_batches must divide the {self.recipe.batch_size // replicas} images of "
                f"a batch on a device. Received: --micro_batches={parts}"
            )

    def _compiled(self):
        """Returns the game that is trained, with its initial weights."""
        task = Task(self.source.image_shape, self.num_classes, self.steps)
        jit_compile = {"auto": "auto", "true": True, "false": False}[self.flags["jit_compile"]]
        gan = self.module.build(self.recipe, task, jit_compile=jit_compile)
        changes = _game(self.flags)
        if self.flags["micro_batches"] > 1:
            changes["micro_batches"] = self.flags["micro_batches"]
        if self.flags["rematerialize"]:
            changes["rematerialize"] = True
        if changes:
            gan.compile(**{**gan.compile_arguments, **changes})
        return gan

    def _build(self):
        gan = self._compiled()
        if self.flags["init_from"]:
            self._initialize(gan)
        return gan

    def _initialize(self, gan):
        """Starts from the weights of another GAN, and says which they are."""
        try:
            report = transfer.initialize(gan, self.flags["init_from"])
        except (ValueError, OSError, ImportError) as error:
            raise ValueError(f"--init_from: {error}") from error
        self.config["init_from"] = dataclasses.asdict(report)
        if self.is_chief:
            _print_lines({"start from": ("\n" + " " * 12).join(report.table())})

    def _restore(self):
        checkpoint = None if self.is_new else self.folder.last_checkpoint()
        self._check_all_see(checkpoint)
        if checkpoint is None:
            return None
        if self.is_chief:
            print(f"Resuming from {checkpoint}")
        return kgan.load_gan(checkpoint)

    def _check_all_see(self, checkpoint):
        """Raises unless all workers found the same checkpoint; none writes before all looked."""
        step = -1 if checkpoint is None else int(checkpoint.stem.removeprefix("step-"))
        steps = workers.gather(self.strategy, [step]).tolist()
        if len(set(steps)) > 1:
            raise ValueError(
                f"All workers must see the same files in --out={self.folder.path}, as of a shared "
                f"file system. Received: last checkpoints of steps {steps} (-1 is none), by worker"
            )

    def _train(self, gan):
        """Trains to the end, or until something stops it, whose name it returns."""
        several = workers.count(self.strategy) > 1
        interrupt = (
            kgan.callbacks.AgreedInterrupt() if several else kgan.callbacks.GracefulInterrupt()
        )
        callbacks = self._callbacks(interrupt)
        while gan.steps_trained < self.steps:  # Steps that the watch took back are left.
            done = gan.steps_trained
            for first, last, steps in epoch_segments(done, self.steps, self.steps_per_epoch):
                gan.fit(
                    self._stream(gan),
                    initial_epoch=first,
                    epochs=last,
                    steps_per_epoch=steps,
                    shuffle=False,  # the stream has its own order
                    verbose=(1 if sys.stdout.isatty() else 2) if self.is_chief else 0,
                    callbacks=callbacks,
                )
                if gan.stop_training:
                    return interrupt.received.name if interrupt.received else "the collapse watch"
        return None

    def _stream(self, gan):
        """The data from where the model stands: batch k is the same in every process."""
        stream = functools.partial(
            self.source.stream,
            self.batch_size,
            seed=self.flags["seed"],
            initial_step=gan.steps_trained,
            horizontal_flip=self.flags["horizontal_flip"],
            augment=self.flags["data_augment"],
        )
        return workers.distribute(self.strategy, stream, self.batch_size)

    def _callbacks(self, interrupt):
        every = self.flags["sample_every_epochs"]
        callbacks = [
            kgan.callbacks.TerminateOnNonFinite(self.folder.checkpoints),
            interrupt,
            *self._watch(),
            *self.evaluation,  # before those that show or keep its logs
        ]
        if not self.is_chief:
            return callbacks
        return [
            *callbacks,
            kgan.callbacks.MetricsLog(self.folder.metrics),
            kgan.callbacks.Curves(self.folder.curves, self.folder.metrics, every_epochs=every),
            kgan.callbacks.SampleGrid(self.folder.samples, every_epochs=every),
            kgan.callbacks.TensorBoard(self.folder.logs, every_epochs=every),
            kgan.callbacks.Checkpoint(
                self.folder.checkpoints, every_epochs=self.flags["checkpoint_every_epochs"]
            ),
        ]

    def _watch(self):
        action = self.flags["collapse"]
        if action == "none":
            return []
        checkpoints = self.folder.checkpoints if action == "restore" else None
        return [kgan.callbacks.CollapseWatch(action, checkpoints)]

    def _finish(self, gan):
        with atomic_path(self.folder.model) as temporary:
            shutil.copyfile(self.folder.last_checkpoint(), temporary)
        made = {
            "samples": max(self.folder.samples.glob("epoch-*.png")),
            "curves": self.folder.curves,
            "model": self.folder.model,
        }
        if self.flags["export"]:
            exported = self.folder.export / "1"
            made["SavedModel"] = exported if exported.exists() else self._export(gan)
        _print_lines(made)

    def _export(self, gan):
        """Exports, and returns where to, or why not: the training is whole all the same."""
        try:
            return gan.export(self.folder.export)
        except ExportError as error:
            return f"none. {error}"

    def _print_configuration(self):
        recipe = [f"{k}={v}" for k, v in dataclasses.asdict(self.recipe).items() if v is not None]
        shape = "x".join(map(str, self.source.image_shape))
        epochs = self.steps / self.steps_per_epoch
        classes = f", of {self.num_classes} classes" if self.num_classes else ""
        lines = {
            "model": f"{_name(self.module)} ({self.module.PAPER})",
            "data": f"{self.source.name}: {self.source.num_examples:,} images of {shape}{classes}",
            "recipe": textwrap.fill(", ".join(recipe), 85, subsequent_indent=" " * 12),
            "training": f"{self.steps:,} steps, {epochs:.4g} epochs of {self.steps_per_epoch:,}",
            "run": self.folder.path,
        }
        if self.game:
            lines["game"] = ", ".join(_game_words(self.flags)) + "; the rest is the recipe's"
        if self.precision:
            lines["precision"] = self._precision_words()
        _print_lines(lines)

    def _say_how_to_resume(self, gan, received):
        print(
            f"\nStopped by {received} after step {gan.steps_trained} "
            f"of {self.steps} and saved. Go on with:\n"
            f"    python -m kgan.zoo.{_name(self.module)} --out={self.folder.path} --resume"
        )


def epoch_segments(done, total, per_epoch):
    """Divides the steps that are left into calls of `fit`.

    `fit` trains whole epochs of equal length: what is left of an interrupted epoch, the whole
    epochs, and a last part of one are a call each.

    Args:
        done: int >= 0, steps trained already.
        total: int, steps of the whole training.
        per_epoch: int >= 1, steps of a whole epoch.

    Returns:
        List of `(initial_epoch, epochs, steps_per_epoch)`.

    Example:
    >>> epoch_segments(done=5, total=22, per_epoch=4)
    [(1, 2, 3), (2, 5, 4), (5, 6, 2)]
    """
    segments = []
    while done < total:
        epoch, begun = divmod(done, per_epoch)
        left = min(per_epoch - begun, total - done)
        last = total // per_epoch if left == per_epoch else epoch + 1
        segments.append((epoch, last, left))
        done = epoch * per_epoch + begun + left if last == epoch + 1 else last * per_epoch
    return segments


def _command(module, flags):
    """Returns the command line that gives these flags, without what is the default anyway."""
    _, defaults = options.parse([])
    different = {name: value for name, value in flags.items() if value != defaults[name]}
    different["dataset"] = flags["dataset"]
    return f"python -m kgan.zoo.{_name(module)} " + shlex.join(
        f"--{name}={str(value).lower() if isinstance(value, bool) else value}"
        for name, given in sorted(different.items())
        for value in (given if isinstance(given, list) else [given])
    )


def _game(flags):
    """Returns the arguments of `GAN.compile` that the flags replace."""
    game = {"loss": _read("loss", kgan.losses.get, flags["loss"])} if flags["loss"] else {}
    for name in ("updates", "discriminator_steps"):
        if flags[name]:
            game[name] = flags[name]
    for flag, (argument, get) in COMPONENTS.items():
        if flags[flag]:
            game[argument] = [_read(flag, get, text) for text in _without_none(flags[flag])]
    return game


def _read(flag, get, text):
    """Returns what a flag's value stands for; an error says which flag it was."""
    try:
        return get(text)
    except ValueError as error:
        raise ValueError(f"--{flag}: {error}") from error
    except TypeError as error:
        raise ValueError(f"--{flag}: {error}. Received: {text!r}") from error


def _without_none(words):
    return [word for word in words if word != "none"]


def _worker_lost(error):
    """Returns what to tell of an error of the exchange among workers."""
    reason = str(error).strip().splitlines()[-1]
    return (
        "Another worker is gone or cannot be reached, and none goes on without it. Start all "
        f"again with --resume. Received: {type(error).__name__}: {reason}"
    )


def _strategy(flags):
    """Returns what divides the work, or None; several workers meet before any computation."""
    if flags["strategy"] == "multi_worker":
        return _read("strategy=multi_worker", lambda _: backend.multi_worker(), None)
    if flags["strategy"] == "mirrored":
        return backend.mirrored()
    if flags["synchronized_batch_norm"]:
        raise ValueError(
            "--synchronized_batch_norm is for --strategy=mirrored and --strategy=multi_worker. "
            "Received: --strategy=none"
        )
    return None


def _game_words(flags):
    """Yields what the flags replace in the game, as they were given."""
    for name in options.GROUPS["Game"]:
        if flags[name]:
            value = flags[name]
            if isinstance(value, list):
                value = " + ".join(_without_none(value)) or "none"
            yield f"{name}={value}"


def _print_lines(lines):
    for name, value in lines.items():
        print(f"{name:>10}  {value}", flush=True)


def _dataset_name(flags):
    """Returns what to call the data in a path: a folder's own name, a data set's without `/`."""
    return pathlib.Path(flags["dataset"]).resolve().name.replace(":", "_")


def _name(module):
    """Returns the name of a zoo module, also when it runs as `__main__`."""
    return pathlib.Path(module.__file__).stem


def _resolve_recipe(module, flags):
    """Returns the data set's recipe with what the flags replace."""
    recipe = module.RECIPES.get(flags["dataset"], module.RECIPES["default"])
    given = {name: flags[name] for name in RECIPE_FLAGS if flags[name] is not None}
    return _read("set", recipe.but_as_given, flags["set"] or []).but(**given)


def prepared(module, recipe, find):
    """Returns a function that finds images as `find` does, and shows what this GAN sees of them.

    Args:
        module: the zoo module.
        recipe: `Recipe`.
        find: function to a `kgan.data.ImageSource`.
    """
    prepare = getattr(module, "prepare", None)
    return find if prepare is None else lambda *a, **k: prepare(find(*a, **k), recipe)
