import zipfile

import keras
import numpy as np
import pytest

import kgan
from kgan.loading import load_gan


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A GAN and the run's folder that holds it."""
    generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    gan = kgan.GAN(generator, discriminator)
    gan.compile()
    folder = tmp_path_factory.mktemp("run")
    gan.save(folder / "model.keras")
    return gan, folder


def test_a_run_and_its_file_are_the_same_gan(saved):
    gan, folder = saved
    for path in (folder, str(folder), folder / "model.keras"):
        loaded = load_gan(path)
        assert isinstance(loaded, kgan.GAN) and loaded.compiled
        np.testing.assert_array_equal(loaded.generate(4, seed=1), gan.generate(4, seed=1))


def test_a_missing_path_is_told_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match="run's folder .* or a .keras file.*nowhere"):
        load_gan(tmp_path / "nowhere")


def test_a_run_without_a_model_is_told_what_it_holds(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds nothing$"):
        load_gan(tmp_path)
    (tmp_path / "samples").mkdir()
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="holds config.json, samples/$"):
        load_gan(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(FileNotFoundError, match="not finished.*--resume.*checkpoints"):
        load_gan(tmp_path)


def test_another_model_is_named(tmp_path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="holds a Sequential, not a kgan.GAN"):
        load_gan(tmp_path)


def damage(data, how):
    if how == "truncated":
        return data[: len(data) // 2]
    if how == "overwritten":
        middle = len(data) // 2
        return (
            data[:middle]
            + bytes(byte ^ 255 for byte in data[middle : middle + 400])
            + data[middle + 400 :]
        )
    return how.encode()


@pytest.mark.parametrize("how", ["truncated", "overwritten", "", "something else"])
def test_a_damaged_file_is_told(how, saved, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(damage((saved[1] / "model.keras").read_bytes(), how))
    with pytest.raises(ValueError, match="whole and unharmed. Received: .*model.keras"):
        load_gan(path)


def test_a_file_that_lacks_a_part_is_told(saved, tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(saved[1] / "model.keras") as whole, zipfile.ZipFile(path, "w") as part:
        part.writestr("metadata.json", whole.read("metadata.json"))
    with pytest.raises(ValueError, match="whole and unharmed. Received: .*model.keras"):
        load_gan(path)
