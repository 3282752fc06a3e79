import pytest

import kgan
from tests.conformance import run_loss_test


@pytest.mark.parametrize("a, b", [(0.0, 1.0), (-1.0, 1.0)])
def test_discriminator(a, b):
    run_loss_test(
        kgan.losses.LeastSquaresDiscriminatorLoss,
        {"a": a, "b": b},
        lambda real, fake: ((real - b) ** 2 + (fake - a) ** 2) / 2,
    )


@pytest.mark.parametrize("c", [0.0, 1.0])
def test_generator(c):
    run_loss_test(
        kgan.losses.LeastSquaresGeneratorLoss, {"c": c}, lambda real, fake: (fake - c) ** 2 / 2
    )


def test_defaults_and_the_other_choice_of_the_paper():
    assert kgan.losses.LeastSquares().get_config() == {"a": 0.0, "b": 1.0, "c": 1.0}
    pair = kgan.losses.get("least_squares:a=-1,b=1,c=0")
    assert (pair.discriminator.a, pair.discriminator.b, pair.generator.c) == (-1, 1, 0)


@pytest.mark.parametrize("numbers", [{"a": 1.0}, {"b": -0.5}, {"c": 0.0}])
def test_reals_must_score_above_fakes(numbers):
    with pytest.raises(ValueError, match="must be above a.*Received: a="):
        kgan.losses.LeastSquares(**numbers)


@pytest.mark.parametrize("name", ["a", "b", "c"])
@pytest.mark.parametrize("value", ["foo", None, True, float("nan")])
def test_labels_must_be_numbers(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a number. Received: {value!r}"):
        kgan.losses.LeastSquares(**{name: value})
