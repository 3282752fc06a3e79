import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import kgan
from kgan.metrics.states import Moments, Samples, SplitEntropies

RNG = np.random.default_rng(0)


def metric():
    return kgan.metrics.FrechetDistance()


def make_samples(max_samples, shape=(1,), has_labels=False):
    return Samples(metric(), "real", shape, max_samples, has_labels=has_labels)


def column(start, stop):
    return np.arange(start, stop, dtype="float32")[:, None]


def kept(state):
    return state.values()[:, 0].astype("int64")


# --- Moments ------------------------------------------------------------------------------------


def moments(values, batch=100):
    state = Moments(metric(), "real", values.shape[1])
    for start in range(0, len(values), batch):
        state.add(tf.constant(values[start : start + batch]))
    return state


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_moments_equal_numpy(dtype):
    values = tf.cast(RNG.normal(2, 3, (550, 4)), dtype)
    state = moments(values)
    exact = tf.cast(values, "float64").numpy()
    assert state.count == 550
    np.testing.assert_allclose(state.mean(), exact.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(state.covariance(), np.cov(exact, rowvar=False), atol=1e-12)


@pytest.mark.parametrize("ratio", [1e1, 1e3, 1e5])
def test_moments_of_a_mean_that_is_large_against_the_spread(ratio):
    """The relative error is a few times 1e-16 ratio², as the docstring says."""
    values = RNG.normal(ratio, 1, (5000, 3))
    covariance = moments(values).covariance()
    np.testing.assert_allclose(covariance, np.cov(values, rowvar=False), atol=3e-16 * ratio**2 * 10)


def test_float32_features_lose_more_than_their_sums():
    """Of a mean 10,000 times the spread, storing the features costs more than adding them up."""
    values = RNG.normal(1e4, 1, (20_000, 1))
    stored = values.astype("float32")
    by_sums = moments(stored, 1000).covariance()[0, 0]
    by_storing = abs(np.var(stored.astype("float64"), ddof=1) - np.var(values, ddof=1))
    assert abs(by_sums - np.var(stored.astype("float64"), ddof=1)) < by_storing


# --- Samples ------------------------------------------------------------------------------------


def test_a_short_stream_is_kept_in_order():
    state = make_samples(10, (2, 3), has_labels=True)
    values, labels = RNG.normal(size=(9, 2, 3)).astype("float32"), RNG.integers(0, 5, 9)
    for part in (slice(0, 4), slice(4, 5), slice(5, 9)):
        state.add(tf.constant(values[part]), tf.constant(labels[part]))
    np.testing.assert_array_equal(state.values(), values)
    np.testing.assert_array_equal(state.labels(), labels)


@pytest.mark.parametrize("batch", [1000, 160])
def test_each_tenth_of_a_long_stream_is_kept_equally(batch):
    state = make_samples(2000)
    for start in range(0, 20_000, batch):
        state.add(tf.constant(column(start, min(start + batch, 20_000))))
    numbers = kept(state)
    assert state.count == 20_000
    assert len(set(numbers)) == len(numbers) == 2000
    counts = np.bincount(numbers // 2000, minlength=10)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_what_is_kept_does_not_depend_on_the_batches():
    states = [make_samples(20) for _ in range(3)]
    for state, batch in zip(states, (1, 7, 100), strict=True):
        for start in range(0, 100, batch):
            state.add(tf.constant(column(start, min(start + batch, 100))))
        np.testing.assert_array_equal(kept(state), kept(states[0]))


def test_which_slot_is_given_up_is_fair_too():
    """Whether an example stays does not depend on where in a batch it came."""
    state = make_samples(4000)
    for start in range(0, 40_000, 1000):
        state.add(tf.constant(column(start, start + 1000)))
    counts = np.bincount(kept(state) % 1000 // 100, minlength=10)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_labels_stay_with_their_values():
    """Also where several examples of one batch go to one slot."""
    state = make_samples(5, has_labels=True)
    for start in range(0, 3000, 1000):
        values = column(start, start + 1000)
        state.add(tf.constant(values), tf.constant(values[:, 0].astype("int32")))
    assert len(kept(state)) == 5
    np.testing.assert_array_equal(kept(state), state.labels())


def test_of_one_slot_only_the_latest_is_written():
    """Which of two writes to one row wins is open on a GPU, and may differ for their labels."""
    slots = np.array(make_samples(5)._slots(tf.range(1000, dtype="int64")))
    assert np.all(np.bincount(slots, minlength=6)[:5] == 1)


@pytest.mark.parametrize("batches", [1, 5])
def test_replicas_share_the_room(two_replicas, batches):
    with two_replicas.scope():
        owner = metric()
        state = Samples(owner, "real", (1,), 1000, has_labels=True)
    step = 10_000 // batches
    for start in range(0, 10_000, step):
        values = tf.constant(column(start, start + step))
        state.add(values, tf.cast(values[:, 0], "int64"))
    numbers = kept(state)
    assert state.count == 10_000
    assert len(set(numbers)) == 1000
    np.testing.assert_array_equal(numbers, state.labels())
    assert stats.chisquare(np.bincount(numbers // 1000, minlength=10)).pvalue > 1e-3
    assert stats.chisquare(np.bincount(numbers % 2)).pvalue > 1e-3


def test_merging_takes_each_stream_by_its_length():
    short, long = make_samples(1000), make_samples(1000)
    short.add(tf.constant(column(0, 5000)))
    long.add(tf.constant(column(5000, 20_000)))
    short.merge(long)
    numbers = kept(short)
    assert short.count == 20_000
    assert len(set(numbers)) == 1000
    assert np.sum(numbers < 5000) == 250
    assert stats.chisquare(np.bincount(numbers // 2000, minlength=10)).pvalue > 1e-3
    # What comes afterwards finds its place among all.
    short.add(tf.constant(column(20_000, 40_000)))
    counts = np.bincount(kept(short) // 4000, minlength=10)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_merging_short_streams_keeps_all():
    first, second = make_samples(10), make_samples(10)
    first.add(tf.constant(column(0, 4)))
    second.add(tf.constant(column(4, 9)))
    first.merge(second)
    assert sorted(kept(first)) == list(range(9))
    assert first.count == 9


def test_merging_into_replicas(two_replicas):
    with two_replicas.scope():
        owner = metric()
        state = Samples(owner, "real", (1,), 100)
    other = make_samples(100)
    other.add(tf.constant(column(0, 5)))
    state.add(tf.constant(column(5, 12)))
    state.merge(other)
    assert sorted(kept(state)) == list(range(12))
    assert state.count == 12


def test_nan_that_is_not_kept_is_remembered():
    state = make_samples(2)
    state.add(tf.constant(column(0, 2)))
    values = column(2, 500)
    values[-1] = np.nan
    state.add(tf.constant(values))
    assert np.all(np.isfinite(state.values()))
    assert not state.is_finite()
    merged = make_samples(2)
    merged.merge(state)
    assert not merged.is_finite()
    state.reset()
    assert state.is_finite()
    assert state.count == len(state.values()) == 0


def test_samples_are_written_in_place():
    """Nothing as large as the buffer is made for a batch."""
    state = make_samples(1000, (50,))
    step = tf.function(state.add).get_concrete_function(tf.TensorSpec((4, 50)))
    sizes = [
        output.shape.num_elements() or 0
        for operation in step.graph.get_operations()
        for output in operation.outputs
        if output.dtype == tf.float32
    ]
    assert max(sizes) == 4 * 50


# --- SplitEntropies -----------------------------------------------------------------------------


@pytest.mark.parametrize("period", [1, 5, 10])
def test_cycles_of_classes_are_mixed_over_the_splits(period):
    state = SplitEntropies(metric(), "fake", 10, splits=5)
    classes = np.arange(1000) % period
    state.add(tf.constant(1e4 * np.eye(10, dtype="float32")[classes]))
    np.testing.assert_array_equal(state._sizes, [200] * 5)
    expected = 200 / period
    for counts in np.asarray(state._probabilities):
        # Five standard deviations of a binomial count.
        tolerance = 5 * np.sqrt(expected * (1 - 1 / period))
        np.testing.assert_allclose(counts[:period], expected, atol=tolerance)
