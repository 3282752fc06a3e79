import numpy as np
import pytest

import kgan
from tests.frameworks import tensorflow_only
from tests.losses.auxiliary_checks import run_auxiliary_test, run_batch_loss_test, unit

BOTH = ("discriminator", "generator")
RNG = np.random.default_rng(0)
LABELS = np.array([0, 1, 0, 2, 1, 0])
CASES = [
    (RNG.normal(size=(6, 4)), RNG.normal(size=(6, 4)), LABELS),
    (RNG.choice([-50.0, 50.0], (6, 4)), RNG.choice([-50.0, 50.0], (6, 4)), LABELS),
    # Only one class, and only one image a class.
    (RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4)), np.zeros(3, int)),
    (RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4)), np.arange(3)),
]


def contrastive(temperature):
    """Kang and Park's equation 8, written as it is printed."""

    def formula(embeddings, proxies, labels):
        f, e = unit(embeddings), unit(proxies)
        losses = []
        for i in range(len(f)):
            proxy = np.exp(f[i] @ e[i] / temperature)
            others = [k for k in range(len(f)) if k != i]
            similar = {k: np.exp(f[i] @ f[k] / temperature) for k in others}
            positive = sum(similar[k] for k in others if labels[k] == labels[i])
            losses.append(-np.log((proxy + positive) / (proxy + sum(similar.values()))))
        return np.array(losses)

    return formula


def data_to_data(temperature, positive_margin, negative_margin):
    """Kang et al.'s equation 6, written as it is printed."""

    def formula(embeddings, proxies, labels):
        f, v = unit(embeddings), unit(proxies)
        losses = []
        for i in range(len(f)):
            near = np.exp(min(f[i] @ v[i] - positive_margin, 0) / temperature)
            negatives = [j for j in range(len(f)) if labels[j] != labels[i]]
            far = sum(
                np.exp(max(f[i] @ f[j] - negative_margin, 0) / temperature) for j in negatives
            )
            losses.append(-np.log(near / (near + far)))
        return np.array(losses)

    return formula


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_contrastive_conditional_loss(temperature):
    run_batch_loss_test(
        kgan.losses.ContrastiveConditionalLoss,
        {"temperature": temperature},
        CASES,
        contrastive(temperature),
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"temperature": 0.5, "positive_margin": 0.98, "negative_margin": 0.02},
        {"temperature": 0.1, "positive_margin": 0.6, "negative_margin": -0.3},
    ],
)
def test_data_to_data_loss(arguments):
    run_batch_loss_test(kgan.losses.DataToDataLoss, arguments, CASES, data_to_data(**arguments))


def test_defaults_are_the_authors():
    assert kgan.losses.ContrastiveConditionalLoss().temperature == 1
    loss = kgan.losses.DataToDataLoss()
    assert (loss.temperature, loss.positive_margin, loss.negative_margin) == (0.5, 0.98, 0.02)


def test_contrastive_conditional():
    arguments = {"weight": 2.0, "temperature": 0.3}
    run_auxiliary_test(kgan.losses.ContrastiveConditional, arguments, BOTH)


def test_data_to_data():
    arguments = {
        "weight": 2.0,
        "temperature": 0.3,
        "positive_margin": 0.9,
        "negative_margin": -0.1,
    }
    run_auxiliary_test(kgan.losses.DataToData, arguments, BOTH)


@pytest.mark.parametrize("cls", [kgan.losses.ContrastiveConditional, kgan.losses.DataToData])
def test_each_player_looks_at_its_own_images(cls):
    views = [
        {"labels": LABELS, "embedding": RNG.normal(size=(6, 4)), "proxy": RNG.normal(size=(6, 4))}
        for _ in range(2)
    ]
    of_reals, of_fakes = (
        cls().loss(view["embedding"], view["proxy"], view["labels"]) for view in views
    )
    np.testing.assert_allclose(cls().discriminator(*views), of_reals, rtol=1e-6)
    np.testing.assert_allclose(cls().generator(*views), of_fakes, rtol=1e-6)


def test_what_is_near_and_far_enough_is_left_alone():
    """At its own proxy and orthogonal to other classes, an image has a constant loss."""
    embeddings = np.eye(3)
    moved = embeddings + 1e-3 * RNG.normal(size=(3, 3))
    loss = kgan.losses.DataToDataLoss(negative_margin=0.1, reduction=None)
    expected = np.full(3, np.log(3))
    for x in (embeddings, moved):
        np.testing.assert_allclose(loss(x, embeddings, np.arange(3)), expected, rtol=1e-6)


@tensorflow_only("its tapes")
def test_an_embedding_of_zeros_has_a_finite_gradient():
    import tensorflow as tf

    for cls in (kgan.losses.ContrastiveConditionalLoss, kgan.losses.DataToDataLoss):
        x = tf.zeros((3, 4))
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = cls()(x, x, np.arange(3))
        assert np.isfinite(value) and np.all(np.isfinite(tape.gradient(value, x)))


@pytest.mark.parametrize(
    ("cls", "arguments", "message"),
    [
        ("ContrastiveConditional", {"temperature": 0}, "temperature must be above 0. Received: 0"),
        ("DataToData", {"temperature": -1}, "temperature must be above 0. Received: -1"),
        ("DataToData", {"positive_margin": 1.5}, "positive_margin.*Received: 1.5"),
        ("DataToData", {"negative_margin": -2}, "negative_margin.*Received: -2"),
    ],
)
def test_bad_arguments(cls, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(kgan.losses, cls)(**arguments)
