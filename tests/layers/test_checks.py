import numpy as np
import pytest
import tensorflow as tf

from kgan.layers.checks import (
    check_condition,
    check_positive_int,
    check_positive_number,
    check_rate,
    check_sizes,
)


@pytest.mark.parametrize("value", [1, 3, np.int64(3), np.uint8(1)])
def test_positive_integers(value):
    check_positive_int("n", value)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None, (1,)])
def test_other_than_positive_integers(value):
    with pytest.raises(ValueError, match="`n` must be a positive integer. Received: n="):
        check_positive_int("n", value)


@pytest.mark.parametrize("value", [1, 0.5, np.float32(3), np.int64(2)])
def test_positive_numbers(value):
    check_positive_number("weight", value)


@pytest.mark.parametrize("value", [0, -0.5, np.inf, np.nan, True, "10", None, (1,), 1j])
def test_other_than_positive_numbers(value):
    with pytest.raises(ValueError, match="^weight must be a positive number. Received: "):
        check_positive_number("weight", value)


@pytest.mark.parametrize("sizes", [(3, 4), [3, 4], np.array([3, 4]), tf.TensorShape([3, 4])])
def test_sizes(sizes):
    assert check_sizes("shape", sizes) == (3, 4)
    assert check_sizes("shape", sizes, rank=2) == (3, 4)


@pytest.mark.parametrize("sizes", [(), (0,), (3, None), 3, "34", None, (True,)])
def test_other_than_sizes(sizes):
    with pytest.raises(ValueError, match="tuple of one or more positive integers. Received: s="):
        check_sizes("s", sizes)


def test_sizes_of_another_rank():
    with pytest.raises(ValueError, match=r"tuple of 3 positive integers. Received: s=\(3, 4\)"):
        check_sizes("s", (3, 4), rank=3)


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.9)])
def test_rates(value):
    check_rate("rate", value)


@pytest.mark.parametrize("value", [1, -0.1, "0.5", None, float("nan")])
def test_other_than_rates(value):
    with pytest.raises(ValueError, match=r"`rate` must be a number in \[0, 1\). Received: rate="):
        check_rate("rate", value)


@pytest.mark.parametrize("arguments", [(None, None), (10, None), (None, 4)])
def test_conditions(arguments):
    check_condition(*arguments)


def test_both_conditions():
    with pytest.raises(ValueError, match="not both. Received: num_classes=2, condition_dim=3"):
        check_condition(2, 3)
