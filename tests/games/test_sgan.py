import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan
from kgan.games import SGAN
from tests.conformance import check_docstring

CENTRES = np.array([[0.8, 0.0], [-0.4, 0.7], [-0.4, -0.7]], "float32")
LABELS = np.array([-1, 0, -1, 2, -1, -1, 1, -1], "int32")


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
    images, _ = data(len(labels))
    return gan.compute_losses(tf.constant(images), tf.constant(labels), training=False)


def k_plus_1(logits):
    """Probabilities of the K classes and of the fakes, whose logit is 0."""
    logits = np.concatenate([np.array(logits, "float64"), np.zeros((len(logits), 1))], axis=1)
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("weight", [1.0, 2.0])
def test_the_discriminator_knows_k_plus_1_classes(weight):
    logs = losses(build(supervised_weight=weight))
    real, fake = (k_plus_1(logs["round"].__dict__[x]["class_logits"]) for x in ("real", "fake"))
    # Of the known, the class among the K; of all reals, that they are of any; of fakes, none.
    known = np.flatnonzero(LABELS >= 0)
    right = real[known, LABELS[known]] / real[known, :3].sum(axis=1)
    supervised = -weight * np.mean(np.log(right))
    unsupervised = -np.mean(np.log(1 - real[:, 3])) - np.mean(np.log(fake[:, 3]))
    assert float(logs["classification_loss"]) == pytest.approx(supervised, rel=1e-4)
    expected = pytest.approx(supervised + unsupervised, rel=1e-4)
    assert float(logs["discriminator_loss"]) == expected
    assert float(logs["real_score"]) == pytest.approx(np.mean(1 - real[:, 3]), rel=1e-4)
    generator_loss = -np.mean(np.log(1 - fake[:, 3]))  # Odena's
    assert float(logs["generator_loss"]) == pytest.approx(generator_loss, rel=1e-4)


def test_unknown_labels_teach_no_class():
    gan = build()
    logs = losses(gan, np.full(8, -1, "int32"))
    assert float(logs["classification_loss"]) == 0
    assert np.isfinite(float(logs["discriminator_loss"]))
    all_known = float(losses(gan, np.arange(8, dtype="int32") % 3)["classification_loss"])
    logits = gan.discriminator(data(8)[0])
    entropy = keras.losses.sparse_categorical_crossentropy(np.arange(8) % 3, logits, True)
    assert all_known == pytest.approx(np.mean(entropy), rel=1e-5)


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
        generator_optimizer=keras.optimizers.Adam(3e-3),
        discriminator_optimizer=keras.optimizers.Adam(3e-3),
    )
    images, _ = data(29 * 150)
    batches = np.concatenate([images.reshape(150, 29, 2), np.stack([CENTRES] * 150)], axis=1)
    labels = np.tile([-1] * 29 + [0, 1, 2], 150)
    gan.fit(batches.reshape(-1, 2), labels, batch_size=32, shuffle=False, verbose=0)
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
    history = gan.fit(images, np.array([-1, 0, 1, 2, -1]), verbose=0).history
    assert np.isfinite(history["discriminator_loss"]).all()


def test_replicas_count_each_label_once(two_replicas):
    gan = build()
    with two_replicas.scope():
        copy = build()
    copy.set_weights(gan.get_weights())
    images, _ = data(8)
    labels = np.array([0, 1, 2, -1, -1, -1, -1, 1], "int32")
    whole = gan.compute_losses(tf.constant(images), tf.constant(labels), training=False)

    halves = [
        two_replicas.experimental_distribute_values_from_function(
            lambda context, x=x: tf.constant(x)[context.replica_id_in_sync_group * 4 :][:4]
        )
        for x in (images, labels)
    ]

    def on_replica(images, labels):
        return copy.compute_losses(images, labels, training=False)["classification_loss"]

    compute = tf.function(lambda: two_replicas.run(on_replica, args=halves))
    parts = two_replicas.experimental_local_results(compute())
    assert np.mean(parts) == pytest.approx(float(whole["classification_loss"]), rel=1e-5)


def test_labels_are_needed_and_known():
    gan = build()
    images, _ = data(8)
    with pytest.raises(ValueError, match="-1 where it is unknown.*Received: images only"):
        gan.fit(images, verbose=0)
    for wrong in (3, -2):
        with pytest.raises(tf.errors.InvalidArgumentError, match="num_classes=3"):
            gan.fit(images, np.full(8, wrong), verbose=0)
    gan.fit(images, LABELS[:, None], verbose=0)  # a column will do
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
