import math
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.callbacks import (
    Curves,
    Evaluate,
    MetricsLog,
    TensorBoard,
    curves,
    metrics_log,
    read_metrics,
)
from kgan.callbacks import evaluate as evaluate_module

NAME = "frechet_distance"


def evaluate(images, metrics=("fd",), n=32, features="pixels", **kwargs):
    return Evaluate(list(metrics), images, n=n, features=features, **kwargs)


# --- Who sees the results -----------------------------------------------------------------------


def test_the_log_is_what_the_metric_says_of_the_averaged_generator(fit, gan, images):
    history = fit([evaluate(images, seed=5)], epochs=2).history
    metric = kgan.metrics.FrechetDistance("pixels")
    metric.update_state(real=images)
    for samples, _ in kgan.metrics.Evaluation("fd")._samples(gan, 32, seed=5):
        metric.update_state(fake=samples)
    assert history[NAME][1] == pytest.approx(metric.result(), rel=1e-5)
    assert history[NAME][0] != history[NAME][1]


def test_all_callbacks_after_it_see_the_logs(fit, gan, images, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(curves, "save_curves", lambda path, rows: drawn.append(list(rows)))
    best = tmp_path / "best-{frechet_distance:.3f}.keras"
    after = [
        MetricsLog(tmp_path / "metrics.jsonl"),
        Curves(tmp_path / "curves.png"),
        TensorBoard(tmp_path / "logs", every_epochs=None),
        keras.callbacks.ModelCheckpoint(best, monitor=NAME, mode="min", save_best_only=True),
    ]
    history = fit([evaluate(images), *after], epochs=3).history[NAME]
    assert [row[NAME] for row in read_metrics(tmp_path / "metrics.jsonl")] == pytest.approx(history)
    assert [row[NAME] for row in drawn[-1]] == pytest.approx(history)
    assert scalars(tmp_path / "logs" / "train", NAME) == pytest.approx(history, rel=1e-6)
    names = {path.name for path in tmp_path.glob("best-*.keras")}
    records = {f"best-{x:.3f}.keras" for x in np.minimum.accumulate(history)}
    assert names == records


def scalars(folder, name):
    """The values of one scalar in TensorBoard's files, in the order of the steps."""
    values = {}
    for path in folder.iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.tag == name:
                    values[event.step] = float(tf.make_ndarray(value.tensor))
    return [values[step] for step in sorted(values)]


def test_early_stopping(fit, make_gan, images):
    gan = make_gan(learning_rate=0.0)  # It never gets better.
    stop = keras.callbacks.EarlyStopping(NAME, mode="min", patience=1)
    assert len(fit([evaluate(images), stop], gan=gan, epochs=5).history[NAME]) == 2


def test_every_second_epoch(fit, images, tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    fit([evaluate(images, every=2), log], epochs=5)
    rows = read_metrics(log.path)
    assert [row["epoch"] for row in rows if NAME in row] == [2, 4]


@pytest.mark.parametrize("where", ["on_train_batch_end", "on_epoch_end"])
def test_an_epoch_that_is_broken_off_is_not_evaluated(fit, images, where):
    def stop(number, logs):
        callback.model.stop_training = True

    callback = evaluate(images)
    stopper = keras.callbacks.LambdaCallback(**{where: stop})
    history = fit([stopper, callback], epochs=2).history
    assert len(history["generator_loss"]) == 1
    assert (NAME in history) == (where == "on_epoch_end")


# --- Training goes on as if nothing had been ----------------------------------------------------


def test_training_is_bit_for_bit_the_same(make_gan, fit, images):
    gans = [without_average(make_gan()), without_average(make_gan())]
    for gan, callbacks in zip(gans, ([], [evaluate(images)]), strict=True):
        fit(callbacks, gan=gan, epochs=3)
    for a, b in zip(*(gan.get_weights() for gan in gans), strict=True):
        np.testing.assert_array_equal(a, b)
    states = [[v.numpy() for v in gan._states().values()] for gan in gans]
    for a, b in zip(*states, strict=True):
        np.testing.assert_array_equal(a, b)


def without_average(gan):
    """What is evaluated is the generator that trains."""
    plain = kgan.GAN(gan.generator, gan.discriminator, average_half_life_images=None, seed=0)
    plain.compile("adam", "adam")
    return plain


def test_each_evaluation_draws_the_same_latents(fit, make_gan, images):
    gan = make_gan(learning_rate=0.0)
    first, second, third = fit([evaluate(images)], gan=gan, epochs=3).history[NAME]
    assert [second, third] == pytest.approx([first, first], rel=1e-6)
    other = fit([evaluate(images, seed=1)], gan=gan, epochs=1).history[NAME][0]
    assert other != pytest.approx(first, rel=1e-3)


def test_the_clock_of_the_log_stands_still(fit, images, tmp_path, monkeypatch):
    class Clock(keras.callbacks.Callback):
        now = 1000.0

        def perf_counter(self):
            return self.now

        def on_train_batch_end(self, batch, logs=None):
            self.now += 1

    clock = Clock()
    callback = evaluate(images)
    judge = callback.evaluation.judge

    def slow(*args):
        clock.now += 100
        return judge(*args)

    monkeypatch.setattr(callback.evaluation, "judge", slow)
    for module in (metrics_log, evaluate_module):
        monkeypatch.setattr(module, "time", clock)
    log = MetricsLog(tmp_path / "metrics.jsonl")
    fit([clock, callback, log], validation_data=(images[:8],))
    rows = read_metrics(log.path)
    assert [row["seconds"] for row in rows] == [6, 12]
    assert [row["images_per_second"] for row in rows] == [8, 8]


@pytest.mark.parametrize("inside", [False, True])
def test_two_replicas(two_replicas, make_gan, images, inside):
    one = make_gan()
    expected = one.fit(images, batch_size=8, verbose=0, callbacks=[evaluate(images)]).history
    with two_replicas.scope():
        gan = make_gan()
        if inside:
            got = gan.fit(images, batch_size=8, verbose=0, callbacks=[evaluate(images)]).history
    if not inside:
        got = gan.fit(images, batch_size=8, verbose=0, callbacks=[evaluate(images)]).history
    assert got[NAME] == pytest.approx(expected[NAME], rel=1e-3)


def test_reals_are_looked_at_once(fit, images):
    passes = []

    def batches():
        passes.append(1)
        yield from images.reshape(6, 8, 4, 4, 1)

    signature = tf.TensorSpec((None, 4, 4, 1), tf.float32)
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    callback = evaluate(dataset)
    fit([callback], epochs=2)
    fit([callback], epochs=2)
    assert len(passes) == 2  # a first look at the first batch, and all of them


# --- What goes wrong ----------------------------------------------------------------------------


def test_a_collapsed_generator_logs_nan_and_training_goes_on(fit, make_gan, images, tmp_path):
    gan = make_gan(learning_rate=0.0)
    for weight in gan.averaged_generator.weights:
        weight.assign(keras.ops.zeros_like(weight))
    for weight in gan.generator.weights:
        weight.assign(keras.ops.zeros_like(weight))
    log = MetricsLog(tmp_path / "metrics.jsonl")
    stop = keras.callbacks.EarlyStopping(NAME, mode="min", patience=5)
    with pytest.warns(UserWarning, match="frechet_distance is NaN after epoch 1: .*constant fake"):
        history = fit([evaluate(images), log, stop], gan=gan, epochs=2).history
    assert len(history[NAME]) == 2 and all(map(math.isnan, history[NAME]))
    assert '"frechet_distance": null' in log.path.read_text()


def test_nan_samples_log_nan(fit, gan, images):
    gan.averaged_generator.weights[0].assign(
        np.full(gan.averaged_generator.weights[0].shape, np.nan)
    )
    with pytest.warns(UserWarning, match="NaN or infinity among the fake features"):
        assert math.isnan(fit([evaluate(images)], epochs=1).history[NAME][0])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"every": 0}, "every must be an int of 1 or more. Received: 0"),
        ({"n": 1.5}, "n must be"),
        ({"seed": -1}, "seed must be an int of 0 or more. Received: -1"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"metrics": ["fdd"]}, "Unknown metric"),
        ({"features": "pixel"}, "Unknown feature network"),
    ],
)
def test_bad_arguments(images, kwargs, message):
    with pytest.raises(ValueError, match=message):
        evaluate(images, **kwargs)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((8, 5, 5, 1), r"The generator makes samples of shape \(4, 4, 1\).*\(1, 5, 5, 1\)"),
        ((8, 4, 4, 3), r"\(1, 4, 4, 3\)"),
        ((0, 4, 4, 1), "an empty one"),
    ],
)
def test_reals_that_do_not_fit_are_an_error_before_training(fit, gan, shape, message):
    with pytest.raises(ValueError, match=message):
        fit([evaluate(np.zeros(shape, "float32"))])
    assert gan.steps_trained == 0


def test_a_conditional_gan_needs_labels_of_the_reals(make_gan, images):
    gan = make_gan(num_classes=3)
    labels = np.arange(48) % 3
    with pytest.raises(ValueError, match="take the labels of the reals"):
        gan.fit(images, labels, verbose=0, callbacks=[evaluate(images)])
    assert gan.steps_trained == 0
    history = gan.fit(images, labels, verbose=0, callbacks=[evaluate((images, labels))]).history
    assert math.isfinite(history[NAME][0])


def test_no_warnings_where_all_is_well(fit, images):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit([evaluate(images)])
