import functools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import kgan
from kgan.data import ImageSource
from kgan.metrics import splits
from kgan.metrics.splits import datasets_for, in_order


def arrays(dataset):
    if isinstance(dataset, tuple):
        return dataset
    return tuple(map(np.concatenate, zip(*dataset.as_numpy_iterator(), strict=True)))


def find_digits(split, cache="auto"):
    return ImageSource.find("digits", split=split, cache=cache)


def metrics(*names):
    return [kgan.metrics.get(name) for name in names]


def rows(images):
    return {image.tobytes() for image in images}


def test_only_what_is_needed_is_there():
    assert set(datasets_for(metrics("fd"), find_digits)) == {"train"}
    assert set(datasets_for(metrics("nne"), find_digits)) == {"test"}
    assert set(datasets_for(metrics("fd", "parzen"), find_digits)) == {
        "train",
        "test",
        "validation",
    }


def test_all_training_images_come_in_the_same_order():
    dataset = datasets_for(metrics("fd"), find_digits)["train"]
    images, labels = arrays(dataset)
    assert images.shape == (1797, 8, 8, 1)
    np.testing.assert_array_equal(arrays(dataset)[0], images)
    np.testing.assert_array_equal(labels[:3], [0, 1, 2])


@pytest.mark.parametrize("most", [10_000, 100])
def test_validation_and_test_images_share_the_training_images(monkeypatch, most):
    monkeypatch.setattr(splits, "MOST_VALIDATION", most)
    monkeypatch.setattr(splits, "READ_AT_ONCE", 100)
    whole, whole_labels = arrays(in_order(find_digits("train")))
    made = datasets_for(metrics("parzen"), find_digits)
    every = 6 if most == 10_000 else 18
    validation, validation_labels = made["validation"]
    assert rows(validation) == rows(whole[::every]) and len(validation) <= most
    for image, label in zip(validation, validation_labels, strict=True):
        where = np.flatnonzero((whole == image).all((1, 2, 3)))
        assert label in whole_labels[where]
    rest = np.delete(np.arange(1797), np.arange(0, 1797, every))
    test, test_labels = arrays(made["test"])
    np.testing.assert_array_equal(test, whole[rest])
    np.testing.assert_array_equal(test_labels, whole_labels[rest])


def test_validation_images_are_mixed(tmp_path):
    for i, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        for j in range(60):
            Image.new("L", (2, 2), 100 * i + j).save(tmp_path / name / f"{j:02d}.png")
    find = functools.partial(ImageSource.find, tmp_path)
    _, labels = datasets_for(metrics("parzen"), find)["validation"]
    assert len(labels) == 20 and len(set(labels[:8])) == 2


def test_a_data_sets_own_test_split(tmp_path):
    for i, split in enumerate(("train", "test")):
        (tmp_path / split).mkdir()
        for j in range(12 + i):
            Image.new("L", (2, 2), 100 * i + j).save(tmp_path / split / f"{j:02d}.png")
    find = functools.partial(ImageSource.find, tmp_path)
    made = datasets_for(metrics("memo"), find)
    assert [len(arrays(made[name])[0]) for name in ("train", "test")] == [12, 13]
    (tmp_path / "test" / "bad.png").write_text("no image")
    with pytest.raises(ValueError, match="bad.png"):
        datasets_for(metrics("memo"), find)


def test_nothing_stands_for_held_out_images():
    with pytest.raises(ValueError, match="Memorization.*Received: digits, which has no test split"):
        datasets_for(metrics("memo"), find_digits)


def test_a_split_of_ones_own():
    (metric,) = metrics("fd")
    metric.split = "train[:10%]"
    asked = []

    def find(split, cache="auto"):
        asked.append(split)
        return find_digits("train")

    made = datasets_for([metric], find)
    assert list(made) == asked == ["train[:10%]"]
    assert isinstance(made["train[:10%]"], tf.data.Dataset)
