"""Penalties on weights against their formulas, and weight clipping against NumPy's clip."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from tests import networks
from tests.conformance import check_docstring
from tests.frameworks import tensorflow_only
from tests.test_gan import fit, make_gan, max_difference

PLAYERS = ("generator", "discriminator")


def overlap(w):
    """‖WᵀW ⊙ (1 − I)‖²_F in float64."""
    w = np.asarray(w, "float64")
    products = w.T @ w
    return np.sum((products - np.diag(np.diag(products))) ** 2)


def round_of(network):
    return kgan.Round(real={}, fake={}, generator=network, discriminator=network)


# --- Orthogonal ---------------------------------------------------------------------------------


@tensorflow_only("its tapes")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_orthogonal_value_and_gradient(jit_compile):
    """The gradient is 4 W (WᵀW ⊙ (1 − I)), by central differences of the formula."""
    layer = keras.layers.Dense(3)
    network = keras.Sequential([keras.Input((4,)), layer])
    w = np.random.default_rng(0).normal(size=(4, 3))
    layer.kernel.assign(w)
    penalty = kgan.penalties.Orthogonal(0.5)

    @tf.function(jit_compile=jit_compile)
    def compute():
        with tf.GradientTape() as tape:
            value = penalty(round_of(network))
        return value, tape.gradient(value, layer.kernel.value)

    value, gradient = compute()
    np.testing.assert_allclose(value, 0.5 * overlap(w), rtol=1e-6)
    for i in np.ndindex(4, 3):
        step = np.zeros((4, 3))
        step[i] = 1e-5
        expected = 0.5 * (overlap(w + step) - overlap(w - step)) / 2e-5
        np.testing.assert_allclose(gradient[i], expected, rtol=1e-5, atol=1e-5)


def test_orthogonal_filters_cost_nothing_whatever_their_norms():
    layer = keras.layers.Dense(2)
    network = keras.Sequential([keras.Input((3,)), layer])
    layer.kernel.assign([[50.0, 0.0], [0.0, 0.1], [0.0, 0.0]])
    assert float(kgan.penalties.Orthogonal(1.0)(round_of(network))) == 0


def test_a_column_for_each_output_channel():
    """Transposed kernels keep their outputs before their inputs; depthwise ones have two axes."""
    layers = [
        keras.layers.Conv2D(3, 2),
        keras.layers.Conv2DTranspose(4, 2),
        keras.layers.DepthwiseConv2D(2, depth_multiplier=2),
    ]
    network = keras.Sequential([keras.Input((5, 5, 2)), *layers])
    rng = np.random.default_rng(0)
    for weight in network.weights:
        weight.assign(rng.normal(size=weight.shape))
    plain, transposed, depthwise = (layer.get_weights()[0] for layer in layers)
    assert transposed.shape == (2, 2, 4, 3)
    expected = overlap(plain.reshape(-1, 3))
    expected += overlap(np.moveaxis(transposed, 2, 3).reshape(-1, 4))
    expected += overlap(depthwise.reshape(-1, 8))
    value = kgan.penalties.Orthogonal(1.0)(round_of(network))
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_kernels_inside_other_layers_count_and_embeddings_do_not():
    dense = keras.layers.Dense(3, name="inner")
    network = networks.generator(num_classes=3)
    outer = keras.Sequential(
        [keras.Input((2,)), keras.Sequential([keras.layers.Dense(4, activation="tanh"), dense])]
    )
    expected = sum(overlap(v) for v in outer.trainable_variables if v.name == "kernel")
    value = kgan.penalties.Orthogonal(1.0)(round_of(outer))
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    before = kgan.penalties.Orthogonal(1.0)(round_of(network))
    (table,) = (v for v in network.trainable_variables if v.name == "embeddings")
    table.assign(100 * table.value)
    assert float(kgan.penalties.Orthogonal(1.0)(round_of(network))) == float(before)


def test_a_player_without_kernels_is_an_error():
    inputs = keras.Input((2,))
    outputs = keras.ops.sum(keras.layers.PReLU()(inputs), axis=-1, keepdims=True)
    gan = kgan.GAN(networks.generator(), keras.Model(inputs, outputs))
    with pytest.raises(ValueError, match="discriminator with kernels.*Received: .*alpha"):
        gan.compile(penalties=[kgan.penalties.Orthogonal(player="discriminator")])


# --- Historical averaging -----------------------------------------------------------------------


@pytest.mark.parametrize("player", PLAYERS)
def test_historical_averaging_follows_every_update(player):
    """Each step logs the distance to the mean of what the updates before it made."""
    gan = make_gan(compile_kwargs={"penalties": [kgan.penalties.HistoricalAveraging(0.5, player)]})
    variables = getattr(gan, player).trainable_variables
    past = []
    for number in range(5):
        now = [v.numpy().astype("float64") for v in variables]
        logged = fit(gan)["historical_averaging"][0]
        means = [np.mean(values, axis=0) for values in zip(*past, strict=True)] or now
        distance = sum(np.sum((a - b) ** 2) for a, b in zip(now, means, strict=True))
        np.testing.assert_allclose(logged, 0.5 * distance, rtol=1e-4, atol=1e-9)
        past.append([v.numpy().astype("float64") for v in variables])
        assert (logged > 1e-6) == (number >= 2)
    updates, *kept = (v.numpy() for v in gan.penalties[0].variables)
    assert updates == 5
    for mean, values in zip(kept, zip(*past, strict=True), strict=True):
        np.testing.assert_allclose(mean, np.mean(values, axis=0), atol=1e-6)


@tensorflow_only("its tapes")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_historical_averaging_value_and_gradient(jit_compile):
    """The mean is a constant: d/dθ of ‖θ − mean‖² is 2 (θ − mean)."""
    gan = make_gan()
    penalty = kgan.penalties.HistoricalAveraging(0.5)
    penalty.build(gan)
    weights = gan.discriminator.trainable_variables
    rng = np.random.default_rng(0)
    past = [[rng.normal(size=w.shape) for w in weights] for _ in range(3)]
    for values in past:
        for weight, value in zip(weights, values, strict=True):
            weight.assign(value)
        penalty.after_update(round=None)
    now = [rng.normal(size=w.shape) for w in weights]
    for weight, value in zip(weights, now, strict=True):
        weight.assign(value)

    @tf.function(jit_compile=jit_compile)
    def compute():
        with tf.GradientTape() as tape:
            value = penalty(round_of(gan.discriminator))
        return value, tape.gradient(value, [w.value for w in weights])

    value, gradients = compute()
    differences = [
        a - np.mean(b, axis=0) for a, b in zip(now, zip(*past, strict=True), strict=True)
    ]
    expected = 0.5 * sum(np.sum(d**2) for d in differences)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    for gradient, difference in zip(gradients, differences, strict=True):
        np.testing.assert_allclose(gradient, difference, rtol=1e-5, atol=1e-6)


def test_historical_averaging_counts_each_discriminator_update():
    compiled = {"updates": "alternating", "discriminator_steps": 3}
    penalties = [kgan.penalties.HistoricalAveraging(0.1, player, name=player) for player in PLAYERS]
    gan = make_gan(compile_kwargs={"penalties": penalties, **compiled})
    fit(gan, epochs=2)
    assert [float(p.variables[0].numpy()) for p in gan.penalties] == [2, 6]


def test_compiling_again_starts_anew():
    gan = make_gan(compile_kwargs={"penalties": [kgan.penalties.HistoricalAveraging()]})
    fit(gan, epochs=3)
    gan.compile("sgd", "sgd", penalties=gan.penalties)
    assert len(gan.penalties[0].variables) == 1 + len(gan.discriminator.trainable_variables)
    assert all(not np.any(v.numpy()) for v in gan.penalties[0].variables)
    assert fit(gan)["historical_averaging"] == [0]


# --- Weight clipping ----------------------------------------------------------------------------


def clipping_gan(penalties, optimizer, **compile_kwargs):
    return make_gan(
        compile_kwargs={
            "penalties": penalties,
            "discriminator_optimizer": optimizer,
            **compile_kwargs,
        }
    )


class Watch(kgan.penalties.Constraint):
    """Notes the largest weight of the discriminator after each of its updates."""

    def build(self, gan):
        self.largest = []

    def after_update(self, round):
        self.largest.append(max(np.abs(w).max() for w in round.discriminator.get_weights()))


@pytest.mark.parametrize("updates", ["simultaneous", "alternating"])
def test_clipping_follows_every_update(updates):
    """Adam moves each weight by 0.1, so three updates without clipping would pass the limit."""
    limit = 0.05
    watch = Watch()
    gan = clipping_gan(
        [kgan.penalties.WeightClipping(limit), watch],
        keras.optimizers.Adam(0.1),
        updates=updates,
        discriminator_steps=3,
        run_eagerly=True,
    )
    assert max(np.abs(w).max() for w in gan.discriminator.get_weights()) > limit
    fit(gan, epochs=2)
    np.testing.assert_allclose(watch.largest, [limit] * 6, rtol=1e-6)
    assert max(np.abs(w).max() for w in gan.generator.get_weights()) > limit


@pytest.mark.parametrize("optimizer", [keras.optimizers.SGD, keras.optimizers.Adam])
def test_clipping_is_the_update_and_then_the_clip(optimizer):
    plain = clipping_gan([], optimizer(0.3))
    clipped = clipping_gan(["weight_clipping:0.2"], optimizer(0.3))
    fit(plain)
    fit(clipped)
    players = zip(
        plain.discriminator.get_weights(), clipped.discriminator.get_weights(), strict=True
    )
    for free, held in players:
        np.testing.assert_allclose(held, np.clip(free, -0.2, 0.2), atol=1e-7)
    untouched = zip(plain.generator.get_weights(), clipped.generator.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in untouched)


# --- In a game ----------------------------------------------------------------------------------


def all_three(every=1):
    return [
        kgan.penalties.Orthogonal(0.1, every=every),
        kgan.penalties.HistoricalAveraging(0.5, every=every),
        kgan.penalties.WeightClipping(0.3),
    ]


def test_two_replicas_equal_one(two_replicas):
    one = make_gan(compile_kwargs={"penalties": all_three()})
    with two_replicas.scope():
        two = make_gan(compile_kwargs={"penalties": all_three()})
    expected, logs = fit(one, epochs=4), fit(two, epochs=4)
    for name in ("orthogonal", "historical_averaging"):
        np.testing.assert_allclose(logs[name], expected[name], rtol=1e-4, atol=1e-7)
    assert max_difference(one, two) < 1e-5
    for weight in two.discriminator.weights:
        for copy in two_replicas.experimental_local_results(weight.value):
            assert np.abs(copy).max() <= np.float32(0.3)
    means = zip(one.penalties[1].variables, two.penalties[1].variables, strict=True)
    for mine, mirrored in means:
        for copy in two_replicas.experimental_local_results(mirrored.value):
            np.testing.assert_allclose(copy, mine, atol=1e-5)


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"jit_compile": True}])
def test_every_way_to_run_gives_the_same(how):
    expected = make_gan(compile_kwargs={"penalties": all_three()})
    gan = make_gan(compile_kwargs={"penalties": all_three(), **how})
    # XLA draws other random numbers from the same state, so both are given theirs.
    latents = tf.constant(np.random.default_rng(1).normal(size=(16, 4)), "float32")
    gan.sample_latents = expected.sample_latents = lambda n, training=True: latents
    logs, expected_logs = fit(gan, epochs=4), fit(expected, epochs=4)
    for name in ("orthogonal", "historical_averaging"):
        np.testing.assert_allclose(logs[name], expected_logs[name], rtol=1e-4, atol=1e-7)
    assert max_difference(gan, expected) < 1e-5


def test_every_skips_the_penalties_but_not_the_mean():
    lazy = make_gan(compile_kwargs={"penalties": all_three(every=2)})
    logs = fit(lazy, epochs=5)
    for name in ("orthogonal", "historical_averaging"):
        assert [x > 0 for x in logs[name]][1:] == [False, True, False, True], name
    assert float(lazy.penalties[1].variables[0].numpy()) == 5
    always = fit(make_gan(compile_kwargs={"penalties": all_three()}))
    np.testing.assert_allclose(logs["orthogonal"][0], 2 * always["orthogonal"][0], rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_computes_in_float32(policy):
    """Weights are float32 under every policy, so the first step's penalty is the same."""
    expected = fit(make_gan(compile_kwargs={"penalties": all_three()}), epochs=3)
    keras.config.set_dtype_policy(policy)
    gan = make_gan(compile_kwargs={"penalties": all_three()})
    logs = fit(gan, epochs=3)
    np.testing.assert_allclose(logs["orthogonal"][0], expected["orthogonal"][0], rtol=1e-6)
    for name in ("orthogonal", "historical_averaging"):
        np.testing.assert_allclose(logs[name], expected[name], rtol=0.1, atol=1e-4)
    assert max(np.abs(w).max() for w in gan.discriminator.get_weights()) <= np.float32(0.3)


def test_a_loaded_gan_trains_on_bit_for_bit(tmp_path):
    gan = make_gan(compile_kwargs={"penalties": all_three()})
    fit(gan, epochs=3)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    states = zip(gan.penalties[1].variables, loaded.penalties[1].variables, strict=True)
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in states)
    assert fit(loaded, epochs=2) == fit(gan, epochs=2)
    assert max_difference(loaded, gan) == 0


# --- Arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        ("Orthogonal", {"weight": 0.1, "player": "discriminator", "every": 2, "name": "x"}),
        ("HistoricalAveraging", {"weight": 0.1, "player": "generator", "every": 2, "name": "x"}),
        ("WeightClipping", {"limit": 0.5, "name": "x"}),
    ],
)
def test_config_and_docstring(cls, arguments):
    cls = getattr(kgan.penalties, cls)
    made = cls(**arguments)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert type(copy) is cls
    assert copy.get_config() == arguments
    for name, value in arguments.items():
        assert getattr(copy, name) == value
    check_docstring(cls)


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("orthogonal", "weight", 0),
        ("orthogonal", "player", "critic"),
        ("historical_averaging", "weight", -1),
        ("historical_averaging", "player", "both"),
        ("historical_averaging", "every", 0),
        ("weight_clipping", "limit", 0),
        ("weight_clipping", "limit", -0.01),
    ],
)
def test_bad_arguments(name, argument, value):
    with pytest.raises(ValueError, match=f"{argument}.*Received: .*{value}"):
        kgan.penalties.get(f"{name}:{argument}={value}")
