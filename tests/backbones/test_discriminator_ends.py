"""What all discriminators take: another head, and several images at once."""

import json

import keras
import numpy as np
import pytest

import kgan
from tests.conformance import check_saving

DISCRIMINATORS = [
    (kgan.backbones.DCGANDiscriminator, {"width": 4, "batch_norm": False}),
    (kgan.backbones.ResNetDiscriminator, {"width": 4}),
    (kgan.backbones.MLPDiscriminator, {"units": (4,), "input_dropout": 0.0, "dropout": 0.0}),
]
IMAGES = np.random.default_rng(0).uniform(-1, 1, (6, 8, 8, 1)).astype("float32")
LABELS = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture(params=DISCRIMINATORS, ids=lambda param: param[0].__name__)
def make(request):
    cls, kwargs = request.param
    return lambda **more: cls(image_shape=(8, 8, 1), **kwargs, **more)


@pytest.mark.parametrize("num_classes", [None, 3])
def test_another_head_ends_it(make, num_classes):
    head = kgan.layers.ClassifierHead(3)
    discriminator = make(head=head, num_classes=num_classes)
    inputs = IMAGES if num_classes is None else [IMAGES, LABELS]
    said = discriminator(inputs)
    assert {key: tuple(x.shape) for key, x in said.items()} == {
        "score": (6, 1),
        "class_logits": (6, 3),
    }
    assert head.name in [layer.name for layer in discriminator.layers]


def test_a_head_that_reads_labels(make):
    discriminator = make(head=kgan.layers.ContrastiveHead(3, 5), num_classes=3)
    proxies = discriminator([IMAGES, LABELS])["proxy"]
    np.testing.assert_array_equal(proxies[:3], proxies[3:])


def test_head_and_pack_come_back(make):
    discriminator = make(head=kgan.layers.ClassifierHead(3, name="judge"), pack=2)
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(discriminator)))
    copy = keras.saving.deserialize_keras_object(stored)
    assert copy.get_config() == discriminator.get_config()
    assert copy.pack == 2
    assert copy.get_layer("judge").num_classes == 3
    clone = keras.models.clone_model(discriminator)
    assert [w.shape for w in clone.weights] == [w.shape for w in discriminator.weights]
    check_saving(make(pack=2), IMAGES)


def test_one_head_serves_two_networks(make):
    """Each network has a head of its own, whatever object described it."""
    head = kgan.layers.ClassifierHead(3)
    first, second = make(head=head), make(head=head)
    first(IMAGES)
    shared = {id(v) for v in first.trainable_variables} & {
        id(v) for v in second.trainable_variables
    }
    assert not shared


def test_a_head_computes_in_float32(make):
    discriminator = make(head=kgan.layers.ClassifierHead(3), dtype="mixed_bfloat16")
    said = discriminator(IMAGES)
    assert {keras.backend.standardize_dtype(x.dtype) for x in said.values()} == {"float32"}
    assert discriminator.layers[-1].compute_dtype == "float32"


def test_packed_images_are_judged_together(make):
    """A score of a pack depends on both of its images, and on no other."""
    discriminator = make(pack=2)
    scores = np.array(discriminator(IMAGES))
    assert scores.shape == (3, 1)
    changed = IMAGES.copy()
    changed[3] *= -1
    differs = np.array(discriminator(changed)) != scores
    np.testing.assert_array_equal(differs[:, 0], [False, True, False])


def test_a_packed_discriminator_plays(make):
    gan = kgan.GAN(kgan.backbones.MLPGenerator((8, 8, 1), 4, (8,)), make(pack=2))
    gan.compile("sgd", "sgd", penalties=["r1:1"])
    logs = gan.fit(IMAGES, batch_size=6, verbose=0).history
    assert np.isfinite(logs["discriminator_loss"][0])


def test_bad_arguments(make):
    with pytest.raises(TypeError, match="Received: head=3"):
        make(head=3)
    with pytest.raises(ValueError, match="Received: pack=0"):
        make(pack=0)
    with pytest.raises(ValueError, match="not both. Received: pack=2"):
        make(pack=2, num_classes=3)
