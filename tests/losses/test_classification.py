import numpy as np
import pytest

import kgan
from tests import networks
from tests.losses.auxiliary_checks import (
    IMAGES,
    LABELS,
    fit,
    make_gan,
    run_auxiliary_test,
    run_batch_loss_test,
)

RNG = np.random.default_rng(0)
BOTH = ("discriminator", "generator")


def cross_entropy(labels, logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return np.log(np.exp(logits).sum(axis=-1)) - logits[np.arange(len(labels)), labels]


def view(labels=(0, 2, 1), classes=3):
    rng = np.random.default_rng(1)
    logits = {name: rng.normal(size=(3, classes)) for name in ("class_logits", "twin_logits")}
    return {"labels": np.array(labels), **logits}


def test_classification_loss():
    cases = [
        (RNG.integers(0, 5, 6), RNG.normal(size=(6, 5))),
        (np.array([0, 1, 2, 3]), RNG.permuted([[-50.0, 50.0, 50.0, -50.0]] * 4, axis=1)),
    ]
    run_batch_loss_test(kgan.losses.ClassificationLoss, {}, cases, cross_entropy)


@pytest.mark.parametrize("fake_weight", [1.0, 0.25])
def test_auxiliary_classifier(fake_weight):
    arguments = {"weight": 0.5, "fake_weight": fake_weight}
    run_auxiliary_test(kgan.losses.AuxiliaryClassifier, arguments, BOTH)
    real, fake = view(), {**view((1, 1, 0)), "class_logits": RNG.normal(size=(3, 3))}
    loss = kgan.losses.AuxiliaryClassifier(**arguments)
    on_real, on_fake = (
        np.mean(cross_entropy(v["labels"], v["class_logits"])) for v in (real, fake)
    )
    np.testing.assert_allclose(
        loss.discriminator(real, fake), on_real + fake_weight * on_fake, rtol=1e-6
    )
    np.testing.assert_allclose(loss.generator(real, fake), on_fake, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "fake_weight"), [({}, 0.0), ({"fake_weight": 0.25}, 0.25)], ids=["default", "given"]
)
def test_twin_auxiliary_classifier(given, fake_weight):
    arguments = {"weight": 0.5, **given}
    run_auxiliary_test(kgan.losses.TwinAuxiliaryClassifier, arguments, BOTH)
    real, fake = view(), {**view((1, 1, 0)), "class_logits": RNG.normal(size=(3, 3))}
    loss = kgan.losses.TwinAuxiliaryClassifier(**arguments)
    on_real = np.mean(cross_entropy(real["labels"], real["class_logits"]))
    on_fake = np.mean(cross_entropy(fake["labels"], fake["class_logits"]))
    twin = np.mean(cross_entropy(fake["labels"], fake["twin_logits"]))
    np.testing.assert_allclose(
        loss.discriminator(real, fake), on_real + fake_weight * on_fake + twin, rtol=1e-6
    )
    np.testing.assert_allclose(loss.generator(real, fake), on_fake - twin, rtol=1e-5)


def test_the_twin_is_the_same_game_backwards():
    """Gong et al.: the discriminator's twin minimises what the generator maximises."""
    loss = kgan.losses.TwinAuxiliaryClassifier()
    plain = kgan.losses.AuxiliaryClassifier(fake_weight=0.0)
    twin_of_discriminator = loss.discriminator(view(), view()) - plain.discriminator(view(), view())
    twin_of_generator = loss.generator(view(), view()) - plain.generator(view(), view())
    np.testing.assert_allclose(twin_of_discriminator, -twin_of_generator, rtol=1e-5)


def test_discriminative_classifier():
    loss = kgan.losses.DiscriminativeClassifier
    run_auxiliary_test(loss, {"weight": 0.5}, BOTH, class_logits=2 * networks.NUM_CLASSES)
    real, fake = view(classes=6), {**view((1, 1, 0)), "class_logits": RNG.normal(size=(3, 6))}
    as_fake = cross_entropy(fake["labels"] + 3, fake["class_logits"])
    np.testing.assert_allclose(
        loss().discriminator(real, fake),
        np.mean(cross_entropy(real["labels"], real["class_logits"]) + as_fake),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        loss().generator(real, fake),
        np.mean(cross_entropy(fake["labels"], fake["class_logits"]) - as_fake),
        rtol=1e-5,
    )


def test_the_classifiers_learn():
    """The discriminator's cross-entropy falls when only it is what moves the players."""
    logs = fit(make_gan(["auxiliary_classifier"], run_eagerly=True), epochs=8)
    for player in BOTH:
        losses = logs[f"{player}_auxiliary_classifier"]
        assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("name", "class_logits"),
    [
        ("auxiliary_classifier", 6),
        ("twin_auxiliary_classifier", 2),
        ("discriminative_classifier", 3),
    ],
)
def test_logits_that_do_not_fit_are_an_error_at_compile(name, class_logits):
    with pytest.raises(ValueError, match=rf"'class_logits'.*Received: \('batch', {class_logits}\)"):
        make_gan([name], class_logits=class_logits)


def test_fake_weight_below_0():
    with pytest.raises(ValueError, match="fake_weight must be 0 or above. Received: -1"):
        kgan.losses.AuxiliaryClassifier(fake_weight=-1)


def test_a_column_of_labels_is_for_the_game_to_flatten():
    """`GAN` hands on labels of one axis, so that a column given to fit works."""
    gan = make_gan(["auxiliary_classifier"], run_eagerly=True)
    flat, column = (gan.evaluate(IMAGES, y, verbose=0) for y in (LABELS, LABELS[:, None]))
    assert flat == column
