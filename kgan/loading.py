"""What a user calls a trained GAN: a run, the `.keras` file of one, or a preset -> the GAN."""

import json
import pathlib
import zipfile
import zlib

import keras

from kgan import presets
from kgan.files import read_json_object
from kgan.gan import GAN

MODEL_FILE = "model.keras"
# How many files of a folder that is no run an error names; a run has fewer.
MOST_NAMES = 12


def load_gan(path):
    """Returns the GAN that a training left.

    Args:
        path: str or path: a run's folder, which holds `model.keras`; a `.keras` file; or a preset,
            as `kgan.GAN.from_preset` takes it: its folder, `zoo/NAME` or `hf://USER/REPO`.

    Returns:
        `kgan.GAN`, compiled if it was when it was saved.

    Raises:
        FileNotFoundError: if there is nothing at the path, or a folder without `model.keras`.
        ImportError: if a preset must be fetched, and `huggingface_hub` is missing.
        ValueError: if the file is damaged, or holds another model than a GAN.

    Example:
    >>> gan = kgan.loading.load_gan("runs/dcgan_mnist")
    >>> images = gan.generate(64, seed=1)
    """
    path = find(path)
    if path.is_dir() and presets.is_preset(path):
        return presets.load(path)
    if path.is_dir():
        path = _model_file(path)
    damaged = f"Expected a file that GAN.save has written, whole and unharmed. Received: {path}"
    if not zipfile.is_zipfile(path):
        raise ValueError(damaged)
    try:
        model = keras.models.load_model(path)
    except (zipfile.BadZipFile, zlib.error, json.JSONDecodeError, KeyError) as error:
        raise ValueError(f"{damaged} ({type(error).__name__}: {error})") from error
    if not isinstance(model, GAN):
        raise ValueError(
            f"Expected a kgan.GAN. Received: {path} holds a {type(model).__name__}, not a kgan.GAN"
        )
    return model


def find(path):
    """Returns where a trained GAN lies on this machine, as a path.

    Args:
        path: str or path, as `load_gan` takes it.

    Raises:
        FileNotFoundError: if there is nothing.
        ImportError: if a preset must be fetched, and `huggingface_hub` is missing.

    Example:
    >>> kgan.loading.find("runs/dcgan_mnist").name
    'dcgan_mnist'
    """
    local = pathlib.Path(path)
    if local.exists():
        return local
    if presets.is_on_hub(path) or local.parts[:1] == ("zoo",):
        return presets.find(path)
    raise FileNotFoundError(
        f"Expected a run's folder (with {MODEL_FILE}) or a .keras file, or a preset (zoo/NAME or "
        f"{presets.HUB}USER/REPO), and there is nothing. Received: {path}"
    )


def output_folder(path):
    """Returns the folder that what is made of a run goes into; None of a preset, left as it is.

    Args:
        path: `pathlib.Path`, as `find` returns it.
    """
    folder = path if path.is_dir() else path.parent
    return None if presets.is_preset(folder) else folder


def training_config(folder):
    """Returns what the training of a run or a preset was told, as far as its folder says.

    Args:
        folder: `pathlib.Path`: a run has its `config.json`, and a card `recipe.json` beside the
            preset.

    Returns:
        dict, empty if nobody has written it down.

    Raises:
        ValueError: if the file holds something else than a JSON object.
    """
    name = "recipe.json" if presets.is_preset(folder) else "config.json"
    return read_json_object(folder / name)


def _model_file(folder):
    """Returns the path of the model in a run's folder."""
    if (folder / MODEL_FILE).exists():
        return folder / MODEL_FILE
    names = sorted(
        p.name + "/" * p.is_dir() for p in folder.iterdir() if not p.name.startswith(".")
    )
    shown = names if len(names) <= MOST_NAMES else [*names[:MOST_NAMES], "…"]
    message = (
        f"Expected {MODEL_FILE} in the run's folder, or a preset ({', '.join(presets.FILES)}). "
        f"Received: {folder} holds {', '.join(shown) or 'nothing'}"
    )
    if "checkpoints/" in names:
        message += (
            ". Its training has not finished: the same command with --resume goes on from "
            f"{folder / 'checkpoints'}, and writes {MODEL_FILE} at the end"
        )
    raise FileNotFoundError(message)
