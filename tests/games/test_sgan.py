import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.games import SGAN
from tests.conformance import check_docstring
from tests.frameworks import tensorflow_only

CENTRES = np.array([[0.8, 0.0], [-0.4, 0.7], [-0.4, -0.7]], "float32")
LABELS = np.array([0, 2, 1, 0, 1, 2, 2, 0], "int32")


def build(dtype=None, supervised_weight=1.0, units=16, **options):
    gan = SGAN(
        kgan.backbones.MLPGenerator((2,), latent_dim=4, units=[units], dtype=dtype),
        kgan.backbones.NoisyMLPDiscriminator((2,), 3, units=(units, units), dtype=dtype),
        supervised_weight=supervised_weight,
        seed=1,
    )
    gan.compile(**options)
    return gan


def matching(**options):
    """The game of Salimans et al., whose generator matches features alone."""
    return build(
        loss=kgan.losses.IndifferentGenerator(kgan.losses.MinimaxDiscriminatorLoss()),
        auxiliary_losses="feature_matching:layers=features_1",
        **options,
    )


def data(n, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, n).astype("int32")
    return CENTRES[labels] + 0.05 * random.normal(size=(n, 2)).astype("float32"), labels


def losses(gan, labels=LABELS):
    images, labelled = data(8)[0], data(len(labels), seed=1)[0]
    taught = tf.constant(labelled), tf.constant(labels)
    return gan.compute_losses(tf.constant(images), taught, training=False)


def k_plus_1(logits):
    """Probabilities of the K classes and of the fakes, whose logit is 0."""
    logits = np.concatenate([np.array(logits, "float64"), np.zeros((len(logits), 1))], axis=1)
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("weight", [1.0, 2.0])
def test_the_discriminator_knows_k_plus_1_classes(weight):
    gan = build(supervised_weight=weight)
    logs = losses(gan)
    real, fake = (k_plus_1(logs["round"].__dict__[x]["class_logits"]) for x in ("real", "fake"))
    # Of the labelled, the class among the K; of reals, that they are of any; of fakes, none.
    known = k_plus_1(gan.discriminator(data(8, seed=1)[0]))
    right = known[np.arange(8), LABELS] / known[:, :3].sum(axis=1)
    supervised = -weight * np.mean(np.log(right))
    unsupervised = -np.mean(np.log(1 - real[:, 3])) - np.mean(np.log(fake[:, 3]))
    assert float(logs["classification_loss"]) == pytest.approx(supervised, rel=1e-4)
    expected = pytest.approx(supervised + unsupervised, rel=1e-4)
    assert float(logs["discriminator_loss"]) == expected
    assert float(logs["real_score"]) == pytest.approx(np.mean(1 - real[:, 3]), rel=1e-4)
    generator_loss = -np.mean(np.log(1 - fake[:, 3]))  # Odena's
    assert float(logs["generator_loss"]) == pytest.approx(generator_loss, rel=1e-4)


def test_labelled_images_teach_classes_and_are_no_reals_of_the_game():
    gan = build()
    logs = losses(gan)
    np.testing.assert_array_equal(logs["round"].real["images"], data(8)[0])
    few = losses(gan, LABELS[:3])  # seed 1 draws other images of them
    score = float(logs["real_score"])
    assert float(few["real_score"]) == pytest.approx(score, rel=1e-6)
    assert float(few["classification_loss"]) != float(logs["classification_loss"])


@tensorflow_only("its tapes")
def test_the_indifferent_generator_matches_features_alone():
    gan = matching()
    with tf.GradientTape() as tape:
        logs = losses(gan)
    real, fake = (
        np.mean(logs["round"].__dict__[x]["features"]["features_1"], axis=0)
        for x in ("real", "fake")
    )
    distance = np.sum((real - fake) ** 2)
    assert float(logs["generator_loss"]) == pytest.approx(distance, rel=1e-4)
    assert float(logs["generator_feature_matching"]) == pytest.approx(distance, rel=1e-4)
    gradients = tape.gradient(logs["generator_loss"], gan.generator.trainable_variables)
    assert all(np.any(gradient) for gradient in gradients)


def test_few_labels_are_enough():
    """One label a class, where the classes are clusters of all images."""
    gan = matching(
        units=32,
        generator_optimizer=keras.optimizers.Adam(3e-3),
        discriminator_optimizer=keras.optimizers.Adam(3e-3),
    )
    images = tf.data.Dataset.from_tensor_slices(data(30 * 400)[0]).batch(30)
    labelled = tf.data.Dataset.from_tensors((CENTRES, np.arange(3))).repeat()
    gan.fit(tf.data.Dataset.zip(images, labelled), verbose=0)
    test_images, test_labels = data(300, seed=1)
    assert np.mean(np.argmax(gan.classify(test_images), axis=1) == test_labels) > 0.95


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_classify_gives_probabilities_and_score_log_z(dtype):
    gan = build(dtype)
    images, _ = data(5)
    logits = np.array(gan.discriminator(images), "float64")
    probabilities, scores = gan.classify(images), gan.score(images)
    for x in (probabilities, scores):
        assert keras.backend.standardize_dtype(x.dtype) == "float32"
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4)
    np.testing.assert_allclose(scores, np.log(np.exp(logits).sum(axis=1)), rtol=1e-4)
    history = gan.fit(images, np.array([2, 0, 1, 2, 1]), verbose=0).history
    assert np.isfinite(history["discriminator_loss"]).all()


def test_several_discriminator_steps_take_turns_at_the_labels():
    gan = build(discriminator_steps=2, run_eagerly=True)
    taught = []
    compute_losses = gan.compute_losses
    gan.compute_losses = lambda *a, **k: (taught.append(np.array(a[1][1])), compute_losses(*a))[1]
    images, labelled = data(8)[0], data(8, seed=1)[0]
    gan.fit(tf.data.Dataset.from_tensors((images, (labelled, LABELS))), verbose=0)
    np.testing.assert_array_equal(taught, [LABELS[::2], LABELS[1::2]])


def test_replicas_teach_their_part(two_replicas):
    gan = build(generator_optimizer="sgd", discriminator_optimizer="sgd")
    with two_replicas.scope():
        copy = build(generator_optimizer="sgd", discriminator_optimizer="sgd")
    copy.set_weights(gan.get_weights())
    batch = (data(8)[0], (data(8, seed=1)[0], LABELS))
    history = [
        one.fit(tf.data.Dataset.from_tensors(batch), shuffle=False, verbose=0).history
        for one in (gan, copy)
    ]
    assert history[0]["classification_loss"] == pytest.approx(
        history[1]["classification_loss"],
        rel=0.2,  # noise before each layer is another
    )


@tensorflow_only("its errors")
def test_labels_are_needed_and_known():
    gan = build()
    images, _ = data(8)
    with pytest.raises(ValueError, match="needs labelled images.*Received: images only"):
        gan.fit(images, verbose=0)
    for wrong in (3, -1):
        with pytest.raises(tf.errors.InvalidArgumentError, match="num_classes=3"):
            gan.fit(images, np.full(8, wrong), verbose=0)
    gan.fit(images, LABELS[:, None], verbose=0)  # a column will do
    wide = tf.data.Dataset.from_tensors((images, (np.zeros((8, 3), "float32"), LABELS)))
    with pytest.raises(ValueError, match=r"samples of shape \(2,\)"):
        gan.fit(wide, verbose=0)
    results = gan.evaluate(images, LABELS, verbose=0, return_dict=True)
    assert np.isfinite(results["classification_loss"])


def test_config_and_docstring():
    gan = build(supervised_weight=2.5)
    assert SGAN.from_config(gan.get_config()).supervised_weight == 2.5
    assert not gan.is_conditional and gan.view_names == (
        "images",
        "latents",
        "score",
        "class_logits",
    )
    check_docstring(SGAN)


def test_bad_arguments():
    generator = kgan.backbones.MLPGenerator((2,), latent_dim=4, units=[8])
    with pytest.raises(ValueError, match=r"two classes or more.*Received: \(None, 1\)"):
        SGAN(generator, kgan.backbones.MLPDiscriminator((2,), units=[8]))
    with pytest.raises(ValueError, match="supervised_weight must be a positive.*Received: 0"):
        build(supervised_weight=0)
