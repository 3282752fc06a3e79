"""What `benchmarks/input_pipeline.py` compares delivers the same images."""

import numpy as np
import pytest

N = 12


@pytest.fixture
def rows(load, tmp_path):
    """Returns the rows that need no download, by name."""
    benchmark = load("input_pipeline")
    benchmark.write_folder(tmp_path, N)
    cases = benchmark.cases(str(tmp_path), batch_size=4)
    return {name: (shape, ways) for name, shape, ways in cases if "mnist" not in name}


def first(iterable):
    images, labels = next(iter(iterable))
    return np.array(images), np.array(labels)


def test_all_deliver_normalised_batches(rows):
    assert len(rows) == 4
    for shape, ways in rows.values():
        for name in ("kgan", "tf.data"):
            images, labels = first(ways[name]())
            assert images.shape == (4, *shape) and images.dtype == "float32"
            assert labels.shape == (4,) and labels.dtype == "int32"
            assert images.min() >= -1 and images.max() <= 1 and images.min() < -0.5
        image, _ = ways["torch"]()[0]
        assert image.shape == shape and image.dtype == "float32" and np.abs(image).max() <= 1


@pytest.mark.parametrize("name", ["folder, in memory", "folder, decoded each time"])
def test_all_deliver_the_same_images_with_the_same_labels(rows, name):
    _, ways = rows[name]
    dataset = ways["torch"]()
    known = {i: dataset[i] for i in range(N)}
    for other in ("kgan", "tf.data"):
        for image, label in zip(*first(ways[other]()), strict=True):
            distance = {i: np.abs(image - known[i][0]).mean() for i in known}
            nearest = min(distance, key=distance.get)
            # Decoders of JPEG differ by a grey level or two.
            assert distance[nearest] < 2 / 127.5 and known[nearest][1] == label


def test_flip_and_crop_moves_what_is_there(load):
    benchmark = load("input_pipeline")
    image = np.random.default_rng(0).normal(size=(64, 64, 3)).astype("float32")
    for change in (
        benchmark.torch_flip_and_crop,
        lambda x: benchmark.tf_flip_and_crop(x, 0)[0].numpy(),
    ):
        moved = change(image)
        centre = moved[28:36, 28:36]
        both = (image, image[:, ::-1])
        windows = [x[i : i + 8, j : j + 8] for x in both for i in range(57) for j in range(57)]
        assert any(np.array_equal(centre, window) for window in windows)


@pytest.mark.slow
def test_the_script_runs(run):
    pytest.importorskip("torch")
    status, record, text = run("input_pipeline", "--only=digits", "--batch_size=8")
    assert status == 0
    (row,) = record["rows"]
    assert set(row["images_per_second"]) == {"kgan", "tf.data", "torch"}
    for way, rates in row["rounds"].items():
        assert min(rates) <= row["images_per_second"][way] <= max(rates)
    ratio = row["images_per_second"]["kgan"] / row["dcgan_images_per_second"]
    assert row["times_the_step"] == pytest.approx(ratio) and "| digits |" in text
