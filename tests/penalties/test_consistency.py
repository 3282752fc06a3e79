"""bCR and zCR against their formulas, and the transformation against NumPy's padding."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kgan
from kgan.penalties.consistency import _flip_and_shift
from tests import networks
from tests.conformance import check_docstring
from tests.frameworks import tensorflow_only
from tests.test_gan import fit, make_gan, max_difference

SHAPE = (6, 5, 1)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (16, *SHAPE)).astype("float32")
PENALTIES = {
    "balanced_consistency": lambda **kwargs: kgan.penalties.BalancedConsistency(2.0, 3.0, **kwargs),
    "latent_consistency": lambda **kwargs: kgan.penalties.LatentConsistency(2.0, 0.5, **kwargs),
    "latent_diversity": lambda **kwargs: kgan.penalties.LatentDiversity(0.6, 0.5, **kwargs),
}


def make_image_gan(penalties, **compile_kwargs):
    network_kwargs = {"shape": SHAPE}
    return make_gan(
        network_kwargs=network_kwargs, compile_kwargs={"penalties": penalties, **compile_kwargs}
    )


def seed():
    return keras.random.SeedGenerator(3)


def random(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


def central_differences(function, x, step=1e-5):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(*x.shape):
        there, back = x.astype("float64"), x.astype("float64")
        there[i] += step
        back[i] -= step
        gradient[i] = (function(there) - function(back)) / (2 * step)
    return gradient


# --- The transformation -------------------------------------------------------------------------


def reference(image, is_flipped, down, right):
    """Pads by reflection and crops, for shifts of up to 4 pixels."""
    image = image[:, ::-1] if is_flipped else image
    height, width = image.shape[:2]
    padded = np.pad(image, ((4, 4), (4, 4), (0, 0)), mode="reflect")
    return padded[4 + down : 4 + down + height, 4 + right : 4 + right + width]


@tensorflow_only("its graphs")
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    ("shape", "limits"), [((19, 32), (2, 4)), ((20, 11), (3, 1)), ((5, 4), (1, 1))]
)
def test_each_image_is_flipped_and_shifted_in_its_own_way(shape, limits, jit_compile):
    """By up to the rounded eighth of each side, and by 1 pixel at least."""
    image = random(*shape, 2)
    known = {
        reference(image, *change).tobytes(): change
        for change in itertools.product((False, True), *(range(-m, m + 1) for m in limits))
    }
    transform = tf.function(_flip_and_shift, jit_compile=jit_compile)
    moved = transform(tf.tile(image[None], (4000, 1, 1, 1)), seed()).numpy()
    changes = [known[one.tobytes()] for one in moved]
    assert set(changes) == set(known.values())
    flipped, *offsets = np.array(changes).T
    assert abs(flipped.mean() - 0.5) < 0.05
    for offset, limit in zip(offsets, limits, strict=True):
        shares = np.bincount(offset + limit) / 4000
        assert np.abs(shares - 1 / (2 * limit + 1)).max() < 0.03


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 1), (4, 5, 2)])
def test_small_images_stay_within_their_borders(shape):
    image = random(*shape)
    moved = _flip_and_shift(ops.tile(image[None], (64, 1, 1, 1)), seed())
    assert set(np.unique(moved)) == set(np.unique(image))


@tensorflow_only("its graphs")
def test_images_of_unknown_size():
    draws, same_draws = seed(), seed()
    transform = tf.function(
        lambda images: _flip_and_shift(images, draws),
        input_signature=[tf.TensorSpec((None, None, None, None))],
    )
    expected = _flip_and_shift(ops.convert_to_tensor(IMAGES), same_draws)
    np.testing.assert_array_equal(transform(IMAGES), expected)


# --- The formulas -------------------------------------------------------------------------------


def balanced_round(w):
    """A round of the linear discriminator D(x) = x · w."""

    def score(images):
        return ops.reshape(images, (-1, np.prod(SHAPE))) @ w

    reals, fakes = ops.convert_to_tensor(IMAGES[:6]), ops.convert_to_tensor(IMAGES[6:12])
    real, fake = ({"images": x, "score": score(x)} for x in (reals, fakes))
    return kgan.Round(real=real, fake=fake, score=score, seed=seed())


@tensorflow_only("its tapes")
@pytest.mark.parametrize("weight_fake", [3.0, 0.0])
def test_balanced_consistency_value_and_gradient(weight_fake):
    draws = seed()
    pairs = [
        (x, _flip_and_shift(ops.convert_to_tensor(x), draws).numpy())
        for x in (IMAGES[:6], IMAGES[6:12])
    ]
    steps = [(x - moved).reshape(6, -1).astype("float64") for x, moved in pairs]

    def formula(w):
        real, fake = (np.mean((step @ w) ** 2) for step in steps)
        return 2.0 * real + weight_fake * fake

    w = random(np.prod(SHAPE), 1)
    variable = tf.Variable(w)
    with tf.GradientTape() as tape:
        penalty = kgan.penalties.BalancedConsistency(2.0, weight_fake)(balanced_round(variable))
    np.testing.assert_allclose(penalty, formula(w.astype("float64")), rtol=1e-6)
    expected = central_differences(formula, w)
    np.testing.assert_allclose(tape.gradient(penalty, variable), expected, rtol=1e-4, atol=1e-4)


def latent_round(a, b):
    """A round of G(z) = z a and D(x) = (x · b)²."""

    def score(images):
        return ops.square(images @ b)

    latents = ops.convert_to_tensor(random(8, 4))
    images = latents @ a
    fake = {"latents": latents, "images": images, "score": score(images)}
    return kgan.Round(real={}, fake=fake, score=score, synthesize=lambda z: z @ a, seed=seed())


def neighbours(stddev):
    latents = random(8, 4).astype("float64")
    return latents, latents + stddev * keras.random.normal((8, 4), seed=seed()).numpy()


@tensorflow_only("its tapes")
def test_latent_consistency_value_and_gradient():
    a, b = random(4, 3), random(3, 1)
    near, far = neighbours(0.5)

    def formula(b):
        return 5.0 * np.mean(((near @ a @ b) ** 2 - (far @ a @ b) ** 2) ** 2)

    generator, discriminator = tf.Variable(a), tf.Variable(b)
    with tf.GradientTape() as tape:
        penalty = kgan.penalties.LatentConsistency(5.0, 0.5)(latent_round(generator, discriminator))
    np.testing.assert_allclose(penalty, formula(b.astype("float64")), rtol=1e-6)
    expected = central_differences(formula, b)
    np.testing.assert_allclose(tape.gradient(penalty, discriminator), expected, rtol=1e-4)


@tensorflow_only("its tapes")
def test_latent_diversity_value_and_gradient():
    a, b = random(4, 3), random(3, 1)
    near, far = neighbours(0.5)

    def formula(a):
        return -0.5 * np.mean((near @ a - far @ a) ** 2)

    generator = tf.Variable(a)
    with tf.GradientTape() as tape:
        penalty = kgan.penalties.LatentDiversity(0.5, 0.5)(latent_round(generator, b))
    np.testing.assert_allclose(penalty, formula(a.astype("float64")), rtol=1e-6)
    expected = central_differences(formula, a)
    np.testing.assert_allclose(tape.gradient(penalty, generator), expected, rtol=1e-4)


def test_a_patch_map_scores_its_mean():
    """A map that T only permutes is consistent."""
    images = ops.convert_to_tensor(np.arange(6.0).reshape(1, 1, 6, 1).astype("float32"))
    flips = ops.tile(images, (8, 1, 1, 1))

    def mirrored(images):
        return ops.flip(images, axis=2)

    view = {"images": flips, "score": mirrored(flips)}
    round = kgan.Round(real=view, fake=view, score=lambda _: flips, seed=seed())
    assert float(kgan.penalties.BalancedConsistency()(round)) == 0


def test_saturated_scores_stay_finite():
    view = {"images": ops.convert_to_tensor(IMAGES), "score": ops.full((16, 1), 50.0)}
    view["latents"] = ops.zeros((16, 4))
    round = kgan.Round(
        real=view,
        fake=view,
        score=lambda images: ops.full((16, 1), -50.0),
        synthesize=lambda latents: view["images"],
        seed=seed(),
    )
    balanced = kgan.penalties.BalancedConsistency(1.0, 1.0)
    np.testing.assert_allclose(balanced(round), 2 * 100.0**2, rtol=1e-6)
    latent = kgan.penalties.LatentConsistency(1.0)
    np.testing.assert_allclose(latent(round), 100.0**2, rtol=1e-6)


# --- In a game ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PENALTIES)
def test_each_penalty_moves_its_player_alone(name):
    """Both gradients of a simultaneous step are taken before either player moves."""
    penalty = PENALTIES[name]()
    gan, plain = make_image_gan([penalty]), make_image_gan([])
    # The penalty draws too, so both games are given the same latents.
    latents = ops.convert_to_tensor(random(16, 4))
    gan.sample_latents = plain.sample_latents = lambda n, training=True: latents
    fit(gan, IMAGES)
    fit(plain, IMAGES)
    for player in ("generator", "discriminator"):
        pairs = zip(
            getattr(gan, player).get_weights(), getattr(plain, player).get_weights(), strict=True
        )
        moved = max(np.abs(a - b).max() for a, b in pairs)
        assert moved > 1e-5 if player == penalty.player else moved == 0


def test_icr_is_all_three_and_every_skips():
    def run(every):
        penalties = [make(every=every) for make in PENALTIES.values()]
        sgd = keras.optimizers.SGD
        rates = {"generator_optimizer": sgd(0.0), "discriminator_optimizer": sgd(0.0)}
        return fit(make_image_gan(penalties, **rates), IMAGES, epochs=5)

    logs = run(2)
    for name in PENALTIES:
        sign = -1 if name == "latent_diversity" else 1
        assert [np.sign(x) for x in logs[name]] == [sign, 0, sign, 0, sign], name
    # The first step's draws are the same.
    always = run(1)
    for name in PENALTIES:
        np.testing.assert_allclose(logs[name][0], 2 * always[name][0], rtol=1e-5)


def test_two_replicas_equal_one(two_replicas):
    one = make_image_gan([make() for make in PENALTIES.values()])
    with two_replicas.scope():
        two = make_image_gan([make() for make in PENALTIES.values()])
    expected, logs = fit(one, IMAGES, epochs=2), fit(two, IMAGES, epochs=2)
    for name in PENALTIES:
        np.testing.assert_allclose(logs[name], expected[name], rtol=1e-4)
    assert max_difference(one, two) < 1e-5


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"jit_compile": True}])
def test_every_way_to_run_gives_the_same(how, monkeypatch):
    # XLA draws other random numbers from the same state, so both are given theirs.
    draws = np.random.default_rng(1).uniform(0, 1, (16, 4)).astype("float32")

    def given(shape, seed):
        return ops.convert_to_tensor(draws[:, : shape[1]])

    monkeypatch.setattr(kgan.replicas, "uniform", given)
    monkeypatch.setattr(kgan.replicas, "normal", given)
    gans = [
        make_image_gan([make() for make in PENALTIES.values()], **kwargs) for kwargs in ({}, how)
    ]
    for gan in gans:
        gan.sample_latents = lambda n, training=True: ops.convert_to_tensor(draws)
    expected, logs = (fit(gan, IMAGES, epochs=2) for gan in gans)
    for name in PENALTIES:
        np.testing.assert_allclose(logs[name], expected[name], rtol=1e-4)
    assert max_difference(*gans) < 1e-5


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_near_float32(policy):
    expected = fit(make_image_gan([make() for make in PENALTIES.values()]), IMAGES)
    keras.config.set_dtype_policy(policy)
    logs = fit(make_image_gan([make() for make in PENALTIES.values()]), IMAGES)
    for name in PENALTIES:
        np.testing.assert_allclose(logs[name], expected[name], rtol=0.05)


def test_a_conditional_loaded_gan_trains_on_bit_for_bit(tmp_path):
    labels = np.arange(16) % networks.NUM_CLASSES
    penalties = [make() for make in PENALTIES.values()]
    gan = make_gan(
        num_classes=networks.NUM_CLASSES,
        network_kwargs={"shape": SHAPE},
        compile_kwargs={"penalties": penalties, "updates": "alternating"},
    )
    fit(gan, IMAGES, labels, epochs=2)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert fit(loaded, IMAGES, labels, epochs=2) == fit(gan, IMAGES, labels, epochs=2)
    assert max_difference(loaded, gan) == 0


# --- Arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PENALTIES)
def test_config_and_docstring(name):
    penalty = PENALTIES[name](every=2, name="other")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(penalty))
    assert type(copy) is type(penalty)
    assert copy.get_config() == penalty.get_config()
    for argument, value in penalty.get_config().items():
        assert getattr(copy, argument) == value
    assert type(kgan.penalties.get(name)) is type(penalty)
    check_docstring(type(penalty))


def test_balanced_consistency_needs_images():
    with pytest.raises(ValueError, match=r"\(height, width, channels\).*Received: .* \(2,\)"):
        make_gan(compile_kwargs={"penalties": ["balanced_consistency"]})


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("balanced_consistency", "weight_real", 0),
        ("balanced_consistency", "weight_fake", -1.0),
        ("balanced_consistency", "every", 0),
        ("latent_consistency", "weight", 0),
        ("latent_consistency", "stddev", 0),
        ("latent_diversity", "weight", -0.5),
        ("latent_diversity", "stddev", -0.1),
    ],
)
def test_bad_arguments(name, argument, value):
    with pytest.raises(ValueError, match=f"{argument}.*Received: .*{value}"):
        kgan.penalties.get(f"{name}:{argument}={value}")
