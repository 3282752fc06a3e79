"""Does `kgan.callbacks.CollapseWatch` speak when a run collapses, and only then?

    python benchmarks/collapse_watch.py [--only ring,mnist] [--seed 1]
    python benchmarks/collapse_watch.py --cost

Short runs of small GANs on points of a plane, scikit-learn's digits and MNIST, with eight kinds of
loss. The healthy ones are what anybody would train. Of the others, most train well until
something befalls them at a known step (a learning rate jumps, the discriminator freezes, weights
are blown up, …), and some have settings that never work.

Whether a run is healthy is not asked of the watch. Every 50 steps, 500 fakes are compared with 500
held-out reals. At such a point the run is sick if a loss or a fake is not finite, if at most half
of the modes or classes are hit, or if coverage (Naeem et al. 2020) is under 0.05.

- A run has collapsed if it was not sick in the 200 steps before the blow, if there was one, and at
  some point after the blow, or after step 500, it was sick and stayed so at four of five of all
  points to the end, 500 steps or more. The first such point is the collapse: its true step is at
  most 50 earlier. The point at the blow itself is not looked at, nor are those up to step 500: all
  generators begin sick.
- A run is healthy if after step 500 it was never sick, and at the points of its last quarter four
  of five modes were hit and coverage was above 0.1, both on average.

What turns out to be neither, or not what it was meant to be, is shown and not counted. The watch
is right with a collapsed run if it first speaks after the blow (without one, after the last point
before the collapse that was not sick) and at most 500 steps after the collapse; with a healthy one
if it never speaks.

Thresholds of the watch were chosen with seed 0 of the runs that are not marked "new".
"""

import argparse
import collections
import dataclasses
import functools
import itertools
import json
import pathlib
import statistics
import time
import warnings
from collections.abc import Callable

import kgan  # isort: split

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kgan.penalties import R1, GradientPenalty, Penalty
from kgan.zoo import dcgan
from kgan.zoo.recipe import Task
from kgan.zoo.run import machine, versions

LATENT_DIM, STEPS_PER_EXECUTION = 8, 10
TRUTH_EVERY, TRUTH_SIZE, NEIGHBORS = 50, 500, 5
GRACE, IN_TIME = 500, 500
# What is measured of a run at one of its points.
POINT = "step", "coverage", "classes", "sick"


# --- Data ---------------------------------------------------------------------------------------


def grid():
    """Returns 25 Gaussians, wider than mode_coverage.py's: small networks learn them in seconds."""
    axis = np.linspace(-0.8, 0.8, 5)
    return _gaussians(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2))


def ring():
    """Returns 8 Gaussians on a ring."""
    angles = 2 * np.pi * np.arange(8) / 8
    return _gaussians(0.8 * np.stack([np.cos(angles), np.sin(angles)], axis=-1))


def _gaussians(means, deviation=0.03):
    generator = np.random.default_rng(0)
    labels = generator.integers(len(means), size=20_000)
    points = means[labels] + deviation * generator.normal(size=(len(labels), 2))
    return points.astype("float32"), labels.astype("int32")


def _images(name):
    batches = kgan.data.load(name, 500, drop_remainder=False, shuffle=False)
    images, labels = zip(*batches.take(40).as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


@functools.cache
def draw_data(name):
    """Returns points or images in [-1, 1], and their modes or classes."""
    return {"grid": grid, "ring": ring}.get(name, lambda: _images(name))()


# --- Ground truth -------------------------------------------------------------------------------


class Truth(keras.callbacks.Callback):
    """Measures a run with what the watch does not see: held-out reals, and latents of its own.

    Coverage (Naeem et al. 2020, arXiv 2002.09797, equation 5) is the share of reals with a fake
    nearer than their 5th nearest real. A class is hit if a fifth of its share of fakes has its
    nearest real there.

    Args:
        reals: array `(n, …)`.
        labels: int array `(n,)`.
    """

    def __init__(self, reals, labels):
        super().__init__()
        self.reals = reals.reshape(len(reals), -1).astype("float64")
        self.labels = labels
        self.radii = np.sort(distances(self.reals, self.reals), axis=1)[:, NEIGHBORS]
        self.shares = np.bincount(labels) / len(labels)
        self.points = []

    def on_train_batch_end(self, batch, logs=None):
        """Measures if it is time."""
        step = batch + 1
        if step % TRUTH_EVERY == 0:
            finite = all(np.isfinite(v) for k, v in logs.items() if k.endswith("loss"))
            self.points.append({"step": step, **self.measure(self.draw(), finite)})

    def draw(self):
        """Returns fakes of the generator as it trains."""
        shape = (len(self.reals), LATENT_DIM)
        latents = np.random.default_rng(0).normal(size=shape).astype("float32")
        inputs = [latents, self.labels] if self.model.is_conditional else latents
        fakes = ops.convert_to_numpy(self.model.generator(inputs, training=True))
        return fakes.reshape(len(fakes), -1).astype("float64")

    def measure(self, fakes, finite=True):
        """Returns coverage, the share of classes hit, and whether that is sick."""
        if not (finite and np.isfinite(fakes).all()):
            return {"coverage": 0.0, "classes": 0.0, "sick": True}
        between = distances(self.reals, fakes)
        hits = np.bincount(self.labels[between.argmin(axis=0)], minlength=len(self.shares))
        coverage = float(np.mean(between.min(axis=1) < self.radii))
        classes = float(np.mean(hits >= 0.2 * self.shares * len(fakes)))
        sick = classes <= 0.5 or coverage < 0.05
        return {"coverage": coverage, "classes": classes, "sick": sick}


def distances(a, b):
    """Returns the distances of all pairs."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0.0))


def collapse_step(points, at=None):
    """Returns the point at which a run collapsed, or None; see above."""
    after = [p for p in points if p["step"] > (GRACE if at is None else at)]
    if at is not None and any(p["sick"] for p in points if at - 200 <= p["step"] < at):
        return None
    for i, point in enumerate(after):
        lasts = np.mean([p["sick"] for p in after[i:]]) >= 0.8
        if point["sick"] and lasts and point["step"] <= points[-1]["step"] - IN_TIME:
            return point["step"]
    return None


def is_healthy(points):
    """Whether a run was never sick, and is well in the end; see above."""
    last = points[-len(points) // 4 :]
    classes, coverage = (np.mean([p[name] for p in last]) for name in ("classes", "coverage"))
    was_sick = any(p["sick"] for p in points if p["step"] > GRACE)
    return bool(not was_sick and classes >= 0.8 and coverage > 0.1)


# --- Settings -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Run:
    """One training; `blow` is what befalls the GAN after step `at`, if anything."""

    data: str
    loss: str = "non_saturating"
    backbone: str = "mlp"
    width: int = 64
    penalties: Callable = lambda: []
    generator_rate: float = 1e-3
    discriminator_rate: float = 1e-3
    optimizer: Callable = lambda rate: keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.99)
    batch_size: int = 64
    discriminator_steps: int = 1
    updates: str = "simultaneous"
    conditional: bool = False
    pack: int = 1
    steps: int = 2000
    blow: Callable | None = None
    at: int | None = None
    new: bool = False


class Switch(Penalty):
    """A penalty that can be switched off."""

    def __init__(self, inner):
        super().__init__(inner.weight, name=inner.name)
        self.inner = inner

    def build(self, gan):
        """Switches on."""
        self.inner.build(gan)
        self.on = keras.Variable(1.0, trainable=False)

    def prepare(self, round):
        """Returns what the inner one prepares."""
        return self.inner.prepare(round)

    def call(self, round, *prepared):
        """Returns the inner one's value, or 0."""
        return self.on.value * self.inner.call(round, *prepared)


def r1(weight):
    return lambda: [Switch(R1(weight))]


def gradient_penalty(weight):
    return lambda: [Switch(GradientPenalty(weight))]


def adam(beta_1, beta_2=0.999):
    return lambda rate: keras.optimizers.Adam(rate, beta_1=beta_1, beta_2=beta_2)


def sgd(momentum):
    return lambda rate: keras.optimizers.SGD(rate, momentum=momentum)


# What the settings below have in common.
GRID = {"data": "grid", "batch_size": 128, "width": 128, "steps": 2500}
DIGITS = {"data": "digits", "width": 128}
DIGITS_DCGAN = {"data": "digits", "backbone": "dcgan", "width": 16, "penalties": r1(0.03)}
MNIST = {"data": "mnist", "backbone": "dcgan", "width": 6, "steps": 1000}
WGAN = {"loss": "wasserstein", "optimizer": adam(0.5, 0.9)}

HEALTHY = {
    "ring, R1": Run("ring", penalties=r1(0.1)),
    "ring, minimax, R1": Run("ring", "minimax", penalties=r1(0.1)),
    "ring, least squares, R1": Run("ring", "least_squares", penalties=r1(0.1)),
    "ring, relativistic, R1": Run("ring", "relativistic_paired", penalties=r1(0.1)),
    "ring, WGAN-GP": Run("ring", penalties=gradient_penalty(0.1), discriminator_steps=3, **WGAN),
    "ring, hinge, R1, RMSprop": Run(
        "ring",
        "hinge",
        penalties=r1(0.1),
        optimizer=keras.optimizers.RMSprop,
        generator_rate=5e-4,
        discriminator_rate=5e-4,
        new=True,
    ),
    "ring, packed": Run("ring", penalties=r1(0.1), pack=2, new=True),
    "ring, softmax GAN, R1": Run("ring", "softmax_gan", penalties=r1(0.1), new=True),
    "grid, WGAN-GP": Run(
        penalties=gradient_penalty(0.1), discriminator_steps=3, **{**GRID, "steps": 1500}, **WGAN
    ),
    "grid, relativistic, alternating": Run(
        loss="relativistic_paired", penalties=r1(0.01), updates="alternating", **GRID
    ),
    "grid, conditional": Run(penalties=r1(0.01), conditional=True, new=True, **GRID),
    "digits, R1": Run(penalties=r1(0.1), **DIGITS),
    "digits, no penalty, slow": Run(generator_rate=5e-4, discriminator_rate=2e-4, **DIGITS),
    "digits, hinge, R1": Run(loss="hinge", penalties=r1(0.1), **DIGITS),
    "digits, WGAN-GP": Run(
        penalties=gradient_penalty(1.0), discriminator_steps=3, **DIGITS, **WGAN
    ),
    "digits, relativistic average": Run(
        loss="relativistic_average", penalties=r1(0.1), new=True, **DIGITS
    ),
    "digits, conditional": Run(penalties=r1(0.1), conditional=True, new=True, **DIGITS),
    "digits, very slow": Run(
        penalties=r1(0.1), generator_rate=1e-4, discriminator_rate=1e-4, new=True, **DIGITS
    ),
    "digits, DCGAN, alternating": Run(updates="alternating", **DIGITS_DCGAN),
    "digits, DCGAN, least squares": Run(loss="least_squares", **DIGITS_DCGAN),
    "mnist, R1": Run(penalties=r1(1.0), **MNIST),
    "mnist, hinge, R1": Run(loss="hinge", penalties=r1(1.0), **MNIST),
    "mnist, no penalty": Run(discriminator_rate=2e-4, **MNIST),
    "mnist, DCGAN's rates": Run(
        generator_rate=2e-4, discriminator_rate=2e-4, new=True, **{**MNIST, "steps": 1500}
    ),
    "mnist, MLP, R1": Run("mnist", width=128, penalties=r1(0.1)),
    "mnist, MLP, batch 16": Run("mnist", width=128, penalties=r1(0.1), batch_size=16, new=True),
}


# --- What befalls a GAN -------------------------------------------------------------------------


def rate(player, factor):
    """One player's learning rate jumps."""

    def act(gan):
        optimizer = getattr(gan, f"{player}_optimizer")
        optimizer.learning_rate = float(optimizer.learning_rate.numpy()) * factor

    return act


def both(*acts):
    """Two blows or more at once."""

    def act(gan):
        for one in acts:
            one(gan)

    return act


def penalty_off(gan):
    """Nothing keeps the discriminator smooth any more."""
    for penalty in gan.penalties:
        penalty.on.assign(0.0)


def scale(player, factor):
    """The weights of a player are multiplied."""

    def act(gan):
        for variable in getattr(gan, f"{player}_variables"):
            variable.assign(variable.value * factor)

    return act


def constant_generator(gan):
    """The generator looks at its latents no more."""
    kernel = gan.generator_variables[0]
    kernel.assign(kernel.value * 0.0)


def bias_takes_over(gan):
    """The bias of the last layer outweighs its kernel."""
    kernel, bias = gan.generator_variables[-2:]
    kernel.assign(kernel.value * 0.02)
    bias.assign(bias.value + 0.5)


def dead_units(gan):
    """The generator's first layer says nearly nothing."""
    bias = next(v for v in gan.generator_variables if len(v.shape) == 1)
    bias.assign(bias.value - 30.0)


def fresh_discriminator(gan):
    """The discriminator forgets all it knows."""
    generator = np.random.default_rng(0)
    for variable in gan.discriminator_variables:
        fan_in = max(1, int(np.prod(variable.shape[:-1])))
        values = generator.normal(size=variable.shape) / np.sqrt(fan_in)
        variable.assign(values * (len(variable.shape) > 1))


FROZEN = rate("discriminator", 0)
SLOW_GENERATOR = rate("generator", 0.01)


def _hit(base, blow, **changes):
    run = HEALTHY[base]
    at = changes.pop("at", {"mnist": 550, "grid": 1200}.get(run.data, 900))
    return dataclasses.replace(run, blow=blow, at=at, **{"steps": at + 800, **changes})


COLLAPSING = {
    "generator rate x 50, ring": _hit("ring, R1", rate("generator", 50)),
    "generator rate x 30, digits": _hit("digits, R1", rate("generator", 30)),
    "generator rate x 300, grid": _hit("grid, relativistic, alternating", rate("generator", 300)),
    "generator rate x 100, WGAN, digits": _hit("digits, WGAN-GP", rate("generator", 100), new=True),
    "both rates x 100, ring": _hit(
        "ring, least squares, R1", both(rate("generator", 100), rate("discriminator", 100))
    ),
    "rate beyond all numbers, hinge, digits": _hit(
        "digits, hinge, R1", rate("discriminator", 1e30)
    ),
    "penalty off, rates x 5, WGAN, ring": _hit(
        "ring, WGAN-GP", both(penalty_off, rate("generator", 5), rate("discriminator", 5))
    ),
    "penalty off, rates x 20, WGAN, digits": _hit(
        "digits, WGAN-GP",
        both(penalty_off, rate("generator", 20), rate("discriminator", 20)),
    ),
    "discriminator frozen, ring": _hit("ring, R1", FROZEN),
    "discriminator frozen, digits": _hit("digits, R1", FROZEN),
    "discriminator frozen, mnist": _hit("mnist, R1", FROZEN),
    "discriminator frozen, hinge, ring": _hit("ring, hinge, R1, RMSprop", FROZEN, new=False),
    "discriminator frozen, conditional, digits": _hit("digits, conditional", FROZEN, new=False),
    "discriminator fresh and frozen, grid": _hit(
        "grid, WGAN-GP", both(fresh_discriminator, FROZEN)
    ),
    "discriminator fresh and frozen, digits": _hit(
        "digits, relativistic average", both(fresh_discriminator, FROZEN), new=False
    ),
    "constant generator, digits": _hit(
        "digits, hinge, R1", both(constant_generator, SLOW_GENERATOR), new=True
    ),
    "constant generator, WGAN, grid": _hit(
        "grid, WGAN-GP", both(constant_generator, SLOW_GENERATOR), new=True
    ),
    "bias takes over, mnist": _hit("mnist, hinge, R1", both(bias_takes_over, SLOW_GENERATOR)),
    "bias takes over, packed, ring": _hit(
        "ring, packed", both(bias_takes_over, SLOW_GENERATOR), new=True
    ),
    "dead units, relativistic, ring": _hit("ring, relativistic, R1", dead_units),
    "dead units, mnist": _hit("mnist, MLP, R1", dead_units, new=True),
    "generator's weights x 5, mnist": _hit(
        "mnist, R1", both(scale("generator", 5), rate("generator", 0.1)), new=True
    ),
    "generator's weights x 3, digits": _hit(
        "digits, R1", both(scale("generator", 3), SLOW_GENERATOR), new=True
    ),
    "generator's weights x 0.3, digits": _hit(
        "digits, R1", both(scale("generator", 0.3), rate("generator", 0)), new=True
    ),
    "discriminator's weights x 10, WGAN, grid": _hit("grid, WGAN-GP", scale("discriminator", 10)),
    "discriminator's weights x 100, WGAN, grid": _hit(
        "grid, WGAN-GP", scale("discriminator", 100), new=True
    ),
    "from the start: discriminator 1,000 x as fast, minimax, mnist": Run(
        "mnist", "minimax", width=128, generator_rate=1e-5, discriminator_rate=1e-2, steps=1500
    ),
    "from the start: discriminator 1,000 x as fast, least squares, digits": Run(
        loss="least_squares", generator_rate=1e-6, discriminator_rate=1e-3, new=True, **DIGITS
    ),
    "from the start: WGAN without penalty, digits": Run(
        loss="wasserstein", generator_rate=5e-3, discriminator_rate=5e-3, **DIGITS
    ),
    "from the start: SGD, rate 0.5, momentum 0.9, ring": Run(
        "ring",
        "least_squares",
        optimizer=sgd(0.9),
        generator_rate=0.5,
        discriminator_rate=0.5,
        steps=1500,
    ),
    "from the start: Adam's beta_1 0.9, rate 0.02, ring": Run(
        "ring", optimizer=adam(0.9), generator_rate=0.02, discriminator_rate=0.02, steps=1500
    ),
    "from the start: conditional DCGAN, digits": Run(
        conditional=True, **{**DIGITS_DCGAN, "steps": 1500}
    ),
    "from the start: weak R1, grid": Run(penalties=r1(0.01), **GRID),
    "from the start: generator 100 x as fast, hinge, ring": Run(
        "ring", "hinge", generator_rate=0.03, discriminator_rate=3e-4, steps=1500, new=True
    ),
    "from the start: rates 0.03, least squares, digits": Run(
        loss="least_squares", generator_rate=0.03, discriminator_rate=0.03, new=True, **DIGITS
    ),
}


# --- One run ------------------------------------------------------------------------------------


def players(run, shape, classes):
    """Returns a generator and a discriminator for samples of this shape."""
    if run.backbone == "dcgan":
        shared = {"width": run.width, "kernel_size": 4, "num_classes": classes}
        return (
            kgan.backbones.DCGANGenerator(shape, LATENT_DIM, **shared),
            kgan.backbones.DCGANDiscriminator(
                shape, batch_norm=False, kernel_initializer="he_normal", pack=run.pack, **shared
            ),
        )
    return _perceptrons(run, shape, classes)


def _perceptrons(run, shape, classes):
    """Returns three hidden layers a player; labels are fed as one-hot vectors."""
    size = int(np.prod(shape))
    image, latents = keras.Input(shape), keras.Input((LATENT_DIM,))
    label = [keras.Input((), dtype="int32")] if classes else []

    def hidden(x):
        hot = [keras.layers.CategoryEncoding(classes, "one_hot")(y[:, None]) for y in label]
        x = keras.layers.Concatenate()([x, *hot]) if hot else x
        for _ in range(3):
            x = keras.layers.Dense(run.width, "leaky_relu", kernel_initializer="he_normal")(x)
        return x

    made = keras.layers.Dense(size, "tanh" if len(shape) > 1 else None)(hidden(latents))
    x = keras.layers.Rescaling(2.0)(keras.layers.Flatten()(image))
    x = kgan.layers.Pack(run.pack)(x) if run.pack > 1 else x
    score = keras.layers.Dense(1)(hidden(x))
    return (
        keras.Model([latents, *label] if label else latents, keras.layers.Reshape(shape)(made)),
        keras.Model([image, *label] if label else image, score),
    )


def make_gan(run, shape, classes, seed):
    """Returns the compiled GAN of a run."""
    classes = classes if run.conditional else None
    gan = kgan.GAN(*players(run, shape, classes), num_classes=classes, seed=seed)
    gan.compile(
        run.optimizer(run.generator_rate),
        run.optimizer(run.discriminator_rate),
        loss=run.loss,
        penalties=run.penalties(),
        discriminator_steps=run.discriminator_steps,
        updates=run.updates,
        steps_per_execution=STEPS_PER_EXECUTION,
    )
    return gan


def batches(data, size, seed):
    """Returns endless shuffled batches of these arrays."""
    numbers = tf.data.Dataset.range(len(data[0])).shuffle(len(data[0]), seed=seed).repeat()
    take = [functools.partial(tf.gather, tf.constant(x)) for x in data]
    return numbers.batch(size).map(lambda i: tuple(one(i) for one in take)).prefetch(2)


class Blow(keras.callbacks.Callback):
    """Befalls the GAN after a step."""

    def __init__(self, act, at):
        super().__init__()
        self.act, self.at = act, at

    def on_train_batch_end(self, batch, logs=None):
        """Strikes if it is time."""
        if batch + 1 == self.at:
            self.act(self.model)


def train(run, seed):
    """Trains once, and returns the points of the truth, and the watch."""
    keras.utils.set_random_seed(seed)
    images, labels = draw_data(run.data)
    order = np.random.default_rng(seed).permutation(len(images))
    images, labels = images[order], labels[order]
    truth = Truth(images[:TRUTH_SIZE], labels[:TRUTH_SIZE])
    gan = make_gan(run, images.shape[1:], int(labels.max()) + 1, seed)
    data = images[TRUTH_SIZE:], labels[TRUTH_SIZE:]
    dataset = batches(
        data if run.conditional else data[:1], run.batch_size * run.discriminator_steps, seed
    )
    watch = kgan.callbacks.CollapseWatch()
    blows = [Blow(run.blow, run.at)] if run.blow else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kgan.callbacks.CollapseWarning)
        gan.fit(
            dataset,
            steps_per_epoch=run.steps,
            shuffle=False,
            verbose=0,
            callbacks=[watch, *blows, truth],
        )
    return truth.points, watch


def judge(points, said, run, made_to_collapse):
    """Returns whether a run counts, and whether the watch was right.

    Args:
        points: list of dict, the truth.
        said: list of int, the steps at which the watch spoke.
        run: `Run`.
        made_to_collapse: bool.
    """
    if not made_to_collapse:
        return {"counts": is_healthy(points), "right": not said, "collapse": None}
    collapse = collapse_step(points, run.at)
    if collapse is None:
        return {"counts": False, "right": False, "collapse": None}
    earliest = run.at
    if earliest is None:
        well = (p["step"] for p in points if p["step"] < collapse and not p["sick"])
        earliest = max(well, default=0)
    right = bool(said) and earliest <= said[0] <= collapse + IN_TIME
    return {"counts": True, "right": right, "collapse": collapse}


def play(name, run, seed):
    """Returns a row of the table."""
    began = time.process_time()
    points, watch = train(run, seed)
    found = [{"kind": d.kind, "step": d.step, "since_step": d.since_step} for d in watch.diagnoses]
    last = points[-len(points) // 4 :]
    return {
        "name": name,
        "seed": seed,
        "new": run.new,
        "steps": run.steps,
        "blow": run.at,
        **judge(points, [d["step"] for d in found], run, name in COLLAPSING),
        "diagnoses": found,
        "sick_points_after_grace": sum(p["sick"] for p in points if p["step"] > GRACE),
        "coverage": round(float(np.mean([p["coverage"] for p in last])), 3),
        "classes": round(float(np.mean([p["classes"] for p in last])), 3),
        "cpu_seconds": round(time.process_time() - began, 1),
        "points": [[round(p[name], 3) for name in POINT] for p in points],
    }


# --- Table --------------------------------------------------------------------------------------

HEADERS = {
    "collapsing": """| made to collapse | blow | collapse | spoke | says | right |
| --- | --- | --- | --- | --- | --- |""",
    "healthy": """| healthy | steps | coverage | modes | spoke | right |
| --- | --- | --- | --- | --- | --- |""",
}


def table(kind, rows):
    """Returns the lines of a table: what counts, and then what does not."""
    lines = [HEADERS[kind]]
    for row in sorted(rows, key=lambda row: not row["counts"]):
        said = row["diagnoses"]
        spoke = f"{said[0]['step']:,}" if said else "–"
        right = "yes" if row["right"] else "**no**"
        if not row["counts"]:
            right = f"not counted: sick at {row['sick_points_after_grace']} points"
        name = row["name"] + (" (new)" if row["new"] else "")
        if kind == "collapsing":
            blow, collapse = (f"{row[k]:,}" if row[k] else "–" for k in ("blow", "collapse"))
            kinds = ", ".join(dict.fromkeys(d["kind"].replace("_", " ") for d in said)) or "–"
            cells = [name, blow, collapse, spoke, kinds, right]
        else:
            shares = f"{row['coverage']:.2f}", f"{row['classes']:.0%}"
            cells = [name, f"{row['steps']:,}", *shares, spoke, right]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def summary(rows):
    """Returns how often the watch was right, by kind."""
    counted = {kind: [row for row in part if row["counts"]] for kind, part in rows.items()}
    result = {
        kind: {"runs": len(part), "right": sum(row["right"] for row in part)}
        for kind, part in counted.items()
    }
    delays = [
        row["diagnoses"][0]["step"] - row["collapse"]
        for row in counted["collapsing"]
        if row["right"]
    ]
    result["collapsing"]["median_delay_steps"] = statistics.median(delays) if delays else None
    kinds = collections.Counter(
        row["diagnoses"][0]["kind"] for row in counted["collapsing"] if row["diagnoses"]
    )
    return {**result, "first_said": dict(kinds)}


def save(path, rows, options):
    """Writes what is known so far."""
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {"options": {"seed": options.seed, "only": options.only}, "summary": summary(rows)}
    result = {**result, "point": POINT, **rows, "machine": machine(), "versions": versions()}
    path.write_text(json.dumps(result) + "\n")
    found = summary(rows)
    lines = [
        f"Seed {options.seed}. Spoke in {found['collapsing']['right']} of "
        f"{found['collapsing']['runs']} runs that collapsed; silent in "
        f"{found['healthy']['right']} of {found['healthy']['runs']} healthy ones. New: settings "
        "that were not there when the thresholds were chosen.",
        *(table(kind, rows[kind]) for kind in HEADERS),
    ]
    path.with_suffix(".md").write_text("\n\n".join(lines) + "\n")


# --- Cost ---------------------------------------------------------------------------------------


def measure_cost(blocks, steps=10, warm_up=30):
    """Returns the seconds a step of the MNIST recipe of `kgan.zoo.dcgan`, with and without.

    Both steps are compiled in one process and take turns, a few steps each, so that a machine whose
    speed drifts is as fast for one as for the other.
    """
    images = np.random.default_rng(0).uniform(-1, 1, (4096, 28, 28, 1)).astype("float32")
    no_tuner = tf.data.Options()
    no_tuner.autotune.enabled = False
    dataset = tf.data.Dataset.from_tensor_slices((images,)).repeat().batch(64).prefetch(2)
    iterator = iter(dataset.with_options(no_tuner))
    gan = dcgan.build(dcgan.MNIST, Task((28, 28, 1), None, 10_000))
    gan.make_train_function()
    watch, ways = kgan.callbacks.CollapseWatch(), {"without": gan.train_function}
    run_steps(ways["without"], iterator, warm_up)
    watch.set_model(gan)
    watch.on_train_begin()
    gan.make_train_function(force=True)
    watch.on_epoch_begin(0)
    ways["with"] = gan.train_function
    run_steps(ways["with"], iterator, warm_up, watch)
    seconds = {"without": [], "with": []}
    for block in range(blocks):
        for way in ("without", "with") if block % 2 else ("with", "without"):
            first = warm_up + len(seconds["with"]) * steps
            began = time.perf_counter()
            run_steps(ways[way], iterator, steps, watch if way == "with" else None, first)
            seconds[way].append((time.perf_counter() - began) / steps)
    return seconds


def run_steps(step, iterator, number, watch=None, first=0):
    """Runs some steps, and what the watch does after each."""
    with warnings.catch_warnings():
        # Noise is no data: whatever the watch says of it.
        warnings.simplefilter("ignore", kgan.callbacks.CollapseWarning)
        for i in range(number):
            step(iterator)
            if watch is not None:
                watch.on_train_batch_end(first + i)


def show_cost(options):
    """Prints and saves what the watch costs."""
    seconds = measure_cost(options.blocks)
    medians = {way: statistics.median(times) for way, times in seconds.items()}
    pairs = zip(seconds["with"], seconds["without"], strict=True)
    extra = statistics.median(a - b for a, b in pairs) / medians["without"]
    for way, median in medians.items():
        print(f"{way:8} {1e3 * median:8.2f} ms a step")
    print(f"The watch costs {extra:.2%} of a step (median of {options.blocks} pairs of 10 steps).")
    path = pathlib.Path(options.out).with_name("collapse_watch_cost.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {"seconds_a_step": seconds, "medians": medians, "extra": extra}
    path.write_text(json.dumps({**result, "machine": machine(), "versions": versions()}) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="comma-separated words: runs that have one in their name")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="build/collapse_watch.json")
    parser.add_argument("--cost", action="store_true", help="measure what the watch costs instead")
    parser.add_argument("--blocks", type=int, default=150, help="pairs of 10 steps, for --cost")
    options = parser.parse_args()
    if options.cost:
        show_cost(options)
        return
    # The machine's other cores would only make the runs' times depend on each other.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    words = options.only.split(",") if options.only else [""]
    rows = {"collapsing": [], "healthy": []}
    # In turn, so that a table that is stopped early has some of both.
    for pair in itertools.zip_longest(COLLAPSING.items(), HEALTHY.items()):
        for kind, (name, run) in zip(rows, (one or ("", None) for one in pair), strict=True):
            if not (run and any(word in name for word in words)):
                continue
            rows[kind].append(play(name, run, options.seed))
            print({k: v for k, v in rows[kind][-1].items() if k != "points"}, flush=True)
            save(pathlib.Path(options.out), rows, options)
    print(json.dumps(summary(rows)))


if __name__ == "__main__":
    main()
