"""JAX's form of the step: state that is kept apart, and what must look at it all the same."""

import importlib
import os
import pathlib
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
import kgan.export
from tests import networks
from tests.frameworks import BACKEND

pytestmark = pytest.mark.skipif(BACKEND != "jax", reason="JAX only: its form of the step")

ROOT = pathlib.Path(__file__).parents[2]
IMAGES = np.random.default_rng(0).uniform(-1, 1, (16, 2)).astype("float32")
LABELS = np.arange(16) % networks.NUM_CLASSES


def make_gan(num_classes=None, **arguments):
    keras.utils.set_random_seed(0)
    players = networks.generator(num_classes), discriminator(num_classes)
    gan = kgan.GAN(*players, num_classes=num_classes, seed=1)
    gan.compile(**arguments)
    return gan


def discriminator(num_classes):
    """A discriminator with all kinds of state."""
    if num_classes:
        return networks.discriminator(num_classes)
    layers = [
        kgan.layers.SpectralNormalization(keras.layers.Dense(8)),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(1),
    ]
    return keras.Sequential([keras.Input((2,)), *layers])


def values(gan):
    optimizers = [*gan.generator_optimizer.variables, *gan.discriminator_optimizer.variables]
    return [np.array(v.value) for v in [*gan.weights, *gan._states().values(), *optimizers]]


def assert_same(gan, other, **tolerance):
    for a, b in zip(values(gan), values(other), strict=True):
        np.testing.assert_allclose(a, b, **{"rtol": 0, **tolerance})


def fit(gan, **kwargs):
    return gan.fit(IMAGES, **{"batch_size": 4, "shuffle": False, "verbose": 0, **kwargs})


def test_a_compiled_step_knows_all_state_that_it_reads(monkeypatch):
    """A variable that is read past the scope would stay what it was when the step was compiled."""
    from keras.src.backend.common import stateless_scope

    gan = make_gan(penalties=["r1:1,every=2"], dynamics=["history_pool"], augment=["apa:0.5"])
    known, read = set(), {}
    own, find = gan._stateless, stateless_scope.StatelessScope.get_current_value

    def stateless(step, parts, state, data):
        known.update(id(v) for values in gan._state_variables().values() for v in values)
        return own(step, parts, state, data)

    def noted(scope, variable):
        read[id(variable)] = variable.path
        return find(scope, variable)

    monkeypatch.setattr(gan, "_stateless", stateless)
    monkeypatch.setattr(stateless_scope.StatelessScope, "get_current_value", noted)
    fit(gan)
    assert known and [path for key, path in read.items() if key not in known] == []


def test_a_compiled_step_is_an_eager_one():
    arguments = {"penalties": ["r1:1,every=2"], "dynamics": ["history_pool"]}
    plain = dict.fromkeys(("generator_optimizer", "discriminator_optimizer"), "sgd")
    compiled, eager = (
        make_gan(**arguments, **plain, run_eagerly=eagerly) for eagerly in (False, True)
    )
    for gan in (compiled, eager):
        fit(gan)
    assert_same(compiled, eager, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_an_epoch_may_be_looked_into(steps_per_execution, tmp_path):
    """Samples, losses and files in the middle of an epoch are of its last step; it goes on."""

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((self.model.steps_trained, self.model.generate(2, seed=1)))
            self.model.evaluate(IMAGES, batch_size=8, verbose=0)
            self.model.save(tmp_path / "gan.keras")

    seen = []
    looked, plain = (make_gan(steps_per_execution=steps_per_execution) for _ in range(2))
    fit(looked, callbacks=[Look()])
    assert [step for step, _ in seen] == list(range(1, 5)) if steps_per_execution == 1 else [3, 4]
    assert len({images.tobytes() for _, images in seen}) == len(seen)
    np.testing.assert_array_equal(seen[-1][1], looked.generate(2, seed=1))
    fit(plain)
    plain._evaluation_seeds.state.assign(looked._evaluation_seeds.state)
    assert_same(looked, plain)
    assert_same(kgan.load_gan(tmp_path / "gan.keras"), plain)


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}, {"steps_per_execution": 3}])
def test_labels_out_of_range_are_refused_before_the_step(how):
    gan = make_gan(networks.NUM_CLASSES, **how)
    for method in (gan.fit, gan.evaluate):
        with pytest.raises(ValueError, match=r"lie in \[0, num_classes=3\)"):
            method(IMAGES, LABELS + 1, verbose=0)


def test_no_number_is_cut_to_32_bits_with_a_warning(tmp_path):
    metrics = [kgan.metrics.FrechetDistance(), kgan.metrics.PrecisionRecall()]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*(int64|float64|uint64).*")
        gan = make_gan(networks.NUM_CLASSES, dynamics=["history_pool"], metrics=metrics)
        labels = LABELS.astype("int64")
        gan.fit(IMAGES.astype("float64"), labels, batch_size=4, verbose=0)
        gan.evaluate(IMAGES, labels, verbose=0)
        gan.save(tmp_path / "gan.keras")
        kgan.load_gan(tmp_path / "gan.keras").generate(3)


@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_metrics_see_every_batch_in_64_bits(steps_per_execution):
    metrics = [kgan.metrics.FrechetDistance(), keras.metrics.MeanSquaredError(name="mse")]
    gan = make_gan(metrics=metrics, steps_per_execution=steps_per_execution)
    # Of variance 1e-8 about 1: sums in 32 bits would keep nothing of it.
    reals = (1 + 1e-4 * IMAGES).astype("float32")
    logs = gan.evaluate(reals, batch_size=4, verbose=0, return_dict=True)
    state = metrics[0].states["real"]
    assert state.count == len(reals)
    wide = reals.astype("float64")
    np.testing.assert_allclose(state.covariance(), np.cov(wide.T), rtol=1e-6)
    assert set(logs) >= {"frechet_distance", "mse"}


def test_exports_are_made_by_tensorflow(tmp_path):
    gan = make_gan(networks.NUM_CLASSES)
    path = gan.export(tmp_path / "export")
    assert path == tmp_path / "export" / "1"
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    latents, labels = np.array(gan.draw_latents(3, seed=1)), np.array([0, 1, 2], "int32")
    (images,) = serve(latent=tf.constant(latents), label=tf.constant(labels)).values()
    expected = gan.predict([latents, labels], verbose=0)
    np.testing.assert_allclose(images, (expected + 1) / 2, atol=1e-6)
    with pytest.raises(kgan.export.ExportError, match="Version 1 exists"):
        gan.export(tmp_path / "export", version=1)


TWO_DEVICES = """
import jax, keras
from tests.backend import test_jax as t
arguments = {"penalties": ["r1:1"], "dynamics": ["history_pool"]}
plain = dict.fromkeys(("generator_optimizer", "discriminator_optimizer"), "sgd")
one = t.make_gan(**arguments, **plain)
t.fit(one, epochs=2)
images = one.generate(3, seed=1)
with keras.distribution.DataParallel().scope():
    two = t.make_gan(**arguments, **plain)
    t.fit(two, epochs=2)
    assert len(two.generator.weights[0].value.sharding.device_set) == len(jax.devices()) == 2
    t.assert_same(two, one, atol=1e-5)
    t.np.testing.assert_allclose(two.generate(3, seed=1), images, atol=1e-5)
"""


def test_data_parallel_over_two_devices_is_one():
    flags = f"--xla_force_host_platform_device_count=2 {os.environ.get('XLA_FLAGS', '')}"
    answer = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]


def test_xla_is_told_to_compute_parts_again():
    """Whatever it makes of it for a CPU."""
    barriers = []
    for rematerialize in (False, True):
        gan = make_gan(rematerialize=rematerialize)
        state = gan._get_jax_state(**dict.fromkeys(kgan.backend.framework.PARTS, True))
        step = importlib.import_module("jax").jit(gan.train_step).lower(state, (IMAGES[:4],))
        barriers.append(step.as_text().count("optimization_barrier"))
    assert barriers[0] == 0 and barriers[1] >= 2
