"""Weights trained under one backend go on under the other, and one step there is the same step."""

import collections
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import kgan
from tests import networks
from tests.same_draws import same_draws
from tests.zoo.test_conformance import FORMS, PLAYERS, build, fit, weights

ROOT = pathlib.Path(__file__).parents[2]
OTHER = {"tensorflow": "jax", "jax": "tensorflow"}[keras.backend.backend()]
# A plain one, one with a lazy penalty, batch norm and labels, and one with a game of its own.
FAST = [("dcgan", True), ("infogan", False), ("wgan_gp", False)]
REST = [form for form in FORMS if form not in FAST]


IMAGES = np.random.default_rng(0).uniform(-1, 1, (8, 8, 8, 1)).astype("float32")
LABELS = np.arange(8) % networks.NUM_CLASSES
# GANs of plain networks with many components each, of weights that add up to something sensible.
COMPONENTS = {
    "of_penalties": {
        "penalties": [
            "balanced_consistency:0.1",
            "dragan:0.1",
            "gradient_penalty:0.1",
            "historical_averaging:0.1",
            "latent_consistency:0.1",
            "latent_diversity:0.1",
            "le_cam:0.1,warm_up_steps=1",
            "max_gradient:0.1",
            "orthogonal:0.1",
            "path_length:0.1",
            "r1:0.1,every=2",
            "r2:0.1",
            "wasserstein_divergence:0.1",
            "weight_clipping:0.5",
            "zero_centered:0.1",
        ],
    },
    "of_the_rest": {
        "augment": ["ada:0.5", "apa:0.5", "diff_augment", "instance_noise:0.1"],
        "dynamics": ["balance", "history_pool", "top_k"],
        "updates": "alternating",
        "discriminator_steps": 2,
    },
}


# The sixth power of a gradient's norm takes all to infinity in a step of the usual length. (Nothing
# is clipped: TensorFlow's gradient of a table comes as rows, whose norm is another.)
RATES = collections.defaultdict(lambda: 0.1, wgan_div_True=1e-5, wgan_div_False=1e-5)


def values(gan):
    """Returns what training goes on from, by place: Keras numbers names as a process makes them."""
    return dict(zip(map(str, range(10**6)), weights(gan).values(), strict=False))


def step(name, file):
    """Loads a GAN and trains it for a step, and returns its values before and after."""
    gan = kgan.load_gan(file)
    before = values(gan)
    with same_draws():
        if name in COMPONENTS:
            gan.fit(IMAGES, LABELS, batch_size=len(IMAGES), shuffle=False, verbose=0)
        else:
            fit(name, gan, steps=1)
    return before, values(gan)


def file_of(folder, name, conditional):
    return pathlib.Path(folder) / f"{name}_{conditional}.keras"


def main(folder, forms):
    """What the process of the other backend does."""
    for name, conditional in json.loads(forms):
        file = file_of(folder, name, conditional)
        before, after = step(name, file)
        np.savez(file.with_suffix(".before.npz"), **before)
        np.savez(file.with_suffix(".after.npz"), **after)


def run_other(folder, forms):
    program = "import sys; from tests.zoo import test_other_backend as t; t.main(*sys.argv[1:])"
    answer = subprocess.run(
        [sys.executable, "-c", program, str(folder), json.dumps(forms)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": OTHER},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]


def check(folder, forms, rtol, atol):
    """Compares what both backends hold after loading, and after a step."""
    run_other(folder, forms)
    different = []
    for name, conditional in forms:
        file = file_of(folder, name, conditional)
        kinds = zip(
            step(name, file), (".before.npz", ".after.npz"), (0, rtol), (0, atol), strict=True
        )
        for mine, kind, relative, absolute in kinds:
            with np.load(file.with_suffix(kind)) as theirs:
                assert len(mine) == len(theirs.files)
                different += [
                    (file.stem, kind, i, x.shape, float(np.max(np.abs(x - theirs[i]))))
                    for i, x in mine.items()
                    if not np.allclose(x, theirs[i], rtol=relative, atol=absolute)
                ]
    assert different == []


@pytest.mark.parametrize(
    "forms",
    [FAST, *(pytest.param(REST[i::4], marks=pytest.mark.slow) for i in range(4))],
    ids=["fast", "rest_0", "rest_1", "rest_2", "rest_3"],
)
def test_a_step_is_the_same_under_the_other_backend(forms, tmp_path):
    for name, conditional in forms:
        save_with_sgd(build(name, conditional), file_of(tmp_path, name, conditional))
    check(tmp_path, forms, rtol=1e-4, atol=1e-5)


def save_with_sgd(gan, file):
    # Adam's first steps are as long where a gradient is rounding as where it is not.
    plain = {f"{player}_optimizer": keras.optimizers.SGD(RATES[file.stem]) for player in PLAYERS}
    gan.compile(**{**gan.compile_arguments, **plain})
    gan.save(file)


def test_components_do_the_same_under_the_other_backend(tmp_path):
    for name, arguments in COMPONENTS.items():
        players = (
            make(networks.NUM_CLASSES, shape=IMAGES.shape[1:])
            for make in (networks.generator, networks.discriminator)
        )
        gan = kgan.GAN(*players, num_classes=networks.NUM_CLASSES)
        gan.compile(**arguments)
        save_with_sgd(gan, file_of(tmp_path, name, True))
    check(tmp_path, [(name, True) for name in COMPONENTS], rtol=1e-4, atol=1e-5)


def test_training_goes_on_under_the_other_backend(tmp_path):
    """Adam's moments, averages, the state of components and of random numbers go over whole."""
    gan = build("dcgan", True)
    components = {"augment": ["apa:0.5"], "dynamics": ["history_pool"]}
    gan.compile(**{**gan.compile_arguments, **components})
    fit("dcgan", gan, steps=2)
    gan.save(file_of(tmp_path, "dcgan", True))
    # What Adam makes of rounding is as long as any step.
    check(tmp_path, [("dcgan", True)], rtol=0, atol=0.1)
