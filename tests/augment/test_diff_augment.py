"""DiffAugment against NumPy, with known draws and in distribution."""

import keras
import numpy as np
import pytest

import kgan

IMAGES = np.random.default_rng(0).uniform(-1, 1, (5, 8, 10, 3)).astype("float32")


def augment(images, seed=1, **kwargs):
    off = {"color": False, "translation": 0, "cutout": 0}
    augmentation = kgan.augment.DiffAugment(**{**off, **kwargs})
    return np.array(augmentation(images, keras.random.SeedGenerator(seed)))


@pytest.fixture
def draws(monkeypatch):
    """A table of uniform draws, `(batch, 7)`, that a test may fill."""
    table = np.full((len(IMAGES), 7), 0.5, "float32")
    draw = lambda shape, seed: keras.ops.convert_to_tensor(table)  # noqa: E731
    monkeypatch.setattr(kgan.replicas, "uniform", draw)
    return table


def test_colors_equal_numpy(draws):
    draws[:, :3] = np.random.default_rng(1).random((5, 3))
    shift, saturation, contrast = (
        low + (high - low) * draws[:, i].reshape(-1, 1, 1, 1)
        for i, (low, high) in enumerate([(-0.5, 0.5), (0, 2), (0.5, 1.5)])
    )
    x = IMAGES + shift
    mean = x.mean(axis=-1, keepdims=True)
    x = (x - mean) * saturation + mean
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    expected = (x - mean) * contrast + mean
    np.testing.assert_allclose(augment(IMAGES, color=True), expected, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_number_of_channels(channels):
    images = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, channels)).astype("float32")
    augmented = np.array(kgan.augment.DiffAugment()(images, keras.random.SeedGenerator(1)))
    assert augmented.shape == images.shape and np.isfinite(augmented).all()


def test_saturation_of_grey_is_no_change(draws):
    draws[:, 1] = np.linspace(0, 0.99, 5)
    grey = IMAGES[..., :1]
    np.testing.assert_allclose(augment(grey, color=True), grey, atol=1e-6)


def test_translation_moves_whole_pixels_and_leaves_zeros(draws):
    draws[:, 0] = [0.0, 0.2, 0.5, 0.9, 0.5]  # of -2, …, 2 rows
    draws[:, 1] = [0.5, 0.5, 0.5, 0.0, 0.99]  # of -3, …, 3 columns
    moved = augment(IMAGES, translation=0.25)
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (3, 3), (0, 0)))
    for i, (row, column) in enumerate([(-2, 0), (-1, 0), (0, 0), (2, -3), (0, 3)]):
        expected = padded[i, 2 + row : 10 + row, 3 + column : 13 + column]
        np.testing.assert_array_equal(moved[i], expected)


def test_translations_are_uniform():
    """A single bright pixel in the middle is found at each of 3 x 5 places, equally often."""
    images = np.zeros((3000, 8, 16, 1), "float32")
    images[:, 4, 8] = 1
    _, rows, columns, _ = np.nonzero(augment(images, translation=0.125))
    places, counts = np.unique(np.stack([rows, columns]), axis=1, return_counts=True)
    assert len(rows) == 3000 and places.shape[1] == 15
    assert (places.min(axis=1) == [3, 6]).all() and (places.max(axis=1) == [5, 10]).all()
    assert np.abs(counts - 200).max() < 5 * np.sqrt(200)


@pytest.mark.parametrize(("side", "part", "size"), [(8, 0.5, 4), (8, 0.4, 3), (7, 0.5, 4)])
def test_cutout_is_one_box_around_any_center(side, part, size):
    kept = augment(np.ones((4000, side, side, 1), "float32"), cutout=part)[..., 0]
    assert set(np.unique(kept)) == {0.0, 1.0}
    cut = 1 - kept
    rows, columns = cut.max(axis=2), cut.max(axis=1)
    np.testing.assert_array_equal(cut, rows[:, :, None] * columns[:, None, :])
    # Centers lie on the pixels if the size is odd, and on their borders if it is even.
    centers = np.arange(side + 1 - size % 2)
    for shown in (rows, columns):
        assert (np.abs(np.diff(shown, prepend=0, append=0)).sum(axis=1) == 2).all()
        firsts = centers - size // 2
        lengths = np.minimum(firsts + size, side) - np.maximum(firsts, 0)
        np.testing.assert_allclose(shown.sum(axis=1).mean(), lengths.mean(), rtol=0.03)
        assert shown.sum(axis=1).max() == size


def test_expectation_of_colors():
    """Each factor is 1 on average, and the shift is 0."""
    images = np.repeat(IMAGES[:1], 4000, axis=0)
    augmented = augment(images, color=True)
    np.testing.assert_allclose(augmented.mean(axis=0), IMAGES[0], atol=0.06)
    assert np.std(augmented.mean(axis=(1, 2, 3))) == pytest.approx(1 / np.sqrt(12), rel=0.05)


def test_the_authors_strengths_are_the_defaults():
    config = kgan.augment.DiffAugment().get_config()
    assert (config["color"], config["translation"], config["cutout"]) == (True, 0.125, 0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"color": "no"}, "color must be True or False. Received: 'no'"),
        ({"translation": 1}, "`translation`.*Received: translation=1"),
        ({"cutout": -0.1}, "`cutout`.*Received: cutout=-0.1"),
        ({"color": False, "translation": 0, "cutout": 0}, "must change something"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        kgan.augment.DiffAugment(**arguments)


def test_spec():
    augmentation = kgan.augment.get("diff_augment:color=0,cutout=0")
    assert (augmentation.color, augmentation.translation, augmentation.cutout) == (False, 0.125, 0)
