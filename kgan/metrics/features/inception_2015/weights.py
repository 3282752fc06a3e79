"""The weights of the Inception graph of 2015-12-05: where they are, and how they get into Keras."""

import keras
import numpy as np

from kgan.files import keras_home
from kgan.metrics.features.base import OFFLINE
from kgan.metrics.features.inception_2015.torch_file import read_state_dict

FILE = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{FILE}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
# Beside the mean and variance, as in the graph.
EPSILON = 1e-3


def fetch_weights():
    """Returns the path of the published weights (91 MiB), which are fetched once.

    They lie under `kgan/` in Keras's cache, `~/.keras` or what the environment variable
    `KERAS_HOME` names, and are used only if their SHA-256 is right.

    Raises:
        FileNotFoundError: if they are neither there nor to be fetched.
    """
    folder = keras_home() / "kgan"
    try:
        return keras.utils.get_file(
            FILE,
            URL,
            cache_dir=str(folder.parent),
            cache_subdir=folder.name,
            file_hash=SHA256,
            hash_algorithm="sha256",
        )
    except Exception as error:  # Keras raises this very class where a host is not reached.
        raise FileNotFoundError(
            f"The weights of the Inception graph cannot be fetched ({error}). Put the file {URL}, "
            f"whose SHA-256 is {SHA256}, into {folder}, or give its path: "
            f"inception_2015:PATH. {OFFLINE} Received: checkpoint='published'"
        ) from error


def load_weights(model, path):
    """Puts the weights of PyTorch's port of the graph into a Keras model.

    Batch normalisation in inference, g (w x - m) / sqrt(v + 0.001) + b for a convolution w x, is
    a convolution again: its kernel is s w and its bias b - s m, with s = g / sqrt(v + 0.001),
    all computed in float64.

    Args:
        model: `keras.Model`, of `build_inception`.
        path: str or `os.PathLike`, a file of `torch.save` with the names and shapes of the
            published one.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file, or lacks weights, or has others, or of other shapes;
            the model is as it was then.

    Example:
    >>> model = kgan.metrics.features.inception_2015.build_inception()
    >>> load_weights(model, "weights.pth")
    Traceback (most recent call last):
    ...
    FileNotFoundError: ... No such file or directory: 'weights.pth'
    """
    arrays = {
        name: array
        for name, array in read_state_dict(path).items()
        # How many batches it was trained on: newer versions of PyTorch add it.
        if not name.endswith(".num_batches_tracked")
    }
    layers = [layer for layer in model.layers if layer.weights]
    _check(arrays, {name: shape for x in layers for name, shape in _shapes(x).items()}, path)
    for layer in layers:
        layer.set_weights(_converted(layer.name, arrays))


def _shapes(layer):
    """Returns the shapes of what PyTorch keeps for a layer, by name."""
    n = layer.kernel.shape[-1]
    if layer.name == "fc":
        return {"fc.weight": (n, layer.kernel.shape[0]), "fc.bias": (n,)}
    height, width, channels, _ = layer.kernel.shape
    normalization = ("weight", "bias", "running_mean", "running_var")
    return {
        f"{layer.name}.conv.weight": (n, channels, height, width),
        **{f"{layer.name}.bn.{name}": (n,) for name in normalization},
    }


def _check(arrays, shapes, path):
    wrong = [f"no {name}" for name in shapes if name not in arrays]
    wrong += [f"{name}, which it has not" for name in arrays if name not in shapes]
    wrong += [
        f"{name} of shape {arrays[name].shape} instead of {shape}"
        for name, shape in shapes.items()
        if name in arrays and arrays[name].shape != shape
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ValueError(
            "Expected the weights of the Inception graph of 2015-12-05 in PyTorch's port. "
            f"Received: {path} with {'; '.join(wrong[:5])}{more}"
        )


def _converted(name, arrays):
    """Returns the arrays of a Keras layer."""
    if name == "fc":
        # Without its bias, see `build_inception`.
        return [arrays["fc.weight"].T]
    kernel, gamma, beta, mean, variance = (
        arrays[f"{name}.{x}"].astype("float64")
        for x in ("conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
    )
    scale = gamma / np.sqrt(variance + EPSILON)
    return [kernel.transpose(2, 3, 1, 0) * scale, beta - mean * scale]
