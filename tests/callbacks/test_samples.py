import os

import numpy as np
import pytest
from PIL import Image

from kgan.callbacks import SampleGrid, save_animation
from kgan.callbacks import samples as samples_module


def tile(grid, n_columns, column, row=0, pad=2):
    """Cuts one sample out of a grid, as an array of pixels."""
    grid = np.asarray(grid)
    side = (grid.shape[1] + pad) // n_columns
    top, left = row * side, column * side
    return grid[top : top + side - pad, left : left + side - pad]


def frames(path):
    with Image.open(path) as animation:
        count = getattr(animation, "n_frames", 1)
        arrays = []
        for i in range(count):
            animation.seek(i)
            arrays.append(np.asarray(animation.convert("L")))
        return arrays


def test_an_epoch_a_grid_and_an_animation(tmp_path, fit):
    fit([SampleGrid(tmp_path / "samples", n=4)], epochs=3)
    names = ["animation.gif", *(f"epoch-{i:04d}.png" for i in range(4))]
    assert sorted(os.listdir(tmp_path / "samples")) == names
    assert len(frames(tmp_path / "samples" / "animation.gif")) == 4


def test_grids_show_the_same_latents(tmp_path, fit, gan):
    gan.generator_optimizer.learning_rate = 0.0
    fit([SampleGrid(tmp_path, n=4, seed=7)])
    pictures = [np.asarray(Image.open(tmp_path / f"epoch-{i:04d}.png")) for i in range(3)]
    np.testing.assert_array_equal(pictures[0], pictures[1])
    np.testing.assert_array_equal(pictures[1], pictures[2])
    first = tile(pictures[2], 2, 0)
    sample = gan.generate(4, seed=7)[0, :, :, 0]
    np.testing.assert_allclose(
        first[:: first.shape[0] // 4, :: first.shape[0] // 4], (sample + 1) * 127.5, atol=1
    )


def test_grids_follow_the_generator(tmp_path, fit):
    fit([SampleGrid(tmp_path, n=4)])
    pictures = [np.asarray(Image.open(tmp_path / f"epoch-{i:04d}.png")) for i in range(3)]
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])


def test_every_epochs_and_the_last(tmp_path, fit):
    fit([SampleGrid(tmp_path, n=1, every_epochs=2)], epochs=5)
    grids = sorted(name for name in os.listdir(tmp_path) if name.endswith("png"))
    assert grids == [f"epoch-{i:04d}.png" for i in (0, 2, 4, 5)]


def test_a_resumed_run_continues_the_animation(tmp_path, fit):
    fit([SampleGrid(tmp_path, n=4)], epochs=3)
    first = (tmp_path / "epoch-0000.png").read_bytes()
    fit([SampleGrid(tmp_path, n=4)], epochs=5, initial_epoch=3)
    assert len(frames(tmp_path / "animation.gif")) == 6
    assert (tmp_path / "epoch-0000.png").read_bytes() == first


def test_a_run_from_the_beginning_shows_nothing_of_the_one_before(tmp_path, fit):
    fit([SampleGrid(tmp_path, n=4)], epochs=4)
    (tmp_path / "epoch-notes.png").write_bytes(b"mine")
    fit([SampleGrid(tmp_path, n=4)], epochs=1)
    assert sorted(os.listdir(tmp_path)) == [
        "animation.gif",
        "epoch-0000.png",
        "epoch-0001.png",
        "epoch-notes.png",
    ]


@pytest.mark.parametrize(
    "num_classes, n, expected_columns, expected_n",
    [(2, 64, 8, 64), (3, 64, 6, 66), (10, 64, 10, 60), (10, 4, 2, 4), (100, 64, 8, 64)],
)
def test_columns_show_classes(num_classes, n, expected_columns, expected_n, make_gan):
    gan = make_gan(num_classes=num_classes)
    asked = {}
    gan.generate = lambda n, labels, seed: (
        asked.update(n=n, labels=labels) or np.zeros((n, 4, 4, 1))
    )
    images, columns = samples_module.SampleSheet(n).draw(gan)
    assert (columns, len(images)) == (expected_columns, expected_n)
    np.testing.assert_array_equal(asked["labels"], np.arange(expected_n) % num_classes)


def test_a_class_has_its_own_column_in_the_file(tmp_path, fit, images, make_gan):
    gan = make_gan(num_classes=3)
    # A generator that draws its label and nothing else.
    classes = np.array([-1.0, 0.0, 1.0], "float32")
    gan.generate = lambda n, labels, seed: np.broadcast_to(
        classes[labels].reshape(-1, 1, 1, 1), (n, 4, 4, 1)
    )
    fit([SampleGrid(tmp_path, n=18)], gan=gan, y=np.arange(48) % 3, epochs=1)
    picture = Image.open(tmp_path / "epoch-0001.png")
    for row in range(6):
        shades = [tile(picture, 3, column, row).mean().round() for column in range(3)]
        assert shades == [0, 128, 255]


def test_labels_that_were_given(tmp_path, fit, make_gan):
    gan = make_gan(num_classes=3)
    labels = [2, 2, 0, 1]
    fit([SampleGrid(tmp_path, n=4, labels=labels, seed=5)], gan=gan, y=np.arange(48) % 3, epochs=1)
    drawn = tile(Image.open(tmp_path / "epoch-0001.png"), 2, 0)
    sample = gan.generate(4, labels=labels, seed=5)[0]
    assert drawn[0, 0] == pytest.approx((sample[0, 0, 0] + 1) * 127.5, abs=1)


def test_samples_that_are_no_images_are_refused_before_training(tmp_path, fit, make_gan):
    gan = make_gan(image_shape=(5,))
    with pytest.raises(ValueError, match=r"height, width, channels.*Received: .*\(5,\)"):
        fit([SampleGrid(tmp_path)], gan=gan, x=np.zeros((48, 5), "float32"))
    assert int(gan.images_seen) == 0


def test_wrong_labels_are_refused_before_training(tmp_path, fit, make_gan):
    gan = make_gan(num_classes=3)
    with pytest.raises(ValueError, match="Received: 3"):
        fit([SampleGrid(tmp_path, n=4, labels=[0, 1, 2, 3])], gan=gan, y=np.arange(48) % 3)
    assert int(gan.images_seen) == 0


@pytest.mark.parametrize("arguments", [{"n": 0}, {"every_epochs": 0}, {"n": 2.5}])
def test_numbers_out_of_range(tmp_path, arguments):
    with pytest.raises(ValueError, match="int of 1 or more. Received: "):
        SampleGrid(tmp_path, **arguments)


def test_an_animation_is_bounded(tmp_path):
    paths = []
    for i in range(250):
        paths.append(tmp_path / f"{i}.png")
        Image.new("L", (20, 10), i).save(paths[-1])
    save_animation(tmp_path / "a.gif", paths)
    shades = [frame[0, 0] for frame in frames(tmp_path / "a.gif")]
    assert len(shades) == 100
    assert (shades[0], shades[-1]) == (0, 249)
    assert shades == sorted(shades)
    Image.new("RGB", (1500, 600)).save(tmp_path / "large.png")
    save_animation(tmp_path / "b.gif", [tmp_path / "large.png"])
    assert frames(tmp_path / "b.gif")[0].shape == (205, 512)


def test_an_animation_shows_transparent_pixels_as_white(tmp_path):
    for mode, colour in (("RGBA", (0, 0, 0, 0)), ("LA", (0, 0))):
        Image.new(mode, (8, 8), colour).save(tmp_path / "a.png")
        save_animation(tmp_path / "a.gif", [tmp_path / "a.png"])
        assert frames(tmp_path / "a.gif")[0].min() == 255


def test_an_animation_leaves_out_grids_of_another_shape(tmp_path):
    for i, size in enumerate([(8, 8), (4, 4), (4, 4)]):
        Image.new("L", size, 40 * i).save(tmp_path / f"{i}.png")
    save_animation(tmp_path / "a.gif", [tmp_path / f"{i}.png" for i in range(3)])
    assert len(frames(tmp_path / "a.gif")) == 2


def test_colour_survives(tmp_path, fit, make_gan):
    gan = make_gan(image_shape=(4, 4, 3))
    x = np.zeros((16, 4, 4, 3), "float32")
    fit([SampleGrid(tmp_path, n=4)], gan=gan, x=x, epochs=1)
    assert Image.open(tmp_path / "epoch-0001.png").mode == "RGB"
