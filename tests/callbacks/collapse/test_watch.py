"""The callback around `fit`: what it says, does and leaves alone."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kgan
from kgan import workers
from kgan.callbacks import Checkpoint, CollapseWarning, CollapseWatch, list_checkpoints
from tests import networks
from tests.frameworks import tensorflow_only

# 64 points of a wide Gaussian, and as many batches of 16 as one likes.
POINTS = np.random.default_rng(0).normal(0, 0.5, (64, 2)).astype("float32")


def make_gan(num_classes=None, rate=0.0, **compile_kwargs):
    """Its generator draws as the data are spread, and does not move while the rate is 0."""
    keras.utils.set_random_seed(1)
    latents = keras.Input((2,))
    dense = keras.layers.Dense(2, kernel_initializer="identity", name="draw")
    gan = kgan.GAN(
        keras.Model(latents, keras.layers.Rescaling(0.5)(dense(latents))),
        networks.discriminator(),
        seed=7,
    )
    rates = keras.optimizers.SGD(rate), keras.optimizers.SGD(rate)
    gan.compile(*rates, **compile_kwargs)
    return gan


class At(keras.callbacks.Callback):
    """Does something to the GAN after a batch of the fit."""

    def __init__(self, acts):
        super().__init__()
        self.acts, self.batches = acts, 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.batches in self.acts:
            self.acts[self.batches](self.model)


def scale(factor):
    def act(gan):
        kernel = gan.generator.get_layer("draw").kernel
        kernel.assign(kernel * factor)

    return act


collapse = scale(0.0)


def heal(gan):
    gan.generator.get_layer("draw").kernel.assign(np.eye(2))


def fit(gan, *callbacks, steps=700, epochs=1, **kwargs):
    """Trains with 4 batches of 16, again and again."""
    data = np.tile(POINTS, (steps * 16 // 64, 1))
    # With a callback that is not safe beside the training, each batch waits for all of them.
    callbacks = [*callbacks, At({})]
    return gan.fit(data, batch_size=16, epochs=epochs, verbose=0, callbacks=callbacks, **kwargs)


def kinds(watch):
    return [found.kind for found in watch.diagnoses]


def quietly(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        return fit(*args, **kwargs)


# --- Speaking -----------------------------------------------------------------------------------


def test_warns_once_with_all_there_is_to_know():
    watch = CollapseWatch()
    with pytest.warns(CollapseWarning, match="^Mode collapse since about step") as said:
        fit(make_gan(), watch, At({650: collapse}), steps=1000)
    assert len(said) == 1 and len(watch.diagnoses) == 1
    (found,) = watch.diagnoses
    assert found.kind == "mode_collapse" and 640 <= found.since_step <= 700
    assert 660 <= found.step <= 860
    assert str(found) == str(said[0].message)


def test_is_silent_where_nothing_is_wrong():
    watch = CollapseWatch()
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        fit(make_gan(), watch, steps=1000)
    assert watch.diagnoses == [] and len(watch.history) == 100


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"jit_compile": True}], ids=str)
def test_nan_is_told_at_once(how):
    watch = CollapseWatch(every_steps=2)
    quietly(make_gan(**how), watch, At({5: scale(np.nan)}), steps=12)
    assert kinds(watch) == ["divergence"]
    assert watch.diagnoses[0].since_step == 6


def test_tells_again_after_a_recovery():
    watch = CollapseWatch()
    acts = {650: collapse, 850: heal, 1600: collapse}
    quietly(make_gan(), watch, At(acts), steps=1900)
    assert kinds(watch) == ["mode_collapse", "mode_collapse"]
    assert watch.diagnoses[1].since_step > 1550


def test_counts_on_over_epochs_and_fits():
    gan, watch = make_gan(), CollapseWatch()
    fit(gan, watch, steps=20, epochs=20)
    fit(gan, watch, steps=304, initial_epoch=20, epochs=21)
    assert [reading.step for reading in watch.history] == list(range(10, 401, 10)) + list(
        range(410, 701, 10)
    )
    quietly(gan, watch, At({1: collapse}), steps=304)
    assert kinds(watch) == ["mode_collapse"]
    assert 700 <= watch.diagnoses[0].since_step <= 760


def test_looks_as_often_as_it_is_told():
    watch = CollapseWatch(every_steps=7)
    fit(make_gan(steps_per_execution=4), watch, steps=40)
    assert [reading.step for reading in watch.history] == [7, 14, 21, 28, 35]


@pytest.mark.parametrize("size, looks", [(7, 0), (8, 2)])
def test_small_batches_are_passed_over(size, looks):
    watch = CollapseWatch(every_steps=1)
    callbacks = [watch, At({})]
    make_gan().fit(POINTS[: 2 * size], batch_size=size, verbose=0, callbacks=callbacks)
    assert len(watch.history) == looks


def test_looks_beside_the_training():
    """Alone, it does not make the next step wait; an epoch's end waits for it."""
    gan, watch = make_gan(), CollapseWatch("stop", every_steps=2)
    data = np.full((64, 2), np.nan, "float32")
    with pytest.warns(CollapseWarning, match="^Divergence"):
        gan.fit(data, batch_size=16, epochs=9, verbose=0, callbacks=[watch])
    assert kinds(watch) == ["divergence"]
    assert gan.steps_trained <= 8
    assert watch.async_safe and not CollapseWatch("restore", "folder").async_safe


def test_a_new_run_begins_anew():
    watch = CollapseWatch(every_steps=1)
    fit(make_gan(), watch, steps=20)
    fit(make_gan(), watch, steps=12)
    assert [reading.step for reading in watch.history] == list(range(1, 13))


# --- What it leaves alone -----------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}, {"updates": "alternating"}], ids=str)
def test_weights_are_those_without_it_bit_for_bit(how):
    alone, watched = make_gan(rate=0.1, **how), make_gan(rate=0.1, **how)
    expected = fit(alone, steps=24).history
    assert fit(watched, CollapseWatch(every_steps=2), steps=24).history == expected
    for a, b in zip(alone.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_end_of_a_fit_ends_it():
    gan, watch = make_gan(), CollapseWatch(every_steps=1)
    fit(gan, watch, steps=4)
    fit(gan, steps=4)
    assert len(watch.history) == 4


# --- Stopping and restoring ---------------------------------------------------------------------


def test_stops():
    gan, watch = make_gan(), CollapseWatch("stop", every_steps=2)
    with pytest.warns(CollapseWarning, match="Training stops.$"):
        fit(gan, watch, At({5: scale(np.nan)}), steps=40, epochs=3)
    assert gan.steps_trained < 40


class Weights(keras.callbacks.Callback):
    """Keeps the weights and iterations after each epoch."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def on_epoch_end(self, epoch, logs=None):
        self.kept.append((self.model.steps_trained, self.model.get_weights()))


def test_restores_the_last_checkpoint_from_before(tmp_path):
    gan, kept = make_gan(rate=0.1), Weights()
    watch = CollapseWatch("restore", tmp_path, every_steps=2)
    states = {}

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if watch._restores and not states:
                states["weights"] = self.model.get_weights()
                states["steps"] = self.model.steps_trained
                states["seeds"] = [v.numpy() for v in self.model._states().values()]

    saved = {}

    class Save(Checkpoint):
        def save(self):
            super().save()
            if self.model.steps_trained == 16:
                saved["seeds"] = [v.numpy() for v in self.model._states().values()]

    with pytest.warns(CollapseWarning, match="goes on from .*step-00000016.keras"):
        callbacks = watch, Look(), At({29: scale(np.nan)}), kept, Save(tmp_path, keep=9)
        logs = fit(gan, *callbacks, steps=16, epochs=4).history
    assert np.isfinite(logs["generator_loss"]).all()  # of the epoch with the NaN too
    assert kept.kept[0][0] == states["steps"] == 16
    for a, b in zip(kept.kept[0][1], states["weights"], strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(saved["seeds"], states["seeds"], strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(np.isfinite(w).all() for w in gan.get_weights())
    # The fit was to be 64 steps; the 14 that were lost are not made up for.
    assert gan.steps_trained == 64 - 14
    assert [reading.step for reading in watch.history][:2] == [18, 20]


def test_restores_over_what_was_saved_sick(tmp_path):
    """A checkpoint between the collapse and its discovery must not be what a resume takes."""
    gan, watch = make_gan(), CollapseWatch("restore", tmp_path)
    callbacks = watch, At({650: collapse}), Checkpoint(tmp_path, keep=99)
    with pytest.warns(CollapseWarning, match="goes on from .*step-00000640.keras"):
        fit(gan, *callbacks, steps=20, epochs=50)
    kernel = gan.generator.get_layer("draw").kernel
    np.testing.assert_array_equal(ops.convert_to_numpy(kernel), np.eye(2))
    checkpoints = list_checkpoints(tmp_path)
    assert checkpoints[-1][0] == gan.steps_trained < 1000
    for _, path in checkpoints[-15:]:
        gan.load_weights(path)
        np.testing.assert_array_equal(ops.convert_to_numpy(kernel), np.eye(2))


@tensorflow_only("strategies of tf.distribute")
def test_a_strategy_of_one_device():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        gan = make_gan()
    watch = CollapseWatch("stop", every_steps=2)
    with pytest.warns(CollapseWarning, match="Training stops."):
        fit(gan, watch, At({5: scale(np.nan)}), steps=40)
    assert gan.steps_trained == 6


def test_restores_all_replicas(tmp_path, two_replicas):
    with two_replicas.scope():
        gan = make_gan()
    watch = CollapseWatch("restore", tmp_path, every_steps=2)
    callbacks = watch, At({7: scale(np.nan)}), Checkpoint(tmp_path)
    with pytest.warns(CollapseWarning, match="goes on from .*step-00000004.keras"):
        fit(gan, *callbacks, steps=4, epochs=3)
    kernel = gan.generator.get_layer("draw").kernel
    for replica in kernel.value.values:
        np.testing.assert_array_equal(replica.numpy(), np.eye(2))


def test_workers_believe_the_first(monkeypatch):
    """What another worker has seen of its own part of the batch decides nothing."""
    gan, watch = make_gan(), CollapseWatch("stop", every_steps=2)
    monkeypatch.setattr(workers, "first", lambda strategy, values: np.full(len(values), np.nan))
    with pytest.warns(CollapseWarning, match="Training stops."):
        fit(gan, watch, steps=40)
    assert gan.steps_trained == 2
    assert watch.history[-1].step == 2


def test_only_the_first_worker_deletes(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "is_chief", lambda strategy: False)
    gan, watch = make_gan(), CollapseWatch("restore", tmp_path, every_steps=2)
    callbacks = watch, At({7: scale(np.nan)})
    checkpoint = Checkpoint(tmp_path)
    checkpoint.set_model(gan)
    checkpoint.save()
    (tmp_path / "step-00000099.keras").write_bytes(b"of the chief")
    with pytest.warns(CollapseWarning, match="goes on from .*step-00000000.keras"):
        fit(gan, *callbacks, steps=10)
    assert (tmp_path / "step-00000099.keras").exists()


def test_stops_where_there_is_nothing_to_restore(tmp_path):
    gan = make_gan()
    watch = CollapseWatch("restore", tmp_path, every_steps=2)
    with pytest.warns(CollapseWarning, match="holds no checkpoint from before. Training stops."):
        fit(gan, watch, At({5: scale(np.nan)}), steps=40)
    assert gan.steps_trained == 6


def test_stops_after_restoring_in_vain(tmp_path):
    gan = make_gan()
    Checkpoint(tmp_path).set_model(gan)
    watch = CollapseWatch("restore", tmp_path, every_steps=2, max_restores=2)
    checkpoint = Checkpoint(tmp_path)
    checkpoint.set_model(gan)
    checkpoint.save()
    acts = {n: scale(np.nan) for n in (3, 9, 15)}
    with pytest.warns(CollapseWarning) as said:
        fit(gan, watch, At(acts), steps=40)
    messages = [str(one.message) for one in said]
    assert len(messages) == 3 and "Restored 2 times already. Training stops." in messages[-1]
    assert gan.steps_trained < 40 and kinds(watch) == ["divergence"] * 3


# --- Arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"action": "cry"}, "action must be one of .*Received: 'cry'"),
        ({"action": "restore"}, "checkpoints.*Received: action='restore', checkpoints=None"),
        ({"checkpoints": "folder"}, "Received: action='warn', checkpoints='folder'"),
        ({"every_steps": 0}, "every_steps.*Received"),
        ({"max_restores": 1.5}, "max_restores.*Received"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CollapseWatch(**arguments)


def test_watches_gans_only():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="kgan.GAN. Received"):
        model.fit(POINTS, POINTS[:, :1], verbose=0, callbacks=[CollapseWatch()])
