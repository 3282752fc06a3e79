"""A run, or the `.keras` file of one, -> the GAN in it."""

import json
import pathlib
import zipfile
import zlib

import keras

from kgan.gan import GAN

MODEL_FILE = "model.keras"
# How many files of a folder that is no run an error names; a run has fewer.
MOST_NAMES = 12


def load_gan(path):
    """Returns the GAN that a training left.

    Args:
        path: str or path: a run's folder, which holds `model.keras`, or a `.keras` file.

    Returns:
        `kgan.GAN`, compiled if it was when it was saved.

    Raises:
        FileNotFoundError: if there is nothing at the path, or a folder without `model.keras`.
        ValueError: if the file is damaged, or holds another model than a GAN.

    Example:
    >>> gan = kgan.loading.load_gan("runs/dcgan_mnist")
    >>> images = gan.generate(64, seed=1)
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"Expected a run's folder (with {MODEL_FILE}) or a .keras file, and there is nothing. "
            f"Received: {path}"
        )
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


def _model_file(folder):
    """Returns the path of the model in a run's folder."""
    if (folder / MODEL_FILE).exists():
        return folder / MODEL_FILE
    names = sorted(
        p.name + "/" * p.is_dir() for p in folder.iterdir() if not p.name.startswith(".")
    )
    shown = names if len(names) <= MOST_NAMES else [*names[:MOST_NAMES], "…"]
    message = (
        f"Expected {MODEL_FILE} in the run's folder. Received: {folder} holds "
        f"{', '.join(shown) or 'nothing'}"
    )
    if "checkpoints/" in names:
        message += (
            ". Its training has not finished: the same command with --resume goes on from "
            f"{folder / 'checkpoints'}, and writes {MODEL_FILE} at the end"
        )
    raise FileNotFoundError(message)
