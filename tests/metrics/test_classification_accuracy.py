import json
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.metrics.classification_accuracy import Shuffled, default_classifier
from tests.conformance import run_metric_test

RNG = np.random.default_rng(0)
SHAPE = (6, 6, 1)


def stripes(labels, noise=0.3):
    """Images of which a line shows the class."""
    images = RNG.normal(0, noise, (len(labels), *SHAPE))
    images[np.arange(len(labels)), labels] += 1
    return images.astype("float32")


@keras.saving.register_keras_serializable(package="test")
def linear(image_shape, num_classes):
    return keras.Sequential(
        [keras.Input(image_shape), keras.layers.Flatten(), keras.layers.Dense(num_classes)]
    )


def score(fake, fake_labels, real, real_labels, **arguments):
    metric = kgan.metrics.ClassificationAccuracyScore(
        **{"classifier": linear, "learning_rate": 0.02, "batch_size": 16, **arguments}
    )
    metric.update_state(fake=fake, labels=fake_labels)
    metric.update_state(real=real, labels=real_labels)
    return metric.result()


def test_conformance(two_replicas):
    labels = np.arange(24) % 3
    run_metric_test(
        kgan.metrics.ClassificationAccuracyScore,
        {
            "classifier": linear,
            "epochs": 1,
            "batch_size": 12,
            "learning_rate": 0.01,
            "seed": 3,
            "verbose": 0,
            "max_samples": 40,
        },
        stripes(labels),
        stripes(labels),
        two_replicas,
        labels=labels,
        order_matters=True,
    )


LABELS = np.arange(120) % 4


def test_good_samples_teach():
    assert score(stripes(LABELS), LABELS, stripes(LABELS), LABELS) > 0.9


def test_the_default_classifier_learns():
    arguments = {"classifier": None, "epochs": 8}
    assert score(stripes(LABELS), LABELS, stripes(LABELS), LABELS, **arguments) > 0.9


def test_samples_of_wrong_classes_teach_what_is_wrong():
    """All reals are taken for the class that the fakes have said."""
    wrong = (LABELS + 1) % 4
    assert score(stripes(LABELS), wrong, stripes(LABELS), LABELS) < 0.1
    assert score(stripes(LABELS), wrong, stripes(LABELS), wrong) > 0.9


def test_a_class_that_was_never_drawn_is_never_found():
    drawn = LABELS < 3
    result = score(stripes(LABELS)[drawn], LABELS[drawn], stripes(LABELS), LABELS)
    assert 0.65 < result <= 0.75


def test_the_seed_alone_decides():
    arguments = stripes(LABELS, 1.5), LABELS, stripes(LABELS, 1.5), LABELS
    model = linear(SHAPE, 4)
    for classifier in (linear, model, None):
        results = []
        for seed in (0, 0) if classifier is None else (0, 0, 1):
            keras.utils.set_random_seed(int(RNG.integers(1000)))
            results.append(score(*arguments, classifier=classifier, seed=seed, epochs=2))
        assert results[0] == results[1]
        assert classifier is None or len(set(results)) > 1


def draws():
    """The next numbers of all generators that a training may use."""
    return (
        random.random(),
        np.random.random(),
        float(tf.random.uniform(())),
        float(keras.random.uniform(())),
        keras.layers.Dense(1).kernel_initializer.seed,
    )


def test_other_random_numbers_are_left_alone():
    images = stripes(LABELS)
    expected = []
    for measures in (False, True):
        keras.utils.set_random_seed(7)
        draws()
        if measures:
            score(images, LABELS, images, LABELS, classifier=None, epochs=1)
        expected.append(draws())
    assert expected[0] == expected[1]


def test_a_model_is_copied_not_trained():
    model = linear(SHAPE, 4)
    before = model.get_weights()
    assert score(stripes(LABELS), LABELS, stripes(LABELS), LABELS, classifier=model) > 0.9
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_a_model_survives_the_config():
    metric = kgan.metrics.ClassificationAccuracyScore(linear(SHAPE, 4))
    stored = json.dumps(keras.saving.serialize_keras_object(metric))
    revived = keras.saving.deserialize_keras_object(json.loads(stored))
    assert json.dumps(keras.saving.serialize_keras_object(revived)) == stored


@pytest.mark.parametrize(("verbose", "shown"), [(0, ""), (2, "loss:")])
def test_verbose(capsys, verbose, shown):
    score(stripes(LABELS), LABELS, stripes(LABELS), LABELS, epochs=1, verbose=verbose)
    out = "".join(capsys.readouterr())
    assert shown in out if shown else not out


@pytest.mark.parametrize("shape", [(4, 4, 3), (28, 28, 1), (30, 50, 3)])
def test_the_default_classifier_fits_any_size(shape):
    model = default_classifier(shape, 5)
    assert model.output_shape == (None, 5)
    places = next(x for x in model.layers if isinstance(x, keras.layers.Flatten)).input.shape
    assert max(places[1:3]) <= 7


def test_each_epoch_has_an_order_of_its_own():
    batches = Shuffled(np.arange(10), np.arange(10) * 2, 4, seed=0)
    orders = []
    for _ in range(2):
        parts = [batches[i] for i in range(len(batches))]
        assert [len(x) for x, _ in parts] == [4, 4, 2]
        orders.append(np.concatenate([x for x, _ in parts]))
        np.testing.assert_array_equal(np.concatenate([y for _, y in parts]), 2 * orders[-1])
        batches.on_epoch_end()
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert list(orders[0]) != list(orders[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "`epochs` must be a positive integer. Received: epochs=0"),
        ({"learning_rate": -1}, "learning_rate must be a positive number. Received: -1"),
        ({"classifier": "resnet"}, "`classifier` must be a function.*Received: .*'resnet'"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        kgan.metrics.ClassificationAccuracyScore(**arguments)


def test_too_few_logits_are_refused():
    with pytest.raises(ValueError, match=r"each of 4 classes, \(batch, 4\).*gives \(None, 3\)"):
        score(stripes(LABELS), LABELS, stripes(LABELS), LABELS, classifier=linear(SHAPE, 3))


def test_negative_labels_are_refused():
    with pytest.raises(ValueError, match="Received: -1 among the labels of the fake images"):
        score(stripes(LABELS), LABELS - 1, stripes(LABELS), LABELS)
