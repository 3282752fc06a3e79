import numpy as np
import pytest

import kgan
from tests.conformance import (
    check_loss_gradient,
    extreme_scores,
    random_scores,
    run_loss_test,
)
from tests.losses.reference import log_d, log_not_d

LABELS = np.random.default_rng(1).integers(5, size=16)
LOGITS = np.random.default_rng(2).normal(size=(16, 5)).astype("float32")
LAMBDAS = {"lambda_real": 0.5, "lambda_generated": 2.0, "lambda_label": 3.0, "lambda_flip": 0.25}
SHARED = {name: value for name, value in LAMBDAS.items() if name != "lambda_real"}
CONTEXT = {"class_logits": LOGITS, "labels": LABELS}


def label_terms(logits, labels):
    """L_label and L_flip of each example, one after the other."""
    right, flipped = [], []
    for row, label in zip(np.asarray(logits, "float64"), labels, strict=True):
        right.append(-log_d(row[label]))
        flipped.append(np.mean([-log_not_d(c) for k, c in enumerate(row) if k != label]))
    return np.array(right), np.array(flipped)


def weighted_label_terms(logits):
    right, flipped = label_terms(logits, LABELS)
    return LAMBDAS["lambda_label"] * right + LAMBDAS["lambda_flip"] * flipped


def test_discriminator():
    def formula(real, fake):
        return -0.5 * log_d(real) - 2 * log_not_d(fake) + weighted_label_terms(LOGITS)

    run_loss_test(kgan.losses.FourTermDiscriminatorLoss, LAMBDAS, formula, context=CONTEXT)


def test_generator():
    run_loss_test(
        kgan.losses.FourTermGeneratorLoss,
        SHARED,
        lambda real, fake: -2 * log_d(fake) + weighted_label_terms(LOGITS),
        context=CONTEXT,
    )


@pytest.mark.parametrize(
    "loss",
    [
        kgan.losses.FourTermDiscriminatorLoss(**LAMBDAS),
        kgan.losses.FourTermGeneratorLoss(**SHARED),
    ],
)
def test_gradients_in_class_logits(loss):
    """Given as the second of two tensors whose first does not matter."""
    scores = np.zeros(16, "float32")
    for logits in (random_scores(5)[0], extreme_scores(5)[0]):
        check_loss_gradient(
            lambda _, logits: loss(scores, scores, class_logits=logits, labels=LABELS),
            lambda _, logits: weighted_label_terms(logits),
            np.zeros(1),
            logits,
        )


def views():
    rng = np.random.default_rng(3)
    made = []
    for _ in range(2):
        logits = rng.normal(size=(16, 5))
        labels = rng.integers(5, size=16)
        made.append({"score": rng.normal(size=16), "class_logits": logits, "labels": labels})
    return made


def test_terms_add_up():
    """Logs are unweighted; labels are judged on reals for one player and on fakes for the other."""
    pair = kgan.losses.FourTerm(**LAMBDAS)
    real, fake = views()
    terms = {name: float(value) for name, value in pair.terms(real, fake).items()}
    right, flipped = label_terms(real["class_logits"], real["labels"])
    expected = {
        "real_term": np.mean(-log_d(real["score"])),
        "generated_term": np.mean(-log_not_d(fake["score"])),
        "label_term": np.mean(right),
        "flip_term": np.mean(flipped),
    }
    assert pair.term_names == tuple(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-6)
    total = np.dot(list(LAMBDAS.values()), list(expected.values()))
    np.testing.assert_allclose(terms["discriminator_loss"], total, rtol=1e-6)
    right, flipped = label_terms(fake["class_logits"], fake["labels"])
    generated = [np.mean(-log_d(fake["score"])), np.mean(right), np.mean(flipped)]
    total = np.dot(list(SHARED.values()), generated)
    np.testing.assert_allclose(terms["generator_loss"], total, rtol=1e-6)


def test_without_labels_it_is_the_weighted_non_saturating_game():
    pair = kgan.losses.FourTerm(lambda_generated=2.0, lambda_label=0.0, lambda_flip=0.0)
    assert pair.needs == () and pair.term_names == ("real_term", "generated_term")
    real, fake = views()
    scores = {"score": real["score"]}, {"score": fake["score"]}
    terms, plain = pair.terms(*scores), kgan.losses.NonSaturating().terms(*scores)
    np.testing.assert_allclose(terms["generator_loss"], 2 * plain["generator_loss"], rtol=1e-6)
    np.testing.assert_allclose(
        terms["discriminator_loss"],
        plain["discriminator_loss"] + terms["generated_term"],
        rtol=1e-6,
    )


@pytest.mark.parametrize("weights", [{"lambda_label": 0.0}, {"lambda_flip": 0.0}])
def test_one_label_term_alone(weights):
    pair = kgan.losses.FourTerm(**weights)
    assert pair.needs == ("labels", "class_logits")
    terms = pair.terms(*views())
    absent = {"lambda_label": "label_term", "lambda_flip": "flip_term"}[next(iter(weights))]
    rest = [terms[name] for name in pair.term_names if name != absent]
    np.testing.assert_allclose(terms["discriminator_loss"], sum(rest), rtol=1e-6)


def test_weighs_fakes():
    pair = kgan.losses.FourTerm()
    real, fake = views()
    one = {name: value[:1] for name, value in fake.items()}
    fake["weights"] = np.eye(16)[0] * 16
    expected = pair.terms(real, one)["generator_loss"]
    np.testing.assert_allclose(pair.terms(real, fake)["generator_loss"], expected, rtol=1e-6)


@pytest.mark.parametrize("name", LAMBDAS)
def test_weights_below_zero(name):
    with pytest.raises(ValueError, match=f"{name} below 0: .*Received: -0.1"):
        kgan.losses.FourTerm(**{name: -0.1})


def test_gan_refuses_it_without_class_logits():
    gan = kgan.GAN(
        kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=2, units=[4]),
        kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[4]),
    )
    with pytest.raises(ValueError, match="FourTerm needs labels, class_logits"):
        gan.compile(loss="four_term")
