import json
import math

import keras
import numpy as np
import pytest

from kgan.callbacks import MetricsLog, metrics_log, read_metrics


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_an_epoch(tmp_path, fit, images):
    path = tmp_path / "run" / "metrics.jsonl"
    history = fit([MetricsLog(path)], epochs=2, validation_data=(images[:8],))
    rows = lines(path)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert [row["step"] for row in rows] == [6, 12]
    assert [row["images_seen"] for row in rows] == [48, 96]
    for name, values in history.history.items():
        assert [row[name] for row in rows] == pytest.approx(values)
    assert "val_generator_loss" in rows[0]


def test_the_line_is_there_when_its_epoch_ends(tmp_path, fit):
    path = tmp_path / "metrics.jsonl"
    counts = []
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: counts.append(len(lines(path)))
    )
    fit([MetricsLog(path), look], epochs=3)
    assert counts == [1, 2, 3]


class Clock(keras.callbacks.Callback):
    """Time that passes as told: a batch takes a second, validation a hundred."""

    now = 1000.0

    def perf_counter(self):
        return self.now

    def on_train_batch_end(self, batch, logs=None):
        self.now += 1

    def on_test_batch_end(self, batch, logs=None):
        self.now += 100


def test_seconds_and_throughput(tmp_path, fit, images, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    clock = Clock()
    monkeypatch.setattr(metrics_log, "time", clock)
    fit([clock, MetricsLog(path)], validation_data=(images[:8],))
    fit([clock, MetricsLog(path)], epochs=3, initial_epoch=2)
    rows = lines(path)
    # Six batches of 8 images an epoch; throughput is that of training alone.
    assert [row["seconds"] for row in rows] == [106, 212, 218]
    assert [row["images_per_second"] for row in rows] == [8, 8, 8]


def test_a_resumed_run_replaces_what_it_trains_again(tmp_path, fit):
    path = tmp_path / "metrics.jsonl"
    fit([MetricsLog(path)], epochs=3)
    before = path.read_text().splitlines()
    fit([MetricsLog(path)], epochs=4, initial_epoch=2)
    after = path.read_text().splitlines()
    assert after[:2] == before[:2]
    assert [json.loads(line)["epoch"] for line in after] == [1, 2, 3, 4]
    assert json.loads(after[2])["step"] == 24


def test_an_interrupted_epochs_seconds_count_if_its_steps_do(tmp_path, fit, gan):
    path = tmp_path / "metrics.jsonl"
    row = {"epoch": 1, "step": 3, "images_seen": 24, "seconds": 100.0}
    path.write_text(json.dumps(row) + "\n")
    fit([MetricsLog(path)], epochs=1)
    assert lines(path)[0]["seconds"] < 50
    path.write_text(json.dumps(row) + "\n")
    # Now the GAN has seen those 24 images.
    fit([MetricsLog(path)], epochs=1)
    assert lines(path)[0]["seconds"] >= 100
    assert len(lines(path)) == 1


def test_a_partial_epoch_counts_its_own_images(tmp_path, fit, images, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    clock = Clock()
    monkeypatch.setattr(metrics_log, "time", clock)
    fit([clock, MetricsLog(path)], x=images[:32], epochs=1)
    fit([clock, MetricsLog(path)], x=images[:16], epochs=1)
    (row,) = lines(path)
    assert (row["images_seen"], row["seconds"], row["images_per_second"]) == (48, 6, 8)


def test_numbers_that_json_lacks_are_null(tmp_path, fit, images, make_gan):
    gan = make_gan(metrics=[Broken("infinite", np.inf), Broken("missing", np.nan)])
    path = tmp_path / "metrics.jsonl"
    fit([MetricsLog(path)], gan=gan, epochs=1, validation_data=(images[:8],))

    def refuse(constant):
        raise AssertionError(constant)

    row = json.loads(path.read_text(), parse_constant=refuse)
    assert row["val_infinite"] is None
    assert row["val_missing"] is None
    assert math.isnan(read_metrics(path)[0]["val_missing"])


class Broken(keras.metrics.Metric):
    def __init__(self, name, value):
        super().__init__(name=name)
        self.value = value

    def update_state(self, real_images, fake_images):
        pass

    def result(self):
        return self.value


@pytest.mark.parametrize("text", ["[1]\n", "{half", '{"loss": 1}\n'])
def test_a_file_of_something_else_is_refused_and_kept(tmp_path, fit, gan, text):
    path = tmp_path / "metrics.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match="one JSON object .* Received: line 1: "):
        fit([MetricsLog(path)])
    assert path.read_text() == text
    assert int(gan.images_seen) == 0


def test_no_file_is_no_epoch(tmp_path):
    assert read_metrics(tmp_path / "none.jsonl") == []
