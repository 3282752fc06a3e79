import hashlib
import itertools
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

import kgan.data
from kgan.data.readers import MemoryReader

KINDS = ["digits", "folder_cached", "folder", "tfds_cached", "tfds"]


@pytest.fixture
def source(request, kind):
    """Returns a source of each kind. All but the digits have 12 images, of brightness 10 * n."""
    cache = kind.endswith("cached")
    if kind == "digits":
        return kgan.data.ImageSource.find("digits")
    if kind.startswith("folder"):
        return kgan.data.ImageSource.find(request.getfixturevalue("numbered"), cache=cache)
    tiny_dir = request.getfixturevalue("tiny_dir")
    return kgan.data.ImageSource.find("tiny", data_dir=tiny_dir, cache=cache)


def batches_of(dataset, count=None):
    return list(itertools.islice(dataset.as_numpy_iterator(), count))


def numbers_of(batches):
    """Returns the numbers n of images of brightness 10 * n."""
    return [round((image[0, 0, 0] + 1) * 12.75) for images, _ in batches for image in images]


def assert_equal(batches, others):
    assert len(batches) == len(others)
    for (images, labels), (other_images, other_labels) in zip(batches, others, strict=True):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(labels, other_labels)


def are_equal(batches, others):
    return all(np.array_equal(a[0], b[0]) for a, b in zip(batches, others, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_what_a_trainer_expects(source):
    for dataset in (source.dataset(5), source.stream(5), source.dataset(5, horizontal_flip=True)):
        images, labels = dataset.element_spec
        assert (images.dtype, labels.dtype) == (tf.float32, tf.int32)
        assert (images.shape, labels.shape) == ((5, *source.image_shape), (5,))
    images, labels = next(iter(source.dataset(5)))
    assert (images.shape, labels.shape) == ((5, *source.image_shape), (5,))
    assert -1 <= images.numpy().min() and images.numpy().max() <= 1
    assert source.stream(5).cardinality() == tf.data.INFINITE_CARDINALITY


@pytest.mark.parametrize("kind", KINDS[1:])
def test_each_pass_is_a_new_permutation(source):
    dataset = source.dataset(4, seed=3)
    passes = [numbers_of(batches_of(dataset)) for _ in range(4)]
    assert all(sorted(numbers) == list(range(12)) for numbers in passes)
    assert len(set(map(tuple, passes))) == 4
    assert len(dataset) == 3
    again = source.dataset(4, seed=3)
    assert passes == [numbers_of(batches_of(again)) for _ in range(4)]
    assert passes[0] != numbers_of(batches_of(source.dataset(4, seed=4)))


@pytest.mark.parametrize("kind", KINDS[1:])
def test_labels_follow_images(source, kind):
    for images, labels in batches_of(source.dataset(4)) + batches_of(source.stream(5), 5):
        numbers = np.array(numbers_of([(images, labels)]))
        expected = numbers // 4 if kind.startswith("folder") else numbers % 3
        np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_order_of_the_files_without_shuffle(source):
    dataset = source.dataset(4, shuffle=False)
    assert_equal(batches_of(dataset), batches_of(dataset))
    assert sorted(numbers_of(batches_of(dataset))) == list(range(12))


@pytest.mark.parametrize("kind", KINDS[1:])
def test_remainder(source):
    kept = source.dataset(5, drop_remainder=False)
    assert [len(labels) for _, labels in batches_of(kept)] == [5, 5, 2]
    assert sorted(numbers_of(batches_of(kept))) == list(range(12))
    assert len(kept) == 3
    assert [len(labels) for _, labels in batches_of(source.dataset(5))] == [5, 5]
    assert len(source.dataset(5)) == 2
    assert len(batches_of(source.dataset(20, drop_remainder=False))) == 1


@pytest.mark.parametrize("kind", KINDS[1:])
def test_epochs_of_a_stream_are_permutations(source):
    batches = batches_of(source.stream(4, seed=1), 9)
    epochs = [numbers_of(batches[start : start + 3]) for start in (0, 3, 6)]
    assert all(sorted(numbers) == list(range(12)) for numbers in epochs)
    assert len(set(map(tuple, epochs))) == 3
    # With batches of 5 an epoch leaves 2 images out, and not always the same ones.
    batches = batches_of(source.stream(5), 40)
    seen = [frozenset(numbers_of(batches[start : start + 2])) for start in range(0, 40, 2)]
    assert all(len(numbers) == 10 for numbers in seen)
    assert len(set(seen)) > 5


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_stream_is_the_tail_of_the_whole(source):
    whole = batches_of(source.stream(5, seed=7, horizontal_flip=True), 11)
    for step in (0, 1, 2, 5, 8):
        resumed = source.stream(5, seed=7, initial_step=step, horizontal_flip=True)
        assert_equal(batches_of(resumed, 11 - step), whole[step:])


@pytest.mark.parametrize("kind", KINDS)
def test_stream_depends_on_its_seed_and_nothing_else(source):
    tf.random.set_seed(1)
    expected = batches_of(source.stream(5, seed=7, horizontal_flip=True), 5)
    expected_pass = batches_of(source.dataset(5, seed=7, horizontal_flip=True))
    tf.random.set_seed(2)
    assert_equal(batches_of(source.stream(5, seed=7, horizontal_flip=True), 5), expected)
    assert_equal(batches_of(source.dataset(5, seed=7, horizontal_flip=True)), expected_pass)
    for other in (0, -1, 2**40):
        assert not are_equal(batches_of(source.stream(5, seed=other), 5), expected)


def digest(source):
    """Returns a hash of some batches of a stream that begins in the middle of an epoch."""
    digest = hashlib.sha256()
    for images, labels in batches_of(source.stream(5, seed=7, initial_step=3), 4):
        digest.update(images.tobytes() + labels.tobytes())
    return digest.hexdigest()


# It stands alone, as another process has to run it.
OTHER_PROCESS = """
import hashlib, itertools, sys
import kgan.data
numbered, tiny_dir = sys.argv[1:]
find = kgan.data.ImageSource.find
for source in (
    find("digits"),
    find(numbered, cache=True),
    find(numbered, cache=False),
    find("tiny", data_dir=tiny_dir, cache=True),
    find("tiny", data_dir=tiny_dir, cache=False),
):
    digest = hashlib.sha256()
    stream = source.stream(5, seed=7).as_numpy_iterator()
    for images, labels in itertools.islice(stream, 3, 7):
        digest.update(images.tobytes() + labels.tobytes())
    print(digest.hexdigest())
"""


def test_another_process_yields_the_same(numbered, tiny_dir):
    find = kgan.data.ImageSource.find
    expected = [
        digest(find("digits")),
        *(digest(find(numbered, cache=cache)) for cache in (True, False)),
        *(digest(find("tiny", data_dir=tiny_dir, cache=cache)) for cache in (True, False)),
    ]
    root = pathlib.Path(kgan.data.__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, str(numbered), str(tiny_dir)],
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.split() == expected, result.stderr


def test_cached_and_uncached_folder_yield_the_same(numbered):
    cached, uncached = (
        kgan.data.ImageSource.find(numbered, cache=value) for value in (True, False)
    )
    options = {"seed": 3, "initial_step": 2, "horizontal_flip": True}
    assert_equal(
        batches_of(cached.stream(5, **options), 5), batches_of(uncached.stream(5, **options), 5)
    )


def test_resumed_stream_decodes_only_what_it_yields(numbered):
    source = kgan.data.ImageSource.find(numbered, cache=False)
    first = batches_of(source.stream(4), 3)
    for number in numbers_of(first[:2]):
        next(numbered.glob(f"*/{number:02}.png")).write_bytes(b"broken")
    assert_equal(batches_of(source.stream(4, initial_step=2).take(1)), first[2:])


@pytest.mark.parametrize("kind", ["digits", "folder"])
def test_later_batches_come_as_soon_as_the_first(source):
    start = time.perf_counter()
    next(iter(source.stream(4, initial_step=75_000_000)))
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("cache", [True, False])
def test_flips_mirror_half_of_the_images(tmp_path, write, cache):
    images = []
    for number in range(64):
        stored = np.random.default_rng(number).integers(0, 256, (2, 3), np.uint8)
        write(tmp_path / f"{number:02}.png", stored)
        images.append((stored / 127.5 - 1)[..., None])
    source = kgan.data.ImageSource.find(tmp_path, cache=cache)
    dataset = source.dataset(64, shuffle=False, horizontal_flip=True)
    flips = []
    for batch, _ in batches_of(dataset) + batches_of(dataset):
        for image, original in zip(batch, images, strict=True):
            mirrored = np.allclose(image, original[:, ::-1], atol=1e-6)
            assert mirrored != np.allclose(image, original, atol=1e-6)
            flips.append(mirrored)
    assert 40 < sum(flips) < 88  # Of 128: 4 standard deviations to both sides.
    assert flips[:64] != flips[64:]


def test_all_orders_are_equally_likely(tmp_path, write):
    for number in range(4):
        write(tmp_path / f"{number}.png", np.full((1, 1), 10 * number, np.uint8))
    batches = batches_of(kgan.data.ImageSource.find(tmp_path).stream(4), 2400)
    counts = np.unique([numbers_of([batch]) for batch in batches], axis=0, return_counts=True)[1]
    # Chi-squared with 23 degrees of freedom is over 49.7 once in a thousand seeds.
    assert len(counts) == 24 and ((counts - 100) ** 2 / 100).sum() < 49.7


@pytest.mark.parametrize("kind", KINDS)
def test_shares_of_a_stream_make_its_batches(source):
    def dim(images, seed):
        return images - tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed)

    options = {"seed": 7, "initial_step": 1, "horizontal_flip": True, "augment": dim}
    whole = batches_of(source.stream(6, **options), 5)
    parts = [batches_of(source.stream(6, **options, share=(i, 3)), 5) for i in range(3)]
    for (images, labels), *shares in zip(whole, *parts, strict=True):
        assert [len(own) for own, _ in shares] == [2, 2, 2]
        np.testing.assert_array_equal(np.concatenate([own for own, _ in shares]), images)
        np.testing.assert_array_equal(np.concatenate([own for _, own in shares]), labels)


def test_a_share_decodes_only_what_it_yields(numbered):
    source = kgan.data.ImageSource.find(numbered, cache=False)
    (images, labels), *_ = batches_of(source.stream(12), 1)
    for number in numbers_of([(images[:6], labels[:6])]):
        next(numbered.glob(f"*/{number:02}.png")).write_bytes(b"broken")
    (own, _), *_ = batches_of(source.stream(12, share=(1, 2)), 1)
    np.testing.assert_array_equal(own, images[6:])


@pytest.mark.parametrize("kind", ["digits"])
@pytest.mark.parametrize("share", [(0, 5), (2, 2), (-1, 2)])
def test_bad_shares(source, share):
    with pytest.raises(ValueError, match="`share`.*Received"):
        source.stream(4, share=share)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_fewer_images_than_a_batch(source):
    for make in (source.dataset, source.stream):
        with pytest.raises(ValueError, match="at most 12, .*Received: batch_size=13"):
            make(13)


@pytest.mark.parametrize("kind", ["digits"])
def test_bad_options(source):
    for make in (source.dataset, source.stream):
        with pytest.raises(ValueError, match="`batch_size`.*Received: batch_size=0"):
            make(0)
        with pytest.raises(ValueError, match="`seed`.*Received: seed=None"):
            make(4, seed=None)
    with pytest.raises(ValueError, match="`initial_step`.*at least 0. Received: initial_step=-1"):
        source.stream(4, initial_step=-1)
    with pytest.raises(ValueError, match="`split`.*Received: split=None"):
        kgan.data.ImageSource.find("digits", split=None)


def test_load_passes_everything_on(numbered):
    dataset = kgan.data.load(
        str(numbered),
        5,
        split="train",
        image_size="2x3",
        channels=3,
        cache=False,
        shuffle=False,
        seed=1,
        horizontal_flip=True,
        drop_remainder=False,
    )
    batches = batches_of(dataset)
    assert [images.shape for images, _ in batches] == [(5, 2, 3, 3), (5, 2, 3, 3), (2, 2, 3, 3)]
    assert numbers_of(batches) == list(range(12))


def test_what_was_found_is_shown(numbered):
    assert repr(kgan.data.ImageSource.find(numbered)) == (
        "ImageSource('numbered', 12 images of 4x4x1, 3 classes)"
    )


def test_memory_keeps_a_trainer_fed():
    images = np.zeros((60_000, 28, 28, 1), np.uint8)
    source = kgan.data.ImageSource(MemoryReader("", images, np.zeros(60_000, np.int32), None))
    batches = iter(source.stream(128))
    rates = []
    for _ in range(3):  # As other processes may have the machine for a while, the best of three.
        start = time.perf_counter()
        for _ in range(200):
            next(batches)
        rates.append(200 / (time.perf_counter() - start))
    assert max(rates) > 200


def test_import_brings_no_optional_library():
    script = (
        "import sys, keras, tensorflow; before = set(sys.modules); import kgan.data; "
        "print({name.split('.')[0] for name in set(sys.modules) - before})"
    )
    root = pathlib.Path(kgan.data.__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    brought = set(result.stdout.strip("{}\n ").replace("'", "").split(", "))
    assert "kgan" in brought
    assert not brought & {"tensorflow_datasets", "sklearn", "PIL", "matplotlib", "keras_cv"}
