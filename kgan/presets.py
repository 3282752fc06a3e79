"""A trained GAN as a preset: three files that draw samples without the run that made them.

`config.json` is Keras's serialized GAN: its networks, its own arguments, and how it was compiled,
which says what its scores mean (optimizers' settings, and nothing of their state).
`model.weights.h5` holds the weights of the networks, with the averaged generator's in the place of
the generator's, since they draw the samples. `metadata.json` says what made them. The names are
those of KerasHub's presets.
"""

import hashlib
import json
import os
import pathlib
import tempfile
import warnings

import keras

from kgan.files import atomic_path
from kgan.gan import GAN
from kgan.version import __version__

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
FILES = (CONFIG, METADATA, WEIGHTS)
HUB = "hf://"
# The results of the checkout that kgan is imported from.
ZOO = pathlib.Path(__file__).resolve().parents[1] / "zoo"


def save(gan, folder, most_bytes=None):
    """Writes a GAN as a preset.

    Args:
        gan: `kgan.GAN`.
        folder: str or path, where the three files go, beside what else is there.
        most_bytes: int or None, beyond which nothing is written. Defaults to None, no limit.

    Returns:
        int, the bytes of the three files, also where they were too many.

    Raises:
        FileExistsError: if the folder holds another `config.json`, such as a run's.

    Example:
    >>> gan = kgan.GAN(
    ...     kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[8]),
    ... )
    >>> folder = tempfile.mkdtemp()
    >>> kgan.presets.save(gan, folder) < 200_000
    True
    >>> sorted(os.listdir(folder))
    ['config.json', 'metadata.json', 'model.weights.h5']
    """
    folder = pathlib.Path(folder)
    check_free(folder)
    with tempfile.TemporaryDirectory() as temporary:
        # Keras insists on the end of the name, which atomic_path does not keep.
        made = pathlib.Path(temporary) / WEIGHTS
        networks = {**gan.networks, "generator": gan.averaged_generator}
        _Networks(networks).save_weights(made)
        weights = made.read_bytes()
    files = {
        WEIGHTS: weights,
        CONFIG: _json(keras.saving.serialize_keras_object(gan)),
        # Last: with its checksum, three files of different presets are not taken for one.
        METADATA: _json(_metadata(gan, weights)),
    }
    size = sum(map(len, files.values()))
    if most_bytes is None or size <= most_bytes:
        for name, content in files.items():
            with atomic_path(folder / name) as path:
                path.write_bytes(content)
    return size


def load(preset, cls=GAN):
    """Returns the trained GAN of a preset; nothing in it is executed.

    Args:
        preset: str or path: a folder with the three files; `"zoo/NAME"`, which may also be one of
            kgan's own; or `"hf://USER/REPO"`, `"hf://USER/REPO/FOLDER"` on Hugging Face, where
            only these three files are fetched.
        cls: class, which the GAN must be one of. Defaults to `kgan.GAN`.

    Returns:
        `kgan.GAN` or the game that was saved, compiled if it was, with optimizers that start anew.
        Generator and averaged generator are equal.

    Raises:
        FileNotFoundError: if there is nothing, or a file is missing.
        ImportError: if `huggingface_hub` is needed and missing.
        ValueError: if a file is damaged, or holds something else than a `cls`.

    Example:
    >>> gan = kgan.GAN(
    ...     kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[8]),
    ... )
    >>> folder = tempfile.mkdtemp()
    >>> size = kgan.presets.save(gan, folder)
    >>> loaded = kgan.presets.load(folder)
    >>> bool(np.all(loaded.generate(4, seed=1) == gan.generate(4, seed=1)))
    True
    """
    folder = find(preset)
    _check_complete(folder)
    config, metadata = (_read_json(folder / name) for name in (CONFIG, METADATA))
    gan = _deserialize(config, folder / CONFIG)
    if not isinstance(gan, cls):
        raise ValueError(
            f"Expected a preset of {_name(cls)}. Received: {preset}, which holds a "
            f"{_name(type(gan))}: load it with {_name(type(gan))}.from_preset"
            + " or kgan.GAN.from_preset"
            * isinstance(gan, GAN)
        )
    _load_weights(gan, folder / WEIGHTS, metadata.get("weights_sha256"))
    gan.averaged_generator.set_weights(gan.generator.get_weights())
    gan.images_seen.assign(metadata.get("images_seen", 0))
    return gan


def find(preset):
    """Returns the folder of a preset, which is fetched if it is on Hugging Face.

    Args:
        preset: str or path, as `load` takes it.

    Raises:
        FileNotFoundError: if there is nothing; of the zoo, the message lists what there is.
        ImportError: if `huggingface_hub` is needed and missing.
        ValueError: if a name on Hugging Face is not of the form `hf://USER/REPO`.
    """
    name = os.fspath(preset)
    if is_on_hub(name):
        return _fetch(name)
    path = pathlib.Path(name).expanduser()
    if path.exists():
        return path
    room, *rest = path.parts or ("",)
    if room != "zoo" or len(rest) != 1:
        raise FileNotFoundError(
            f"Expected a folder with {', '.join(FILES)}, zoo/NAME or {HUB}USER/REPO, and there is "
            f"nothing. Received: {name}"
        )
    if not (ZOO / rest[0]).exists():
        raise FileNotFoundError(
            f"The zoo has the presets {', '.join(names()) or '(none)'}; those of others are "
            f"{HUB}USER/REPO. Received: {name}"
        )
    return ZOO / rest[0]


def names():
    """Returns the presets of the checkout that kgan is imported from: list of `"zoo/NAME"`."""
    folders = sorted(path.parent for path in ZOO.glob(f"*/{WEIGHTS}"))
    return [f"zoo/{folder.name}" for folder in folders if not _missing(folder)]


def is_on_hub(name):
    """Returns whether a str or path names a preset on Hugging Face."""
    # A path has lost one of the slashes.
    return os.fspath(name).startswith(("hf:/", "hf:\\"))


def is_preset(folder):
    """Returns whether a folder holds a preset, whole or in part, and not a run."""
    is_run = (folder / "model.keras").exists()
    return not is_run and any((folder / name).exists() for name in (METADATA, WEIGHTS))


@keras.saving.register_keras_serializable(package="kgan")
class _Networks(keras.Model):
    """Several networks in one file of weights, each under its name."""

    def __init__(self, networks):
        super().__init__()
        for name, network in networks.items():
            setattr(self, name, network)
        self.built = True


def _metadata(gan, weights):
    return {
        "kgan_version": __version__,
        "keras_version": keras.__version__,
        "class": _name(type(gan)),
        "parameter_count": sum(network.count_params() for network in gan.networks.values()),
        "image_shape": list(gan.image_shape),
        "num_classes": gan.num_classes,
        # A variable of several replicas is no int by itself.
        "images_seen": int(gan.images_seen.numpy()),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }


def _json(value):
    return (json.dumps(value, indent=2) + "\n").encode()


def _name(cls):
    return cls.__name__


def check_free(folder):
    """Raises a `FileExistsError` if a preset would overwrite what is none.

    Args:
        folder: path, where it would be written.
    """
    path = folder / CONFIG
    if path.exists() and '"class_name"' not in path.read_text(errors="replace"):
        raise FileExistsError(
            f"Expected a folder for a preset. Received: {folder}, whose {CONFIG} is another's, "
            "such as a run's"
        )


def _missing(folder):
    return [name for name in FILES if not (folder / name).is_file()]


def _check_complete(folder):
    missing = _missing(folder)
    if missing:
        is_run = folder.is_file() or (folder / "model.keras").exists()
        raise FileNotFoundError(
            f"A preset holds {', '.join(FILES)}. Received: {folder}, which lacks "
            f"{', '.join(missing)}" + "; kgan.load_gan loads runs and .keras files" * is_run
        )


def _read_json(path):
    try:
        value = json.loads(path.read_text())
    except ValueError as error:
        raise _damaged(path, error) from error
    if not isinstance(value, dict):
        raise _damaged(path, f"it holds a {type(value).__name__}")
    return value


def _deserialize(config, path):
    try:
        return keras.saving.deserialize_keras_object(config)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path, error) from error


def _load_weights(gan, path, checksum):
    """Loads the weights of the networks, if they are those that were saved."""
    if checksum not in (None, hashlib.sha256(path.read_bytes()).hexdigest()):
        raise _damaged(path, f"it is not the file whose checksum {METADATA} has")
    try:
        with warnings.catch_warnings():
            # Where the file lacks layers, Keras would leave them untrained.
            warnings.filterwarnings("error", message="Skipping nested container")
            _Networks(gan.networks).load_weights(path)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        raise _damaged(path, error) from error


def _damaged(path, why):
    """Returns the error of a file that cannot be what was saved."""
    if isinstance(why, Exception):
        why = f"{type(why).__name__}: {' '.join(str(why).split())[:300]}"
    return ValueError(
        f"Expected a {path.name} that GAN.save_to_preset has written, whole and unharmed. "
        f"Received: {path} ({why})"
    )


def _fetch(name):
    """Returns where the preset of a repository on Hugging Face lies on this machine."""
    user, repo, *folders = [*filter(None, name[len("hf:") :].replace("\\", "/").split("/")), "", ""]
    if not repo:
        raise ValueError(f"Expected {HUB}USER/REPO or {HUB}USER/REPO/FOLDER. Received: {name}")
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(
            f"Presets at {HUB} need huggingface_hub: pip install 'kgan[hub]'. Received: {name}"
        ) from error
    inside = "/".join(filter(None, folders))
    patterns = [f"{inside}/{file}".lstrip("/") for file in FILES]
    try:
        found = huggingface_hub.snapshot_download(f"{user}/{repo}", allow_patterns=patterns)
    except Exception as error:  # The package, and what it fetches with, have no base in common.
        raise FileNotFoundError(
            "Expected a repository on Hugging Face that can be reached, or was fetched before. "
            f"Received: {name} ({type(error).__name__}: {' '.join(str(error).split())[:300]})"
        ) from error
    return pathlib.Path(found) / inside
