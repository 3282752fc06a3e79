import numpy as np
import pytest
import tensorflow as tf

import kgan
from tests.frameworks import tensorflow_only
from tests.losses.auxiliary_checks import (
    fit,
    make_gan,
    run_auxiliary_test,
    run_batch_loss_test,
    unit,
)

RNG = np.random.default_rng(0)
DISTANCES = ["L1Distance", "L2Distance", "ChiSquareDistance", "CosineDistance"]


def rows(x):
    return x.reshape(len(x), -1)


FORMULAS = {
    "L1Distance": lambda p, q: np.abs(rows(p) - rows(q)).mean(axis=-1),
    "L2Distance": lambda p, q: ((rows(p) - rows(q)) ** 2).mean(axis=-1),
    "ChiSquareDistance": lambda p, q: ((rows(p) - rows(q)) ** 2 / (rows(p) + rows(q))).mean(
        axis=-1
    ),
    "CosineDistance": lambda p, q: 1 - np.sum(unit(rows(p)) * unit(rows(q)), axis=-1),
}


@pytest.mark.parametrize("name", DISTANCES)
def test_distance_losses(name):
    low = 0.1 if name == "ChiSquareDistance" else -1.0
    extremes = [0.5, 50.0] if name == "ChiSquareDistance" else [-50.0, 50.0]
    cases = [
        (RNG.uniform(low, 1, (5, 4)), RNG.uniform(low, 1, (5, 4))),
        (RNG.uniform(low, 1, (3, 2, 2, 2)), RNG.uniform(low, 1, (3, 2, 2, 2))),
        (RNG.choice(extremes, (5, 4)), RNG.choice(extremes, (5, 4)) + 0.25),
    ]
    run_batch_loss_test(getattr(kgan.losses, f"{name}Loss"), {}, cases, FORMULAS[name])


@pytest.mark.parametrize("name", DISTANCES)
def test_equal_batches_have_no_distance(name):
    loss = getattr(kgan.losses, f"{name}Loss")()
    x = RNG.uniform(0, 1, (5, 4))
    np.testing.assert_allclose(loss(x, x), 0, atol=1e-6)


@tensorflow_only("its tapes")
@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("other", [0.0, 1.0])
def test_zeros_have_finite_gradients(name, other):
    """Empty bins and rows without a direction."""
    p, q = tf.zeros((2, 3)), tf.fill((2, 3), other)
    with tf.GradientTape() as tape:
        tape.watch([p, q])
        value = getattr(kgan.losses, f"{name}Loss")()(p, q)
    assert np.isfinite(value) and np.all(np.isfinite(tape.gradient(value, [p, q])))


def test_chi_square_of_negative_entries_is_finite():
    loss = kgan.losses.ChiSquareDistanceLoss()
    np.testing.assert_allclose(loss([[1.0, 2.0]], [[-1.0, 2.0]]), (4 / 2 + 0) / 2)


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("layers", [[], ["hidden", "top"]], ids=["images", "features"])
def test_distances(name, layers):
    arguments = {"weight": 2.0, "layers": layers}
    run_auxiliary_test(getattr(kgan.losses, name), arguments, ("generator",))


@pytest.mark.parametrize("name", DISTANCES)
def test_distances_compare_means(name):
    real, fake = RNG.uniform(-1, 1, (6, 4)), RNG.uniform(-1, 1, (6, 4))
    distance = getattr(kgan.losses, name)()
    p, q = real.mean(axis=0, keepdims=True), fake.mean(axis=0, keepdims=True)
    if name == "ChiSquareDistance":  # of pixels in [0, 1]
        p, q = (p + 1) / 2, (q + 1) / 2
    np.testing.assert_allclose(
        distance.generator({"images": real}, {"images": fake}), FORMULAS[name](p, q)[0], rtol=1e-5
    )
    # Batches that hold the same images in another order are as near as can be.
    shuffled = RNG.permuted(real, axis=0)
    same = distance.generator({"images": real}, {"images": shuffled})
    np.testing.assert_allclose(same, 0, atol=1e-6)


def test_l2_distance_of_features_is_feature_matching_by_their_number():
    losses = [
        kgan.losses.L2Distance(layers="hidden"),
        kgan.losses.FeatureMatching(layers="hidden"),
    ]
    logs = fit(make_gan(losses, run_eagerly=True), epochs=1)
    np.testing.assert_allclose(
        6 * logs["generator_l2_distance"][0], logs["generator_feature_matching"][0], rtol=1e-5
    )


def pull_away(representations):
    s = unit(rows(representations))
    n = len(s)
    return np.array([sum((s[i] @ s[j]) ** 2 for j in range(n) if j != i) for i in range(n)]) / (
        n - 1
    )


def test_pull_away_loss():
    cases = [
        (RNG.normal(size=(5, 4)),),
        (RNG.normal(size=(3, 2, 2)),),
        (RNG.choice([-50.0, 50.0], (5, 4)),),
    ]
    run_batch_loss_test(kgan.losses.PullAwayLoss, {}, cases, pull_away)


def test_one_row_has_no_other_to_be_like():
    assert float(kgan.losses.PullAwayLoss()(np.ones((1, 4)))) == 0


def test_pull_away():
    arguments = {"weight": 2.0, "layers": ["hidden", "top"]}
    run_auxiliary_test(kgan.losses.PullAway, arguments, ("generator",))


def test_pull_away_spreads_the_fakes():
    logs = fit(make_gan([kgan.losses.PullAway(layers="top")], run_eagerly=True), epochs=10)
    losses = logs["generator_pull_away"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("layers", [(), [], None, [3]])
def test_pull_away_needs_a_layer(layers):
    with pytest.raises(ValueError, match="layers must be the name of a layer.*Received: "):
        kgan.losses.PullAway(layers=layers)


@pytest.mark.parametrize("name", [*DISTANCES, "PullAway"])
def test_unknown_layer_is_an_error_at_compile(name):
    with pytest.raises(ValueError, match=r"the layers .*'hidden'.*Received: layers=\['hiden'\]"):
        make_gan([getattr(kgan.losses, name)(layers=["hiden"])])
