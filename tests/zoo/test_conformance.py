"""What every zoo module owes: it is found by itself, and named nowhere here."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.zoo.__main__ import recipes
from kgan.zoo.recipe import Task
from kgan.zoo.runner import prepared
from tests.frameworks import tensorflow_only

MODULES = recipes()
# Steps in which the generator moves even if it is to answer only now and then.
STEPS = 3
# How wide the networks are here, whatever a recipe calls that.
SMALL = {int: 4, tuple: 8}
PLAYERS = ("generator", "discriminator")


def test_the_zoo_is_found():
    assert "dcgan" in MODULES and len(MODULES) > 1


def tiny(recipe):
    """Returns a recipe with narrow networks and small batches."""
    changes = {"batch_size": 8, "epochs": 1}
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        if "width" in field.name:
            changes[field.name] = SMALL[int]
        if "units" in field.name and isinstance(value, tuple):
            changes[field.name] = (SMALL[tuple],) * len(value)
    return recipe.but(**changes)


def source_for(module, recipe):
    return prepared(module, recipe, kgan.data.ImageSource.find)(
        "digits", image_size=recipe.image_size
    )


def stream(module, initial_step=0):
    recipe = tiny(module.RECIPES["digits"])
    batch_size = recipe.batch_size * recipe.discriminator_steps
    return source_for(module, recipe).stream(batch_size, seed=0, initial_step=initial_step)


def build(name, conditional=None, **options):
    """Returns a module's GAN for the digits, as small as it goes."""
    module = MODULES[name]
    recipe = tiny(module.RECIPES["digits"])
    source = source_for(module, recipe)
    if conditional is None:
        conditional = mode(name) == "always"
    keras.utils.set_random_seed(1)
    task = Task(source.image_shape, source.num_classes if conditional else None, steps=100)
    return module.build(recipe, task, **options)


def mode(name):
    return getattr(MODULES[name], "CONDITIONAL", "optional")


def fit(name, gan, steps=STEPS, initial_step=0):
    data = stream(MODULES[name], initial_step).take(steps)
    return gan.fit(data, epochs=1, steps_per_epoch=steps, shuffle=False, verbose=0).history


def weights(gan):
    """Returns all that training goes on from."""
    players = (gan.generator_optimizer, gan.discriminator_optimizer)
    variables = [v for optimizer in players for v in optimizer.variables]
    return {
        **{f"{i} {v.path}": np.array(v) for i, v in enumerate([*gan.variables, *variables])},
        **{name: np.array(v) for name, v in gan._states().items()},
    }


def assert_equal(gan, other):
    first, second = weights(gan), weights(other)
    assert len(first) == len(second)
    for (name, value), other_value in zip(first.items(), second.values(), strict=True):
        np.testing.assert_array_equal(value, other_value, err_msg=name)


def shifts(gan):
    """Whether the discriminator learns from differences of scores alone: their bias stays."""
    real, fake = np.array([[1.0], [2.0]], "float32"), np.array([[3.0], [5.0]], "float32")
    first, second = (
        gan.loss.terms({"score": real + shift}, {"score": fake + shift})["discriminator_loss"]
        for shift in (0, 0.5)
    )
    return np.isclose(first, second, rtol=1e-5)


FORMS = [
    (name, conditional)
    for name in MODULES
    for conditional in {"never": [False], "always": [True], "optional": [False, True]}[mode(name)]
]


@pytest.mark.parametrize(("name", "conditional"), FORMS)
def test_every_variable_of_every_player_moves(name, conditional):
    gan = build(name, conditional)
    before = [np.array(v) for v in gan.generator_variables + gan.discriminator_variables]
    history = fit(name, gan)
    assert all(np.isfinite(values).all() for values in history.values()), history
    still = [
        variable.path
        for variable, value in zip(
            gan.generator_variables + gan.discriminator_variables, before, strict=True
        )
        if np.array_equal(np.array(variable), value)
    ]
    assert [path for path in still if not (path.endswith("score/bias") and shifts(gan))] == []
    trained = {v.path for one in gan.networks.values() for v in one.trainable_variables}
    assert trained == {v.path for v in gan.generator_variables + gan.discriminator_variables}
    images = gan.generate(4, seed=0)
    assert images.shape == (4, *gan.image_shape) and np.abs(images).max() <= 1


@pytest.mark.parametrize("name", MODULES)
def test_resumes_bit_for_bit_from_a_file(name, tmp_path):
    kgan.backend.make_deterministic(with_xla=False)  # as programs do
    gan = build(name)
    fit(name, gan, steps=2)
    gan.save(tmp_path / "gan.keras")
    loaded = kgan.load_gan(tmp_path / "gan.keras")
    assert type(loaded) is type(gan)
    assert_equal(loaded, gan)
    fit(name, gan, steps=2, initial_step=2)
    fit(name, loaded, steps=2, initial_step=2)
    assert_equal(loaded, gan)
    np.testing.assert_array_equal(loaded.generate(4, seed=1), gan.generate(4, seed=1))


@tensorflow_only("its signatures")
@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_exports_and_answers_from_tensorflow_alone(name, tmp_path):
    gan = build(name)
    fit(name, gan, steps=1)
    served = tf.saved_model.load(str(gan.export(tmp_path / "export"))).signatures
    latents = np.array(gan.draw_latents(3, seed=1))
    labels = np.array([0, 1, 2], "int32")
    inputs = {"latent": tf.constant(latents)}
    if gan.is_conditional:
        inputs["label"] = tf.constant(labels)
    (images,) = served["serving_default"](**inputs).values()
    expected = gan([latents, labels] if gan.is_conditional else latents)
    np.testing.assert_allclose(images, (np.array(expected) + 1) / 2, atol=1e-6)


# --- XLA ----------------------------------------------------------------------------------------


def _uniform(shape, seed, minval=0.0, maxval=1.0, dtype="float32", **_):
    """Random numbers of whole-number arithmetic, which XLA does to the bit as everybody does."""
    dtype = tf.as_dtype(dtype or "float32")
    seed = tf.cast(seed, "int64")
    count = tf.cast(tf.reduce_prod(shape), "int64")
    x = tf.range(count) * 7919 + seed[0] * 31 + seed[1] * 104729
    for _ in range(3):
        x = (x * 1103515245 + 12345) % 2**31
        x = x // 64 + (x % 64) * 2**25
    if dtype.is_integer:
        low, high = tf.cast(minval, "int64"), tf.cast(maxval, "int64")
        return tf.reshape(tf.cast(low + x % (high - low), dtype), shape)
    x = tf.reshape(tf.cast(x, "float32") / 2.0**31, shape)
    return tf.cast(minval, dtype) + tf.cast(x, dtype) * tf.cast(maxval - minval, dtype)


def _normal(shape, seed, mean=0.0, stddev=1.0, dtype="float32", **_):
    return mean + stddev * 12**0.5 * (_uniform(shape, seed, dtype=dtype) - 0.5)


def _dropout(x, rate, seed, noise_shape=None, **_):
    kept = _uniform(tf.shape(x) if noise_shape is None else noise_shape, seed) >= rate
    return tf.where(kept, x / (1 - rate), tf.zeros_like(x))


@pytest.fixture
def same_random_numbers(monkeypatch):
    """TensorFlow's kernels and XLA draw others from one seed; here they draw the same."""
    monkeypatch.setattr(tf.random, "stateless_uniform", _uniform)
    monkeypatch.setattr(tf.random, "stateless_normal", _normal)
    monkeypatch.setattr(tf.random, "stateless_truncated_normal", _normal)
    monkeypatch.setattr(tf.nn.experimental, "stateless_dropout", _dropout)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_xla_computes_what_eager_execution_does(name, same_random_numbers):
    eager, compiled = build(name), build(name)
    compiled.set_weights(eager.get_weights())
    for gan, how in ((eager, {"run_eagerly": True}), (compiled, {"jit_compile": True})):
        # Adam's first steps are as long where a gradient is rounding as where it is not.
        plain = {f"{player}_optimizer": keras.optimizers.SGD(0.1) for player in PLAYERS}
        gan.compile(**{**gan.compile_arguments, **plain, **how})
    assert compiled.jit_compile and eager.run_eagerly
    fit(name, eager, steps=1)
    fit(name, compiled, steps=1)
    for a, b in zip(eager.variables, compiled.variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=a.path)
