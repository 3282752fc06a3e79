"""Checks that every loss of a batch and every auxiliary loss must pass."""

import functools
import json

import keras
import numpy as np
from keras import ops

import kgan
from tests import networks
from tests.conformance import assert_finite, check_docstring
from tests.frameworks import gradients, variable_gradients, xla

IMAGES = np.random.default_rng(0).uniform(-1, 1, (8, 2)).astype("float32")
LABELS = np.arange(8) % networks.NUM_CLASSES
LATENT_DIM = 8
CODES = {"categorical": (3, 2), "continuous": 2}


# --- The mathematics ----------------------------------------------------------------------------


def run_batch_loss_test(cls, init_kwargs, cases, formula):
    """Checks a loss against its formula, its gradient, XLA, config and docstring.

    Args:
        cls: subclass of `kgan.losses.BatchLoss`.
        init_kwargs: dict. Arguments of its constructor.
        cases: list of tuples of arrays, what the loss is called on.
        formula: function of float64 arrays to the loss of each example, or to one scalar.
    """
    loss, each = cls(**init_kwargs), cls(**init_kwargs, reduction=None)
    for inputs in cases:
        expected = formula(*inputs)
        np.testing.assert_allclose(loss(*inputs), np.mean(expected), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(each(*inputs), expected, rtol=1e-6, atol=1e-6)
        check_gradient(loss, formula, inputs)
        compiled = xla(loss)(*map(_tensor, inputs))
        np.testing.assert_allclose(compiled, loss(*inputs), rtol=1e-5, atol=1e-6)
        total = cls(**init_kwargs, reduction="sum")(*inputs)
        np.testing.assert_allclose(total, np.sum(expected), rtol=1e-6, atol=1e-5)
    check_half_precision(loss, cases[0])
    check_weights(each, cases[0], np.asarray(formula(*cases[0])))
    check_config(loss, init_kwargs)
    check_docstring(cls)


def check_gradient(loss, formula, inputs, step=1e-6):
    """Compares the gradient in each float with central differences of the float64 formula."""
    tensors = [_tensor(x) for x in inputs]
    floats = [i for i, x in enumerate(inputs) if np.asarray(x).dtype.kind == "f"]

    def of_floats(*values):
        given = dict(zip(floats, values, strict=True))
        return loss(*(given.get(i, x) for i, x in enumerate(tensors)))

    found = gradients(of_floats, [tensors[i] for i in floats])
    for which, gradient in zip(floats, found, strict=True):
        assert_finite(gradient)
        central = np.zeros(inputs[which].shape)
        for place in np.ndindex(central.shape):
            moved = []
            for direction in (step, -step):
                shifted = [np.array(x) for x in inputs]
                shifted[which][place] += direction
                moved.append(np.mean(formula(*shifted)))
            central[place] = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(gradient, central, rtol=1e-3, atol=1e-5)


def check_half_precision(loss, inputs):
    """Half-precision outputs of a network are computed with in float32."""
    halves = [ops.cast(x, "float16") if x.dtype.kind == "f" else x for x in map(np.asarray, inputs)]
    value = loss(*halves)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    rounded = [
        ops.convert_to_numpy(x).astype("float64") if x.dtype == "float16" else x for x in halves
    ]
    np.testing.assert_allclose(value, loss(*rounded), rtol=1e-6, atol=1e-6)


def check_weights(each, inputs, expected):
    """Examples are weighted; a statistic of the batch has none to weigh."""
    if expected.ndim == 0:
        np.testing.assert_raises_regex(
            ValueError, "takes no sample_weight. Received: ", each, *inputs, sample_weight=[1.0]
        )
        return
    weights = np.arange(len(expected)) / 2
    weighted = each(*inputs, sample_weight=weights)
    np.testing.assert_allclose(weighted, weights * expected, rtol=1e-5, atol=1e-5)


def check_config(loss, init_kwargs):
    """An equal object comes back from JSON, with every argument that it was given."""
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is type(loss)
    for name, value in init_kwargs.items():
        assert getattr(copy, name) == value, name
        assert name in loss.get_config(), name


def _tensor(x):
    x = np.asarray(x)
    return ops.convert_to_tensor(x, "float32" if x.dtype.kind == "f" else "int32")


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


# --- The game -----------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="kgan_tests")
class Silent(kgan.losses.AdversarialLoss):
    """Nothing to win: what moves a player is the auxiliary loss."""

    def call(self, real_scores, fake_scores):
        return 0 * (real_scores + fake_scores)


def make_discriminator(num_classes=networks.NUM_CLASSES, class_logits=None):
    """Says all that an auxiliary loss may need, of a hidden layer `"hidden"`."""
    image, label = keras.Input((2,)), keras.Input((), dtype="int32")
    # Weights of some size: embeddings near 0 would all have the same direction.
    x = keras.layers.Dense(6, "softplus", name="hidden", kernel_initializer="he_normal")(image)
    x = keras.layers.Dense(6, "tanh", name="top", kernel_initializer="he_normal")(x)
    outputs = {
        "score": 1,
        "class_logits": class_logits or num_classes,
        "twin_logits": num_classes,
        "embedding": 4,
        "categorical_logits": sum(CODES["categorical"]),
        "continuous_mean": CODES["continuous"],
    }
    said = {name: keras.layers.Dense(width, name=name)(x) for name, width in outputs.items()}
    said["proxy"] = keras.layers.Embedding(num_classes, 4, "he_normal", name="proxy")(label)
    return keras.Model([image, label], said)


def make_generator():
    latent, label = keras.Input((LATENT_DIM,)), keras.Input((), dtype="int32")
    joined = keras.layers.Concatenate()(
        [latent, keras.layers.Embedding(networks.NUM_CLASSES, 4, "he_normal")(label)]
    )
    x = keras.layers.Dense(8, "tanh", kernel_initializer="he_normal")(joined)
    return keras.Model([latent, label], keras.layers.Dense(2, "tanh")(x))


def make_gan(auxiliary, class_logits=None, **compile_kwargs):
    """A tiny conditional game in which only the auxiliary loss moves anyone; always the same."""
    keras.utils.set_random_seed(1)
    gan = kgan.GAN(
        make_generator(),
        make_discriminator(class_logits=class_logits),
        num_classes=networks.NUM_CLASSES,
        seed=7,
    )
    optimizers = (keras.optimizers.SGD(0.5), keras.optimizers.SGD(0.5))
    loss = kgan.losses.LossPair(Silent(), Silent())
    gan.compile(*optimizers, loss, auxiliary_losses=auxiliary, **compile_kwargs)
    return gan


def fit(gan, epochs=2):
    return gan.fit(IMAGES, LABELS, batch_size=8, epochs=epochs, shuffle=False, verbose=0).history


def run_auxiliary_test(cls, init_kwargs, players, **make_kwargs):
    """Checks whom a term moves and where to, its config and its docstring.

    Args:
        cls: subclass of `kgan.losses.AuxiliaryLoss`.
        init_kwargs: dict. Arguments of its constructor.
        players: tuple of str, whose loss has the term.
        **make_kwargs: passed to `make_gan`.
    """
    auxiliary = cls(**init_kwargs)
    assert auxiliary.players == players
    name = kgan.registry.snake_case(cls.__name__)
    assert name in kgan.losses.auxiliary_names() and auxiliary.name == name
    check_config(auxiliary, init_kwargs)
    check_docstring(cls)
    check_weight(cls, init_kwargs)
    check_step(auxiliary, players, make_kwargs)


def check_two_replicas(auxiliary, two_replicas, **make_kwargs):
    """Two replicas with half of the batch each do what one does with all of it."""
    one = make_gan(auxiliary, run_eagerly=True, **make_kwargs)
    with two_replicas.scope():
        two = make_gan(auxiliary, **make_kwargs)
    assert_close(fit(two), fit(one), 1e-4)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def check_xla(auxiliary):
    """XLA draws other random numbers from the same state, so both are given theirs."""
    latents = _tensor(np.random.default_rng(1).normal(size=(8, LATENT_DIM)))
    logs = []
    for how in ({"run_eagerly": True}, {"jit_compile": True}):
        gan = make_gan(auxiliary, **how)
        gan.sample_latents = lambda n, training=True: latents
        logs.append(fit(gan))
    assert_close(*logs, 1e-4)


def check_precision(auxiliary, policy):
    """In half precision the terms are near those of float32."""
    expected = fit(make_gan(auxiliary, run_eagerly=True), epochs=1)
    keras.config.set_dtype_policy(policy)
    assert_close(fit(make_gan(auxiliary, run_eagerly=True), epochs=1), expected, 0.1)


def assert_close(logs, expected, tolerance):
    assert logs.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(
            logs[name], values, rtol=tolerance, atol=tolerance / 2, err_msg=name
        )


def check_weight(cls, init_kwargs):
    """Weights that are no numbers above 0 are refused."""
    message = f"The weight of {cls.__name__} must be a positive number. Received: "
    for weight in (0, -1.0, np.inf, True, "1", None):
        np.testing.assert_raises_regex(
            ValueError, f"{message}{weight!r}", cls, **{**init_kwargs, "weight": weight}
        )


def check_step(auxiliary, players, make_kwargs):
    """One step moves each player along its own term's gradient, and no one else."""
    gan, reference = (make_gan([auxiliary], run_eagerly=True, **make_kwargs) for _ in range(2))
    logs = fit(gan, epochs=1)
    seeds = np.array(reference._training_seeds.state)

    def term(player):
        reference._training_seeds.state.assign(seeds)
        round = reference.play(_tensor(IMAGES), _tensor(LABELS))
        return auxiliary.weight * getattr(auxiliary, player)(round.real, round.fake)

    for player in ("generator", "discriminator"):
        network, before = getattr(gan, player), getattr(reference, player)
        assert (f"{player}_{auxiliary.name}" in logs) == (player in players)
        if player not in players:
            for a, b in zip(network.get_weights(), before.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
            continue
        logged = logs[f"{player}_{auxiliary.name}"][0]
        np.testing.assert_allclose(logged, term(player), rtol=1e-5)
        np.testing.assert_allclose(logs[f"{player}_loss"][0], term(player), rtol=1e-5)
        found = variable_gradients(functools.partial(term, player), before.trainable_variables)
        assert max(np.abs(gradient).max() for gradient in found) > 1e-4
        for after, old, gradient in zip(
            network.trainable_variables, before.trainable_variables, found, strict=True
        ):
            expected = np.array(old) - 0.5 * gradient
            np.testing.assert_allclose(after.value, expected, rtol=1e-4, atol=1e-6)
