import os
import pathlib

import numpy as np
import pytest
from PIL import Image

SHARED = pathlib.Path(__file__).parents[2].parent / "shared" / "data"
REAL_DATA_DIR = os.environ.get("TFDS_DATA_DIR")


@pytest.fixture(autouse=True)
def no_tfds_environment(monkeypatch):
    """Lets no test find, by chance, what the machine has prepared."""
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)


@pytest.fixture
def prepared_dir():
    """Returns a function from a data set's name to the folder where TFDS has it prepared."""

    def find(name):
        for folder in (REAL_DATA_DIR, SHARED / "tfds"):
            if folder and (pathlib.Path(folder) / name).is_dir():
                return folder
        pytest.skip(f"{name} is neither in TFDS_DATA_DIR nor in {SHARED / 'tfds'}")

    return find


@pytest.fixture
def facades():
    if not (SHARED / "facades").is_dir():
        pytest.skip(f"no photographs in {SHARED / 'facades'}")
    return SHARED / "facades"


@pytest.fixture
def write():
    """Returns a function that saves an array (or a Pillow image) and returns its path."""

    def save(path, pixels, **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.asarray(pixels))
        image.save(path, **options)
        return path

    return save


@pytest.fixture
def numbered(tmp_path, write):
    """Returns a folder of 12 images in 3 classes, each image of its own brightness, 10 * n."""
    for number in range(12):
        pixels = np.full((4, 4), 10 * number, np.uint8)
        write(tmp_path / "numbered" / "abc"[number // 4] / f"{number:02}.png", pixels)
    return tmp_path / "numbered"


@pytest.fixture(scope="session")
def tiny_dir(tmp_path_factory):
    """Returns a folder where TFDS has prepared data sets of a few images.

    `tiny` has 12 images with labels, brightness 10 * n and label n % 3 (in no particular order);
    `tiny_faces` is like celeb_a: attributes, but no label; `tiny_mixed` has images of two sizes.
    """
    import tensorflow_datasets as tfds

    root = tmp_path_factory.mktemp("tfds")
    image, label = tfds.features.Image, tfds.features.ClassLabel
    grey = [np.full((4, 4, 1), 10 * number, np.uint8) for number in range(12)]
    red = np.broadcast_to(np.uint8([200, 10, 10]), (6, 4, 3))
    _prepare(
        root,
        "tiny",
        {"image": image(shape=(4, 4, 1)), "label": label(names=["x", "y", "z"])},
        [{"image": pixels, "label": number % 3} for number, pixels in enumerate(grey)],
    )
    _prepare(
        root,
        "tiny_faces",
        {"image": image(shape=(6, 4, 3)), "attributes": {"Smiling": np.bool_}},
        [{"image": red, "attributes": {"Smiling": True}}] * 3,
    )
    _prepare(
        root,
        "tiny_mixed",
        {"image": image(shape=(None, None, 3)), "label": label(num_classes=1)},
        [{"image": pixels, "label": 0} for pixels in (red, red[:3])],
    )
    _prepare(root, "tiny_text", {"text": tfds.features.Text()}, [{"text": "no image"}])
    return root


def _prepare(root, name, features, examples):
    import tensorflow_datasets as tfds

    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": list(enumerate(examples)), "test": list(enumerate(examples[:2]))},
        data_dir=root,
    )
