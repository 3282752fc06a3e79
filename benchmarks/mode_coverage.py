"""How many of 25 Gaussians four kinds of GAN cover, and how many a plain one misses.

    python benchmarks/mode_coverage.py [--only gan,r1] [--seeds 0,1] [--seconds 120]

The data are VEEGAN's and PacGAN's grid: means at {-4, -2, 0, 2, 4}², standard deviation 0.05,
100,000 fixed points. Divided by 5 they lie in [-1, 1], where kgan wants them. The networks see the
unit that a setting was published in: a discriminator begins and a generator ends with a factor,
and penalties on gradients are divided by it.

Each method trains by `GAN.fit` until its steps are done or the time is over. The time includes all
but the imports: making the data, compiling, training and drawing 25,000 samples of the averaged
generator. A mode is covered if a fifth of its share of the samples (200) are within 4 standard
deviations of its mean; VEEGAN and PacGAN ask for one within 3 of 2,500. Writes the table as JSON,
and draws the samples of the first seed beside it.
"""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import time
from collections.abc import Callable

import kgan  # isort: split

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from kgan.penalties import R1, R2, GradientPenalty
from kgan.zoo.run import machine, versions

AXIS = np.arange(-4.0, 5.0, 2.0)
MEANS = np.stack(np.meshgrid(AXIS, AXIS), axis=-1).reshape(-1, 2)
DEVIATION, DATA_SCALE = 0.05, 5.0
# WGAN-GP's code divides by it.
DEVIATION_OF_GRID = 2.828
NUM_POINTS, NUM_SAMPLES, COVERED_SHARE = 100_000, 25_000, 0.2
LATENT_DIM, STEPS_PER_EXECUTION = 2, 20
# kgan's default half-life, 10,000 images, is only 8 steps of a batch of 5 * 256 points.
HALF_LIFE_STEPS = 400
SECONDS_TO_SAMPLE = 4


# --- Settings -----------------------------------------------------------------------------------


@dataclasses.dataclass
class Setting:
    """One row of the table, and what of it is published.

    `unit` is what the networks see as 1, in units of the grid. `penalties` makes them for a
    factor: that between the networks' unit and the data's. `decays` lets the learning rate fall
    to 0, linearly over the steps.
    """

    title: str
    source: str
    loss: str
    steps: int
    penalties: Callable = lambda factor: []
    optimizer: Callable = lambda rate: keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.999)
    learning_rate: float = 1e-3
    decays: bool = False
    batch_size: int = 256
    discriminator_steps: int = 1
    units: tuple = (128, 128, 128)
    unit: float = 1.0
    spectral_norm: bool = False
    pack: int = 1


def adam(beta_1, beta_2):
    return lambda rate: keras.optimizers.Adam(rate, beta_1=beta_1, beta_2=beta_2)


# What covers the grid in two minutes; `source` says what differs from what was published.
METHODS = {
    "gan": Setting(
        "plain GAN",
        "the methods' network, Adam's betas of DCGAN",
        loss="non_saturating",
        steps=20_000,
    ),
    "pac_gan": Setting(
        "plain GAN, packed by 2",
        "the plain GAN, with Lin et al. 2018's discriminator of two points at once",
        loss="non_saturating",
        steps=20_000,
        pack=2,
    ),
    "r1": Setting(
        "non-saturating + R1",
        "loss and penalty of Mescheder et al. 2018; Adam for RMSprop, rate x 10, γ 0.1 for 10",
        loss="non_saturating",
        steps=20_000,
        penalties=lambda factor: [R1(0.1 / factor**2)],
        optimizer=adam(0.0, 0.99),
        unit=DEVIATION_OF_GRID,
    ),
    "wgan_gp": Setting(
        "WGAN-GP",
        "Gulrajani et al. 2017, 25 Gaussians; width 128 for 512, batch 128 for 256, rate x 20 to 0",
        loss="wasserstein",
        steps=12_500,
        penalties=lambda factor: [GradientPenalty(0.1, target=factor)],
        optimizer=adam(0.5, 0.9),
        learning_rate=2e-3,
        decays=True,
        batch_size=128,
        discriminator_steps=5,
        unit=DEVIATION_OF_GRID,
    ),
    "hinge_sn": Setting(
        "hinge + spectral norm",
        "Miyato et al. 2018, decay and betas of their code; 1 step for 5, batch x 4, rate x 5",
        loss="hinge",
        steps=20_000,
        optimizer=adam(0.0, 0.9),
        decays=True,
        spectral_norm=True,
    ),
    "rpgan_r1_r2": Setting(
        "RpGAN + R1 + R2",
        "loss and penalties of Huang et al. 2024, its last betas, but rate x 5 and γ 0.1",
        loss="relativistic_paired",
        steps=20_000,
        penalties=lambda factor: [R1(0.1 / factor**2), R2(0.1 / factor**2)],
        optimizer=adam(0.0, 0.99),
        unit=DEVIATION_OF_GRID,
    ),
}
# The same methods with their authors' numbers, which are for runs of hours. WGAN-GP's are for this
# grid, the others' for images.
PUBLISHED = {
    "r1_published": dataclasses.replace(
        METHODS["r1"],
        title="R1, as published",
        source="LMescheder/GAN_stability, configs/default.yaml, with the MLP",
        steps=500_000,
        penalties=lambda factor: [R1(10.0)],
        optimizer=lambda rate: keras.optimizers.RMSprop(rate, rho=0.99),
        learning_rate=1e-4,
        batch_size=64,
        unit=DATA_SCALE,
    ),
    "wgan_gp_published": dataclasses.replace(
        METHODS["wgan_gp"],
        title="WGAN-GP, as published",
        source="igul222/improved_wgan_training, gan_toy.py, whole",
        steps=100_000,
        learning_rate=1e-4,
        decays=False,
        batch_size=256,
        units=(512, 512, 512),
    ),
    "hinge_sn_published": dataclasses.replace(
        METHODS["hinge_sn"],
        title="hinge + SN, as published",
        source="Miyato et al. 2018, table 1, setting D, with the MLP, in the grid's unit",
        steps=50_000,
        optimizer=adam(0.5, 0.9),
        batch_size=64,
        discriminator_steps=5,
    ),
    "rpgan_r1_r2_published": dataclasses.replace(
        METHODS["rpgan_r1_r2"],
        title="RpGAN, as published",
        source="R3GAN's train.py, the start of ImageNet-64: rate 2e-4, betas 0, 0.9, γ 1",
        steps=500_000,
        penalties=lambda factor: [R1(1.0), R2(1.0)],
        optimizer=adam(0.0, 0.9),
        learning_rate=2e-4,
        unit=DATA_SCALE,
    ),
}
SETTINGS = {
    name: setting
    for method in METHODS
    for name, setting in (METHODS | PUBLISHED).items()
    if name.removesuffix("_published") == method
}


# --- One run ------------------------------------------------------------------------------------


def draw_data(seed):
    """Returns points of the grid in [-1, 1]."""
    generator = np.random.default_rng(seed)
    means = MEANS[generator.integers(len(MEANS), size=NUM_POINTS)]
    points = means + DEVIATION * generator.normal(size=means.shape)
    return (points / DATA_SCALE).astype("float32")


def make_players(setting):
    """Returns two MLPs with ReLU, between data in [-1, 1] and the setting's unit."""
    factor = DATA_SCALE / setting.unit
    wrap = kgan.layers.SpectralNormalization if setting.spectral_norm else lambda layer: layer

    def hidden():
        return [
            keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal")
            for units in setting.units
        ]

    generator = keras.Sequential(
        [
            keras.Input((LATENT_DIM,)),
            *hidden(),
            keras.layers.Dense(2),
            keras.layers.Rescaling(1 / factor),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Rescaling(factor),
            *([kgan.layers.Pack(setting.pack)] if setting.pack > 1 else []),
            *(wrap(layer) for layer in [*hidden(), keras.layers.Dense(1)]),
        ]
    )
    return generator, discriminator


class Deadline(keras.callbacks.Callback):
    """Ends training when the time is over."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_train_batch_end(self, batch, logs=None):
        if time.perf_counter() >= self.at:
            self.model.stop_training = True


def make_optimizer(setting, steps):
    """Returns a player's optimizer for this many updates."""
    rate = setting.learning_rate
    if setting.decays:
        rate = keras.optimizers.schedules.PolynomialDecay(rate, steps, end_learning_rate=0.0)
    return setting.optimizer(rate)


def train(setting, seed, deadline):
    """Returns a GAN that has trained under this setting."""
    keras.utils.set_random_seed(seed)
    factor = DATA_SCALE / setting.unit
    batch_size = setting.batch_size * setting.discriminator_steps
    gan = kgan.GAN(
        *make_players(setting),
        seed=seed,
        average_half_life_images=HALF_LIFE_STEPS * batch_size,
    )
    gan.compile(
        generator_optimizer=make_optimizer(setting, setting.steps),
        discriminator_optimizer=make_optimizer(
            setting, setting.steps * setting.discriminator_steps
        ),
        loss=setting.loss,
        penalties=setting.penalties(factor),
        updates="alternating",
        discriminator_steps=setting.discriminator_steps,
        steps_per_execution=STEPS_PER_EXECUTION,
        # A quarter less time: these are small matrix products.
        jit_compile=True,
    )
    dataset = tf.data.Dataset.from_tensor_slices(draw_data(seed)).repeat()
    dataset = dataset.shuffle(10_000, seed=seed).batch(batch_size, drop_remainder=True).prefetch(2)
    gan.fit(
        dataset,
        steps_per_epoch=setting.steps,
        shuffle=False,
        verbose=0,
        callbacks=[Deadline(deadline)],
    )
    return gan


def measure(points):
    """Returns how well points, in the grid's units, cover it."""
    distances = np.linalg.norm(points[:, None] - MEANS, axis=-1)
    nearest, distance = distances.argmin(axis=1), distances.min(axis=1) / DEVIATION
    counts = np.bincount(nearest[distance <= 4], minlength=len(MEANS))
    shares = np.bincount(nearest, minlength=len(MEANS)) / len(points)
    present = shares[shares > 0]
    return {
        "modes": int(np.sum(counts >= COVERED_SHARE * len(points) / len(MEANS))),
        "modes_with_any": int(np.sum(np.bincount(nearest[distance <= 3], minlength=25) > 0)),
        "within_4_deviations": float(np.mean(distance <= 4)),
        "within_3_deviations": float(np.mean(distance <= 3)),
        "kl_to_uniform": float(np.sum(present * np.log(present * len(MEANS)))),
        "counts_within_4_deviations": counts.tolist(),
    }


def run(setting, seed, seconds):
    """Trains and samples once; returns the samples and a row of the table."""
    began, cpu_began = time.perf_counter(), time.process_time()
    gan = train(setting, seed, began + seconds - SECONDS_TO_SAMPLE)
    points = gan.generate(NUM_SAMPLES, seed=seed, batch_size=5_000) * DATA_SCALE
    taken = {
        "seed": seed,
        "steps": gan.steps_trained,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu_began,
        "load_average": os.getloadavg()[0],
    }
    return points, {**taken, **measure(points)}


# --- Table and picture --------------------------------------------------------------------------


def draw(samples, rows, path):
    """Draws 2,500 samples of each row, over circles of 4 standard deviations."""
    columns = math.ceil(len(samples) / 2)
    figure = Figure(figsize=(3.6 * columns, 8), layout="constrained")
    for place, (name, points) in enumerate(samples.items(), start=1):
        axes = figure.add_subplot(min(2, len(samples)), columns, place)
        axes.scatter(*points[:2500].T, s=2, linewidths=0, color="tab:blue")
        for mean in MEANS:
            axes.add_patch(Circle(mean, 4 * DEVIATION, fill=False, color="tab:red", linewidth=0.8))
        covered, share = rows[name]["modes"], rows[name]["within_4_deviations"]
        axes.set_title(f"{SETTINGS[name].title}\n{covered} of 25 modes, {share:.1%} within 4σ")
        axes.set(xlim=(-5, 5), ylim=(-5, 5), aspect="equal", xticks=AXIS, yticks=AXIS)
    figure.savefig(path, dpi=80)


HEADER = """| | seed | steps | seconds | modes | within 4σ | within 3σ | KL |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


def show(name, row):
    """Prints a row of the table, in Markdown."""
    print(
        f"| {SETTINGS[name].title} | {row['seed']} | {row['steps']:,} | {row['seconds']:.0f} "
        f"| {row['modes']} | {row['within_4_deviations']:.1%} | {row['within_3_deviations']:.1%} "
        f"| {row['kl_to_uniform']:.3f} |",
        flush=True,
    )


def save(path, options, samples, rows):
    """Writes what is known so far: a long run that is stopped leaves its first rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(samples, {name: runs[0] for name, runs in rows.items()}, path.with_suffix(".png"))
    sources = {name: SETTINGS[name].source for name in rows}
    given = {name: value for name, value in vars(options).items() if name != "out"}
    result = {"options": given, "sources": sources, "results": rows}
    text = json.dumps({**result, "machine": machine(), "versions": versions()}, indent=2)
    path.write_text(text + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help=f"comma-separated rows: {', '.join(SETTINGS)}")
    parser.add_argument("--seeds", default="0,1", help="rows as published run with the first alone")
    parser.add_argument("--seconds", type=float, default=120.0, help="of each run")
    parser.add_argument("--out", default="build/mode_coverage.json")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(SETTINGS)
    unknown = [name for name in names if name not in SETTINGS]
    if unknown:
        parser.error(f"--only takes names of {list(SETTINGS)}. Received: {unknown}")
    seeds = [int(seed) for seed in options.seeds.split(",")]
    samples, rows = {}, {}
    print(HEADER)
    for name in names:
        for seed in seeds[:1] if name in PUBLISHED else seeds:
            points, row = run(SETTINGS[name], seed, options.seconds)
            samples.setdefault(name, points)
            rows.setdefault(name, []).append(row)
            show(name, row)
            save(pathlib.Path(options.out), options, samples, rows)


if __name__ == "__main__":
    main()
