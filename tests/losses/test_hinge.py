import numpy as np
import pytest

import kgan
from tests.conformance import run_loss_test
from tests.losses.reference import relu

LABELS = np.random.default_rng(1).integers(4, size=16)


def test_discriminator():
    run_loss_test(
        kgan.losses.HingeDiscriminatorLoss,
        {},
        lambda real, fake: relu(1 - real) + relu(1 + fake),
    )


def test_pair_has_the_critics_generator():
    pair = kgan.losses.get("hinge")
    assert float(pair.generator([0.0, 0.0], [5.0, -2.0])) == -1.5


def lack(logits, labels):
    """max(0, 1 - C_y + max of the others), an example after the other."""
    losses = []
    for row, label in zip(logits, labels, strict=True):
        others = [c for k, c in enumerate(row) if k != label]
        losses.append(max(0.0, 1 - row[label] + max(others)))
    return np.array(losses)


def test_multi_hinge_discriminator():
    run_loss_test(
        kgan.losses.MultiHingeDiscriminatorLoss,
        {},
        lambda real, fake: lack(real, LABELS) + lack(fake, [4] * 16),
        columns=5,
        context={"labels": LABELS},
    )


def test_multi_hinge_generator():
    run_loss_test(
        kgan.losses.MultiHingeGeneratorLoss,
        {},
        lambda real, fake: lack(fake, LABELS),
        columns=5,
        context={"labels": LABELS},
    )


def view(logits, labels):
    return {"score": np.zeros(len(logits)), "class_logits": logits, "labels": labels}


def test_multi_hinge_is_satisfied_with_a_margin_of_one():
    pair = kgan.losses.get("multi_hinge")
    reals = view(np.array([[2.0, 1.0, 0.0]]), np.array([0]))
    fakes = view(np.array([[0.0, 1.0, 2.0]]), np.array([1]))
    terms = pair.terms(reals, fakes)
    assert float(terms["discriminator_loss"]) == 0.0
    assert float(terms["generator_loss"]) == 2.0


def test_multi_hinge_of_one_class_is_a_hinge_of_the_difference():
    """With K = 1 the score is C_1 - C_fake, and both margins are on it."""
    real, fake = np.random.default_rng(0).normal(size=(2, 8, 2)).astype("float32")
    labels = np.zeros(8, "int32")
    np.testing.assert_allclose(
        kgan.losses.MultiHingeDiscriminatorLoss()(real, fake, labels=labels),
        kgan.losses.HingeDiscriminatorLoss()(real[:, 0] - real[:, 1], fake[:, 0] - fake[:, 1]),
        rtol=1e-6,
    )


def test_multi_hinge_weighs_fakes():
    pair = kgan.losses.get("multi_hinge")
    fakes = view(np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]]), np.array([0, 1]))
    fakes["weights"] = np.array([2.0, 0.0])
    assert float(pair.terms(fakes, fakes)["generator_loss"]) == 3.0


@pytest.mark.parametrize(
    ("name", "condition", "width"),
    [
        ("multi_hinge", {"num_classes": 3}, 3),
        ("four_term", {"num_classes": 3}, 4),
        ("four_term", {"condition_dim": 3}, 3),
    ],
)
def test_compile_refuses_logits_of_another_width(name, condition, width):
    """A last class that is not there would be taken for that of the fakes, or the other way."""
    head = kgan.layers.ClassifierHead(3, num_logits=width)
    gan = kgan.GAN(
        kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=2, units=[4], **condition),
        kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[4], head=head, **condition),
        **condition,
    )
    with pytest.raises(ValueError, match=f"num_classes.*class_logits of width {width}"):
        gan.compile(loss=name)
