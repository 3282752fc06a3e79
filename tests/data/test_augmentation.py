import hashlib
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.data
from kgan.data import augmentation
from kgan.data.readers import MemoryReader

ALL = ("vertical_flip", "random_crop", "rand_augment")


def source_of(images):
    labels = np.arange(len(images), dtype=np.int32)
    return kgan.data.ImageSource(MemoryReader("made", images, labels, None))


def noise(count=12, size=(9, 7), channels=3):
    shape = (count, *size, channels)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def images_of(dataset, count=None):
    """Returns the images of `count` batches, in one array."""
    dataset = dataset if count is None else dataset.take(count)
    return np.concatenate([images for images, _ in dataset.as_numpy_iterator()])


@pytest.fixture(scope="module")
def source():
    return source_of(noise())


@pytest.mark.parametrize(
    ("options", "axis"), [({"horizontal_flip": True}, 1), ({"augment": "vertical_flip"}, 0)]
)
def test_flips_mirror_half_of_the_images(options, axis):
    stored = noise(128)
    images = images_of(source_of(stored).dataset(128, shuffle=False, **options))
    flips = []
    for image, original in zip(images, stored / 127.5 - 1, strict=True):
        flips.append(np.allclose(image, np.flip(original, axis), atol=1e-6))
        assert flips[-1] != np.allclose(image, original, atol=1e-6)
    assert 41 < sum(flips) < 87  # Of 128: 4 standard deviations to both sides.


def test_crop_shifts_by_whole_pixels_up_to_an_eighth_and_mirrors_the_border():
    stored = noise(200, size=(24, 16), channels=2)
    cropped = images_of(source_of(stored).dataset(200, shuffle=False, augment="random_crop"))
    shifts = []
    for image, original in zip((cropped + 1) * 127.5, stored, strict=True):
        padded = np.pad(original, [(3, 3), (2, 2), (0, 0)], mode="symmetric")
        windows = np.lib.stride_tricks.sliding_window_view(padded, image.shape)[:, :, 0]
        found = np.argwhere(np.abs(windows - image).max(axis=(2, 3, 4)) < 1e-3)
        assert len(found) == 1
        shifts.append(tuple(found[0]))
    # All of the 7 x 5 windows come, and about as often: chi-squared with 34 degrees of freedom is
    # over 65 once in a thousand seeds.
    counts = np.unique(shifts, axis=0, return_counts=True)[1]
    assert set(np.array(shifts)[:, 0]) == set(range(7))
    assert set(np.array(shifts)[:, 1]) == set(range(5))
    assert (counts**2).sum() * 35 / 200 - 200 < 65


@pytest.mark.parametrize(("size", "channels"), [((8, 8), 1), ((1, 13), 3)])
def test_rand_augment_changes_pixels_and_keeps_range_and_shape(size, channels):
    stored = noise(32, size, channels)
    dataset = source_of(stored).dataset(32, shuffle=False, augment="rand_augment")
    assert dataset.element_spec[0].shape == (32, *size, channels)
    images, labels = next(dataset.as_numpy_iterator())
    changed = np.abs(images - (stored / 127.5 - 1)).max(axis=(1, 2, 3)) > 1e-2
    assert images.dtype == np.float32 and np.isfinite(images).all()
    assert images.min() >= -1 and images.max() <= 1
    assert changed.mean() > 0.7
    np.testing.assert_array_equal(labels, np.arange(32))


def test_grey_images_are_changed_as_coloured_ones():
    grey = noise(32, (8, 8), 1)
    options = {"shuffle": False, "augment": "rand_augment"}
    one = images_of(source_of(grey).dataset(32, **options))
    three = images_of(source_of(np.repeat(grey, 3, axis=-1)).dataset(32, **options))
    np.testing.assert_allclose(three, np.repeat(one, 3, axis=-1), atol=0.02)


@pytest.mark.parametrize("augment", ["random_crop", ALL])
def test_resumed_stream_is_the_tail_of_the_whole(source, augment):
    options = {"seed": 7, "horizontal_flip": True, "augment": augment}
    whole = images_of(source.stream(4, **options), 7)
    resumed = images_of(source.stream(4, initial_step=4, **options), 3)
    np.testing.assert_array_equal(resumed, whole[16:])


@pytest.mark.parametrize("augment", ["vertical_flip", "random_crop", "rand_augment"])
def test_images_epochs_and_seeds_draw_their_own(augment):
    same = source_of(np.repeat(noise(1), 12, axis=0))
    options = {"shuffle": False, "augment": augment}
    dataset = same.dataset(12, **options)
    first, second = images_of(dataset), images_of(dataset)
    assert len(np.unique(first.round(3), axis=0)) >= (2 if augment == "vertical_flip" else 6)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, images_of(same.dataset(12, seed=1, **options)))
    again = same.dataset(12, **options)
    for expected in (first, second):
        np.testing.assert_array_equal(images_of(again), expected)


def test_streams_side_by_side_do_not_disturb_each_other(source):
    stream = source.stream(4, augment=ALL)
    alone = images_of(stream, 4)
    iterators = [stream.as_numpy_iterator() for _ in range(2)]
    for step in range(4):
        for iterator in iterators:
            np.testing.assert_array_equal(next(iterator)[0], alone[4 * step : 4 * step + 4])


# It stands alone, as another process has to run it; with determinism on, as in training.
OTHER_PROCESS = """
import hashlib, sys
import numpy as np, tensorflow as tf
tf.config.experimental.enable_op_determinism()
tf.random.set_seed(5)
import kgan.data
digits = kgan.data.ImageSource.find("digits")
stream = digits.stream(8, seed=3, initial_step=2, horizontal_flip=True, augment=sys.argv[1])
for images, labels in stream.take(2).as_numpy_iterator():
    print(hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_another_process_yields_the_same():
    digits = kgan.data.ImageSource.find("digits")
    stream = digits.stream(8, seed=3, horizontal_flip=True, augment=ALL)
    expected = [
        hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
        for images, labels in stream.take(4).skip(2).as_numpy_iterator()
    ]
    root = pathlib.Path(kgan.data.__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, ",".join(ALL)],
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.split() == expected, result.stderr


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_drawn_from_a_state(name):
    step = augmentation.build([name], (9, 7, 3), horizontal_flip=True)
    spec = [tf.TensorSpec((4, 9, 7, 3)), tf.TensorSpec((2,), tf.int64)]
    graph = tf.function(step).get_concrete_function(*spec).graph.as_graph_def()
    nodes = [*graph.node, *(node for part in graph.library.function for node in part.node_def)]
    random = {node.op for node in nodes if "Random" in node.op or "Stateful" in node.op}
    assert random and all(op.startswith("Stateless") for op in random), random
    assert not [node for node in nodes if "Variable" in node.op]


def test_precision_of_the_networks_does_not_reach_the_data(source):
    options = {"shuffle": False, "augment": "rand_augment"}
    expected = images_of(source.dataset(12, **options))
    augmentation._by_name.cache_clear()  # The layers are made anew.
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        np.testing.assert_array_equal(images_of(source.dataset(12, **options)), expected)
    finally:
        keras.config.set_dtype_policy(before)
        augmentation._by_name.cache_clear()


def test_changes_come_in_the_order_given(source):
    calls = []

    def half(images, seed):
        calls.append((images.shape, seed.dtype, seed.shape))
        return images / 2

    def brighter(images, seed):
        return images + tf.random.stateless_uniform([], seed, 0.25, 0.5)

    plain = images_of(source.dataset(12, shuffle=False))
    changed = images_of(source.dataset(12, shuffle=False, augment=[half, brighter]))
    added = changed - plain / 2
    assert 0.25 <= added.min() and added.max() < 0.5 and np.ptp(added) < 1e-6
    assert calls == [((12, 9, 7, 3), tf.int64, (2,))]
    resumed = source.stream(4, initial_step=2, augment=[half, brighter])
    whole = images_of(source.stream(4, augment=[half, brighter]), 4)
    np.testing.assert_array_equal(images_of(resumed, 2), whole[8:])


def test_alpha_is_moved_with_its_pixel():
    stored = noise(16, (16, 16), 1).repeat(4, axis=-1)
    images = images_of(source_of(stored).dataset(16, augment=["vertical_flip", "random_crop"]))
    np.testing.assert_array_equal(images, images[..., :1].repeat(4, axis=-1))


def test_commas_and_lists_are_the_same():
    assert augmentation.parse(" random_crop, rand_augment ") == ("random_crop", "rand_augment")
    assert augmentation.parse(["random_crop", "rand_augment"]) == ("random_crop", "rand_augment")
    assert augmentation.parse(None) == augmentation.parse("") == augmentation.parse([]) == ()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("rand_augmnt", "Did you mean 'rand_augment'.*'random_crop'.*Received: 'rand_augmnt'"),
        (["random_crop", 3], "names or functions of .images, seed.*Received: 3"),
        ("random_crop,horizontal_flip", "horizontal_flip=True .--horizontal_flip.*Received: 'hori"),
        (keras.layers.RandomRotation(0.1), "a state of its own.*Received: <RandomRotation"),
    ],
)
def test_bad_augment(source, value, message):
    for make in (source.dataset, source.stream):
        with pytest.raises(ValueError, match=message):
            make(4, augment=value)
    with pytest.raises(ValueError, match=message):  # before the folder is looked for
        kgan.data.load("./nowhere", augment=value)


@pytest.mark.parametrize("channels", [2, 4])
def test_rand_augment_knows_no_alpha(channels):
    with pytest.raises(ValueError, match=f"'rand_augment'.*alpha. Received: {channels} channels"):
        source_of(noise(channels=channels)).stream(4, augment=["random_crop", "rand_augment"])


def test_load_passes_it_on():
    options = {"shuffle": False, "drop_remainder": False}
    changed = images_of(kgan.data.load("digits", 600, augment="random_crop", **options))
    plain = images_of(kgan.data.load("digits", 600, **options))
    assert changed.shape == plain.shape and not np.array_equal(changed, plain)
