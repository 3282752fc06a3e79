import numpy as np
import pytest
import tensorflow as tf

import kgan.data
from kgan.data import memory


def find(*arguments, **options):
    return kgan.data.ImageSource.find(*arguments, **options)


def read_all(source):
    """Returns all images, as brightness from 0 to 255, and labels, in the order of the files."""
    images, labels = zip(*source.dataset(1, shuffle=False).as_numpy_iterator(), strict=True)
    return (np.concatenate(images) + 1) * 127.5, np.concatenate(labels)


def grey(value, shape=(4, 4)):
    return np.full(shape, value, np.uint8)


@pytest.mark.parametrize("cache", [True, False])
def test_images_directly_inside_have_no_classes(tmp_path, write, cache):
    for name, value in (("b.png", 20), ("a.tif", 10), ("c.BMP", 30), (".hidden.png", 99)):
        write(tmp_path / name, grey(value))
    (tmp_path / "notes.txt").write_text("no image")
    write(tmp_path / "deeper" / "d.png", grey(40))
    source = find(tmp_path, cache=cache)
    images, labels = read_all(source)
    assert (source.name, source.num_examples, source.image_shape) == (tmp_path.name, 3, (4, 4, 1))
    assert (source.num_classes, source.class_names) == (None, None)
    np.testing.assert_allclose(images[:, 0, 0, 0], [10, 20, 30], atol=1e-4)
    np.testing.assert_array_equal(labels, [0, 0, 0])


@pytest.mark.parametrize("cache", [True, False])
def test_class_folders_are_labelled_in_the_order_of_their_names(numbered, cache):
    (numbered / "0_without_images").mkdir()
    source = find(str(numbered), cache=cache)
    images, labels = read_all(source)
    assert (source.num_classes, source.class_names) == (3, ("a", "b", "c"))
    np.testing.assert_allclose(images[:, 0, 0, 0], 10 * np.arange(12), atol=1e-4)
    np.testing.assert_array_equal(labels, np.arange(12) // 4)


def test_one_class_is_no_class(tmp_path, write):
    write(tmp_path / "only" / "a.png", grey(10))
    source = find(tmp_path)
    assert (source.num_classes, source.class_names) == (None, None)


def test_splits_share_their_labels(tmp_path, write):
    write(tmp_path / "train" / "cat" / "1.png", grey(10))
    write(tmp_path / "train" / "dog" / "2.png", grey(20))
    write(tmp_path / "Validation" / "dog" / "3.png", grey(30))
    images, labels = read_all(find(tmp_path, split="val"))
    np.testing.assert_allclose(images[:, 0, 0, 0], [30], atol=1e-4)
    np.testing.assert_array_equal(labels, [1])
    np.testing.assert_array_equal(read_all(find(tmp_path))[1], [0, 1])
    with pytest.raises(ValueError, match=r"one of \['train', 'val'\].*Received: split='test'"):
        find(tmp_path, split="test")


def test_a_class_may_be_called_train(tmp_path, write):
    write(tmp_path / "bus" / "1.png", grey(10))
    write(tmp_path / "train" / "2.png", grey(20))
    assert find(tmp_path).class_names == ("bus", "train")


def test_a_folder_that_is_not_divided_is_all_train(numbered):
    with pytest.raises(ValueError, match=r"one of \['train'\].*Received: split='test'"):
        find(numbered, split="test")


def test_most_frequent_size_is_taken_and_said(tmp_path, write):
    for name, shape in (("a", (4, 8)), ("b", (4, 4)), ("c", (4, 4)), ("d", (9, 4))):
        write(tmp_path / f"{name}.png", grey(50, shape))
    with pytest.warns(UserWarning, match="3 sizes.*4x4, which 2 of 4 have.*`image_size`"):
        source = find(tmp_path)
    images, _ = read_all(source)
    np.testing.assert_allclose(images, np.full((4, 4, 4, 1), 50), atol=1e-4)


def test_of_equally_frequent_sizes_the_smallest_is_taken(tmp_path, write):
    for name, shape in (("a", (6, 8)), ("b", (4, 5)), ("c", (7, 7))):
        write(tmp_path / f"{name}.png", grey(50, shape))
    with pytest.warns(UserWarning, match="4x5"):
        assert find(tmp_path).image_shape == (4, 5, 1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("cache", [True, False])
def test_image_size_crops_and_resizes(tmp_path, write, cache):
    wide = np.zeros((8, 32), np.uint8)
    wide[:, 12:20] = 200  # Exactly the square in the centre.
    write(tmp_path / "a.png", wide)
    write(tmp_path / "b.png", grey(200, (16, 16)))
    source = find(tmp_path, image_size=4, cache=cache)
    assert source.image_shape == (4, 4, 1)
    np.testing.assert_allclose(read_all(source)[0], np.full((2, 4, 4, 1), 200), atol=1e-4)


def test_mixed_channels_become_rgb_unless_asked(tmp_path, write):
    write(tmp_path / "a.png", grey(70))
    write(tmp_path / "b.png", np.broadcast_to(np.uint8([10, 20, 30, 0]), (4, 4, 4)))
    images, _ = read_all(find(tmp_path))
    np.testing.assert_allclose(images[:, 0, 0], [[70] * 3, [255] * 3], atol=1e-4)
    images, _ = read_all(find(tmp_path, channels=4))
    np.testing.assert_allclose(images[:, 0, 0], [[70, 70, 70, 255], [10, 20, 30, 0]], atol=1e-4)
    images, _ = read_all(find(tmp_path, channels=1))
    np.testing.assert_allclose(images[:, 0, 0], [[70], [255]], atol=1e-4)


def test_grey_images_with_alpha_are_grey(tmp_path, write):
    write(tmp_path / "a.png", np.broadcast_to(np.uint8([70, 255]), (4, 4, 2)))
    assert find(tmp_path).image_shape == (4, 4, 1)
    assert find(tmp_path, channels=2).image_shape == (4, 4, 2)


@pytest.mark.parametrize("cache", [True, False])
def test_16_bits_keep_their_precision(tmp_path, write, cache):
    values = np.uint16([[0, 1], [32768, 65535]])
    write(tmp_path / "a.png", values)
    write(tmp_path / "b.png", np.uint8([[0, 255], [0, 51]]))
    dataset = find(tmp_path, cache=cache).dataset(2, shuffle=False)
    images = next(iter(dataset))[0].numpy()[..., 0]
    np.testing.assert_allclose(images[0], values / 32767.5 - 1, atol=1e-7)
    np.testing.assert_allclose(images[1], [[-1, 1], [-1, -0.6]], atol=1e-6)


def test_cached_pixels_equal_those_that_are_not(facades):
    options = {"split": "test", "image_size": 48}
    cached, uncached = (find(facades, cache=cache, **options) for cache in (True, False))
    assert cached.num_examples == 106
    np.testing.assert_array_equal(read_all(cached)[0], read_all(uncached)[0])


def test_folder_that_does_not_exist(tmp_path):
    for source in (tmp_path / "nowhere", str(tmp_path / "nowhere"), "./nowhere", "no/where"):
        with pytest.raises(FileNotFoundError, match="that exists. Received: .*no/?where"):
            find(source)


def test_file_instead_of_a_folder(tmp_path, write):
    path = write(tmp_path / "a.png", grey(1))
    with pytest.raises(NotADirectoryError, match="Received the file: .*a.png"):
        find(path)


def test_folder_without_images(tmp_path):
    (tmp_path / "readme.md").write_text("no image")
    (tmp_path / "empty_class").mkdir()
    with pytest.raises(ValueError, match="class folders.*Received: .*there are none") as error:
        find(tmp_path)
    assert str(tmp_path) in str(error.value) and ".png" in str(error.value)


@pytest.fixture
def broken(numbered):
    """Returns a folder in which the body of the second image is cut off; its header is whole."""
    path = numbered / "a" / "01.png"
    path.write_bytes(path.read_bytes()[:45])
    return numbered


def test_broken_image_is_named_when_it_is_loaded(broken):
    with pytest.raises(ValueError, match="image that can be read. Received: .*a/01.png"):
        find(broken, cache=True)


def test_broken_image_is_named_when_it_is_reached(broken):
    batches = iter(find(broken, cache=False).dataset(1, shuffle=False))
    assert next(batches)[0].shape == (1, 4, 4, 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Received: .*a/01.png"):
        next(batches)


def test_broken_header_is_named_at_once(numbered):
    (numbered / "b" / "04.png").write_bytes(b"")
    with pytest.raises(ValueError, match="image that can be read. Received: .*b/04.png"):
        find(numbered, cache=False)


@pytest.mark.parametrize(
    ("available_bytes", "loads"), [(4 * 12 * 16, True), (4 * 12 * 16 - 1, False)]
)
def test_auto_caches_what_fits(broken, monkeypatch, available_bytes, loads):
    monkeypatch.setattr(memory, "available_bytes", lambda: available_bytes)
    if loads:
        with pytest.raises(ValueError, match="01.png"):
            find(broken, cache="auto")
    else:
        assert find(broken, cache="auto").num_examples == 12
