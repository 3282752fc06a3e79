import json
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.metrics import parzen
from tests.conformance import run_metric_test


def normal(n, dim, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(0, scale, (n, dim)).astype("float32")


def brute_force(points, samples, bandwidth):
    """The log of the mean of all Gaussians at each point, without any trick, in float64."""
    differences = points[:, None].astype("float64") - samples[None].astype("float64")
    squares = np.sum(differences**2, axis=2)
    dim = points.shape[1]
    densities = np.exp(-squares / (2 * bandwidth**2)) / (2 * np.pi * bandwidth**2) ** (dim / 2)
    return np.log(np.mean(densities, axis=1))


def test_conformance(two_replicas):
    real, fake = normal(20, 3), normal(20, 3, seed=1)
    arguments = {"features": None, "bandwidth": 0.7, "max_samples": 30}
    run_metric_test(kgan.metrics.ParzenLogLikelihood, arguments, real, fake, two_replicas)


def test_conformance_with_a_chosen_bandwidth(two_replicas):
    images = [np.random.default_rng(i).uniform(-1, 1, (12, 3, 3, 1)) for i in range(3)]
    validation, real, fake = (x.astype("float32") for x in images)
    run_metric_test(
        kgan.metrics.ParzenLogLikelihood,
        {},
        real,
        fake,
        two_replicas,
        prepare=lambda metric: metric.adapt(validation),
    )


def test_one_sample_is_one_gaussian():
    points, bandwidth = normal(5, 4), 0.3
    log_density = -np.sum(points.astype("float64") ** 2, 1) / 0.18 - 2 * np.log(np.pi * 0.18)
    scores = parzen.log_densities(points, np.zeros((1, 4), "float32"), [bandwidth])
    np.testing.assert_allclose(scores[0], log_density, rtol=1e-12)


def test_two_samples_are_half_of_each():
    metric = kgan.metrics.ParzenLogLikelihood(features=None, bandwidth=2.0)
    metric.update_state(real=np.array([[0.0], [1.0]]), fake=np.array([[-1.0], [1.0]]))
    result = metric.result()
    # At 0 both Gaussians are exp(-1/8) of their height, at 1 one is whole and one exp(-4/8).
    first, second = -1 / 8, np.log((1 + np.exp(-1 / 2)) / 2)
    height = -np.log(2 * np.sqrt(2 * np.pi))
    expected = (first + second) / 2 + height
    np.testing.assert_allclose(result["parzen_log_likelihood"], expected, rtol=1e-12)
    standard_error = abs(first - second) / 2 / np.sqrt(2)
    np.testing.assert_allclose(result["parzen_standard_error"], standard_error, rtol=1e-12)
    assert result["parzen_bandwidth"] == 2.0


@pytest.mark.parametrize("block", [1, 100, 2**22])
def test_equals_brute_force(block, monkeypatch):
    monkeypatch.setattr(parzen, "_BLOCK", block)
    points, samples = normal(33, 5), normal(41, 5, seed=1)
    bandwidths = [0.3, 1.0, 3.0]
    scores = parzen.log_densities(points, samples, bandwidths)
    assert scores.shape == (3, 33)
    for row, bandwidth in zip(scores, bandwidths, strict=True):
        np.testing.assert_allclose(row, brute_force(points, samples, bandwidth), rtol=1e-10)


def test_far_from_all_samples_and_the_origin_nothing_is_lost():
    # The density itself is exp(-5e7), and squares of what is 1000 from the origin cancel.
    samples = np.array([[1000.0], [1002.0]], "float32")
    scores = parzen.log_densities(np.float32([[1001.0], [2000.0]]), samples, [0.1])
    height = -np.log(0.1 * np.sqrt(2 * np.pi))
    expected = [height - 50, height - 998**2 * 50 - np.log(2)]
    np.testing.assert_allclose(scores[0], expected, rtol=1e-9)


def test_the_likeliest_bandwidth_is_chosen():
    samples, validation = normal(300, 2), normal(1000, 2, seed=1)
    metric = kgan.metrics.ParzenLogLikelihood(features=None)
    metric.adapt(validation)
    metric.update_state(real=normal(50, 2, seed=2), fake=samples)
    result = metric.result()
    likelihoods = [brute_force(validation, samples, s).mean() for s in parzen.BANDWIDTHS]
    assert result["parzen_bandwidth"] == parzen.BANDWIDTHS[np.argmax(likelihoods)]
    fixed = kgan.metrics.ParzenLogLikelihood(None, result["parzen_bandwidth"])
    fixed.update_state(real=normal(50, 2, seed=2), fake=samples)
    assert fixed.result() == result


def test_bandwidths_are_those_of_the_paper():
    np.testing.assert_allclose(parzen.BANDWIDTHS, 10 ** np.linspace(-1, 0, 10), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 100.0])
def test_a_bandwidth_at_an_end_is_said(scale):
    metric = kgan.metrics.ParzenLogLikelihood(features=None)
    metric.adapt(normal(50, 2, scale=scale))
    metric.update_state(normal(50, 2, seed=1, scale=scale), normal(50, 2, seed=2, scale=scale))
    with pytest.warns(UserWarning, match="is an end of what was tried"):
        metric.result()


def test_a_bandwidth_within_is_not():
    metric = kgan.metrics.ParzenLogLikelihood(features=None)
    metric.adapt(normal(50, 2))
    metric.update_state(normal(50, 2, seed=1), normal(50, 2, seed=2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metric.result()


def test_adapt_takes_datasets_and_keeps_the_first_thousand():
    images = np.random.default_rng(0).uniform(-1, 1, (1100, 2, 2, 1)).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices((images, np.zeros(1100))).batch(300)
    for data in (images, dataset, dataset.map(lambda images, labels: images)):
        metric = kgan.metrics.ParzenLogLikelihood()
        metric.adapt(data)
        expected = (images[:1000].reshape(1000, 4) + 1) / 2
        np.testing.assert_allclose(metric.adapted, expected, atol=1e-7)


def test_pixels_are_compared_between_zero_and_one():
    metric = kgan.metrics.ParzenLogLikelihood(bandwidth=1.0)
    fake = np.random.default_rng(0).uniform(-1, 1, (6, 2, 2, 1)).astype("float32")
    real = np.random.default_rng(1).uniform(-1, 1, (6, 2, 2, 1)).astype("float32")
    metric.update_state(real, fake)
    expected = brute_force((real.reshape(6, 4) + 1) / 2, (fake.reshape(6, 4) + 1) / 2, 1.0)
    assert abs(metric.result()["parzen_log_likelihood"] - expected.mean()) < 1e-6


def test_refusals():
    metric = kgan.metrics.ParzenLogLikelihood(features=None)
    metric.update_state(normal(5, 2), normal(5, 2, seed=1))
    with pytest.raises(ValueError, match=r"adapt\(images\), or give bandwidth=.*Received"):
        metric.result()
    metric.adapt(normal(5, 3))
    with pytest.raises(ValueError, match=r"like the samples.*\(2,\).*Received: \(3,\)"):
        metric.result()
    for spoilt, message in (
        (np.full((3, 2), np.nan), "Received: 3 images, NaN or infinity"),
        (np.zeros((0, 2)), "Received: 0 images"),
        ([], "Received: 0 images"),
    ):
        with pytest.raises(ValueError, match=message):
            metric.adapt(spoilt)
    for bandwidth in (0, -1.0, np.nan, "wide", True):
        with pytest.raises(ValueError, match="bandwidth.*Received"):
            kgan.metrics.ParzenLogLikelihood(bandwidth=bandwidth)
    with pytest.raises(ValueError, match="max_samples.*Received"):
        kgan.metrics.ParzenLogLikelihood(max_samples=0)


@pytest.mark.parametrize("side", ["real", "fake"])
def test_constant_features_are_refused(side):
    metric = kgan.metrics.ParzenLogLikelihood(features=None, bandwidth=1.0)
    metric.update_state(**{"real": normal(5, 2), "fake": normal(5, 2), side: np.ones((5, 2))})
    with pytest.raises(ValueError, match=f"constant {side}"):
        metric.result()


def test_validation_data_is_no_part_of_the_config():
    metric = kgan.metrics.ParzenLogLikelihood(features=None, name="mine")
    metric.adapt(normal(5, 2))
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(metric)))
    assert keras.saving.deserialize_keras_object(config).adapted is None
    assert metric.result_names == ("mine", "mine_standard_error", "mine_bandwidth")


def test_a_given_bandwidth_asks_for_no_validation_data():
    assert kgan.metrics.ParzenLogLikelihood().adapts_to == "validation"
    metric = kgan.metrics.ParzenLogLikelihood(bandwidth=0.2)
    reals = np.random.default_rng(0).uniform(-1, 1, (20, 4, 4, 1)).astype("float32")
    evaluation = kgan.metrics.Evaluation([metric], cache_dir="unused")
    evaluation.set_reals({"test": reals})
    results, failures = evaluation.judge_images(reals[::-1].copy())
    assert not failures and results["parzen_bandwidth"] == 0.2
