import os

import numpy as np
import pytest
from PIL import Image

from kgan import grid


def flat(*values, size=4, channels=1):
    """One image of a single brightness for each value."""
    images = np.asarray(values, "float32")[:, None, None, None]
    return np.broadcast_to(images, (len(values), size, size, channels))


def test_samples_fill_rows_from_left_to_right():
    picture = grid.make_grid(flat(-1, 0, 1, -1, 0), columns=3, pad=0, scale=1)
    assert picture.dtype == np.uint8 and picture.shape == (8, 12, 1)
    assert picture[::4, ::4, 0].tolist() == [[0, 128, 255], [0, 128, 255]]
    assert np.all(picture[4:, 8:] == 255), "an empty cell is white"


def test_pixels_round_to_the_nearest_and_clip():
    values = np.array([-3, -1, -0.5, 0.999, 1, 7, np.nan])
    picture = grid.make_grid(flat(*values, size=1), columns=7, pad=0, scale=1)
    assert picture.ravel().tolist() == [0, 0, 64, 255, 255, 255, 0]


@pytest.mark.parametrize("channels, between", [(1, 255), (2, 0), (3, 255), (4, 0)])
def test_padding_is_white_or_transparent(channels, between):
    picture = grid.make_grid(flat(0.2, 0.2, channels=channels), columns=2, pad=3, scale=2)
    assert picture.shape == (8, 8 + 3 + 8, channels)
    assert np.all(picture[:, 8:11] == between)
    assert np.all(picture[:, :8] == 153) and np.all(picture[:, 11:] == 153)


@pytest.mark.parametrize("n, size", [(1, 8), (64, 8), (16, 28), (3, 200)])
def test_small_samples_are_enlarged_by_a_whole_factor(n, size):
    picture = grid.make_grid(np.zeros((n, size, size, 1)))
    columns = int(np.ceil(np.sqrt(n)))
    assert 512 <= picture.shape[1] < 512 + columns * size
    assert (picture.shape[1] - 2 * (columns - 1)) % (columns * size) == 0


def test_large_samples_keep_their_size():
    assert grid.make_grid(np.zeros((1, 600, 600, 3))).shape == (600, 600, 3)


@pytest.mark.parametrize("shape", [(4, 2), (8, 8, 1), (4, 8, 8, 5), (0, 8, 8, 1)])
def test_other_samples_are_refused(shape):
    with pytest.raises(ValueError, match="Only images") as error:
        grid.make_grid(np.zeros(shape))
    assert f"Received: shape {shape}" in str(error.value)


@pytest.mark.parametrize("option", [{"columns": 0}, {"pad": -1}, {"scale": 0}])
def test_a_number_out_of_range_is_named(option):
    with pytest.raises(ValueError, match=f"{next(iter(option))} must be"):
        grid.make_grid(flat(0), **option)


@pytest.mark.parametrize("channels, mode", [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_png_holds_the_grid(tmp_path, channels, mode):
    images = np.random.default_rng(0).uniform(-1, 1, (3, 4, 4, channels))
    path = tmp_path / "samples" / "grid.png"
    grid.save_png(path, images, columns=2)
    with Image.open(path) as picture:
        assert picture.mode == mode
        pixels = np.asarray(picture).reshape(*picture.size[::-1], channels)
    np.testing.assert_array_equal(pixels, grid.make_grid(images, columns=2))


def test_a_failed_write_leaves_the_old_picture_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "grid.png"
    grid.save_png(path, flat(0))
    before = path.read_bytes()

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="disk full"):
        grid.save_png(path, flat(1))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["grid.png"]
