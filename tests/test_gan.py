"""The GAN model: its step against hand-written references, and what Keras users do with it."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kgan
from tests import networks

IMAGES = np.random.default_rng(0).uniform(-1, 1, (16, 2)).astype("float32")
LABELS = np.arange(16) % networks.NUM_CLASSES
LOGS = {"generator_loss", "discriminator_loss", "real_score", "fake_score"}


def make_gan(num_classes=None, network_kwargs=None, compile_kwargs=None, **kwargs):
    """A tiny compiled GAN that is the same at each call."""
    keras.utils.set_random_seed(1)
    network_kwargs = {"num_classes": num_classes, **(network_kwargs or {})}
    gan = kgan.GAN(
        networks.generator(**network_kwargs),
        networks.discriminator(**network_kwargs),
        num_classes=num_classes,
        **{"seed": 7, **kwargs},
    )
    optimizers = {
        "generator_optimizer": keras.optimizers.SGD(0.1),
        "discriminator_optimizer": keras.optimizers.SGD(0.2),
    }
    gan.compile(**{**optimizers, **(compile_kwargs or {})})
    return gan


def fit(gan, images=IMAGES, labels=None, **kwargs):
    kwargs = {"batch_size": 16, "epochs": 1, "verbose": 0, "shuffle": False, **kwargs}
    return gan.fit(images, labels, **kwargs).history


def max_difference(gan, other):
    return max(
        np.abs(a - b).max() for a, b in zip(gan.get_weights(), other.get_weights(), strict=True)
    )


class Reference:
    """The step written out with one tape a player and plain gradient descent."""

    def __init__(self, gan):
        self.generator = gan.generator
        self.discriminator = gan.discriminator
        self.seeds = keras.random.SeedGenerator(gan.seed)

    def play(self, reals):
        latents = keras.random.normal((len(reals), networks.LATENT_DIM), seed=self.seeds)
        fake_scores = self.discriminator(self.generator(latents))
        real_scores = self.discriminator(reals)
        cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits
        return {
            "generator": tf.reduce_mean(cross_entropy(tf.ones_like(fake_scores), fake_scores)),
            "discriminator": tf.reduce_mean(cross_entropy(tf.ones_like(real_scores), real_scores))
            + tf.reduce_mean(cross_entropy(tf.zeros_like(fake_scores), fake_scores)),
        }

    def descend(self, reals, rates):
        with tf.GradientTape(persistent=True) as tape:
            losses = self.play(reals)
        players = {"generator": self.generator, "discriminator": self.discriminator}
        gradients = {
            name: tape.gradient(losses[name], players[name].trainable_variables) for name in rates
        }
        for name, rate in rates.items():
            variables = players[name].trainable_variables
            for variable, gradient in zip(variables, gradients[name], strict=True):
                variable.assign_sub(rate * gradient)


def copies(**compile_kwargs):
    gan = make_gan(compile_kwargs=compile_kwargs)
    return gan, Reference(make_gan())


def assert_same_players(gan, reference):
    for ours, theirs in (
        (gan.generator, reference.generator),
        (gan.discriminator, reference.discriminator),
    ):
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


# --- The step -----------------------------------------------------------------------------------


def test_simultaneous_step_takes_both_gradients_at_the_same_point():
    gan, reference = copies()
    fit(gan)
    reference.descend(IMAGES, {"generator": 0.1, "discriminator": 0.2})
    assert_same_players(gan, reference)


def test_alternating_step_answers_the_moved_discriminator_with_fresh_latents():
    gan, reference = copies(updates="alternating")
    fit(gan)
    reference.descend(IMAGES, {"discriminator": 0.2})
    reference.descend(IMAGES, {"generator": 0.1})
    assert_same_players(gan, reference)


def test_each_discriminator_step_has_its_own_reals_and_latents():
    gan, reference = copies(updates="alternating", discriminator_steps=2)
    fit(gan)
    reference.descend(IMAGES[0::2], {"discriminator": 0.2})
    reference.descend(IMAGES[1::2], {"discriminator": 0.2})
    reference.descend(IMAGES[1::2], {"generator": 0.1})
    assert_same_players(gan, reference)


def test_simultaneous_with_several_discriminator_steps():
    gan, reference = copies(discriminator_steps=2)
    fit(gan)
    reference.descend(IMAGES[0::2], {"discriminator": 0.2})
    reference.descend(IMAGES[1::2], {"generator": 0.1, "discriminator": 0.2})
    assert_same_players(gan, reference)


def test_both_tapes_are_held_over_one_forward_pass():
    calls = []

    class Counting(kgan.GAN):
        def compute_losses(self, *args, **kwargs):
            calls.append(1)
            return super().compute_losses(*args, **kwargs)

    gan = Counting(networks.generator(), networks.discriminator())
    gan.compile("sgd", "sgd", run_eagerly=True)
    fit(gan)
    assert len(calls) == 1


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"jit_compile": True}])
@pytest.mark.parametrize("updates", ["simultaneous", "alternating"])
def test_every_way_to_run_gives_the_same_weights(how, updates):
    common = {"updates": updates, "penalties": [kgan.penalties.R1(1.0)]}
    expected = make_gan(compile_kwargs=common)
    gan = make_gan(compile_kwargs={**common, **how})
    # XLA draws other random numbers from the same state, so both are given theirs.
    latents = ops.convert_to_tensor(np.random.default_rng(1).normal(size=(16, 4)), "float32")
    gan.sample_latents = expected.sample_latents = lambda n, training=True: latents
    assert fit(gan, epochs=2).keys() == fit(expected, epochs=2).keys()
    assert max_difference(gan, expected) < 1e-5


def test_steps_per_execution_gives_the_same_weights():
    expected, gan = make_gan(), make_gan(compile_kwargs={"steps_per_execution": 3})
    fit(expected, batch_size=4)
    fit(gan, batch_size=4)
    assert max_difference(gan, expected) < 1e-6


@pytest.mark.parametrize(
    "compile_kwargs",
    [
        {},
        {"penalties": [kgan.penalties.R1(2.0)]},
        {"updates": "alternating", "discriminator_steps": 2},
    ],
    ids=["simultaneous", "r1", "alternating"],
)
def test_two_replicas_equal_one(two_replicas, compile_kwargs):
    network_kwargs = {"kernel_regularizer": "l2", "activity_regularizer": "l2"}
    one = make_gan(network_kwargs=network_kwargs, compile_kwargs=compile_kwargs)
    with two_replicas.scope():
        two = make_gan(network_kwargs=network_kwargs, compile_kwargs=compile_kwargs)
    expected, logs = fit(one, epochs=2), fit(two, epochs=2)
    assert max_difference(one, two) < 1e-5
    for name, values in expected.items():
        np.testing.assert_allclose(logs[name], values, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(
        one.evaluate(IMAGES, verbose=0), two.evaluate(IMAGES, verbose=0), atol=1e-5
    )


def test_replicas_share_their_batch_norm_statistics(two_replicas):
    """Each replica sees half of the batch; both then hold the mean of both halves' statistics."""

    def make():
        inputs = keras.Input((2,))
        normalized = keras.layers.BatchNormalization(momentum=0.0)(inputs)
        discriminator = keras.Model(inputs, keras.layers.Dense(1)(normalized))
        generator = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(2), keras.layers.BatchNormalization()]
        )
        gan = kgan.GAN(generator, discriminator, seed=1)
        gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), updates="alternating")
        return gan

    with two_replicas.scope():
        gan = make()
    fit(gan)
    for network in (gan.generator, gan.discriminator, gan.averaged_generator):
        for weight in network.non_trainable_weights:
            both = two_replicas.experimental_local_results(weight.value)
            np.testing.assert_array_equal(both[0], both[1], err_msg=weight.path)
    # The fakes' pass comes last; its two halves' means have the whole batch's as their mean.
    one = make()
    fit(one)
    np.testing.assert_allclose(
        gan.discriminator.non_trainable_weights[0],
        one.discriminator.non_trainable_weights[0],
        atol=1e-5,
    )


def test_two_replicas_draw_different_latents(two_replicas):
    with two_replicas.scope():
        gan = make_gan()
    drawn = two_replicas.experimental_local_results(
        two_replicas.run(tf.function(lambda: gan.sample_latents(3)))
    )
    assert not np.allclose(drawn[0], drawn[1])


# --- Observers ----------------------------------------------------------------------------------


class Watching(keras.callbacks.Callback):
    """Shows an observer the fit."""

    def __init__(self, observer):
        super().__init__()
        self.observer = observer

    def on_train_begin(self, logs=None):
        self.model.observe(self.observer)


class Sums(kgan.component.Observer):
    """Adds up the gradients of both players."""

    def build(self, gan):
        self.turns = self.add_variable((2,))
        self.total = self.add_variable()

    def observe(self, player, gradients, round):
        assert round.fake["images"].shape[1:] == round.real["images"].shape[1:]
        self.turns.assign(self.turns + ops.one_hot(player == "generator", 2))
        self.total.assign(self.total + sum(ops.sum(ops.abs(g)) for g in gradients))


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}, {"steps_per_execution": 2}])
@pytest.mark.parametrize("updates", ["simultaneous", "alternating"])
def test_an_observer_sees_each_update_and_changes_no_bit(how, updates):
    compile_kwargs = {"updates": updates, "discriminator_steps": 2, **how}
    expected, gan = (make_gan(compile_kwargs=compile_kwargs) for _ in range(2))
    observer = Sums()
    logs = fit(gan, epochs=2, batch_size=4, callbacks=[Watching(observer)])
    assert logs == fit(expected, epochs=2, batch_size=4)
    assert max_difference(gan, expected) == 0
    # Eight steps, each with two turns of the discriminator and one of the generator.
    assert observer.turns.numpy().tolist() == [16, 8]
    assert float(observer.total.numpy()) > 0


def test_an_observer_looks_away_at_the_end_of_a_fit():
    gan, observer = make_gan(), Sums()
    fit(gan, callbacks=[Watching(observer)])
    fit(gan)
    assert observer.turns.numpy().tolist() == [1, 1]
    with pytest.raises(ValueError):
        fit(gan, images=IMAGES[:, :1], callbacks=[Watching(observer)])
    fit(gan)
    assert observer.turns.numpy().tolist() == [0, 0]


def test_an_observer_is_not_saved(tmp_path):
    class Saving(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.save(tmp_path / "gan.keras")

    gan = make_gan()
    fit(gan, callbacks=[Watching(Sums()), Saving()])
    loaded = kgan.load_gan(tmp_path / "gan.keras")
    assert max_difference(gan, loaded) == 0
    fit(loaded)


# --- Regularisers, optimizers, precision --------------------------------------------------------


def test_weight_and_activity_losses_of_layers_count():
    plain = fit(make_gan())
    regularized = make_gan(
        network_kwargs={"kernel_regularizer": keras.regularizers.L2(1.0)},
    )
    expected = {
        name: float(ops.sum(network.layers[-3 if name == "generator" else -2].kernel ** 2))
        for name, network in (
            ("generator", regularized.generator),
            ("discriminator", regularized.discriminator),
        )
    }
    logs = fit(regularized)
    for name, value in expected.items():
        added = logs[f"{name}_loss"][0] - plain[f"{name}_loss"][0]
        np.testing.assert_allclose(added, value, rtol=1e-4)


def test_activity_losses_of_the_discriminator_count_on_reals_and_fakes():
    gan = make_gan(network_kwargs={"activity_regularizer": keras.regularizers.L2(1.0)})
    hidden = gan.discriminator.layers[-2]
    features = keras.Model(gan.discriminator.inputs, hidden.output)
    latents = keras.random.normal((16, 4), seed=keras.random.SeedGenerator(7))
    fakes = gan.generator(latents)
    activity = sum(float(ops.sum(features(x) ** 2)) / 16 for x in (IMAGES, fakes))
    plain = fit(make_gan())["discriminator_loss"][0]
    np.testing.assert_allclose(fit(gan)["discriminator_loss"][0] - plain, activity, rtol=1e-4)


def test_learning_rate_schedule_and_clipping():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.1, 0.0])
    optimizer = keras.optimizers.SGD(schedule, global_clipnorm=1e-3)
    gan = make_gan(compile_kwargs={"discriminator_optimizer": optimizer})
    before = gan.discriminator.get_weights()
    fit(gan)
    moved = [a - b for a, b in zip(gan.discriminator.get_weights(), before, strict=True)]
    norm = np.sqrt(sum(np.sum(m**2) for m in moved))
    np.testing.assert_allclose(norm, 0.1 * 1e-3, rtol=1e-3)
    stopped = gan.discriminator.get_weights()
    fit(gan)
    np.testing.assert_array_equal(gan.discriminator.get_weights()[0], stopped[0])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_near_float32(policy):
    expected = fit(make_gan(), epochs=2)
    keras.config.set_dtype_policy(policy)
    gan = make_gan(compile_kwargs={"penalties": []})
    logs = fit(gan, epochs=2)
    for name, values in expected.items():
        np.testing.assert_allclose(logs[name], values, atol=0.05, err_msg=name)
    assert gan.generate(2, seed=1).dtype == np.float32
    assert {v.dtype for v in gan.trainable_variables} == {"float32"}


def test_float16_scales_both_losses_and_skips_what_overflows():
    keras.config.set_dtype_policy("mixed_float16")
    gan = make_gan()
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        optimizer.dynamic_scale.assign(2.0**40)
    before = gan.generator.get_weights() + gan.discriminator.get_weights()
    fit(gan)
    after = gan.generator.get_weights() + gan.discriminator.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert float(gan.generator_optimizer.dynamic_scale) == 2.0**39
    assert float(gan.discriminator_optimizer.dynamic_scale) == 2.0**39


def test_float32_scales_no_loss():
    assert isinstance(make_gan().generator_optimizer, keras.optimizers.SGD)


def test_frozen_layers_stay():
    keras.utils.set_random_seed(1)
    generator = networks.generator()
    generator.layers[1].trainable = False
    frozen = generator.layers[1].get_weights()
    gan = kgan.GAN(generator, networks.discriminator())
    gan.compile("sgd", "sgd")
    fit(gan)
    np.testing.assert_array_equal(generator.layers[1].get_weights()[0], frozen[0])


# --- The averaged generator ---------------------------------------------------------------------


def test_average_follows_its_half_life():
    """A half-life of one batch: each step moves the average half-way to the generator."""
    gan = make_gan(average_half_life_images=16, average_warm_up=1e9)
    average = gan.averaged_generator.get_weights()
    for _ in range(3):
        fit(gan)
        average = [(a + w) / 2 for a, w in zip(average, gan.generator.get_weights(), strict=True)]
    for have, want in zip(gan.averaged_generator.get_weights(), average, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-5, atol=1e-6)


def test_average_warms_up():
    """With a warm-up of 1/2, the first batch's half-life is half a batch: a quarter stays."""
    gan = make_gan(average_half_life_images=10**6, average_warm_up=0.5)
    before = gan.averaged_generator.get_weights()
    fit(gan)
    for old, new, average in zip(
        before, gan.generator.get_weights(), gan.averaged_generator.get_weights(), strict=True
    ):
        np.testing.assert_allclose(average, 0.25 * old + 0.75 * new, rtol=1e-5, atol=1e-6)
    assert int(gan.images_seen) == 16


def test_average_holds_batch_norm_statistics():
    generator = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(2),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("tanh"),
        ]
    )
    gan = kgan.GAN(generator, networks.discriminator(), average_half_life_images=1)
    gan.compile("sgd", "sgd")
    fit(gan)
    moving_mean = generator.layers[1].moving_mean
    assert np.abs(moving_mean).max() > 1e-4
    np.testing.assert_allclose(gan.averaged_generator.layers[1].moving_mean, moving_mean, rtol=1e-2)


def test_generate_draws_from_the_average():
    gan = make_gan()
    gan.averaged_generator.set_weights([0 * w for w in gan.averaged_generator.get_weights()])
    np.testing.assert_array_equal(gan.generate(3, seed=1), np.zeros((3, 2)))


def test_without_average_generate_draws_from_the_generator():
    gan = make_gan(average_half_life_images=None)
    fit(gan)
    latents = keras.random.normal((3, 4), seed=1)
    np.testing.assert_allclose(gan.generate(3, seed=1), gan.generator(latents), atol=1e-6)


# --- Data and labels ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        {"x": IMAGES},
        {"x": IMAGES, "y": LABELS},
        {"x": tf.data.Dataset.from_tensor_slices(IMAGES).batch(16)},
        {"x": tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(5)},
    ],
    ids=["array", "arrays", "dataset", "labelled dataset with a remainder"],
)
def test_unconditional_takes_images_and_ignores_labels(data):
    gan = make_gan()
    logs = gan.fit(**data, verbose=0).history
    assert set(logs) == LOGS


def test_python_generators_and_single_batches():
    def batches():
        for i in range(0, 16, 4):
            yield IMAGES[i : i + 4], None

    by_generator, by_batch, expected = make_gan(), make_gan(), make_gan()
    by_generator.fit(batches(), steps_per_epoch=4, verbose=0)
    for images, _ in batches():
        logs = by_batch.train_on_batch(images, return_dict=True)
    fit(expected, batch_size=4)
    assert set(logs) == LOGS
    assert max_difference(by_generator, expected) < 1e-6
    assert max_difference(by_batch, expected) < 1e-6


def test_a_dataset_that_ends_early_ends_the_epoch():
    gan = make_gan()
    dataset = tf.data.Dataset.from_tensor_slices(IMAGES).batch(4)
    with pytest.warns(UserWarning, match="ran out of data"):
        gan.fit(dataset, steps_per_epoch=9, verbose=0)
    assert gan.steps_trained == 4


def test_conditional_uses_labels():
    gan = make_gan(num_classes=3)
    fit(gan, labels=LABELS)
    shifted = make_gan(num_classes=3)
    fit(shifted, labels=(LABELS + 1) % 3)
    assert max_difference(gan, shifted) > 1e-4
    samples = [gan.generate(2, labels=label, seed=1) for label in (0, 1)]
    assert not np.allclose(*samples)


def test_labels_as_a_column_are_the_same():
    flat, column = make_gan(num_classes=3), make_gan(num_classes=3)
    fit(flat, labels=LABELS)
    fit(column, labels=LABELS[:, None])
    assert max_difference(flat, column) == 0


def test_vector_condition():
    vectors = np.random.default_rng(0).normal(size=(16, 5)).astype("float32")
    latents, condition, image = keras.Input((4,)), keras.Input((5,)), keras.Input((2,))
    join = keras.layers.Concatenate()
    gan = kgan.GAN(
        keras.Model(
            [latents, condition], keras.layers.Dense(2, "tanh")(join([latents, condition]))
        ),
        keras.Model([image, condition], keras.layers.Dense(1)(join([image, condition]))),
        condition_dim=5,
    )
    gan.compile("sgd", "sgd")
    with pytest.raises(ValueError, match=r"condition_dim=5\). Received: \(16, 3\)"):
        fit(gan, labels=vectors[:, :3])
    fit(gan, labels=vectors)
    assert gan.generate(4, labels=vectors[:4], seed=1).shape == (4, 2)
    with pytest.raises(ValueError, match=r"condition_dim=5\). Received: None"):
        gan.generate(4)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES, None, "A conditional GAN needs a label for each image"),
        (IMAGES, np.eye(3)[LABELS], r"not one-hot vectors. Received: \(16, 3\)"),
        ((255 * np.abs(IMAGES)).astype("uint8"), LABELS, "floats in .*Received: dtype uint8"),
        (np.zeros((16, 3), "float32"), LABELS, r"\('batch', 2\). Received: \(16, 3\)"),
        (np.zeros((16, 2, 1), "float32"), LABELS, r"Received: \(16, 2, 1\)"),
    ],
    ids=["no labels", "one-hot", "bytes", "width", "rank"],
)
def test_bad_data(images, labels, message):
    gan = make_gan(num_classes=3)
    with pytest.raises(ValueError, match=message):
        fit(gan, images, labels)


@pytest.mark.parametrize("eagerly", [True, False])
@pytest.mark.parametrize("label", [-1, 3])
def test_label_out_of_range(label, eagerly):
    gan = make_gan(num_classes=3, compile_kwargs={"run_eagerly": eagerly})
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"lie in \[0, num_classes=3\)"):
        fit(gan, labels=np.full(16, label))


def test_sample_weights_are_refused():
    with pytest.raises(ValueError, match="takes no sample weights"):
        fit(make_gan(), labels=LABELS, sample_weight=np.ones(16))


def test_batch_smaller_than_discriminator_steps():
    gan = make_gan(compile_kwargs={"discriminator_steps": 5, "run_eagerly": True})
    with pytest.raises(ValueError, match="at least 5 images.*a batch of 4"):
        fit(gan, IMAGES[:4])


# --- Networks of every kind ---------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="kgan_tests")
class SubclassedGenerator(keras.Model):
    def __init__(self, width=8, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.hidden = keras.layers.Dense(width, activation="relu")
        self.dropout = keras.layers.Dropout(0.5)
        self.out = keras.layers.Dense(2, activation="tanh")

    def call(self, latents, training=False):
        return self.out(self.dropout(self.hidden(latents), training=training))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def test_subclassed_networks(tmp_path):
    gan = kgan.GAN(SubclassedGenerator(), networks.discriminator(), latent_dim=4)
    gan.compile("adam", "adam")
    fit(gan)
    gan.save(tmp_path / "gan.keras")
    copy = keras.models.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(copy.generate(4, seed=1), gan.generate(4, seed=1))


def test_subclassed_generator_needs_latent_dim():
    with pytest.raises(ValueError, match=r"GAN\(latent_dim=…\). Received: .*SubclassedGenerator"):
        kgan.GAN(SubclassedGenerator(), networks.discriminator())


@pytest.mark.parametrize("shape", [(16,), (16, 1), (16, 3, 2, 1)], ids=str)
def test_score_shapes(shape):
    image = keras.Input((2,))
    size = int(np.prod(shape[1:]))
    scores = keras.layers.Reshape(shape[1:])(keras.layers.Dense(size)(image))
    gan = kgan.GAN(networks.generator(), keras.Model(image, scores))
    gan.compile("sgd", "sgd", penalties=[kgan.penalties.R1(1.0)])
    assert np.isfinite([v[0] for v in fit(gan).values()]).all()


def test_dropout_in_the_discriminator_differs_from_step_to_step():
    gan = make_gan()
    inputs = keras.Input((2,))
    scores = keras.layers.Dense(1)(keras.layers.Dropout(0.5)(inputs))
    gan = kgan.GAN(networks.generator(), keras.Model(inputs, scores), seed=1)
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    logs = fit(gan, np.ones((16, 2), "float32"), epochs=3)
    assert len(set(logs["real_score"])) == 3


# --- Logs and evaluation ------------------------------------------------------------------------


def test_logs_have_the_fields_names_and_no_phantom_loss():
    gan = make_gan(compile_kwargs={"penalties": [kgan.penalties.R1(1.0)]})
    logs = fit(gan, validation_data=(IMAGES, None))
    names = LOGS | {"r1"}
    assert set(logs) == names | {f"val_{name}" for name in names}


def test_logged_scores_are_probabilities():
    gan = make_gan(compile_kwargs={"generator_optimizer": keras.optimizers.SGD(0.0)})
    scores = ops.sigmoid(gan.discriminator(IMAGES))
    np.testing.assert_allclose(fit(gan)["real_score"][0], np.mean(scores), rtol=1e-5)


def test_progress_bar_shows_the_logs(capsys):
    make_gan().fit(IMAGES, batch_size=16, verbose=2)
    shown = capsys.readouterr().out
    assert all(f" {name}: " in shown for name in LOGS)
    assert " loss: " not in shown


@keras.saving.register_keras_serializable(package="kgan_tests")
class MeanGap(keras.metrics.Mean):
    def update_state(self, real, fake):
        super().update_state(ops.mean(real) - ops.mean(fake))


def test_evaluate_gives_metrics_reals_and_averaged_fakes():
    gan = make_gan(compile_kwargs={"metrics": [MeanGap(name="gap")]})
    fit(gan)
    results = gan.evaluate(IMAGES, batch_size=16, verbose=0, return_dict=True)
    assert set(results) == LOGS | {"gap"}
    seeds = keras.random.SeedGenerator(gan.seed)
    keras.random.normal((16, 4), seed=seeds)  # the latents of the losses come first
    fakes = gan.averaged_generator(keras.random.normal((16, 4), seed=seeds))
    np.testing.assert_allclose(results["gap"], np.mean(IMAGES) - np.mean(fakes), atol=1e-5)


def test_evaluate_repeats_itself_and_leaves_training_alone():
    gan, undisturbed = make_gan(), make_gan()
    first = gan.evaluate(IMAGES, verbose=0)
    assert gan.evaluate(IMAGES, verbose=0) == first
    fit(gan)
    fit(undisturbed)
    assert max_difference(gan, undisturbed) == 0


def test_validation_reports_metrics():
    gan = make_gan(compile_kwargs={"metrics": [MeanGap(name="gap")]})
    logs = fit(gan, epochs=2, validation_data=(IMAGES, LABELS))
    assert len(logs["val_gap"]) == 2 and "gap" not in logs


def evaluated_distance(scope=None, **compile_kwargs):
    compile_kwargs["metrics"] = [kgan.metrics.FrechetDistance(name="distance")]
    with contextlib.nullcontext() if scope is None else scope:
        gan = make_gan(compile_kwargs=compile_kwargs)
    for _ in range(2):  # the second forgets the first
        distance = gan.evaluate(IMAGES, batch_size=4, verbose=0, return_dict=True)["distance"]
    return gan, distance


def test_evaluate_gives_the_metrics_of_kgan():
    gan, distance = evaluated_distance()
    seeds = keras.random.SeedGenerator(gan.seed)
    fakes = []
    for _ in range(4):
        keras.random.normal((4, 4), seed=seeds)  # the latents of the losses come first
        fakes.append(gan.averaged_generator(keras.random.normal((4, 4), seed=seeds)))
    metric = kgan.metrics.FrechetDistance()
    metric.update_state(IMAGES, np.concatenate(fakes))
    np.testing.assert_allclose(distance, metric.result(), rtol=1e-5)


def test_evaluate_shows_what_its_metrics_say(capsys):
    gan = make_gan(compile_kwargs={"metrics": [MeanGap(name="gap")]})
    seen = {}
    watch = keras.callbacks.LambdaCallback(on_test_end=seen.update)
    results = gan.evaluate(IMAGES, verbose=2, callbacks=[watch], return_dict=True)
    assert f"gap: {results['gap']:.4f}" in capsys.readouterr().out
    assert seen == results


def test_evaluate_s_metrics_in_a_compiled_step_and_on_two_replicas(two_replicas):
    _, distance = evaluated_distance(run_eagerly=True)
    _, on_two = evaluated_distance(two_replicas.scope())
    np.testing.assert_allclose(on_two, distance, rtol=1e-5)
    # XLA draws other latents.
    gan, compiled = evaluated_distance(jit_compile=True)
    assert gan.jit_compile and 0.2 * distance < compiled < 5 * distance


class Labelled(kgan.metrics.FrechetDistance):
    needs_labels = True

    def update_features(self, real=None, fake=None, labels=None):
        self.saw = labels
        super().update_features(real, fake, labels)


def test_metrics_get_the_labels_of_a_conditional_gan():
    metric = Labelled()
    gan = make_gan(num_classes=3, compile_kwargs={"metrics": [metric], "run_eagerly": True})
    gan.evaluate(IMAGES, LABELS, batch_size=16, verbose=0)
    np.testing.assert_array_equal(metric.saw, LABELS)
    with pytest.raises(ValueError, match=r"Labelled needs the class.*GAN\(num_classes=…\)"):
        make_gan(compile_kwargs={"metrics": [Labelled()]})


def test_label_noise_is_of_training_only():
    noisy = make_gan(compile_kwargs={"loss": kgan.losses.NonSaturating(real_flip_probability=0.4)})
    plain = make_gan()
    np.testing.assert_array_equal(
        noisy.evaluate(IMAGES, verbose=0), plain.evaluate(IMAGES, verbose=0)
    )
    assert fit(noisy)["discriminator_loss"] != fit(plain)["discriminator_loss"]


class Distance(kgan.GAN):
    """A game with a log of its own."""

    def log_names(self):
        return [*super().log_names(), "distance"]

    def compute_losses(self, real_images, labels, training=True):
        logs = super().compute_losses(real_images, labels, training)
        return {**logs, "distance": ops.mean(ops.abs(real_images))}


def test_a_game_logs_its_own():
    gan = Distance(networks.generator(), networks.discriminator())
    gan.compile("sgd", "sgd")
    np.testing.assert_allclose(fit(gan)["distance"][0], np.mean(np.abs(IMAGES)), rtol=1e-6)


def test_a_log_that_is_not_announced_is_an_error():
    class Silent(Distance):
        def log_names(self):
            return kgan.GAN.log_names(self)

    gan = Silent(networks.generator(), networks.discriminator())
    gan.compile("sgd", "sgd")
    with pytest.raises(ValueError, match="Received: .*'distance'"):
        fit(gan)


# --- Samples ------------------------------------------------------------------------------------


def test_generate_depends_on_the_seed_and_not_on_the_batch_size():
    gan = make_gan()
    samples = gan.generate(10, seed=3)
    np.testing.assert_allclose(gan.generate(10, seed=3, batch_size=3), samples, atol=1e-6)
    np.testing.assert_allclose(gan.generate(10, seed=3, rows=slice(4, 6)), samples[4:6], atol=1e-6)
    assert not np.allclose(gan.generate(10, seed=4), samples)
    assert not np.allclose(gan.generate(10), gan.generate(10))
    assert np.abs(samples).max() <= 1


def test_uniform_latents_stay_in_their_range():
    gan = make_gan(latent_distribution="uniform")
    latents = gan.sample_latents(1000)
    assert 0.9 < np.abs(latents).max() <= 1
    np.testing.assert_allclose(np.std(latents), 1 / np.sqrt(3), atol=0.02)


def test_conditional_generate_draws_all_classes_unless_told():
    gan = make_gan(num_classes=3)
    drawn = kgan.batches.labels_for(300, None, 1, gan.num_classes, gan.condition_dim)
    assert np.bincount(drawn, minlength=3).min() > 60
    assert gan.generate(4, labels=[0, 1, 2, 0], seed=1).shape == (4, 2)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (3, r"lie in \[0, num_classes=3\). Received: 3"),
        ([0, -2, 1, 1], "Received: -2"),
        ([0, 1], r"or 4 of them. Received: int.* of shape \(2,\)"),
        (0.5, "one class number.*Received: float"),
    ],
)
def test_generate_refuses_bad_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        make_gan(num_classes=3).generate(4, labels=labels)


def test_generate_refuses_labels_without_condition():
    with pytest.raises(ValueError, match="unconditional.*Received: labels=1"):
        make_gan().generate(4, labels=1)


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_generate_refuses_bad_counts(n):
    with pytest.raises(ValueError, match=f"Received: {n}"):
        make_gan().generate(n)


def test_predict_takes_latents_of_the_right_width():
    gan = make_gan()
    latents = np.zeros((5, 4), "float32")
    with pytest.raises(ValueError, match=r"latent_dim=4\). Received: \(5, 3\)"):
        gan.predict(latents[:, :3], verbose=0)
    gan = make_gan()
    np.testing.assert_allclose(
        gan.predict(latents, verbose=0), gan.averaged_generator(latents), atol=1e-6
    )


# --- Saving -------------------------------------------------------------------------------------


def dropout_gan(compile_kwargs):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((2,))
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(8, activation="tanh")(inputs))
    gan = kgan.GAN(networks.generator(), keras.Model(inputs, keras.layers.Dense(1)(hidden)), seed=7)
    gan.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2), **compile_kwargs)
    return gan


@pytest.mark.parametrize(
    "compile_kwargs",
    [
        {},
        {
            "loss": kgan.losses.NonSaturating(label_smoothing=0.1),
            "penalties": [kgan.penalties.R1(1.0)],
            "updates": "alternating",
            "discriminator_steps": 2,
            "metrics": [MeanGap(name="gap"), kgan.metrics.FrechetDistance()],
        },
    ],
    ids=["defaults", "everything"],
)
def test_a_loaded_gan_trains_on_bit_for_bit(tmp_path, compile_kwargs):
    uninterrupted = dropout_gan(compile_kwargs)
    fit(uninterrupted, epochs=2)
    uninterrupted.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert max_difference(loaded, uninterrupted) == 0
    assert fit(loaded, epochs=2) == fit(uninterrupted, epochs=2)
    assert max_difference(loaded, uninterrupted) == 0
    assert loaded.get_compile_config() == uninterrupted.get_compile_config()


def test_float16_scale_is_saved(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    gan = make_gan()
    gan.generator_optimizer.dynamic_scale.assign(64.0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert float(loaded.generator_optimizer.dynamic_scale) == 64.0


def test_every_argument_comes_back(tmp_path):
    arguments = {
        "num_classes": 3,
        "latent_dim": 4,
        "latent_distribution": "uniform",
        "average_half_life_images": 123,
        "average_warm_up": 0.5,
        "seed": 9,
    }
    gan = make_gan(**arguments)
    copy = kgan.GAN.from_config(gan.get_config())
    for name, value in arguments.items():
        assert getattr(copy, name) == value
    assert copy.condition_dim is None
    assert [v.shape for v in copy.weights] == [v.shape for v in gan.weights]


def test_uncompiled_gan_saves_and_loads(tmp_path):
    gan = kgan.GAN(networks.generator(), networks.discriminator())
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(loaded.generate(2, seed=1), gan.generate(2, seed=1))


def test_weights_file(tmp_path):
    gan, other = make_gan(), make_gan()
    fit(gan)
    gan.save_weights(tmp_path / "gan.weights.h5")
    other.load_weights(tmp_path / "gan.weights.h5")
    assert max_difference(gan, other) == 0


def test_summary_counts_both_players(capsys):
    make_gan().summary()
    shown = capsys.readouterr().out
    assert "Trainable params: 91" in shown  # 4·8+8 + 8·2+2 and 2·8+8 + 8·1+1


# --- Arguments ----------------------------------------------------------------------------------


def test_auto_is_no_xla_on_cpu(monkeypatch):
    assert make_gan().jit_compile is False
    device = type("Device", (), {"device_type": "GPU"})
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda *_: [device])
    assert make_gan().jit_compile is True


def test_one_optimizer_for_both_is_refused():
    optimizer = keras.optimizers.SGD(0.1)
    with pytest.raises(TypeError, match="Received twice: "):
        make_gan(
            compile_kwargs={
                "generator_optimizer": optimizer,
                "discriminator_optimizer": optimizer,
            }
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"updates": "both"}, "simultaneous.*Received: 'both'"),
        ({"discriminator_steps": 0}, "Received: 0"),
        ({"loss": "hing"}, "Unknown loss.*Received: 'hing'"),
        ({"penalties": [3]}, "penalty must be .*Penalty or Constraint.*Received: 3"),
        ({"penalties": "r1:10,weight=3"}, "multiple values.*Received: .r1:10"),
    ],
)
def test_bad_compile_arguments(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_gan(compile_kwargs=arguments)


def test_a_refused_compile_leaves_the_gan_as_it_was(tmp_path):
    gan = make_gan(compile_kwargs={"penalties": ["r1:1"]})
    for refused in (
        {"loss": "multi_hinge"},
        {"dynamics": "slow_member"},
        {"penalties": ["r1:1", "r1:2"]},
        {"metrics": ["mse"]},
    ):
        with pytest.raises((ValueError, TypeError)):
            gan.compile(**refused)
    assert [p.name for p in gan.penalties] == ["r1"]
    fit(gan)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert fit(loaded) == fit(gan)


def test_a_component_alone_or_none():
    gan = make_gan(
        compile_kwargs={"penalties": "r1:1", "augment": None, "metrics": MeanGap(name="gap")}
    )
    assert [p.name for p in gan.penalties] == ["r1"]
    assert gan.augment == []
    assert "gap" in gan.evaluate(IMAGES, verbose=0, return_dict=True)


@pytest.mark.parametrize(
    ("components", "name"),
    [
        ({"dynamics": ["history_pool:5", "history_pool:6"]}, "history_pool"),
        (
            {
                "penalties": [kgan.penalties.LeCam(0.1, name="x")],
                "dynamics": [kgan.dynamics.HistoryPool(5, name="x")],
            },
            "x",
        ),
    ],
)
def test_components_that_would_share_a_place_in_the_file_are_refused(components, name):
    with pytest.raises(ValueError, match=rf"share a name.*Received: \['{name}'\]"):
        make_gan(compile_kwargs=components)


def test_state_of_another_size_starts_anew(tmp_path):
    five = make_gan(compile_kwargs={"dynamics": "history_pool:5"})
    seven = make_gan(compile_kwargs={"dynamics": "history_pool:7"})
    fit(five)
    five.save_weights(tmp_path / "gan.weights.h5")
    with pytest.warns(UserWarning, match="history_pool_0 is of another size"):
        seven.load_weights(tmp_path / "gan.weights.h5")
    for a, b in zip(five.get_weights(), seven.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_game_without_a_round_says_so_to_who_needs_it():
    class Silent(kgan.GAN):
        def compute_losses(self, real_images, labels, training=True):
            logs = super().compute_losses(real_images, labels, training)
            return {name: value for name, value in logs.items() if name != "round"}

    gan = Silent(networks.generator(), networks.discriminator())
    gan.compile(penalties=["weight_clipping:0.01"])
    fit(gan)
    gan.compile(dynamics=["balance"])
    with pytest.raises(ValueError, match="must return it under 'round'"):
        fit(gan)


@pytest.mark.parametrize("how", [{}, {"steps_per_execution": 2}])
def test_a_last_batch_that_is_too_small_says_so(how):
    gan = make_gan(compile_kwargs={"discriminator_steps": 3, **how})
    error = ValueError if not how else tf.errors.InvalidArgumentError
    with pytest.raises(error, match="at least 3"):
        gan.fit(IMAGES[:10], batch_size=8, verbose=0)


def test_packs_that_are_not_whole_are_left_out():
    """A batch of 7 and one of 5 are three packs of two and two packs of two."""
    inputs = keras.Input((2,))
    packed = keras.layers.Dense(1)(kgan.layers.Pack(2)(inputs))
    gan = kgan.GAN(networks.generator(), keras.Model(inputs, packed))
    gan.compile(penalties=["r1:1"], discriminator_steps=1)
    logs = gan.fit(IMAGES[:12], batch_size=7, verbose=0).history
    assert np.isfinite(logs["discriminator_loss"]).all()
    assert np.isfinite(gan.evaluate(IMAGES[:12], batch_size=7, verbose=0)).all()
    with pytest.raises(ValueError, match="at least 2 images"):
        gan.fit(IMAGES[:1], verbose=0)


@pytest.mark.parametrize("loss", ["multi_hinge", "four_term", "hinge", "softmax_gan"])
def test_a_last_batch_of_another_size(loss):
    width = 4 if loss == "multi_hinge" else 3
    head = kgan.layers.ClassifierHead(3, num_logits=width)
    gan = kgan.GAN(
        networks.generator(3),
        kgan.backbones.MLPDiscriminator((2,), units=[4], num_classes=3, head=head),
        num_classes=3,
    )
    gan.compile(loss=loss)
    labels = np.arange(19) % 3
    assert np.isfinite(
        gan.fit(np.resize(IMAGES, (19, 2)), labels, batch_size=8, verbose=0).history[
            "discriminator_loss"
        ]
    ).all()
    assert np.isfinite(gan.evaluate(IMAGES, np.arange(len(IMAGES)) % 3, batch_size=5)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 3, "condition_dim": 2}, "not both. Received: num_classes=3"),
        ({"latent_distribution": "cauchy"}, "Received: 'cauchy'"),
        ({"average_half_life_images": 0}, "average_half_life_images.*Received: 0"),
        ({"average_warm_up": -1.0}, "average_warm_up.*Received: -1.0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        kgan.GAN(networks.generator(), networks.discriminator(), **arguments)


def test_a_network_without_variables_is_refused():
    class Traced(kgan.GAN):
        roles = {**kgan.GAN.roles, "encoder": "generator"}

    with pytest.raises(ValueError, match="encoder has no variables yet.*Received: <Sequential"):
        Traced(
            networks.generator(),
            networks.discriminator(),
            encoder=keras.Sequential([keras.layers.Dense(4)]),
        )
