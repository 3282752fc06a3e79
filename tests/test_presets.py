"""Presets: what is written comes back, from wherever it lies, and what is wrong is told."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest
from absl import flags

import kgan
from kgan import evaluate, export, generate, presets
from kgan import filter as image_filter
from kgan.files import atomic_path
from kgan.report.run import Run

SHAPE = (8, 8, 1)


@keras.saving.register_keras_serializable(package="kgan_tests")
class Twofold(kgan.GAN):
    """A game with a network and an argument of its own."""

    roles = {**kgan.GAN.roles, "encoder": "generator"}

    def __init__(self, generator, discriminator, encoder, strength=1.0, **kwargs):
        super().__init__(generator, discriminator, encoder=encoder, **kwargs)
        self.strength = strength

    def get_config(self):
        return {**super().get_config(), "strength": self.strength}


def make(cls=kgan.GAN, num_classes=None, **kwargs):
    """A GAN whose generator has batch norm, and an average that differs from it."""
    gan = cls(
        kgan.backbones.DCGANGenerator(SHAPE, latent_dim=3, width=2, num_classes=num_classes),
        kgan.backbones.DCGANDiscriminator(SHAPE, width=2, num_classes=num_classes),
        num_classes=num_classes,
        **kwargs,
    )
    gan.compile("adam", "adam", loss="least_squares", penalties=["r1:0.5"])
    for network in (*gan.networks.values(), gan.averaged_generator):
        for weight in network.weights:
            weight.assign(keras.random.uniform(weight.shape, 0.1, 1.0))
    gan.images_seen.assign(640)
    return gan


def make_twofold():
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3)])
    return make(Twofold, encoder=encoder, strength=2.5)


@pytest.fixture
def gan():
    return make(num_classes=10)


@pytest.fixture
def folder(gan, tmp_path):
    gan.save_to_preset(tmp_path / "preset")
    return tmp_path / "preset"


@pytest.fixture
def zoo(folder, monkeypatch, tmp_path):
    """The checkout's folder of results: a preset, and a card without weights."""
    zoo = tmp_path / "checkout" / "zoo"
    shutil.copytree(folder, zoo / "dcgan_mnist")
    shutil.copytree(folder, zoo / "acgan_mnist")
    (zoo / "large").mkdir()
    (zoo / "large" / "README.md").write_text("too large")
    monkeypatch.setattr(presets, "ZOO", zoo)
    kgan.grid.save_png(tmp_path / "elsewhere" / "images" / "one.png", np.zeros((1, *SHAPE)))
    monkeypatch.chdir(tmp_path / "elsewhere")
    return zoo


def assert_same_weights(a, b):
    for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


# --- What is written ----------------------------------------------------------------------------


def test_samples_and_scores_come_back_bit_for_bit(gan, folder):
    loaded = kgan.GAN.from_preset(folder)
    labels = np.arange(6) % 3
    images = gan.generate(6, labels, seed=1)
    np.testing.assert_array_equal(loaded.generate(6, labels, seed=1), images)
    np.testing.assert_array_equal(loaded.score(images, labels), gan.score(images, labels))
    assert_same_weights(loaded.discriminator, gan.discriminator)


def test_the_average_stands_in_the_place_of_the_generator(gan, folder):
    loaded = kgan.GAN.from_preset(str(folder))
    assert not np.allclose(gan.generator.get_weights()[0], gan.averaged_generator.get_weights()[0])
    for network in (loaded.generator, loaded.averaged_generator):
        assert_same_weights(network, gan.averaged_generator)
    assert loaded.generator is not loaded.averaged_generator


def test_a_gan_without_an_average_is_saved_too(tmp_path):
    gan = make(average_half_life_images=None)
    gan.save_to_preset(tmp_path)
    loaded = kgan.GAN.from_preset(tmp_path)
    assert loaded.averaged_generator is loaded.generator
    assert_same_weights(loaded.generator, gan.generator)


def test_the_files_are_those_of_keras_hub_and_hold_no_optimizer_state(gan, folder):
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "metadata.json",
        "model.weights.h5",
    }
    with h5py.File(folder / "model.weights.h5") as file:
        names = []
        file.visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        count = sum(file[name].size for name in names)
    assert {name.split("/")[0] for name in names} == {"generator", "discriminator"}
    metadata = json.loads((folder / "metadata.json").read_text())
    assert count == metadata["parameter_count"]
    assert count == gan.generator.count_params() + gan.discriminator.count_params()
    del metadata["parameter_count"], metadata["weights_sha256"]
    assert metadata == {
        "kgan_version": kgan.__version__,
        "keras_version": keras.__version__,
        "class": "GAN",
        "image_shape": [8, 8, 1],
        "num_classes": 10,
        "images_seen": 640,
    }
    assert json.loads((folder / "config.json").read_text())["registered_name"] == "kgan>GAN"


def test_the_loss_says_what_scores_mean_and_optimizers_start_anew(folder):
    loaded = kgan.GAN.from_preset(folder)
    assert isinstance(loaded.loss, kgan.losses.LeastSquares)
    assert loaded.steps_trained == 0 and int(loaded.images_seen) == 640
    x = np.zeros((4, *SHAPE), "float32"), np.zeros(4, "int32")
    loaded.fit(*x, verbose=0)
    assert loaded.steps_trained == 1


def test_a_gan_that_is_not_compiled_comes_back_like_that(tmp_path):
    gan = kgan.GAN(
        kgan.backbones.MLPGenerator((2,), latent_dim=3, units=[4]),
        kgan.backbones.MLPDiscriminator((2,), units=[4]),
    )
    gan.save_to_preset(tmp_path)
    loaded = kgan.GAN.from_preset(tmp_path)
    assert not loaded.compiled
    np.testing.assert_array_equal(loaded.generate(3, seed=1), gan.generate(3, seed=1))


def test_a_gan_of_two_replicas_is_saved_as_one(two_replicas, tmp_path):
    with two_replicas.scope():
        gan = make()
    gan.save_to_preset(tmp_path)
    loaded = kgan.GAN.from_preset(tmp_path)
    assert int(loaded.images_seen) == 640
    for a, b in zip(loaded.generator.weights, gan.averaged_generator.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_bytes_are_counted_and_too_many_are_not_written(gan, tmp_path):
    size = presets.save(gan, tmp_path / "a", most_bytes=10**6)
    assert size == sum(path.stat().st_size for path in (tmp_path / "a").iterdir())
    assert presets.save(gan, tmp_path / "b", most_bytes=size - 1) == size
    assert not (tmp_path / "b").exists()


def test_a_run_is_not_overwritten(gan, tmp_path):
    (tmp_path / "config.json").write_text('{"module": "dcgan"}')
    with pytest.raises(FileExistsError, match="config.json is another's.*run"):
        gan.save_to_preset(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_preset_is_replaced_whole_or_told_from_half(gan, folder, monkeypatch):
    """A crash after the first of three files."""
    other = make(num_classes=10)
    written = []

    def crash(path):
        if written:
            raise KeyboardInterrupt
        written.append(path)
        return atomic_path(path)

    monkeypatch.setattr(presets, "atomic_path", crash)
    with pytest.raises(KeyboardInterrupt):
        other.save_to_preset(folder)
    assert len(list(folder.iterdir())) == 3
    with pytest.raises(ValueError, match="checksum metadata.json has"):
        kgan.GAN.from_preset(folder)


# --- Classes ------------------------------------------------------------------------------------


def test_a_game_comes_back_as_itself_with_all_networks(tmp_path):
    gan = make_twofold()
    gan.save_to_preset(tmp_path)
    for cls in (kgan.GAN, Twofold):
        loaded = cls.from_preset(tmp_path)
        assert type(loaded) is Twofold and loaded.strength == 2.5
        assert_same_weights(loaded.encoder, gan.encoder)


def test_another_class_is_named(folder):
    with pytest.raises(ValueError, match="preset of Twofold.*holds a GAN: load it with GAN.from"):
        Twofold.from_preset(folder)


def test_a_class_that_nobody_has_registered_is_named(tmp_path):
    make_twofold().save_to_preset(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"class_name": "Threefold", "registered_name": "kgan_tests>Threefold"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="config.json.*Threefold"):
        kgan.GAN.from_preset(tmp_path)


def test_a_preset_of_another_model_is_named(tmp_path, gan):
    gan.save_to_preset(tmp_path)
    config = keras.saving.serialize_keras_object(keras.Sequential([keras.layers.Dense(1)]))
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="Expected a preset of GAN.*holds a Sequential"):
        kgan.GAN.from_preset(tmp_path)


def test_code_in_a_preset_is_not_run(tmp_path):
    gan = kgan.GAN(
        keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x)]),
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]),
        average_half_life_images=None,
    )
    gan.save_to_preset(tmp_path)
    with pytest.raises(ValueError, match="config.json.*[Ll]ambda"):
        kgan.GAN.from_preset(tmp_path)


# --- What is wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", presets.FILES)
def test_what_is_missing_is_named(name, folder):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"preset, which lacks {name}"):
        kgan.GAN.from_preset(folder)


@pytest.mark.parametrize("name", presets.FILES)
@pytest.mark.parametrize("how", ["truncated", "flipped", "empty"])
def test_what_is_damaged_is_named(name, how, folder):
    data = (folder / name).read_bytes()
    middle = len(data) // 2
    damaged = {
        "truncated": data[:middle],
        "flipped": data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :],
        "empty": b"",
    }
    (folder / name).write_bytes(damaged[how])
    with pytest.raises(ValueError, match=f"Expected a {name} that.*whole and unharmed. Received"):
        kgan.GAN.from_preset(folder)


def test_weights_of_other_networks_are_told_also_without_a_checksum(folder, tmp_path):
    make_twofold().save_to_preset(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "model.weights.h5", folder)
    metadata = json.loads((folder / "metadata.json").read_text())
    del metadata["weights_sha256"]
    (folder / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(ValueError, match="Expected a model.weights.h5"):
        kgan.GAN.from_preset(folder)


@pytest.mark.parametrize("text", ["[]", '{"class_name": "GAN"}', '{"class_name": 3}'])
def test_json_of_another_form_is_told(text, folder):
    (folder / "config.json").write_text(text)
    with pytest.raises(ValueError, match="Expected a config.json|Expected a preset of GAN"):
        kgan.GAN.from_preset(folder)


def test_a_run_is_told_how_to_be_loaded(gan, tmp_path):
    gan.save(tmp_path / "model.keras")
    for path in (tmp_path, tmp_path / "model.keras"):
        with pytest.raises(FileNotFoundError, match="lacks config.json.*kgan.load_gan loads runs"):
            kgan.GAN.from_preset(path)


# --- Names --------------------------------------------------------------------------------------


def test_the_zoo_is_found_from_anywhere(gan, zoo):
    loaded = kgan.GAN.from_preset("zoo/dcgan_mnist")
    np.testing.assert_array_equal(loaded.generate(2, 1, seed=1), gan.generate(2, 1, seed=1))


def test_a_path_that_exists_comes_before_the_zoo(zoo):
    other = make()
    other.save_to_preset("zoo/dcgan_mnist")
    assert kgan.GAN.from_preset("zoo/dcgan_mnist").num_classes is None


def test_an_unknown_name_of_the_zoo_lists_those_that_there_are(zoo):
    with pytest.raises(
        FileNotFoundError,
        match="presets zoo/acgan_mnist, zoo/dcgan_mnist; .* hf://.*Received: zoo/dcgan_mnits",
    ):
        kgan.GAN.from_preset("zoo/dcgan_mnits")
    shutil.rmtree(zoo)
    with pytest.raises(FileNotFoundError, match=r"presets \(none\)"):
        kgan.GAN.from_preset("zoo/dcgan_mnist")


def test_a_card_without_weights_says_what_it_lacks(zoo):
    with pytest.raises(FileNotFoundError, match="large, which lacks config.json, meta"):
        kgan.GAN.from_preset("zoo/large")


def test_nothing_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="zoo/NAME or hf://USER/REPO.*nowhere"):
        kgan.GAN.from_preset(tmp_path / "nowhere")


def test_the_preset_of_the_readme_is_there():
    assert "zoo/dcgan_mnist" in presets.names()


@pytest.mark.parametrize("name", presets.names())
def test_each_preset_of_the_zoo_draws(name):
    gan = kgan.GAN.from_preset(name)
    images = gan.generate(2, seed=1)
    assert images.shape == (2, *gan.image_shape) and np.isfinite(images).all()


# --- Hugging Face -------------------------------------------------------------------------------

FROM_HUB = """
import sys, kgan
for name in sys.argv[1:]:
    print(repr(kgan.load_gan(name).generate(2, 1, seed=1).tolist()))
"""


def lay_out_cache(folder, home, inside=""):
    """A repository in the cache of Hugging Face, as a download leaves it."""
    revision = "0123456789abcdef0123456789abcdef01234567"
    repository = home / "hub" / "models--someone--digits"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / "main").write_text(revision)
    shutil.copytree(folder, repository / "snapshots" / revision / inside, dirs_exist_ok=True)
    return repository / "snapshots" / revision


@pytest.fixture
def hub(tmp_path):
    """Runs Python with a cache of Hugging Face and without a network."""
    pytest.importorskip("huggingface_hub", reason="huggingface_hub (the extra hub) is missing")

    def run(*names):
        return subprocess.run(
            [sys.executable, "-c", FROM_HUB, *names],
            env={
                **os.environ,
                "HF_HOME": str(tmp_path / "hf"),
                "HF_HUB_OFFLINE": "1",
                "PYTHONPATH": str(pathlib.Path(__file__).parents[1]),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_preset_of_hugging_face_is_loaded(gan, folder, hub, tmp_path):
    lay_out_cache(folder, tmp_path / "hf")
    lay_out_cache(folder, tmp_path / "hf", "large/best")
    answer = hub("hf://someone/digits", "hf://someone/digits/large/best", "hf:/someone/digits/")
    images = repr(gan.generate(2, 1, seed=1).tolist())
    assert answer.stdout.splitlines() == [images] * 3, answer.stderr


def test_what_is_wrong_with_hugging_face_is_told(folder, hub, tmp_path):
    answer = hub("hf://someone/digits")
    assert "Expected a repository on Hugging Face that can be reached" in answer.stderr
    (lay_out_cache(folder, tmp_path / "hf") / "model.weights.h5").unlink()
    assert "which lacks model.weights.h5" in hub("hf://someone/digits").stderr
    assert "Expected hf://USER/REPO or" in hub("hf://someone").stderr


def test_only_the_three_files_are_asked_for(monkeypatch, folder):
    """The name reaches the package as it should, wherever it comes from."""
    huggingface_hub = pytest.importorskip("huggingface_hub", reason="the extra hub is missing")
    asked = []

    def snapshot_download(repository, allow_patterns):
        asked.append((repository, allow_patterns))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    presets.find("hf://someone/digits")
    presets.find(pathlib.Path("hf://someone/digits/best"))
    assert asked == [
        ("someone/digits", list(presets.FILES)),
        ("someone/digits", [f"best/{name}" for name in presets.FILES]),
    ]


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"pip install 'kgan\[hub\]'. Received: hf://a/b"):
        kgan.GAN.from_preset("hf://a/b")


# --- Programs -----------------------------------------------------------------------------------


def call(program, monkeypatch, *argv):
    values = flags.FlagValues()
    program.define_flags(values)
    monkeypatch.setattr(program, "FLAGS", values)
    return program.main(values(["program", *map(str, argv)]))


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_programs_take_presets_by_name(zoo, monkeypatch, capsys):
    recipe = {"flags": {"dataset": "digits"}}
    (zoo / "dcgan_mnist" / "recipe.json").write_text(json.dumps(recipe))
    before = listing(zoo / "dcgan_mnist")
    name = "zoo/dcgan_mnist"
    assert call(generate, monkeypatch, name, "--n=4", "--out=grid.png") == 0
    argv = ["--metrics=fd", "--features=pixels", "--n=200"]
    assert call(evaluate, monkeypatch, name, *argv) == 0
    assert "frechet_distance" in capsys.readouterr().out.replace(" ", "_").lower()
    assert call(evaluate, monkeypatch, name, *argv, "--out=metrics.json") == 0
    assert json.loads(pathlib.Path("metrics.json").read_text())["evaluation"]["images_seen"] == 640
    assert call(export, monkeypatch, name) == 0
    assert (pathlib.Path("export") / "1" / "saved_model.pb").exists()
    assert call(image_filter, monkeypatch, name, "images", "--threshold=0.5") == 0
    assert listing(zoo / "dcgan_mnist") == before


def test_a_report_knows_the_name_and_the_data_of_a_preset(zoo):
    (zoo / "dcgan_mnist" / "recipe.json").write_text('{"flags": {"dataset": "digits"}}')
    run = Run("zoo/dcgan_mnist")
    assert (run.name, run.dataset, run.num_classes) == ("dcgan_mnist", "digits", 10)
    assert run.data("train").image_shape == SHAPE
    assert Run("zoo/acgan_mnist").dataset is None


def test_a_wrong_name_is_one_line(zoo, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for name, words in (("zoo/nothing", "zoo/acgan_mnist"), ("hf://a/b", "kgan[hub]")):
        for program, argv in (
            (generate, []),
            (evaluate, []),
            (export, []),
            (image_filter, ["images"]),
        ):
            assert call(program, monkeypatch, name, *argv) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert words in line
