"""What every augmentation must do, alone and in a GAN that trains."""

import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kgan
from tests import conformance, networks
from tests.frameworks import tensorflow_only

SHAPE = (6, 6, 3)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (16, *SHAPE)).astype("float32")
ADAPTIVE = {"target": 0.05, "adjust_images": 200, "interval": 2, "initial_probability": 0.7}
CASES = {
    "ada": (kgan.augment.ADA, ADAPTIVE),
    "apa": (kgan.augment.APA, ADAPTIVE),
    "diff_augment": (kgan.augment.DiffAugment, {"translation": 0.2, "cutout": 0.4}),
    "instance_noise": (kgan.augment.InstanceNoise, {"stddev": 0.3, "decay_images": 100}),
}
LOGS = {
    "ada": {"ada_probability", "ada_real_sign"},
    "apa": {"apa_probability", "apa_real_sign"},
    "diff_augment": set(),
    "instance_noise": {"instance_noise_stddev"},
}
every_case = pytest.mark.parametrize("name", CASES)


def make(name, /, **kwargs):
    cls, init_kwargs = CASES[name]
    return cls(**{**init_kwargs, **kwargs})


def make_gan(augment, rates=(0.1, 0.2), shape=SHAPE, **compile_kwargs):
    """A tiny compiled GAN that is the same at each call."""
    keras.utils.set_random_seed(1)
    gan = kgan.GAN(networks.generator(shape=shape), networks.discriminator(shape=shape), seed=7)
    generator, discriminator = map(keras.optimizers.SGD, rates)
    gan.compile(generator, discriminator, augment=augment, **compile_kwargs)
    return gan


# Of one step, tracing takes longer than computing.
EAGER = {"run_eagerly": True}


def fit(gan, images=IMAGES, **kwargs):
    kwargs = {"batch_size": 16, "epochs": 1, "verbose": 0, "shuffle": False, **kwargs}
    return gan.fit(images, **kwargs).history


def max_difference(gan, other):
    return max(
        np.abs(a - b).max() for a, b in zip(gan.get_weights(), other.get_weights(), strict=True)
    )


@pytest.fixture
def fixed_draws(monkeypatch):
    """The same draws eagerly and under XLA, whose random numbers are others."""

    def fixed(draw):
        def draws(shape, seed, minval=0.0, maxval=1.0):
            values = draw(np.random.default_rng(5), (16, *shape[1:]))
            return ops.convert_to_tensor(minval + (maxval - minval) * values, "float32")

        return draws

    monkeypatch.setattr(kgan.replicas, "uniform", fixed(lambda rng, shape: rng.random(shape)))
    monkeypatch.setattr(kgan.replicas, "normal", fixed(lambda rng, shape: rng.normal(size=shape)))


# --- Names and arguments ------------------------------------------------------------------------


def test_names():
    assert kgan.augment.names() == sorted(CASES)
    assert isinstance(kgan.augment.get("diffaugment"), kgan.augment.DiffAugment)
    noise = kgan.augment.get("instance_noise:0.1,decay_images=100000")
    assert (noise.stddev, noise.decay_images) == (0.1, 100000)


def test_unknown_name():
    with pytest.raises(ValueError, match="Did you mean 'diff_augment'.*Received: 'difaugment'"):
        kgan.augment.get("difaugment")


@every_case
def test_every_argument_comes_back(name):
    cls, init_kwargs = CASES[name]
    augmentation = make(name, name="another")
    config = augmentation.get_config()
    parameters = list(inspect.signature(cls.__init__).parameters)[1:]
    assert set(config) == set(parameters)
    for key in parameters:
        assert getattr(augmentation, key) == config[key]
    assert {key: config[key] for key in init_kwargs} == init_kwargs
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(augmentation)))
    copy = kgan.augment.get(stored)
    assert type(copy) is cls and copy.get_config() == config


@every_case
def test_docstring(name):
    conformance.check_docstring(CASES[name][0])


@pytest.mark.parametrize("name", ["ada", "diff_augment"])
@pytest.mark.parametrize("shape", [(2,), (1, 4, 3), (4, 3)], ids=str)
def test_others_than_images_are_refused_at_compile(name, shape):
    with pytest.raises(ValueError, match=r"needs images of shape \(height, width, channels\)"):
        make_gan([name], shape=shape)


@pytest.mark.parametrize("name", ["apa", "instance_noise"])
def test_samples_of_any_shape(name):
    points = np.random.default_rng(0).normal(size=(16, 2)).astype("float32")
    logs = fit(make_gan([make(name)], shape=(2,)), points, epochs=2)
    assert np.isfinite(list(logs.values())).all()


# --- Alone --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ada", "diff_augment", "instance_noise"])
def test_each_example_is_changed_in_its_own_way(name):
    images = np.repeat(IMAGES[:1], 16, axis=0)
    augmentation = make(name, initial_probability=1.0) if name == "ada" else make(name)
    seed = keras.random.SeedGenerator(1)
    augmented = np.array(augmentation(images, seed))
    assert augmented.shape == images.shape and augmented.dtype == np.float32
    assert len(np.unique(augmented.reshape(16, -1), axis=0)) == 16
    assert not np.allclose(augmented, augmentation(images, seed))


@tensorflow_only("its tapes")
@every_case
def test_gradient_equals_central_differences(name):
    """All are affine in the images, so that differences over large steps are exact."""
    augmentation = make(name)
    rng = np.random.default_rng(1)
    direction, weights = rng.normal(size=(2, *IMAGES.shape)).astype("float32")

    def value(images):
        return ops.sum(weights * augmentation(images, keras.random.SeedGenerator(3)))

    images = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(images)
        y = value(images)
    slope = float(ops.sum(tape.gradient(y, images) * direction))
    central = float(value(IMAGES + direction) - value(IMAGES - direction)) / 2
    np.testing.assert_allclose(slope, central, rtol=1e-4, atol=1e-2)


@tensorflow_only("its graphs")
@every_case
def test_xla_equals_eager(name, fixed_draws):
    augmentation = make(name)
    compiled = tf.function(lambda x: augmentation(x, None), jit_compile=True)
    np.testing.assert_allclose(compiled(IMAGES), augmentation(IMAGES, None), atol=2e-5)


# --- In a GAN -----------------------------------------------------------------------------------


@every_case
def test_trains_and_logs_its_state(name):
    logs = fit(make_gan([make(name)]), epochs=3, validation_data=(IMAGES, None))
    plain = set(fit(make_gan([])))
    assert set(logs) == plain | LOGS[name] | {f"val_{log}" for log in plain | LOGS[name]}
    assert np.isfinite(list(logs.values())).all()
    assert len(set(logs["discriminator_loss"])) == 3


@pytest.mark.slow
def test_two_replicas_equal_one(two_replicas):
    one = make_gan([make(name) for name in CASES])
    with two_replicas.scope():
        two = make_gan([make(name) for name in CASES])
    expected, logs = fit(one, epochs=4), fit(two, epochs=4)
    assert max_difference(one, two) < 1e-5
    for log, values in expected.items():
        np.testing.assert_allclose(logs[log], values, atol=1e-5, err_msg=log)


@every_case
def test_a_loaded_gan_trains_on_bit_for_bit(name, tmp_path):
    uninterrupted = make_gan([make(name)], **EAGER)
    fit(uninterrupted, epochs=3)
    uninterrupted.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    for log, value in uninterrupted.augment[0].state_logs().items():
        assert float(loaded.augment[0].state_logs()[log]) == float(value)
    assert fit(loaded, epochs=3) == fit(uninterrupted, epochs=3)
    assert max_difference(loaded, uninterrupted) == 0


@pytest.mark.slow
def test_fit_of_all_with_r1_under_xla_equals_eager(fixed_draws):
    gans = [
        make_gan([make(name) for name in CASES], penalties=["r1:1"], **how)
        for how in (EAGER, {"jit_compile": True})
    ]
    latents = ops.convert_to_tensor(np.random.default_rng(1).normal(size=(16, 4)), "float32")
    for gan in gans:
        gan.sample_latents = lambda n, training=True: latents
    eager, compiled = (fit(gan, epochs=2) for gan in gans)
    for log, values in eager.items():
        np.testing.assert_allclose(compiled[log], values, rtol=1e-4, atol=1e-5, err_msg=log)
    assert max_difference(*gans) < 1e-4


@every_case
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_near_float32(name, policy):
    expected = fit(make_gan([make(name)], **EAGER), epochs=2)
    keras.config.set_dtype_policy(policy)
    for log, values in fit(make_gan([make(name)], **EAGER), epochs=2).items():
        # One score may change its sign.
        atol = 0.25 if log.endswith(("sign", "probability")) else 0.05
        np.testing.assert_allclose(values, expected[log], atol=atol, err_msg=log)


@every_case
def test_the_generator_learns_through_it(name):
    gan = make_gan([make(name)], rates=(0.1, 0.0), **EAGER)
    before = gan.generator.get_weights()
    fit(gan)
    for old, new in zip(before, gan.generator.get_weights(), strict=True):
        assert np.isfinite(new).all() and np.abs(new - old).max() > 1e-6


@every_case
def test_r1_goes_through_it(name):
    """D's weights move by the gradient of its gradient alone: the generator stands still."""
    gans = [
        make_gan([make(name)], rates=(0.0, 0.1), penalties=penalties, **EAGER)
        for penalties in ([], [kgan.penalties.R1(50.0)])
    ]
    plain, regularized = (fit(gan) for gan in gans)
    assert np.isfinite(regularized["r1"]).all() and regularized["r1"][0] > 0
    assert np.isfinite(regularized["discriminator_loss"]).all()
    np.testing.assert_allclose(
        regularized["discriminator_loss"][0] - regularized["r1"][0],
        plain["discriminator_loss"][0],
        rtol=1e-5,
    )
    assert max_difference(*gans) > 1e-4


@tensorflow_only("its tapes")
def test_r1_through_the_geometry_has_the_right_gradient_in_the_weights():
    """T is affine in the image, so for score(x) = w · T(x) the penalty is quadratic in w."""
    augmentation = kgan.augment.ADA(target=None, initial_probability=1.0, color=False)
    w = tf.Variable(np.random.default_rng(2).normal(size=SHAPE).astype("float32"))

    def score(images):
        augmented = augmentation(images, keras.random.SeedGenerator(3))
        return ops.sum(augmented * w, axis=(1, 2, 3))

    images = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        round = kgan.Round(real={"images": images}, fake={}, score=score)
        penalty = kgan.penalties.R1(2.0)(round)
    gradient = tape.gradient(penalty, w)
    # By Euler's theorem w · gradient is twice its value.
    np.testing.assert_allclose(ops.sum(gradient * w), 2 * penalty, rtol=1e-4)
    assert float(penalty) > 1


@every_case
def test_evaluation_is_not_augmented(name):
    plain, augmented = make_gan([]), make_gan([make(name)])
    expected = plain.evaluate(IMAGES, verbose=0, return_dict=True)
    results = augmented.evaluate(IMAGES, verbose=0, return_dict=True)
    assert {log: results[log] for log in expected} == expected
    assert max_difference(plain, augmented) == 0


@pytest.mark.parametrize("name", ["ada", "diff_augment", "instance_noise"])
def test_reals_and_fakes_are_changed_by_the_same_policy(name):
    """Of one image, shown as real and as fake, the scores have the same distribution."""
    gan = make_gan([make(name)])
    image = IMAGES[0] / 2
    gan.generator.layers[-2].set_weights([np.zeros((8, 108)), np.arctanh(image).ravel()])
    round = gan.play(ops.convert_to_tensor(np.repeat(image[None], 3000, axis=0)), None)
    real, fake = (np.sort(view["score"][:, 0]) for view in (round.real, round.fake))
    assert len(np.unique(real)) > 500
    spread = np.std(real)
    assert np.abs(np.mean(real) - np.mean(fake)) < 4 * spread / np.sqrt(1500)
    np.testing.assert_allclose(np.std(fake), spread, rtol=0.1)
    np.testing.assert_array_less(np.abs(real - fake)[300:-300], 0.3 * spread)
    unsorted = [np.array(view["score"]) for view in (round.real, round.fake)]
    assert not np.allclose(*unsorted)


@keras.saving.register_keras_serializable(package="kgan_tests")
class Shifted(kgan.augment.Augmentation):
    def call(self, images, seed):
        return images + 1.0


@keras.saving.register_keras_serializable(package="kgan_tests")
class Doubled(kgan.augment.Augmentation):
    def call(self, images, seed):
        return 2.0 * images


def test_augmentations_apply_in_their_order():
    gan = make_gan([Shifted(), Doubled()])
    round = gan.play(ops.convert_to_tensor(IMAGES), None)
    np.testing.assert_allclose(round.real["score"], gan.discriminator(2 * (IMAGES + 1)), rtol=1e-5)
    np.testing.assert_array_equal(round.real["images"], IMAGES)


def test_two_of_a_kind_need_names():
    with pytest.raises(ValueError, match="Two components share a name"):
        make_gan(["instance_noise:0.1", "instance_noise:0.2"])
    make_gan(["instance_noise:0.1", kgan.augment.InstanceNoise(0.2, name="more")])
