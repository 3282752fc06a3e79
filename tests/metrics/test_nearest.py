import json

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import kgan
from kgan.metrics import adapted, nearest
from kgan.metrics.base import of_equal_number
from tests.conformance import run_metric_test


def normal(n, dim, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim)).astype("float32")


def images(n, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, 3, 3, 1)).astype("float32")


def column(*values):
    return np.float32(values)[:, None]


# --- NearestNeighborError -----------------------------------------------------------------------


def test_error_conformance(two_replicas):
    labels = np.random.default_rng(2).integers(0, 3, 14)
    run_metric_test(
        kgan.metrics.NearestNeighborError,
        {},
        images(14),
        images(14, 1),
        two_replicas,
        labels,
        least=1,
    )


def test_error_on_a_line():
    metric = kgan.metrics.NearestNeighborError(features=None)
    metric.update_state(fake=column(0, 1, 5, 6), labels=np.array([3, 3, 7, 7]))
    # The second is nearest to 1, of class 3, and the last to 6, of class 7.
    metric.update_state(real=column(0.4, 2.9, 3.1, 90), labels=np.array([3, 7, 7, 1]))
    assert metric.result() == 0.5


def test_labels_of_both_sides_at_once():
    metric = kgan.metrics.NearestNeighborError(features=None)
    # Fakes in the order of their classes, reals in the reverse one: all are wrong.
    metric.update_state(column(0, 10), column(10.1, 0.2), labels=np.array([4, 5]))
    assert metric.result() == 1.0
    metric.update_state(fake=column(0, 10), labels=np.array([4, 5]))
    assert metric.result() == 0.0


def test_error_falls_with_more_to_learn_from():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 3000)
    points = (rng.normal(size=(3000, 1)) + 6 * labels[:, None]).astype("float32")
    points[:10] = 0.0  # of both classes, so that ten copies say nothing
    metric = kgan.metrics.NearestNeighborError(features=None)
    metric.update_state(real=points[2000:], labels=labels[2000:])
    metric.update_state(fake=points[10:2000], labels=labels[10:2000])
    assert metric.result() < 0.01
    metric.reset_fakes()
    metric.update_state(fake=points[10:2000], labels=1 - labels[10:2000])
    assert metric.result() > 0.99


def mnist(split, n, data_dir):
    dataset = kgan.data.load(
        "mnist", 1000, split=split, data_dir=data_dir, shuffle=False, drop_remainder=False
    )
    return dataset.take(n // 1000)


@pytest.mark.slow
def test_error_of_real_digits_is_that_of_the_paper(mnist_dir):
    """Radford et al. 2015: 3.1 % for 50,000 training digits in place of samples."""
    metric = kgan.metrics.NearestNeighborError()
    for digits, labels in mnist("train", 50_000, mnist_dir):
        metric.update_state(fake=digits, labels=labels)
    for digits, labels in mnist("test", 10_000, mnist_dir):
        metric.update_state(real=digits, labels=labels)
    assert metric.states["fake"].count == 50_000 and metric.states["real"].count == 10_000
    assert metric.result() == pytest.approx(0.031, abs=0.002)


# --- TwoSampleAccuracy --------------------------------------------------------------------------


def test_two_sample_conformance(two_replicas):
    sides = normal(20, 3), normal(20, 3, 1)
    run_metric_test(kgan.metrics.TwoSampleAccuracy, {"max_samples": 30}, *sides, two_replicas)


def two_sample(real, fake):
    metric = kgan.metrics.TwoSampleAccuracy()
    metric.update_state(real, fake)
    return tuple(metric.result().values())


def test_two_samples_on_a_line():
    # Reals 0 and 1 have each other, and 5 has the fake 5.2, which has 5; of the other fakes 2.5 has
    # the real 1, and 9 the fake 5.2.
    accuracies = two_sample(column(0, 1, 5), column(2.5, 5.2, 9))
    assert accuracies == pytest.approx((3 / 6, 2 / 3, 1 / 3))


def test_sides_apart_and_copies():
    assert two_sample(normal(40, 3), 50 + normal(40, 3, 1)) == (1.0, 1.0, 1.0)
    assert two_sample(normal(40, 3), normal(40, 3)[::-1]) == (0.0, 0.0, 0.0)


def test_like_sides_are_a_coin():
    assert two_sample(normal(4000, 2), normal(4000, 2, 1))[0] == pytest.approx(0.5, abs=0.02)


def test_collapsed_fakes_have_fakes_for_neighbours():
    real = normal(500, 2)
    accuracy, on_reals, on_fakes = two_sample(real, real[:1] + 1e-3 * normal(500, 2, 1))
    assert on_fakes > 0.99 and on_reals < 1


def test_of_the_longer_side_a_random_part_counts():
    real, fake = normal(30, 3), normal(12, 3, 1)
    part, whole = of_equal_number(real, fake)
    assert whole is fake and len(np.unique(part, axis=0)) == 12
    assert set(map(tuple, part)) < set(map(tuple, real))
    assert two_sample(real, fake) == two_sample(part, fake)
    assert two_sample(fake, real) == two_sample(fake, part)


def test_a_longer_side_in_the_order_of_its_classes():
    places = 10.0 * np.eye(10)
    real = np.repeat(places, 200, axis=0) + normal(2000, 10)
    fake = np.tile(places, (40, 1)) + normal(400, 10, 1)
    assert two_sample(real, fake)[0] == pytest.approx(0.5, abs=0.1)


# --- Memorization -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "make"), [({"features": None, "max_samples": 30, "copy_ratio": 0.5},
                             lambda s: normal(20, 3, s)),
                            ({}, lambda s: images(14, s))]
)  # fmt: skip
def test_memorization_conformance(arguments, make, two_replicas):
    run_metric_test(
        kgan.metrics.Memorization,
        arguments,
        make(0),
        make(1),
        two_replicas,
        least=1,
        prepare=lambda metric: metric.adapt(make(3)),
    )


def memorization(training, real, fake, **options):
    metric = kgan.metrics.Memorization(features=None, **options)
    metric.adapt(training)
    metric.update_state(real, fake)
    return metric.result()


def test_memorization_on_a_line():
    # Distances to 0 and 10: of reals 1, 2, 4, whose median is 2; of fakes 0, 0.15, 2, 3.
    result = memorization(column(0, 10), column(1, 8, 14), column(10, 0.15, -2, 7), copy_ratio=0.1)
    # Pairs in which the fake is farther: 0, 0, 1 and a tie, 2; of 12.
    z = (3.5 - 6) / np.sqrt(12 * 8 / 12)
    expected = {"memorization_z": z, "memorization_nearer": 0.5, "memorization_copies": 0.5}
    assert result == pytest.approx(expected)


@pytest.mark.parametrize("decimals", [1, 12])
def test_the_statistic_is_that_of_scipy(decimals):
    values, others = (np.round(normal(n, 1, n)[:, 0] + 0.1, decimals) for n in (150, 90))
    z = nearest.mann_whitney_z(values, others)
    test = scipy.stats.mannwhitneyu(
        values, others, alternative="less", method="asymptotic", use_continuity=False
    )
    u = z * np.sqrt(150 * 90 * 241 / 12) + 150 * 90 / 2
    assert u == pytest.approx(test.statistic)
    # scipy takes ties from the deviation, the paper does not.
    if decimals == 12:
        assert scipy.stats.norm.cdf(z) == pytest.approx(test.pvalue)


def test_the_statistic_is_normal_where_nothing_is_copied():
    values = []
    for seed in range(200):
        training, real, fake = np.split(normal(90, 2, seed), 3)
        values.append(memorization(training, real, fake)["memorization_z"])
    # The training set is shared, which widens the deviation of 1 a little.
    assert abs(np.mean(values)) < 4 / np.sqrt(200) and 0.85 < np.std(values) < 1.3


def test_copies_are_found():
    training, real = normal(300, 5), normal(300, 5, 1)
    honest = memorization(training, real, normal(300, 5, 2))
    assert abs(honest["memorization_z"]) < 3 and honest["memorization_copies"] == 0
    assert honest["memorization_nearer"] == pytest.approx(0.5, abs=0.1)
    rounded = np.round(training * 255) / 255
    copies = memorization(training, real, rounded)
    assert copies["memorization_copies"] == copies["memorization_nearer"] == 1
    # The least that 300 and 300 can give: no fake is farther than any real.
    assert copies["memorization_z"] == pytest.approx(-(300**2) / 2 / np.sqrt(300**2 * 601 / 12))
    half = memorization(training, real, np.concatenate([training[:150], normal(150, 5, 2)]))
    assert half["memorization_copies"] == 0.5 and half["memorization_z"] < -5
    far = memorization(training, real, 9 + normal(300, 5, 2))
    assert far["memorization_z"] > 5 and far["memorization_nearer"] == 0


def test_held_out_reals_that_are_in_the_training_set():
    training = normal(50, 4)
    result = memorization(training, training[:20], training[20:])
    expected = {"memorization_z": 0.0, "memorization_nearer": 0.0, "memorization_copies": 1.0}
    assert result == expected


@pytest.mark.parametrize("form", ["array", "tuple", "list", "dataset", "labelled dataset"])
def test_adapt_takes(form, monkeypatch):
    monkeypatch.setattr(adapted, "_BATCH", 4)
    training, labels = images(11), np.arange(11)
    labelled = tf.data.Dataset.from_tensor_slices((training, labels)).batch(3)
    given = {
        "array": training,
        "tuple": (training, labels),
        "list": [training[:6], training[6:]],
        "dataset": labelled.map(lambda images, labels: images),
        "labelled dataset": labelled,
    }
    metric = kgan.metrics.Memorization()
    metric.adapt(images(3, seed=1))
    metric.adapt(given[form])
    np.testing.assert_allclose(metric.adapted, (training.reshape(11, 9) + 1) / 2, atol=1e-7)
    metric.update_state(images(5, 2), images(5, 3))
    metric.reset_state()
    assert len(metric.adapted) == 11


def test_a_metric_that_was_not_adapted_says_so():
    metric = kgan.metrics.Memorization(features=None)
    metric.adapt(normal(5, 2))
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(metric)))
    for unadapted in (
        keras.saving.deserialize_keras_object(config),
        kgan.metrics.Memorization(features=None),
    ):
        unadapted.update_state(normal(5, 2), normal(5, 2, 1))
        with pytest.raises(ValueError, match=r"call adapt\(images\) first, after loading too"):
            unadapted.result()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "Received: 0 images"),
        (np.zeros((0, 2)), "Received: 0 images"),
        (np.full((3, 2), np.nan), "Received: 3 images, NaN or infinity"),
        (np.zeros((3, 2), "int32"), "Received: training of dtype int32"),
        (np.zeros((3, 2, 2, 1)), "Received: training of shape"),
        ([np.zeros((3, 2)), np.zeros((3, 4))], r"one shape.*\(2,\) and \(4,\)"),
    ],
)
def test_bad_training_sets_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        kgan.metrics.Memorization(features=None).adapt(given)


def test_a_training_set_of_another_shape():
    with pytest.raises(ValueError, match=r"shape \(2,\).*Received: \(3,\)"):
        memorization(normal(5, 3), normal(5, 2), normal(5, 2, 1))


# --- All ----------------------------------------------------------------------------------------

ALL = (
    (kgan.metrics.NearestNeighborError, {"labels": np.arange(5)}),
    (kgan.metrics.TwoSampleAccuracy, {}),
    (kgan.metrics.Memorization, {}),
)


@pytest.mark.parametrize(("cls", "labels"), ALL)
@pytest.mark.parametrize("side", ["real", "fake"])
def test_constant_features_are_refused(cls, labels, side):
    metric = cls(features=None)
    if metric.adapts_to:
        metric.adapt(normal(5, 2))
    sides = {"real": normal(5, 2), "fake": normal(5, 2, 1), side: np.full((5, 2), 0.1)}
    metric.update_state(**sides, **labels)
    with pytest.raises(ValueError, match=f"constant {side}"):
        metric.result()


@pytest.mark.parametrize(("cls", "labels"), ALL)
@pytest.mark.parametrize("value", [0, 2.5, True])
def test_bad_numbers_are_named(cls, labels, value):
    with pytest.raises(ValueError, match="`max_samples` must be a positive integer"):
        cls(max_samples=value)


@pytest.mark.parametrize("value", [0, -1.0, np.nan, "near"])
def test_bad_ratios_are_named(value):
    with pytest.raises(ValueError, match="`copy_ratio` must be a positive number"):
        kgan.metrics.Memorization(copy_ratio=value)


def test_which_data_they_want():
    splits = {cls.alias: (cls.split, cls.adapts_to) for cls, _ in ALL}
    assert splits == {"nne": ("test", None), "nn": ("train", None), "memo": ("test", "training")}
