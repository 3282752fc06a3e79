import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import kgan
from kgan.metrics import auroc, gives_probability, realness
from tests import networks

WEIGHTS = np.array([1.0, -2.0], "float32")
IMAGES = np.random.default_rng(0).uniform(-1, 1, (7, 2)).astype("float32")


def linear_discriminator(outputs=None, pack=1):
    """x . WEIGHTS, and whatever `outputs` makes of that."""
    images = keras.Input((2,))
    x = kgan.layers.Pack(pack)(images) if pack > 1 else images
    score = keras.layers.Dense(
        1, use_bias=False, kernel_initializer=lambda shape, dtype: np.tile(WEIGHTS, pack)[:, None]
    )(x)
    return keras.Model(images, score if outputs is None else outputs(score))


def make_gan(discriminator=None, loss=None, **kwargs):
    gan = kgan.GAN(
        networks.generator(kwargs.get("num_classes")),
        discriminator or linear_discriminator(),
        **kwargs,
    )
    if loss:
        gan.compile(loss=loss)
    return gan


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    "loss, meaning", [(None, lambda x: x), ("hinge", lambda x: x), ("non_saturating", sigmoid)]
)
def test_is_the_probability_where_there_is_one_and_else_the_score(loss, meaning):
    values = realness(make_gan(loss=loss), IMAGES, batch_size=3)
    assert values.shape == (7,) and values.dtype == np.float64
    np.testing.assert_allclose(values, meaning(IMAGES @ WEIGHTS), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "loss, expected",
    [("non_saturating", True), ("least_squares", False), ("wasserstein", False), (None, False)],
)
def test_says_which_of_the_two_it_is(loss, expected):
    assert gives_probability(make_gan(loss=loss)) is expected


def test_a_patch_map_counts_as_the_mean_of_what_its_positions_say():
    def patches(score):
        maps = keras.layers.Concatenate()([score, score + 1.0, score - 3.0, score])
        return keras.layers.Reshape((2, 2, 1))(maps)

    values = realness(make_gan(linear_discriminator(patches), "non_saturating"), IMAGES)
    score = (IMAGES @ WEIGHTS)[:, None] + np.array([0.0, 1.0, -3.0, 0.0])
    np.testing.assert_allclose(values, sigmoid(score).mean(axis=1), rtol=1e-5)


def test_of_a_dict_the_score_counts():
    said = linear_discriminator(lambda score: {"score": score, "other": score * 7.0})
    np.testing.assert_allclose(realness(make_gan(said), IMAGES), IMAGES @ WEIGHTS, rtol=1e-5)


def test_high_probabilities_keep_their_order():
    far = np.array([[18.0, 0.0], [19.0, 0.0], [20.0, 0.0]], "float32")
    assert np.all(np.diff(realness(make_gan(loss="minimax"), far)) > 0)


def test_a_conditional_discriminator_sees_each_image_beside_its_label():
    gan = make_gan(networks.discriminator(num_classes=3), num_classes=3)
    labels = np.array([0, 1, 2, 0, 1, 2, 2])
    values = realness(gan, IMAGES, labels, batch_size=4)
    want = gan.discriminator.predict([IMAGES, labels], verbose=0)[:, 0]
    np.testing.assert_allclose(values, want, rtol=1e-5)
    np.testing.assert_allclose(realness(gan, IMAGES, 2)[[2, 5, 6]], values[[2, 5, 6]], rtol=1e-5)
    assert not np.allclose(realness(gan, IMAGES, 1)[[2, 5, 6]], values[[2, 5, 6]])


def test_under_mixed_precision_it_is_nearly_the_same():
    values = realness(make_gan(loss="non_saturating"), IMAGES)
    keras.config.set_dtype_policy("mixed_bfloat16")
    low = realness(make_gan(loss="non_saturating"), IMAGES)
    np.testing.assert_allclose(low, values, atol=0.01)


def test_no_images_no_numbers():
    assert realness(make_gan(), IMAGES[:0]).shape == (0,)


@pytest.mark.parametrize(
    "gan, images, labels, message",
    [
        ({}, IMAGES[:, :1], None, r"shape \('batch', 2\). Received: \(7, 1\)"),
        ({}, IMAGES.astype("int32"), None, "floats in .-1, 1."),
        ({}, np.full((2, 2), np.nan, "float32"), None, "NaN or infinity for 2 of 2 images"),
        ({}, IMAGES, [0] * 7, r"realness takes no labels. Received: labels=\[0"),
        ({"num_classes": 3}, IMAGES, None, r"realness\(gan, images, labels\). Received: .*None"),
        ({"num_classes": 3}, IMAGES, 3, "num_classes=3.. Received: 3"),
        ({"num_classes": 3}, IMAGES, [1, 2], r"7 of them. Received: .* shape \(2,\)"),
        ({"pack": 2}, IMAGES, None, "several together .* Received: packs of 2"),
    ],
)
def test_what_cannot_be_scored_is_refused(gan, images, labels, message):
    gan = dict(gan)
    if "num_classes" in gan:
        gan["discriminator"] = networks.discriminator(**gan)
    if "pack" in gan:
        gan = {"discriminator": linear_discriminator(pack=gan["pack"])}
    with pytest.raises(ValueError, match=message):
        realness(make_gan(**gan), images, labels)


def test_batch_size_is_checked():
    with pytest.raises(ValueError, match="batch_size must be .* Received: 0"):
        realness(make_gan(), IMAGES, batch_size=0)


@pytest.mark.parametrize("seed", range(5))
def test_auroc_agrees_with_scikit_learn_also_with_ties(seed):
    random = np.random.default_rng(seed)
    positives = random.integers(0, 6, random.integers(1, 40)) + 0.5
    negatives = random.integers(-1, 5, random.integers(1, 40)) + 0.5
    truth = np.repeat([1, 0], [len(positives), len(negatives)])
    want = roc_auc_score(truth, np.concatenate([positives, negatives]))
    assert auroc(positives, negatives) == pytest.approx(want, abs=1e-12)


def test_auroc_known_by_hand():
    assert auroc([2.0, 3.0], [0.0, 1.0]) == 1.0
    assert auroc([0.0, 1.0], [2.0, 3.0]) == 0.0
    assert auroc([5.0] * 3, [5.0] * 4) == 0.5
    assert auroc([1.0, 3.0], [2.0, np.inf]) == 0.25


@pytest.mark.parametrize(
    "sides, message",
    [
        (([], [1.0]), r"positives must be .* Received: shape \(0,\)"),
        (([1.0], [[1.0]]), r"negatives must be .* Received: shape \(1, 1\)"),
        (([1.0], [np.nan]), "negatives must be numbers, which rank. Received: NaN"),
    ],
)
def test_auroc_of_what_cannot_be_ranked(sides, message):
    with pytest.raises(ValueError, match=message):
        auroc(*sides)
