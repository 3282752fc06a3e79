import numpy as np
import pytest

from kgan.data import ImageSource
from kgan.data.semi_supervised import SemiSupervised


def source(labelled=100, **options):
    return SemiSupervised(ImageSource.find("digits"), labelled, **options)


def batches(dataset, n):
    return list(dataset.take(n).as_numpy_iterator())


def key(image):
    return image.tobytes()


def truth():
    """The label of each image."""
    (batch,) = batches(ImageSource.find("digits").dataset(1797, shuffle=False), 1)
    return {key(image): label for image, label in zip(*batch, strict=True)}


def test_few_labels_as_many_of_each_class():
    labels_of = truth()
    shown = {}
    for images, (labelled, labels) in batches(source(20).stream(10, seed=1), 12):
        assert images.shape == labelled.shape == (10, 8, 8, 1)
        assert images.dtype == labelled.dtype == np.float32 and labels.dtype == np.int32
        assert len({key(image) for image in labelled}) == 10  # none twice in a batch
        for image, label in zip(labelled, labels, strict=True):
            assert labels_of[key(image)] == label
            shown[key(image)] = label
    assert len(shown) == 20
    assert np.all(np.bincount(list(shown.values())) == 2)


def test_images_of_unknown_label_are_the_sources_own_stream():
    plain = batches(ImageSource.find("digits").stream(10, seed=1), 3)
    few = batches(source().stream(10, seed=1), 3)
    for (images, _), (expected, _) in zip(few, plain, strict=True):
        np.testing.assert_array_equal(images, expected)


def test_batch_k_depends_on_the_seeds_and_k_only():
    def stream(labelled_seed=0, seed=4, **options):
        options = {"horizontal_flip": True, **options}
        return source(seed=labelled_seed).stream(32, seed=seed, **options)

    whole = batches(stream(), 60)  # into the second epoch of all images
    for images, (labelled, labels) in batches(stream(initial_step=58), 1):
        np.testing.assert_array_equal(images, whole[58][0])
        np.testing.assert_array_equal(labelled, whole[58][1][0])
        np.testing.assert_array_equal(labels, whole[58][1][1])
    for other in (stream(seed=5), stream(labelled_seed=1)):
        assert np.any(batches(other, 1)[0][1][0] != whole[0][1][0])


def test_fewer_labels_than_a_batch_are_repeated():
    (images, (labelled, labels)), *_ = batches(source(10).stream(25), 1)
    assert len(images) == len(labelled) == 25 and set(labels) == set(range(10))
    assert len({key(image) for image in labelled}) == 10


def test_the_labelled_are_others_with_another_seed():
    first, second, same = (
        {key(x) for x in batches(one.labelled_source().dataset(100), 1)[0][0]}
        for one in (source(), source(seed=1), source())
    )
    assert len(first) == 100 and first == same
    assert len(first & second) < 30


def test_dataset_and_attributes_are_the_sources():
    plain, few = ImageSource.find("digits"), source()
    for name in ("name", "image_shape", "num_examples", "num_classes", "class_names"):
        assert getattr(few, name) == getattr(plain, name)
    (images, labels), *_ = batches(few.dataset(7, seed=2), 1)
    (expected, expected_labels), *_ = batches(plain.dataset(7, seed=2), 1)
    np.testing.assert_array_equal(images, expected)
    np.testing.assert_array_equal(labels, expected_labels)


@pytest.mark.parametrize("labelled", [0, 15, 10.0])
def test_labels_that_cannot_be_shared_out(labelled):
    with pytest.raises(ValueError, match="`labelled`.*Received: labelled="):
        source(labelled)


def test_a_class_of_too_few_images():
    with pytest.raises(ValueError, match="lacks .* images of a class. Received: labelled=1790"):
        source(1790).stream(10)
