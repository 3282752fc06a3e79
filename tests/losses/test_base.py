import keras
import numpy as np
import pytest

import kgan


class Difference(kgan.losses.AdversarialLoss):
    def call(self, real_scores, fake_scores):
        return fake_scores - real_scores


def test_score_shapes_agree():
    real, fake = np.arange(4.0), np.arange(4.0) ** 2
    loss = Difference()
    expected = np.mean(fake - real)
    np.testing.assert_allclose(loss(real, fake), expected)
    np.testing.assert_allclose(loss(real[:, None], fake[:, None]), expected)
    # Mixed ranks must not broadcast to a table of all pairs.
    np.testing.assert_allclose(loss(real, fake[:, None]), expected)


def test_patch_map_is_averaged_per_example():
    fake = np.random.default_rng(0).normal(size=(5, 3, 2, 1))
    per_example = Difference(reduction=None)(np.zeros_like(fake), fake)
    np.testing.assert_allclose(per_example, fake.mean(axis=(1, 2, 3)), rtol=1e-5, atol=1e-7)


def test_weights_and_sum():
    fake = np.array([1.0, 2.0, 3.0])
    weighted = Difference(reduction="sum")(np.zeros(3), fake, sample_weight=[1.0, 0.0, 2.0])
    np.testing.assert_allclose(weighted, 7.0)


def test_half_precision_scores_are_computed_in_float32():
    fake = keras.ops.cast([60000.0, 60000.0], "float16")
    loss = Difference(reduction="sum")(keras.ops.zeros_like(fake), fake)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    np.testing.assert_allclose(loss, 120000, rtol=1e-3)


def test_call_must_be_written():
    with pytest.raises(NotImplementedError, match="AdversarialLoss must implement call"):
        kgan.losses.AdversarialLoss()(np.zeros(2), np.zeros(2))


def test_pair_takes_only_adversarial_losses():
    with pytest.raises(TypeError, match="generator's loss.*Received: .*mean_squared_error"):
        kgan.losses.LossPair(Difference(), keras.losses.MeanSquaredError())


def test_get_by_name_and_instance():
    pair = kgan.losses.get("minimax")
    assert isinstance(pair, kgan.losses.Minimax)
    assert kgan.losses.get(pair) is pair


def test_unknown_name_lists_near_names_and_all():
    with pytest.raises(ValueError) as caught:
        kgan.losses.get("non_saturatin")
    message = str(caught.value)
    assert "Did you mean 'non_saturating'?" in message
    assert all(repr(name) in message for name in kgan.losses.names())


def test_get_refuses_other_types():
    with pytest.raises(TypeError, match="Received: 3"):
        kgan.losses.get(3)
