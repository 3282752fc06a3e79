import io

import keras
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from kgan.callbacks import SampleGrid, TensorBoard


def read(folder):
    """Returns the events by tag: scalars as `{step: value}`, images as `{step: array}`."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    tags = {}
    for tag in events.Tags()["tensors"]:
        values = {e.step: tensor_util.make_ndarray(e.tensor_proto) for e in events.Tensors(tag)}
        if next(iter(values.values())).ndim:
            values = {i: np.asarray(Image.open(io.BytesIO(v[2]))) for i, v in values.items()}
        tags[tag] = values
    return tags


def test_scalars_of_training_and_validation(tmp_path, fit, images):
    history = fit([TensorBoard(tmp_path, n=4)], validation_data=(images[:8],)).history
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    for name in ("generator_loss", "discriminator_loss", "real_score", "fake_score"):
        assert train[name] == pytest.approx(dict(enumerate(history[name], 1)))
        assert validation[name] == pytest.approx(dict(enumerate(history[f"val_{name}"], 1)))
    assert not any(name.startswith("val_") for name in train)
    assert "generator_learning_rate" not in validation


def test_both_learning_rates_and_their_schedules(tmp_path, fit, gan):
    gan.compile(
        generator_optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.PiecewiseConstantDecay([6], [0.5, 0.25])
        ),
        discriminator_optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.125)),
    )
    fit([TensorBoard(tmp_path, n=4)], epochs=2)
    train = read(tmp_path / "train")
    assert train["generator_learning_rate"] == {1: 0.5, 2: 0.25}
    assert train["discriminator_learning_rate"] == {1: 0.125, 2: 0.125}


def test_the_grid_is_that_of_the_png_file(tmp_path, fit):
    fit([TensorBoard(tmp_path, n=4, every_epochs=2), SampleGrid(tmp_path / "s", n=4)], epochs=3)
    samples = read(tmp_path / "train")["samples"]
    assert list(samples) == [2]
    expected = np.asarray(Image.open(tmp_path / "s" / "epoch-0002.png"))
    np.testing.assert_array_equal(samples[2], expected)


def test_a_resumed_run_continues(tmp_path, fit):
    fit([TensorBoard(tmp_path, n=4)], epochs=2)
    fit([TensorBoard(tmp_path, n=4)], epochs=4, initial_epoch=2)
    train = read(tmp_path / "train")
    assert list(train["generator_loss"]) == list(train["samples"]) == [1, 2, 3, 4]


def test_samples_that_are_no_images(tmp_path, fit, make_gan):
    gan, x = make_gan(image_shape=(5,)), np.zeros((48, 5), "float32")
    with pytest.raises(ValueError, match="sample grid shows images"):
        fit([TensorBoard(tmp_path)], gan=gan, x=x)
    assert int(gan.images_seen) == 0
    fit([TensorBoard(tmp_path, every_epochs=None)], gan=gan, x=x, epochs=1)
    assert "samples" not in read(tmp_path / "train")


def test_numbers_are_readable_after_each_epoch(tmp_path, fit):
    seen = []
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(list(read(tmp_path / "train")["samples"]))
    )
    fit([TensorBoard(tmp_path, n=1), look])
    assert seen == [[1], [1, 2]]


@pytest.mark.parametrize("arguments", [{"n": 0}, {"every_epochs": -1}])
def test_numbers_out_of_range(tmp_path, arguments):
    with pytest.raises(ValueError, match="int of 1 or more. Received: "):
        TensorBoard(tmp_path, **arguments)
