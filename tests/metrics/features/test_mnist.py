import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.metrics.features import mnist, train_mnist
from tests.metrics.features.harness import run_features_test


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(-1, 1, (5, 28, 28, 1)).astype("float32")


def randomized_classifier():
    """The network that is trained, with statistics as training would leave them."""
    model = train_mnist.trainable_classifier()
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "norm" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


def test_conformance(images):
    wrong = [np.zeros((2, 32, 32, 1), "float32"), np.zeros((2, 28, 28, 3), "float32")]
    run_features_test(
        kgan.metrics.features.MNIST, {}, images, {"features": 64, "logits": 10}, wrong
    )


def test_the_file_is_small_and_of_float16():
    assert mnist.WEIGHTS.stat().st_size <= 1_000_000
    with np.load(mnist.WEIGHTS, allow_pickle=False) as stored:
        assert {stored[name].dtype for name in stored.files} == {np.dtype("float16")}
        shapes = {name: stored[name].shape for name in stored.files}
    expected = train_mnist.folded(train_mnist.trainable_classifier())
    assert shapes == {name: array.shape for name, array in expected.items()}


def test_what_is_shipped_computes_what_was_trained(images):
    model = randomized_classifier()
    logits = model.get_layer("logits")
    trained = keras.Model(model.input, {"features": logits.input, "logits": logits.output})
    expected = trained(images, training=False)
    outputs = mnist.classify(tf.constant(images), train_mnist.folded(model))
    for name, x in outputs.items():
        np.testing.assert_allclose(x, expected[name], rtol=1e-3, atol=1e-4)


def test_accuracy_on_the_real_test_digits(mnist_dir):
    assert train_mnist.accuracy(mnist.load(mnist.WEIGHTS), mnist_dir) >= 0.995


def test_features_of_real_digits_are_spread_over_all_units(mnist_dir):
    dataset = kgan.data.load("mnist", 1000, split="test[:1000]", data_dir=mnist_dir)
    digits, labels = next(iter(dataset))
    outputs = kgan.metrics.features.MNIST()(digits)
    features = np.array(outputs["features"])
    assert np.all(features.std(axis=0) > 0.1)
    assert np.mean(np.abs(features) < 1e-6) < 0.01
    assert np.mean(np.argmax(outputs["logits"], axis=1) == labels) > 0.98


def test_weights_are_read_once_and_keys_follow_them(tmp_path, monkeypatch):
    key = kgan.metrics.features.MNIST().key()
    assert mnist.load(mnist.WEIGHTS) is mnist.load(mnist.WEIGHTS)
    train_mnist.save(tmp_path / "other.npz", train_mnist.folded(randomized_classifier()))
    monkeypatch.setattr(mnist, "WEIGHTS", tmp_path / "other.npz")
    assert kgan.metrics.features.MNIST().key() != key


def test_saved_weights_are_those_rounded_to_float16(tmp_path):
    weights = train_mnist.folded(randomized_classifier())
    train_mnist.save(tmp_path / "weights.npz", weights)
    loaded = mnist.load(tmp_path / "weights.npz")
    assert set(loaded) == set(weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(loaded[name], np.float16(array))


def test_distortions_depend_on_the_seed_and_keep_the_paper_blank():
    digits = -np.ones((4, 28, 28, 1), "float32")
    np.testing.assert_array_equal(train_mnist.distort(digits, [0, 1]), digits)
    digits[:, 12:16, 12:16] = 1
    changed = [np.array(train_mnist.distort(digits, [0, seed])) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(changed[0], changed[1])
    assert np.any(changed[0] != changed[2])
    # Each digit of a batch changes in its own way, and none leaves the range or the middle.
    assert np.any(changed[0][0] != changed[0][1])
    assert changed[0].min() == -1 and changed[0].max() <= 1
    assert np.all(changed[0][:, 8:20, 8:20].sum(axis=(1, 2, 3)) > -144)
    assert np.all(changed[0][:, :6] == -1)


def test_distortions_are_around_the_centre(monkeypatch):
    monkeypatch.setattr(train_mnist, "SHIFT", 0.0)
    ink = np.zeros((8, 28, 28, 1), "float32")
    ink[:, 12:16, 12:16] = 1
    changed = (np.array(train_mnist.distort(2 * ink - 1, [0, 1])) + 1) / 2
    for axis in (1, 2):
        position = np.arange(28).reshape([-1 if i == axis else 1 for i in range(4)])
        centre = (changed * position).sum(axis=(1, 2, 3)) / changed.sum(axis=(1, 2, 3))
        np.testing.assert_allclose(centre, 13.5, atol=0.02)


def test_a_distortion_of_no_strength_changes_nothing(images, monkeypatch):
    for name in ("TURN", "SLANT", "SCALE", "SHIFT"):
        monkeypatch.setattr(train_mnist, name, 0.0)
    np.testing.assert_allclose(train_mnist.distort(images, [0, 1]), images, atol=1e-6)


@pytest.mark.slow
def test_the_program_trains_and_writes_the_file(tmp_path, monkeypatch, capsys):
    from absl import flags

    def load(name, batch_size, **options):
        """Two classes: a bright left or a bright right half."""
        labels = np.arange(256, dtype="int32") % 2
        bright = np.where((np.arange(28) < 14) == labels[:, None], 1.0, -1.0)
        images = np.broadcast_to(bright[:, None, :, None], (256, 28, 28, 1)).astype("float32")
        return tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size)

    monkeypatch.setattr(kgan.data, "load", load)
    values, out = flags.FlagValues(), tmp_path / "classifier.npz"
    train_mnist.define_flags(values)
    values(["train_mnist", "--epochs=2", "--batch_size=32", f"--out={out}"])
    monkeypatch.setattr(train_mnist, "FLAGS", values)
    train_mnist.main(["train_mnist"])
    shown = capsys.readouterr().out
    assert "Epoch 2/2" in shown and "accuracy: 1.0000" in shown
    assert f"{out}: test accuracy {train_mnist.accuracy(mnist.load(out)):.2%}" in shown
    keras.utils.set_random_seed(0)
    untrained = train_mnist.folded(train_mnist.trainable_classifier())
    for name, array in mnist.load(out).items():
        assert np.any(array != np.float16(untrained[name])), name
