"""Arrays from a file of PyTorch, without PyTorch and without running what is in the file."""

import collections
import math
import pathlib
import pickle
import zipfile

import numpy as np

# What such a file may name. Everything else is refused: a pickle could name any function.
_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
# The first pickles of a file that torch.save wrote before version 1.6.
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001

_Storage = collections.namedtuple("_Storage", "dtype, key, numel")
_Tensor = collections.namedtuple("_Tensor", "storage, offset, shape, strides")


def read_state_dict(path):
    """Returns the arrays of a file that `torch.save(module.state_dict(), path)` has written.

    Both of its formats are read: the zip archive (default since PyTorch 1.6) and the row of
    pickles before. The file may hold a dict from str to tensors of float32 or int64 and nothing
    else, so that reading it is safe wherever it comes from.

    Args:
        path: str or `os.PathLike`.

    Returns:
        dict of NumPy arrays.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file, or holds or calls something else.

    Example:
    >>> read_state_dict("weights.pth")
    Traceback (most recent call last):
    ...
    FileNotFoundError: ... No such file or directory: 'weights.pth'
    """
    with open(path, "rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
        file.seek(0)
        try:
            tensors, storages = (_read_zip if is_zip else _read_pickles)(file)
            return {_name(name): _array(tensor, storages) for name, tensor in tensors.items()}
        # A pickle that is damaged, or made to do damage, may end in any error.
        except Exception as error:
            raise ValueError(
                "Expected a file of torch.save(module.state_dict(), path), of tensors of float32 "
                f"or int64: {error}. Received: {pathlib.Path(path)}"
            ) from error


class _Unpickler(pickle.Unpickler):
    """Reads names, numbers and where tensors lie; knows no other function or class."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which no weights need")

    def persistent_load(self, pid):
        # Files of before 1.6 end with the view of a storage on another, which is None since 0.4.
        kind, dtype, key, _, numel, *view = pid
        if kind != "storage" or dtype not in _DTYPES.values() or view not in ([], [None]):
            raise pickle.UnpicklingError(f"it refers to {pid!r}, which is no storage")
        return _Storage(dtype, key, numel)


def _tensor(storage, offset, shape, strides, *_):
    """Returns where a tensor lies; what it requires of gradients is of no interest."""
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _read_zip(file):
    """Returns tensors by name and storages by key, of the format since PyTorch 1.6."""
    with zipfile.ZipFile(file) as archive:
        # One folder holds everything; PyTorch names it after the file.
        folder = archive.namelist()[0].split("/")[0]
        byte_order = f"{folder}/byteorder"
        if byte_order in archive.namelist() and archive.read(byte_order) != b"little":
            raise ValueError("its numbers are big-endian")
        with archive.open(f"{folder}/data.pkl") as pickled:
            tensors = _Unpickler(pickled).load()
        storages = {
            storage.key: np.frombuffer(archive.read(f"{folder}/data/{storage.key}"), storage.dtype)
            for storage in _storages(tensors)
        }
    return tensors, storages


def _read_pickles(file):
    """Returns tensors by name and storages by key, of the format before PyTorch 1.6."""
    if (_Unpickler(file).load(), _Unpickler(file).load()) != (_MAGIC, _PROTOCOL):
        raise ValueError("it does not begin as such files do")
    if not _Unpickler(file).load()["little_endian"]:
        raise ValueError("its numbers are big-endian")
    tensors = _Unpickler(file).load()
    by_key = {storage.key: storage for storage in _storages(tensors)}
    storages = {}
    for key in _Unpickler(file).load():
        numel = int.from_bytes(file.read(8), "little")
        dtype = np.dtype(by_key[key].dtype)
        storages[key] = np.frombuffer(file.read(numel * dtype.itemsize), dtype)
    return tensors, storages


def _storages(tensors):
    if not isinstance(tensors, dict) or not all(isinstance(x, _Tensor) for x in tensors.values()):
        raise ValueError("it is not a dict of tensors")
    return [tensor.storage for tensor in tensors.values()]


def _name(name):
    if not isinstance(name, str):
        raise ValueError(f"a tensor's name is {name!r}")
    return name


def _array(tensor, storages):
    """Returns a tensor's numbers, never from beyond its storage."""
    storage = storages[tensor.storage.key]
    layout = list(zip(tensor.shape, tensor.strides, strict=True))
    last = tensor.offset + sum((size - 1) * stride for size, stride in layout)
    is_inside = tensor.offset >= 0 and all(size > 0 <= stride for size, stride in layout)
    if not is_inside or last >= storage.size or math.prod(tensor.shape) > storage.size:
        raise ValueError(f"a tensor of shape {tensor.shape} leaves its {storage.size} numbers")
    strides = [stride * storage.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides)
    return np.array(view)
