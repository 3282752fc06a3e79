import keras
import numpy as np
import pytest

import kgan
from tests.conformance import check_docstring, check_gradients, check_jit_compile, check_saving

IMAGES = np.random.default_rng(0).normal(size=(3, 2)).astype("float32")
LABELS = np.array([0, 2, 1])


def member(name, num_classes=None, units=4):
    return kgan.backbones.MLPDiscriminator(
        image_shape=(2,), units=[units], num_classes=num_classes, name=name
    )


@pytest.mark.parametrize("num_classes", [None, 3])
def test_scores_are_the_members(num_classes):
    members = [member("a", num_classes), member("b", num_classes, units=6)]
    committee = kgan.backbones.Committee(members)
    inputs = [IMAGES, LABELS] if num_classes else IMAGES
    expected = np.concatenate([m(inputs) for m in members], axis=-1)
    np.testing.assert_array_equal(committee(inputs), expected)
    check_saving(committee, inputs)
    check_gradients(committee, inputs)
    check_jit_compile(committee, inputs)


def test_config_and_docstring():
    committee = kgan.backbones.Committee([member("a"), member("b")], name="judges")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(committee))
    assert copy.name == "judges"
    assert [m.get_config() for m in copy.members] == [m.get_config() for m in committee.members]
    check_docstring(kgan.backbones.Committee)


def test_bad_members():
    with pytest.raises(ValueError, match="two members or more"):
        kgan.backbones.Committee([member("a")])
    with pytest.raises(ValueError, match=r"Received: \['a', 'a'\]"):
        kgan.backbones.Committee([member("a"), member("a")])
    with pytest.raises(ValueError, match="Received: 'b'"):
        kgan.backbones.Committee([member("a"), member("b", num_classes=3)])
