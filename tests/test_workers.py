"""What can be said of several workers by one process; `tests/zoo/test_multi_worker.py` has two."""

import contextlib
import json

import numpy as np
import pytest
import tensorflow as tf

from kgan import workers


def config(cluster, job="worker", index=0):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})}


def strategy_of(cluster, job, index):
    """What tells who is who, without the others."""

    class Strategy:
        cluster_resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(cluster), task_type=job, task_id=index
        )

    return Strategy()


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "need the environment variable TF_CONFIG such as .*Received: no TF_CONFIG"),
        ({"TF_CONFIG": "two workers"}, "Received: two workers .JSONDecodeError"),
        ({"TF_CONFIG": "[]"}, r"Received: .. .TypeError"),
        ({"TF_CONFIG": '{"cluster": {"worker": ["a:1"]}}'}, "KeyError: 'task'"),
        (config({"worker": ["a:1"]}, index="first"), "ValueError"),
        (config({"worker": ["a:1"]}, index=1), "The task must be one of the cluster's"),
        (config({"worker": ["a:1"]}, index=-1), "The task must be one of the cluster's"),
        (config({"worker": ["a:1"]}, job=["worker"]), "The task must be one of the cluster's"),
        (config({"worker": ["a:1"]}, job="chief"), "The task must be one of the cluster's"),
        (config({"worker": ["a:1"], "ps": ["b:1"]}), "Its jobs are chief and worker"),
        (config({"worker": "a:1"}), "The addresses of a job are a list"),
        (config({"chief": ["a:1", "b:1"], "worker": ["c:1"]}), "at most one chief"),
        (config({"worker": ["a"]}), "Each address is a host:port"),
        (config({"worker": ["a:1", "a:1"]}), "Each address is a host:port, and another one"),
        (config({"worker": [1]}), "Each address is a host:port"),
    ],
)
def test_what_is_wrong_with_the_configuration_is_said(environment, message):
    with pytest.raises(ValueError, match=message) as caught:
        workers.read_config(environment)
    assert workers.EXAMPLE in str(caught.value)


def test_more_than_the_cluster_may_be_told():
    """Kubeflow adds where it runs."""
    text = json.dumps({**json.loads(workers.EXAMPLE), "environment": "cloud"})
    assert workers.read_config({"TF_CONFIG": text}) == workers.read_config(
        {"TF_CONFIG": workers.EXAMPLE}
    )


def test_it_is_too_late_once_tensorflow_has_computed():
    tf.constant(0)
    with pytest.raises(RuntimeError, match="before TensorFlow computes anything"):
        workers.connect({"TF_CONFIG": workers.EXAMPLE})


def test_the_chief_is_the_first():
    cluster = {"worker": ["a:1", "b:1"], "chief": ["c:1"]}
    chief, first, second = (
        strategy_of(cluster, *task) for task in (("chief", 0), ("worker", 0), ("worker", 1))
    )
    assert [workers.index(one) for one in (chief, first, second)] == [0, 1, 2]
    assert [workers.is_chief(one) for one in (chief, first, second)] == [True, False, False]
    assert workers.count(second) == 3
    assert workers.is_chief(strategy_of({"worker": ["a:1", "b:1"]}, "worker", 0))


@pytest.mark.parametrize("n", [0, 1, 2, 7, 300])
def test_shares_make_the_whole_and_differ_by_one_at_most(n):
    cluster = {"worker": [f"a:{i}" for i in range(1, 4)]}
    shares = [workers.share(strategy_of(cluster, "worker", i), n) for i in range(3)]
    rows = np.arange(n)
    np.testing.assert_array_equal(np.concatenate([rows[one] for one in shares]), rows)
    sizes = [one.stop - one.start for one in shares]
    assert max(sizes) - min(sizes) <= 1


def test_one_process_is_alone_and_the_chief(two_replicas):
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        assert workers.count(strategy) == 1 and workers.is_chief(strategy)
        np.testing.assert_array_equal(workers.gather(strategy, [[1, 2]]), [[1, 2]])


def test_alone_gives_the_strategy_back():
    class Model:
        distribute_strategy = _distribute_strategy = strategy_of(
            {"worker": ["a:1", "b:1"]}, "worker", 1
        )

    model = Model()
    with contextlib.suppress(KeyError), workers.alone(model):
        assert model._distribute_strategy is None
        raise KeyError
    assert model._distribute_strategy is Model._distribute_strategy
