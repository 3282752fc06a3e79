"""LeCam against its formula, and its averages against a simulation of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from tests.conformance import check_docstring
from tests.frameworks import tensorflow_only
from tests.test_gan import IMAGES, fit, make_gan, max_difference

REAL_AVERAGE, FAKE_AVERAGE = 0.7, -1.3


def warm(**kwargs):
    """A penalty whose averages have settled."""
    penalty = kgan.penalties.LeCam(**kwargs)
    penalty.build(gan=None)
    for variable, value in zip(penalty.variables, (5000, REAL_AVERAGE, FAKE_AVERAGE), strict=True):
        variable.assign(value)
    return penalty


def make_round(real, fake, shown=None):
    shown = None if shown is None else {"score": shown}
    return kgan.Round(real={"score": real}, fake={"score": fake}, shown=shown)


def formula(real, fake):
    real, fake = np.asarray(real, "float64"), np.asarray(fake, "float64")
    return np.mean((real - FAKE_AVERAGE) ** 2) + np.mean((fake - REAL_AVERAGE) ** 2)


def scores(kind):
    if kind == "saturated":
        return np.random.default_rng(0).permuted([-50.0, 50.0] * 8).reshape(2, 8)
    return np.random.default_rng(0).normal(size=(2, 8))


@tensorflow_only("its tapes")
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("kind", ["random", "saturated"])
def test_value_and_gradient(kind, jit_compile):
    real, fake = scores(kind)
    penalty = warm(weight=0.3)

    @tf.function(jit_compile=jit_compile)
    def compute(real, fake):
        with tf.GradientTape() as tape:
            tape.watch((real, fake))
            value = penalty(make_round(real[:, None], fake[:, None]))
        return value, tape.gradient(value, (real, fake))

    value, gradients = compute(tf.constant(real, "float32"), tf.constant(fake, "float32"))
    np.testing.assert_allclose(value, 0.3 * formula(real, fake), rtol=1e-6)
    for i in range(len(real)):
        step = 1e-4 * np.eye(len(real))[i]
        of_real = (formula(real + step, fake) - formula(real - step, fake)) / 2e-4
        of_fake = (formula(real, fake + step) - formula(real, fake - step)) / 2e-4
        np.testing.assert_allclose(gradients[0][i], 0.3 * of_real, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(gradients[1][i], 0.3 * of_fake, rtol=1e-5, atol=1e-6)


def test_half_scores_are_squared_in_float32():
    """300² is more than float16 holds."""
    big = tf.constant([300.0, 300.0], "float16")
    value = warm(weight=1.0)(make_round(big, big))
    assert value.dtype == tf.float32
    np.testing.assert_allclose(value, formula([300.0], [300.0]), rtol=1e-6)


def test_fakes_are_those_that_the_discriminator_learns_from():
    real, shown = scores("random")
    value = warm(weight=1.0)(make_round(real, fake=np.full(8, 99.0), shown=shown))
    np.testing.assert_allclose(value, formula(real, shown), rtol=1e-6)


def test_half_scores_are_averaged_in_float32():
    """1 and the next float16 have a mean that float16 does not hold."""
    scores = tf.constant([1.0, 1.0 + 2**-10], "float16")
    penalty = kgan.penalties.LeCam()
    penalty.build(gan=None)
    penalty.after_update(make_round(scores, 2 * scores))
    _, *averages = (float(variable.numpy()) for variable in penalty.variables)
    assert averages == [1.0 + 2**-11, 2.0 + 2**-10]


class Recorder(kgan.penalties.Constraint):
    """Keeps the mean scores of every update, in eager execution."""

    def build(self, gan):
        self.means = []

    def after_update(self, round):
        self.means.append([float(np.mean(v["score"])) for v in (round.real, round.shown)])


@pytest.mark.parametrize("turns", [1, 2])
def test_averages_follow_the_scores(turns):
    """For two updates they are the last batch's means, and from then on exponential averages."""
    penalty, recorder = kgan.penalties.LeCam(0.3, decay=0.75, warm_up_steps=2), Recorder()
    compiled = {"penalties": [penalty, recorder], "run_eagerly": True, "discriminator_steps": turns}
    fit(make_gan(compile_kwargs=compiled), epochs=5)
    assert len(recorder.means) == 5 * turns
    average = np.zeros(2)
    for number, means in enumerate(np.array(recorder.means)):
        decay = 0.75 if number >= 2 else 0.0
        average = decay * average + (1 - decay) * means
    updates, *averages = (variable.numpy() for variable in penalty.variables)
    assert updates == 5 * turns
    np.testing.assert_allclose(averages, average, rtol=1e-5)


def test_penalty_is_zero_until_the_averages_have_settled():
    penalty = kgan.penalties.LeCam(0.3, warm_up_steps=2)
    logs = fit(make_gan(compile_kwargs={"penalties": [penalty]}), epochs=4)["le_cam"]
    assert logs[:2] == [0, 0]
    assert logs[2] > 0 and logs[3] > 0


def test_penalty_moves_the_discriminator_alone():
    """Both gradients of a simultaneous step are taken before either player moves."""
    plain, pulled = make_gan(), make_gan(compile_kwargs=settled())
    for variable, value in zip(pulled.penalties[0].variables, (1, 3.0, -3.0), strict=True):
        variable.assign(value)
    fit(plain)
    fit(pulled)
    pairs = zip(plain.generator.get_weights(), pulled.generator.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    kernels = [gan.discriminator.get_weights()[0] for gan in (plain, pulled)]
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-3


def test_every_skips_the_penalty_but_not_the_averages():
    def run(every):
        penalty = kgan.penalties.LeCam(0.3, warm_up_steps=1, every=every)
        sgd = keras.optimizers.SGD
        rates = {"generator_optimizer": sgd(0.0), "discriminator_optimizer": sgd(0.0)}
        logs = fit(make_gan(compile_kwargs={"penalties": [penalty], **rates}), epochs=5)
        return logs["le_cam"], [variable.numpy() for variable in penalty.variables]

    (always, averages), (lazily, lazy_averages) = run(1), run(2)
    np.testing.assert_array_equal(averages, lazy_averages)
    np.testing.assert_allclose(lazily, [0, 0, 2 * always[2], 0, 2 * always[4]], rtol=1e-5)


def settled():
    return {"penalties": [kgan.penalties.LeCam(1.0, decay=0.5, warm_up_steps=1)]}


def test_two_replicas_equal_one(two_replicas):
    one = make_gan(compile_kwargs=settled())
    with two_replicas.scope():
        two = make_gan(compile_kwargs=settled())
    expected, logs = fit(one, epochs=4), fit(two, epochs=4)
    np.testing.assert_allclose(logs["le_cam"], expected["le_cam"], atol=1e-5)
    assert max_difference(one, two) < 1e-5
    variables = zip(one.penalties[0].variables, two.penalties[0].variables, strict=True)
    for mine, mirrored in variables:
        for copy in two_replicas.experimental_local_results(mirrored.value):
            np.testing.assert_allclose(copy, mine, atol=1e-5)


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"jit_compile": True}])
def test_every_way_to_run_gives_the_same(how):
    expected = make_gan(compile_kwargs=settled())
    gan = make_gan(compile_kwargs={**settled(), **how})
    # XLA draws other random numbers from the same state, so both are given theirs.
    latents = tf.constant(np.random.default_rng(1).normal(size=(16, 4)), "float32")
    gan.sample_latents = expected.sample_latents = lambda n, training=True: latents
    logs = fit(gan, epochs=3)["le_cam"]
    np.testing.assert_allclose(logs, fit(expected, epochs=3)["le_cam"], rtol=1e-4)
    assert max_difference(gan, expected) < 1e-5


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_near_float32(policy):
    expected = fit(make_gan(compile_kwargs=settled()), epochs=3)["le_cam"]
    keras.config.set_dtype_policy(policy)
    logs = fit(make_gan(compile_kwargs=settled()), epochs=3)["le_cam"]
    np.testing.assert_allclose(logs, expected, atol=0.05)


def test_a_loaded_gan_trains_on_bit_for_bit(tmp_path):
    gan = make_gan(compile_kwargs=settled())
    fit(gan, epochs=2)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    states = [[v.numpy() for v in one.penalties[0].variables] for one in (gan, loaded)]
    assert states[0] == states[1] and states[0][0] == 2
    assert fit(loaded, epochs=2) == fit(gan, epochs=2)
    assert max_difference(loaded, gan) == 0


def test_compiling_again_starts_anew():
    gan = make_gan(compile_kwargs=settled())
    fit(gan)
    gan.compile("sgd", "sgd", penalties=gan.penalties)
    assert [float(v.numpy()) for v in gan.penalties[0].variables] == [0, 0, 0]
    assert fit(gan, IMAGES)["le_cam"] == [0]


def test_config_and_docstring():
    penalty = kgan.penalties.LeCam(0.1, decay=0.9, warm_up_steps=7, every=2, name="limited")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(penalty))
    assert isinstance(copy, kgan.penalties.LeCam)
    assert copy.get_config() == penalty.get_config()
    assert (copy.weight, copy.decay, copy.warm_up_steps) == (0.1, 0.9, 7)
    assert (copy.every, copy.name) == (2, "limited")
    assert kgan.penalties.get("lecam:0.1,decay=0.9").decay == 0.9
    check_docstring(kgan.penalties.LeCam)


@pytest.mark.parametrize(
    "arguments",
    [
        {"weight": 0},
        {"weight": -1.0},
        {"decay": 1.0},
        {"decay": -0.1},
        {"warm_up_steps": 0},
        {"every": 0},
    ],
    ids=str,
)
def test_bad_arguments(arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=rf"{name}.*Received: ({name}=)?{value}"):
        kgan.penalties.LeCam(**arguments)
