import socket

import numpy as np
import pytest
import tensorflow_datasets as tfds

import kgan.data
from kgan.data import tfds_reader


def find(*arguments, **options):
    return kgan.data.ImageSource.find(*arguments, **options)


def read_all(source):
    """Returns all images, as brightness from 0 to 255, and labels."""
    images, labels = zip(*source.dataset(1, shuffle=False).as_numpy_iterator(), strict=True)
    return (np.concatenate(images) + 1) * 127.5, np.concatenate(labels)


@pytest.mark.parametrize("cache", [True, False])
def test_labels_follow_images(tiny_dir, cache):
    source = find("tiny", data_dir=tiny_dir, cache=cache)
    assert (source.name, source.num_examples, source.image_shape) == ("tiny", 12, (4, 4, 1))
    assert (source.num_classes, source.class_names) == (3, ("x", "y", "z"))
    images, labels = read_all(source)
    numbers = np.round(images[:, 0, 0, 0] / 10).astype(int)
    assert sorted(numbers) == list(range(12))
    np.testing.assert_array_equal(labels, numbers % 3)


@pytest.mark.parametrize(
    ("split", "count"), [("test", 2), ("train[:50%]", 6), ("train[4:]", 8), ("train+test", 14)]
)
@pytest.mark.parametrize("cache", [True, False])
def test_split_in_the_syntax_of_tfds(tiny_dir, cache, split, count):
    source = find("tiny", data_dir=tiny_dir, split=split, cache=cache)
    assert source.num_examples == len(read_all(source)[0]) == count


@pytest.mark.parametrize("split", ["val", "train[", "train[:x]", ""])
def test_bad_split(tiny_dir, split):
    with pytest.raises(ValueError, match=r"\['test', 'train'\].*Received: split=") as error:
        find("tiny", data_dir=tiny_dir, split=split)
    assert repr(split) in str(error.value)


def test_empty_split(tiny_dir):
    with pytest.raises(ValueError, match="with images. Received: split='train.:0.'"):
        find("tiny", data_dir=tiny_dir, split="train[:0]")


def test_tfds_data_dir_is_where_to_look(tiny_dir, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tiny_dir))
    assert find("tiny").num_examples == 12


@pytest.mark.parametrize("cache", [True, False])
def test_images_without_a_label_are_labelled_0(tiny_dir, cache):
    source = find("tiny_faces", data_dir=tiny_dir, cache=cache)
    assert (source.image_shape, source.num_classes, source.class_names) == ((6, 4, 3), None, None)
    images, labels = read_all(source)
    np.testing.assert_allclose(images[:, 0, 0], [[200, 10, 10]] * 3, atol=1e-4)
    np.testing.assert_array_equal(labels, [0, 0, 0])


@pytest.mark.parametrize("cache", [True, False])
def test_size_and_channels(tiny_dir, cache):
    options = {"data_dir": tiny_dir, "image_size": 2, "channels": 1, "cache": cache}
    source = find("tiny_faces", **options)
    assert source.image_shape == (2, 2, 1)
    expected = round(0.299 * 200 + 0.701 * 10)
    np.testing.assert_allclose(read_all(source)[0], np.full((3, 2, 2, 1), expected), atol=1e-4)


def test_images_of_several_sizes_need_one(tiny_dir):
    with pytest.raises(ValueError, match="`image_size`.*'tiny_mixed'.*Received: image_size=None"):
        find("tiny_mixed", data_dir=tiny_dir)
    source = find("tiny_mixed", data_dir=tiny_dir, image_size=3)
    assert source.num_classes is None
    np.testing.assert_allclose(read_all(source)[0][:, 0, 0], [[200, 10, 10]] * 2, atol=1e-4)


def test_missing_image_size_is_said_before_anything_is_downloaded(tmp_path, no_network):
    with pytest.raises(ValueError, match="`image_size`.*'cats_vs_dogs' differ in size"):
        find("cats_vs_dogs", data_dir=tmp_path)
    with pytest.raises(ValueError, match="data set of images. Received: 'imdb_reviews'"):
        find("imdb_reviews", data_dir=tmp_path)


def test_data_set_without_images(tiny_dir):
    with pytest.raises(ValueError, match=r"data set of images. Received: 'tiny_text'.*\['text'\]"):
        find("tiny_text", data_dir=tiny_dir)


@pytest.mark.parametrize(
    ("name", "near"), [("mnst", "mnist"), ("digit", "digits"), ("cifar-10:3.0.2", "cifar10")]
)
def test_unknown_name_brings_near_ones(tmp_path, name, near):
    with pytest.raises(ValueError, match="path of a folder.*Received: ") as error:
        find(name, data_dir=tmp_path)
    assert repr(name) in str(error.value) and repr(near) in str(error.value)


@pytest.mark.parametrize("name", ["mnist:99.0.0", "mnist_corrupted/no_such_config"])
def test_unknown_version_or_config(tmp_path, name):
    with pytest.raises(
        ValueError, match="config and a version that 'mnist.*' has. Received: "
    ) as e:
        find(name, data_dir=tmp_path)
    assert repr(name) in str(e.value)


def test_name_of_a_data_set_comes_before_a_folder(tmp_path, monkeypatch, write, no_network):
    monkeypatch.chdir(tmp_path)
    for name in ("fashion_mnist", "my_photos"):
        write(tmp_path / name / "a.png", np.zeros((4, 4), np.uint8))
    assert find("my_photos").num_examples == 1
    assert find("./fashion_mnist").num_examples == 1
    with pytest.raises(FileNotFoundError, match="'fashion_mnist' to be prepared"):
        find("fashion_mnist", data_dir=tmp_path / "nothing")


@pytest.mark.parametrize("source", [None, 3, ["digits"], b"digits"])
def test_source_of_a_wrong_type(source):
    with pytest.raises(ValueError, match="Expected `source` as 'digits'.*Received: source="):
        find(source)


@pytest.fixture
def no_network(monkeypatch):
    def refuse(address, timeout=None):
        raise socket.gaierror(-2, "Name or service not known")

    def download(*arguments, **options):
        raise AssertionError("it should have been seen that there is no network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", download)


def check_advice(error, tmp_path):
    for advice in ("data_dir=", "TFDS_DATA_DIR", "--dataset digits", str(tmp_path)):
        assert advice in str(error.value)


def test_nothing_prepared_and_no_network(tmp_path, no_network):
    with pytest.raises(FileNotFoundError, match="Received: OSError: no connection to") as error:
        find("fashion_mnist", data_dir=tmp_path)
    check_advice(error, tmp_path)


def test_download_that_fails(tmp_path, monkeypatch):
    class Connection:
        def close(self):
            pass

    def download(*arguments, **options):
        raise ConnectionError("404 at example.org")

    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: Connection())
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", download)
    with pytest.raises(FileNotFoundError, match="Received: ConnectionError: 404") as error:
        find("fashion_mnist", data_dir=tmp_path)
    check_advice(error, tmp_path)


def test_proxy_is_asked_instead_of_the_hosts(tmp_path, monkeypatch):
    asked = []

    def refuse(address, timeout=None):
        asked.append(address)
        raise OSError("refused")

    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    for name in ("http_proxy", "no_proxy", "all_proxy", "ftp_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(FileNotFoundError, match="no connection to proxy.example"):
        find("fashion_mnist", data_dir=tmp_path)
    assert asked == [("proxy.example", 3128)]


def test_data_set_of_a_user_is_prepared_without_a_network(tmp_path, monkeypatch):
    class KganTestSquares(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features.FeaturesDict({"picture": tfds.features.Image(shape=(2, 2, 1))})
            return self.dataset_info_from_configs(features=features)

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for number in range(3):
                yield number, {"picture": np.full((2, 2, 1), number, np.uint8)}

    monkeypatch.setattr(socket, "create_connection", None)
    source = find("kgan_test_squares", data_dir=tmp_path)
    assert sorted(read_all(source)[0][:, 0, 0, 0].round()) == [0, 1, 2]


@pytest.mark.parametrize("split", ["train", "train[20%:70%]", "train[-2:]+test[:1]"])
@pytest.mark.parametrize("name", ["tiny", "tiny_faces"])
def test_records_are_what_tfds_itself_reads(tiny_dir, name, split):
    builder = tfds.builder(name, data_dir=tiny_dir)
    keys = ["image", "label"] if "label" in builder.info.features else ["image"]
    own, theirs = (
        list(read(builder, split, keys).unbatch().as_numpy_iterator())
        for read in (tfds_reader._parsed_records, tfds_reader._parsed_by_tfds)
    )
    assert own == theirs and len(own) == builder.info.splits[split].num_examples


def test_mnist_is_the_original(prepared_dir):
    source = find("mnist", split="test", data_dir=prepared_dir("mnist"))
    images, labels = read_all(source)
    assert (source.image_shape, source.num_examples) == ((28, 28, 1), 10_000)
    np.testing.assert_allclose(images.mean() / 255, 0.1325, atol=5e-4)
    np.testing.assert_array_equal(np.bincount(labels)[:3], [980, 1135, 1032])


def test_cifar10(prepared_dir):
    source = find("cifar10", split="test[:64]", data_dir=prepared_dir("cifar10"))
    assert (source.image_shape, source.num_classes) == ((32, 32, 3), 10)
    images, _ = read_all(source)
    assert images.min() < 10 and images.max() > 245 and images.std() > 40
