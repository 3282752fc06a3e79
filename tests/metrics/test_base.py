import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.metrics.base import METRICS, GANMetric
from kgan.metrics.states import Moments

RNG = np.random.default_rng(0)


def normal(shape):
    return RNG.normal(size=shape).astype("float32")


def test_the_names_that_people_type():
    for alias, name in (("fd", "frechet_distance"), ("kd", "kernel_distance")):
        assert type(kgan.metrics.get(alias)) is type(kgan.metrics.get(name))
    assert kgan.metrics.get("fd:features=pixels").features.name == "pixels"
    assert kgan.metrics.get("is:splits=3").splits == 3


def test_every_metric_has_an_alias_of_its_own():
    aliases = [METRICS._find(name).alias for name in kgan.metrics.names()]
    assert None not in aliases
    assert len(set(aliases)) == len(aliases)


def test_a_call_updates_and_tells():
    metric = kgan.metrics.FrechetDistance()
    real, fake = normal((30, 3)), normal((30, 3)) + 1
    value = metric(real, fake)
    assert value == metric.result() > 1


def test_images_without_a_network_get_a_hint():
    metric = kgan.metrics.FrechetDistance()
    message = r"shape \(batch, dim\). Images need features=….*Received: fake of shape \(3, 4, 4, 1"
    with pytest.raises(ValueError, match=message):
        metric.update_state(fake=normal((3, 4, 4, 1)))


@pytest.mark.parametrize("side", ["real", "fake"])
@pytest.mark.parametrize("name", ["fd:features=pixels", "msssim", "kd:features=mnist"])
def test_images_of_8_bits_are_refused(name, side):
    metric = kgan.metrics.get(name)
    images = np.random.default_rng(0).uniform(0, 255, (4, 28, 28, 1)).astype("float32")
    with pytest.raises(ValueError, match=f"127.5 - 1.*Received: {side} images from 0.* to 25"):
        metric.update_state(**{side: images})
    # Those of a generator without tanh are what they are, and so are features.
    metric.update_state(**{side: images / 40 - 3})
    kgan.metrics.get("fd").update_state(**{side: images[:, :, 0, 0]})


def test_sides_of_two_widths():
    metric = kgan.metrics.FrechetDistance()
    message = (
        r"must have one shape. Received: fake of shape \(5, 4\) after others of \('batch', 3\)"
    )
    with pytest.raises(ValueError, match=message):
        metric.update_state(normal((5, 3)), normal((5, 4)))


def test_images_of_two_sizes():
    metric = kgan.metrics.FrechetDistance(features="pixels")
    with pytest.raises(ValueError, match=r"Received: fake of shape \(5, 9\) after others of"):
        metric.update_state(normal((5, 4, 4, 1)), normal((5, 3, 3, 1)))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool"])
def test_numbers_that_are_no_floats(dtype):
    metric = kgan.metrics.FrechetDistance()
    with pytest.raises(ValueError, match=f"takes floats.*Received: real of dtype {dtype}"):
        metric.update_state(np.ones((5, 3), dtype))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_changes_nothing(policy):
    real, fake = normal((30, 3, 3, 1)), normal((30, 3, 3, 1)) + 1
    results = []
    for name in ("float32", policy):
        keras.config.set_dtype_policy(name)
        metric = kgan.metrics.FrechetDistance(features="pixels")
        metric.update_state(real, fake)
        results.append(metric.result())
    assert results[0] == results[1]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_features_are_summed_in_float64(dtype):
    real, fake = (tf.cast(normal((300, 3)) + i, dtype) for i in range(2))
    metric, exact = kgan.metrics.FrechetDistance(), kgan.metrics.FrechetDistance()
    metric.update_state(real, fake)
    exact.update_state(tf.cast(real, "float64"), tf.cast(fake, "float64"))
    assert metric.result() == exact.result()


def test_the_first_batch_may_come_in_a_graph():
    metric = kgan.metrics.FrechetDistance()
    update = tf.function(metric.update_state)
    real, fake = normal((30, 3)), normal((30, 3)) + 1
    for part in (slice(0, 10), slice(10, 30)):
        update(real[part], fake[part])
    expected = kgan.metrics.FrechetDistance()
    expected.update_state(real, fake)
    assert metric.result() == pytest.approx(expected.result(), rel=1e-12)


def test_batches_of_unknown_size():
    metric = kgan.metrics.IntraClassFrechetDistance()
    metric.build((3,))
    update = tf.function(
        metric.update_state,
        input_signature=[
            tf.TensorSpec((None, 3)),
            tf.TensorSpec((None, 3)),
            tf.TensorSpec((None,), tf.int32),
        ],
    )
    real, fake, labels = normal((30, 3)), normal((30, 3)), np.arange(30, dtype="int32") % 2
    for part in (slice(0, 10), slice(10, 30)):
        update(real[part], fake[part], labels[part])
    expected = kgan.metrics.IntraClassFrechetDistance()
    expected.update_state(real, fake, labels)
    assert metric.result() == expected.result()


def test_merging_other_things():
    metric = kgan.metrics.FrechetDistance()
    with pytest.raises(ValueError, match="merges with its like. Received: <KernelDistance"):
        metric.merge_state([kgan.metrics.KernelDistance()])
    metric.update_state(normal((5, 3)))
    other = kgan.metrics.FrechetDistance()
    other.update_state(normal((5, 4)))
    with pytest.raises(ValueError, match=r"one shape, here \(3,\). Received: \(4,\)"):
        metric.merge_state([other])


def test_one_network_serves_several_metrics():
    images = normal((30, 3, 3, 1)), normal((30, 3, 3, 1)) + 1
    first, second = kgan.metrics.FrechetDistance("pixels"), kgan.metrics.FrechetDistance("pixels")
    first.update_state(*images)
    second.update_features(*(first.extract(x) for x in images))
    assert first.result() == second.result()


def test_extract_leaves_nothing_nothing():
    assert kgan.metrics.FrechetDistance("pixels").extract(None) is None


def test_results_of_a_float_bear_the_name():
    metric = kgan.metrics.FrechetDistance(name="fid")
    metric.update_state(normal((30, 3)), normal((30, 3)))
    assert metric.results() == {"fid": metric.result()}
    assert metric.result_names == ("fid",)


def test_a_new_metric_is_a_state_and_a_result():
    class MeanGap(GANMetric):
        def make_state(self, side, shape):
            return Moments(self, side, *shape)

        def result(self):
            return float(np.sum(self.seen("fake").mean() - self.seen("real").mean()))

    metric = MeanGap()
    metric.update_state(np.zeros((4, 2)), np.ones((2, 2)))
    assert metric.results() == {"mean_gap": 2.0}


def test_an_unfinished_metric_says_what_is_missing():
    with pytest.raises(NotImplementedError, match="GANMetric must implement make_state"):
        GANMetric().update_state(normal((3, 2)))


def test_in_keras_evaluate():
    """`GAN.evaluate` feeds it, twice the same, and reports its names."""
    generator = kgan.backbones.MLPGenerator(image_shape=(4, 4, 1), latent_dim=4, units=[8])
    discriminator = kgan.backbones.MLPDiscriminator(image_shape=(4, 4, 1), units=[8])
    gan = kgan.GAN(generator, discriminator, seed=1)
    gan.compile("adam", "adam", metrics=[kgan.metrics.FrechetDistance("pixels")])
    images = tf.data.Dataset.from_tensor_slices(np.clip(normal((32, 4, 4, 1)), -1, 1)).batch(8)
    logs = [gan.evaluate(images, return_dict=True, verbose=0) for _ in range(2)]
    assert logs[0]["frechet_distance"] == logs[1]["frechet_distance"] > 0
