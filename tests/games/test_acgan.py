import keras
import numpy as np
import pytest

import kgan
from kgan.games import ACGAN

CENTRES = np.array([[0.8, 0.0], [-0.4, 0.7], [-0.4, -0.7]], "float32")


def build(dtype=None, compiled=True, num_logits=None, **options):
    gan = ACGAN(
        kgan.backbones.MLPGenerator((2,), latent_dim=4, units=[16], num_classes=3, dtype=dtype),
        kgan.backbones.MLPDiscriminator(
            (2,), units=[16], head=kgan.layers.ClassifierHead(3, num_logits), dtype=dtype
        ),
        num_classes=3,
        seed=1,
    )
    if compiled:
        gan.compile(**options)
    return gan


def data(n, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, n).astype("int32")
    return CENTRES[labels] + 0.05 * random.normal(size=(n, 2)).astype("float32"), labels


def cross_entropy(logits, labels):
    logits = np.array(logits, "float64")
    rows = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]
    return rows.mean()


def test_both_players_add_the_cross_entropy_of_equation_3():
    gan = build()
    images, labels = map(keras.ops.convert_to_tensor, data(6))
    logs = gan.compute_losses(images, labels)
    labels = np.array(labels)
    real, fake = logs["round"].real, logs["round"].fake
    r, f = (np.array(view["score"], "float64") for view in (real, fake))
    reals, fakes = (cross_entropy(view["class_logits"], labels) for view in (real, fake))
    l_s = np.mean(np.logaddexp(0, -r)) + np.mean(np.logaddexp(0, f))
    assert float(logs["discriminator_loss"]) == pytest.approx(l_s + reals + fakes, rel=1e-5)
    assert float(logs["generator_loss"]) == pytest.approx(
        np.mean(np.logaddexp(0, -f)) + fakes, rel=1e-5
    )


def test_auxiliary_losses_may_be_others():
    gan = build(auxiliary_losses=["auxiliary_classifier:0.5,fake_weight=0"])
    images, labels = map(keras.ops.convert_to_tensor, data(6))
    logs = gan.compute_losses(images, labels)
    labels = np.array(labels)
    entropy = cross_entropy(logs["round"].real["class_logits"], labels)
    assert float(logs["discriminator_auxiliary_classifier"]) == pytest.approx(entropy / 2, rel=1e-5)


def test_the_discriminator_sees_no_labels():
    gan = build()
    images, labels = data(6)
    others = (labels + 1) % 3
    np.testing.assert_array_equal(gan.score(images, labels), gan.score(images, others))
    first, second = (gan.view(images, y)["class_logits"] for y in (labels, others))
    np.testing.assert_array_equal(first, second)
    assert len(gan.discriminator.inputs) == 1
    assert gan.view_names == ("images", "latents", "labels", "score", "class_logits")


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_classify_gives_probabilities(dtype):
    gan = build(dtype)
    images, _ = data(5)
    probabilities = gan.classify(images)
    assert keras.backend.standardize_dtype(probabilities.dtype) == "float32"
    logits = np.array(gan.discriminator(images)["class_logits"], "float64")
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5)


def test_samples_are_of_the_class_asked_for():
    gan = build(
        generator_optimizer=keras.optimizers.Adam(3e-3),
        discriminator_optimizer=keras.optimizers.Adam(3e-3),
        jit_compile=False,
    )
    images, labels = data(64 * 150)
    gan.fit(images, labels, batch_size=64, verbose=0)
    test_images, test_labels = data(300, seed=1)
    assert np.mean(np.argmax(gan.classify(test_images), axis=1) == test_labels) > 0.99
    asked = np.arange(300) % 3
    samples = gan.generate(300, labels=asked, seed=0)
    nearest = np.argmin(np.linalg.norm(samples[:, None] - CENTRES, axis=-1), axis=1)
    assert np.mean(nearest == asked) > 0.95
    assert np.mean(np.argmax(gan.classify(samples), axis=1) == asked) > 0.95


def test_saved_and_loaded_it_goes_on_alike(tmp_path):
    gan = build()
    images, labels = data(8)
    gan.fit(images, labels, batch_size=4, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = kgan.load_gan(tmp_path / "gan.keras")
    assert type(loaded) is ACGAN
    assert [type(one) for one in loaded.auxiliary_losses] == [kgan.losses.AuxiliaryClassifier]
    np.testing.assert_array_equal(loaded.classify(images), gan.classify(images))
    for one in (gan, loaded):
        one.fit(images, labels, batch_size=4, shuffle=False, verbose=0)
    np.testing.assert_array_equal(loaded.classify(images), gan.classify(images))


def test_a_discriminator_that_does_not_classify():
    generator = kgan.backbones.MLPGenerator((2,), latent_dim=4, units=[8], num_classes=3)
    with pytest.raises(ValueError, match=r'"class_logits".*ClassifierHead.*Received: KerasTensor'):
        ACGAN(generator, kgan.backbones.MLPDiscriminator((2,), units=[8]), num_classes=3)
    discriminator = kgan.backbones.MLPDiscriminator(
        (2,), units=[8], head=kgan.layers.CodeHead(categorical=[3], continuous=0)
    )
    with pytest.raises(ValueError, match=r"Received: \['categorical_logits"):
        ACGAN(generator, discriminator, num_classes=3)


def test_another_number_of_logits():
    with pytest.raises(ValueError, match=r"\('batch', 3\). Received: \('batch', 4\)"):
        build(num_logits=4)
