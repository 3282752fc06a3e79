import numpy as np
import pytest
from scipy.special import log_softmax, rel_entr

import kgan
from tests.conformance import run_metric_test

RNG = np.random.default_rng(0)


def normal(shape, scale=3.0):
    return RNG.normal(0, scale, shape).astype("float32")


def certain(classes, num_classes=10):
    """Logits of a classifier that has no doubt."""
    return np.float32(1e4) * np.eye(num_classes, dtype="float32")[classes]


def score(logits, **arguments):
    metric = kgan.metrics.ClassifierScore(**arguments)
    metric.update_state(fake=logits)
    return tuple(metric.result().values())


# --- ClassifierScore ----------------------------------------------------------------------------


@pytest.mark.parametrize("features", [None, "mnist"])
def test_score_conformance(two_replicas, features):
    fake = normal((30, 28, 28, 1), 0.3) if features else normal((30, 6))
    run_metric_test(
        kgan.metrics.ClassifierScore,
        {"features": features, "splits": 3},
        None,
        fake,
        two_replicas,
        least=3,
        rtol=1e-4 if features else 1e-6,
        order_matters=True,
    )


def test_score_of_one_split_is_the_definition():
    logits = normal((50, 6))
    p = np.exp(log_softmax(logits.astype("float64"), axis=1))
    expected = np.exp(np.mean(np.sum(rel_entr(p, p.mean(axis=0)), axis=1)))
    assert score(logits, splits=1) == pytest.approx((expected, 0), rel=1e-12)


def test_score_averages_its_splits():
    """Each row of 4 fills each split once; the splits are what the score is the mean of."""
    metric = kgan.metrics.ClassifierScore(splits=4)
    logits = normal((40, 6))
    metric.update_state(fake=logits)
    information = metric.states["fake"].information()
    assert information.shape == (4,)
    assert list(metric.result().values()) == pytest.approx(
        [np.mean(np.exp(information)), np.std(np.exp(information))]
    )
    np.testing.assert_array_equal(metric.states["fake"]._sizes, [10] * 4)


@pytest.mark.parametrize("value", [0.0, -1e4, 88.0])
def test_score_of_a_classifier_without_a_clue(value):
    assert score(np.full((40, 6), value, "float32")) == pytest.approx((1, 0), abs=1e-12)


@pytest.mark.parametrize("num_classes", [2, 10])
def test_score_of_perfect_classes_is_their_number(num_classes):
    classes = np.arange(60) % num_classes
    assert score(certain(classes, num_classes), splits=1) == pytest.approx((num_classes, 0))


def test_score_of_a_single_class():
    assert score(certain(np.full(40, 3))) == pytest.approx((1, 0), abs=1e-12)


@pytest.mark.parametrize("order", ["in cycles", "sorted"])
def test_score_does_not_fall_for_an_order(order):
    """Ten splits of 1,000 samples that come ordered by class hold all classes nevertheless."""
    classes = np.arange(1000) % 10
    mean, std = score(certain(np.sort(classes) if order == "sorted" else classes))
    assert 9 < mean < 10
    assert std < 0.3


def test_score_is_the_same_for_shifted_logits():
    logits = normal((40, 6))
    assert score(logits + 1000, splits=2) == pytest.approx(score(logits, splits=2), rel=1e-4)


def test_score_ignores_reals():
    metric = kgan.metrics.ClassifierScore(splits=2)
    metric.update_state(np.full((3, 6), np.nan), logits := normal((40, 6)))
    metric.update_features(normal((3, 6)))
    assert tuple(metric.result().values()) == score(logits, splits=2)


def test_splits_must_be_a_number():
    with pytest.raises(ValueError, match="`splits` must be a positive integer. Received: splits=0"):
        kgan.metrics.ClassifierScore(splits=0)


CLASSIFIER_METRICS = ["ClassifierScore", "LabelAccuracy", "ModeCoverage"]


@pytest.mark.parametrize("name", CLASSIFIER_METRICS)
def test_a_network_without_logits_is_refused(name):
    message = f"{name} looks at logits.*'mnist'.*Received: features=Pixels.*which gives features"
    with pytest.raises(ValueError, match=message):
        getattr(kgan.metrics, name)(features="pixels")


# --- LabelAccuracy ------------------------------------------------------------------------------


@pytest.mark.parametrize("features", [None, "mnist"])
def test_label_conformance(two_replicas, features):
    fake = normal((30, 28, 28, 1), 0.3) if features else normal((30, 6))
    run_metric_test(
        kgan.metrics.LabelAccuracy,
        {"features": features},
        None,
        fake,
        two_replicas,
        labels=RNG.integers(0, 6, 30),
        least=1,
    )


def test_accuracy_is_the_share_of_hits():
    logits, labels = normal((50, 6)), RNG.integers(0, 6, 50)
    metric = kgan.metrics.LabelAccuracy()
    metric.update_state(fake=logits, labels=labels[:, None])
    assert metric.result() == np.mean(np.argmax(logits, axis=1) == labels) > 0


@pytest.mark.parametrize("label", [-1, 6])
def test_a_label_beyond_the_logits_is_refused(label):
    metric = kgan.metrics.LabelAccuracy()
    metric.update_state(fake=normal((3, 6)), labels=[0, label, 1])
    with pytest.raises(ValueError, match=r"in \[0, 6\). Received: 1 labels beyond"):
        metric.result()


@pytest.mark.parametrize("labels", [[0, 1], [0.0, 1.0, 2.0], [[0, 1]] * 3])
def test_labels_that_do_not_fit_the_images_are_refused(labels):
    metric = kgan.metrics.LabelAccuracy()
    with pytest.raises(ValueError, match=r"needs an int label.*Received: labels of .* 3 images"):
        metric.update_state(fake=normal((3, 6)), labels=np.array(labels))


# --- ModeCoverage -------------------------------------------------------------------------------


@pytest.mark.parametrize("features", [None, "mnist"])
def test_modes_conformance(two_replicas, features):
    real = normal((30, 28, 28, 1), 0.3) if features else normal((30, 4))
    fake = real[:20].repeat(2, axis=0)[:30]
    run_metric_test(
        kgan.metrics.ModeCoverage, {"features": features}, real, fake, two_replicas, least=1
    )


def test_modes_by_hand():
    metric = kgan.metrics.ModeCoverage()
    metric.update_state(certain([0, 0, 1, 2], 4), certain([0, 1, 1, 1, 1], 4))
    expected = 0.2 * np.log(0.2 / 0.5) + 0.8 * np.log(0.8 / 0.25)
    assert tuple(metric.result()) == ("modes_covered", "mode_kl")
    assert tuple(metric.result().values()) == pytest.approx((2, expected))


def test_modes_of_the_data_itself():
    metric = kgan.metrics.ModeCoverage()
    metric.update_state(certain([0, 0, 1, 3]), certain([3, 1, 0, 0] * 5))
    assert metric.result() == {"modes_covered": 3.0, "mode_kl": 0.0}


def test_modes_of_a_thousand_classes():
    """As many as stacked MNIST has: 26,000 samples of all equally likely miss none."""
    metric = kgan.metrics.ModeCoverage()
    metric.build((1000,))
    for _ in range(26):
        metric.update_state(
            certain(np.arange(1000), 1000), certain(RNG.integers(0, 1000, 1000), 1000)
        )
    result = metric.result()
    assert result["modes_covered"] == 1000
    # 2 n KL is chi-squared, with 999 degrees of freedom.
    assert result["mode_kl"] == pytest.approx(999 / (2 * 26_000), rel=0.2)


def test_a_class_without_reals_is_named():
    metric = kgan.metrics.ModeCoverage()
    metric.update_state(certain([0, 1, 1]), certain([0, 7, 4]))
    with pytest.raises(ValueError, match="Received: no real of class 4, 7 among 3"):
        metric.result()
