"""Read the tensors of a PyTorch file without PyTorch, and without running what the file says.

A pickle is a program: it may name any function and call it. The unpickler here knows tensors and
plain containers, by name, imports nothing, and refuses every other name.

`torch.save` writes one of two forms, and both are read: a zip (`data.pkl`, `data/0`, ...), since
version 1.6, and before that a row of pickles followed by the bytes of the storages.
"""

import functools
import hashlib
import io
import pickle
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C  # what the older form begins with
PROTOCOL = 1001  # its one version

# NumPy has no bfloat16: its bits are read as uint16 and widened to float32, which is exact.
STORAGES = {
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "ByteStorage": "uint8",
    "CharStorage": "int8",
    "ShortStorage": "int16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "BoolStorage": "bool",
}


def load_tensors(path, *, key=None, sha256=None):
    """Read the tensors that `torch.save(model.state_dict(), path)` wrote.

    Args:
        path: Path of the file (`.pth`, `.pt`).
        key: Where the file holds a checkpoint, a dict with a dict of tensors in it: the name of
            that dict, such as "state_dict" or "model".
        sha256: What the file's SHA-256 must be, in hexadecimal, or None.

    Returns:
        Name to array, in the order of the file. The arrays are read-only and share memory where the
        tensors do. They have the tensors' types, but float32 for bfloat16.

    Raises:
        ValueError: If the file is not what `torch.save` writes, is damaged, has another SHA-256,
            holds anything but tensors, or names anything but tensors and plain containers. Nothing
            that the file names is run.
    """
    path = Path(path)
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if sha256 is not None and digest != sha256.lower():
        raise ValueError(f"{path}: found SHA-256 {digest}, expected {sha256.lower()}.")
    try:
        content, values = (_read_zip if data[:2] == b"PK" else _read_row)(data)
        values = functools.cache(values)  # tensors may share a storage
        tensors = _tensors(content, key)
        return {name: _array(name, tensor, values) for name, tensor in tensors.items()}
    except _Unfit as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception as error:
        # Damaged pickles and zips raise errors of many kinds.
        raise ValueError(
            f"{path}: found data that cannot be read ({type(error).__name__}: {error}), expected a "
            "whole file written by torch.save."
        ) from error


class _Unfit(Exception):
    """What does not fit: 'found ..., expected ...'."""


class _Dict(dict):
    """A dict of the file; the attributes of a `state_dict` (its `_metadata`) are left out."""

    def __setstate__(self, state):
        pass


class _Storage(NamedTuple):
    dtype: str
    key: str
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple


class _Call:
    """A function that a pickle may call and cannot change: its operation BUILD is refused."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *arguments):
        return self.function(*arguments)

    def __setstate__(self, state):
        raise _Unfit("found a pickle that changes what it did not make, expected tensors.")


def _dict(items=()):
    return _Dict(items)


def _tensor(storage, offset, shape, strides, *rest):
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or len(shape) != len(strides):
        raise _Unfit("found a tensor without a storage or a stride, expected both.")
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise _Unfit(f"found a tensor with {numbers}, expected integers of 0 or more.")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _parameter(data, *rest):
    return data


KNOWN = {
    ("collections", "OrderedDict"): _Call(_dict),
    ("torch._utils", "_rebuild_tensor"): _Call(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Call(_tensor),
    ("torch._utils", "_rebuild_parameter"): _Call(_parameter),
    **{("torch", name): dtype for name, dtype in STORAGES.items()},
}


class _Unpickler(pickle.Unpickler):
    """An unpickler of tensors and plain containers that imports nothing."""

    def __init__(self, file):
        super().__init__(file, encoding="utf-8")
        self.storages = {}

    def find_class(self, module, name):
        if (module, name) not in KNOWN:
            raise _Unfit(
                f"found the name {module}.{name}, expected tensors and plain containers only; "
                "nothing was run."
            )
        return KNOWN[module, name]

    def persistent_load(self, pid):
        kind, dtype, key, _, size, *view = pid if isinstance(pid, tuple) else (None,) * 5
        if kind != "storage" or dtype not in STORAGES.values() or view not in ([], [None]):
            raise _Unfit(f"found {str(pid)[:60]!r} in place of a storage, expected one.")
        if not isinstance(size, int) or size < 0:
            raise _Unfit(f"found a storage of size {size!r}, expected an integer of 0 or more.")
        return self.storages.setdefault(key, _Storage(dtype, str(key), size))


def _read_zip(data):
    """Return what the pickle of a zip holds, and a function from a storage to its values."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    entries = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise _Unfit(f"found a zip with {len(pickles)} files data.pkl, expected one.")
    root = pickles[0].removesuffix("data.pkl")

    def read(name):
        # torch.save does not compress, so that nothing here is larger than the file.
        if name not in entries or entries[name].compress_type != zipfile.ZIP_STORED:
            raise _Unfit(f"found no uncompressed {name!r} in the zip, expected it.")
        return archive.read(name)

    little = f"{root}byteorder" not in entries or read(f"{root}byteorder") == b"little"

    def values(storage):
        return _values(storage, read(f"{root}data/{storage.key}"), little)

    return _Unpickler(io.BytesIO(read(pickles[0]))).load(), values


def _read_row(data):
    """Return what the older form holds, and a function from a storage to its values."""
    file = io.BytesIO(data)
    try:
        start = [_Unpickler(file).load() for _ in range(2)]
    except (pickle.UnpicklingError, EOFError, ValueError):
        start = None
    if start != [MAGIC, PROTOCOL]:
        raise _Unfit(f"found a file that begins with {data[:8]!r}, expected one by torch.save.")
    system = _Unpickler(file).load()
    little = system["little_endian"]
    unpickler = _Unpickler(file)
    content = unpickler.load()
    keys = _Unpickler(file).load()
    buffers, place = {}, file.tell()
    for key in keys:
        # Each storage is its number of values, an int64, and the values.
        first = place + 8
        size = int.from_bytes(data[place:first], "little" if little else "big")
        place = first + size * _dtype(unpickler.storages[key]).itemsize
        buffers[str(key)] = memoryview(data)[first:place]

    def values(storage):
        return _values(storage, buffers[storage.key], little)

    return content, values


def _dtype(storage):
    return np.dtype("uint16" if storage.dtype == "bfloat16" else storage.dtype)


def _values(storage, buffer, little):
    """Return the values of a storage, a flat array."""
    dtype = _dtype(storage)
    if len(buffer) != storage.size * dtype.itemsize:
        raise _Unfit(
            f"found {len(buffer)} bytes in storage {storage.key!r}, expected "
            f"{storage.size} values of {storage.dtype}, {storage.size * dtype.itemsize} bytes."
        )
    values = np.frombuffer(buffer, dtype.newbyteorder("<" if little else ">"))
    values = values.astype(dtype, copy=False)
    if storage.dtype == "bfloat16":
        values = (values.astype("uint32") << 16).view("float32")
    return values


def _tensors(content, key):
    """Return the dict of tensors in what the file holds."""
    if key is not None:
        if not isinstance(content, dict) or key not in content:
            raise _Unfit(f"found {_describe(content)}, expected a dict with key={key!r}.")
        content = content[key]
    if not isinstance(content, dict) or not content:
        raise _Unfit(f"found {_describe(content)}, expected a dict of tensors.")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            inner = [k for k, v in content.items() if isinstance(v, dict)]
            hint = f"; give one of {inner} as key" if inner and key is None else ""
            raise _Unfit(
                f"found {_describe(value)} under {name!r}, expected a dict of tensors{hint}."
            )
    return content


def _describe(value):
    if isinstance(value, dict):
        return f"a dict of {[str(name) for name in list(value)[:5]]}"
    return "a tensor" if isinstance(value, _Tensor) else f"an object of type {type(value).__name__}"


def _array(name, tensor, values_of):
    """Return a tensor as a read-only view of the values of its storage."""
    values = values_of(tensor.storage)
    steps = [(n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True)]
    if all(tensor.shape) and tensor.offset + sum(steps) >= len(values):
        raise _Unfit(
            f"found the tensor {name!r} beyond the {len(values)} values of its storage, "
            "expected it within."
        )
    if not all(tensor.shape):
        return np.zeros(tensor.shape, values.dtype)
    return np.lib.stride_tricks.as_strided(
        values[tensor.offset :],
        tensor.shape,
        [stride * values.itemsize for stride in tensor.strides],
        writeable=False,
    )
