"""Reading PyTorch files: what torch.save writes, and what nobody should run."""

import hashlib
import importlib.util
import io
import pickle
import zipfile
from typing import NamedTuple

import numpy as np
import pytest

from segbook.torchfile import load_tensors

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="the oracle is PyTorch"
)


class Name(NamedTuple):
    module: str
    name: str


class Call(NamedTuple):
    function: Name
    arguments: tuple


class Build(NamedTuple):
    target: object
    state: object


class Storage(NamedTuple):
    kind: str
    key: str
    size: int


def opcodes(value):
    """Write a pickle by hand, so that it can name what is not installed."""
    if isinstance(value, Name):
        return f"c{value.module}\n{value.name}\n".encode()
    if isinstance(value, Call):
        return opcodes(value.function) + opcodes(value.arguments) + b"R"
    if isinstance(value, Build):
        return opcodes(value.target) + opcodes(value.state) + b"b"
    if isinstance(value, Storage):
        kind = Name("torch", value.kind)
        return opcodes(("storage", kind, value.key, "cpu", value.size)) + b"Q"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(opcodes, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(opcodes, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(map(opcodes, (x for item in value.items() for x in item))) + b"u"
    return pickle.dumps(value, protocol=2)[2:-1]


def dumps(value):
    return b"\x80\x02" + opcodes(value) + b"."


REBUILD = Name("torch._utils", "_rebuild_tensor_v2")


def tensor(storage, offset, shape, strides):
    return Call(REBUILD, (storage, offset, shape, strides, False, {}))


def write_zip(path, content, storages, *, root="archive", compress=zipfile.ZIP_STORED, **more):
    with zipfile.ZipFile(path, "w", compress) as archive:
        archive.writestr(f"{root}/data.pkl", dumps(content))
        for key, values in storages.items():
            archive.writestr(f"{root}/data/{key}", values)
        for name, values in more.items():
            archive.writestr(f"{root}/{name}", values)
    return path


def write_row(path, content, storages, *, little=True):
    order = "little" if little else "big"
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": little}, content, list(storages)]
    body = [len(v).to_bytes(8, order) + v.tobytes() for v in storages.values()]
    path.write_bytes(b"".join([*map(dumps, head), *body]))
    return path


def bits(values, dtype="<f4"):
    return np.asarray(values, dtype).tobytes()


SIX = np.arange(6, dtype="<f4")
WHOLE = tensor(Storage("FloatStorage", "0", 6), 0, (2, 3), (3, 1))


@pytest.mark.parametrize(
    ("kind", "stored", "expected"),
    [
        ("FloatStorage", bits([1.5, -2]), np.array([1.5, -2], "float32")),
        ("DoubleStorage", bits([1.5, -2], "<f8"), np.array([1.5, -2], "float64")),
        ("HalfStorage", bits([1.5, -2], "<f2"), np.array([1.5, -2], "float16")),
        # The upper half of the bits of float32 1.5 and -2.
        ("BFloat16Storage", bits([0x3FC0, 0xC000], "<u2"), np.array([1.5, -2], "float32")),
        ("LongStorage", bits([1, -2], "<i8"), np.array([1, -2], "int64")),
        ("IntStorage", bits([1, -2], "<i4"), np.array([1, -2], "int32")),
        ("ShortStorage", bits([1, -2], "<i2"), np.array([1, -2], "int16")),
        ("CharStorage", bits([1, -2], "i1"), np.array([1, -2], "int8")),
        ("ByteStorage", bits([1, 254], "u1"), np.array([1, 254], "uint8")),
        ("BoolStorage", b"\x01\x00", np.array([True, False])),
        ("ComplexFloatStorage", bits([1j, 2], "<c8"), np.array([1j, 2], "complex64")),
        ("ComplexDoubleStorage", bits([1j, 2], "<c16"), np.array([1j, 2], "complex128")),
    ],
)
def test_types(tmp_path, kind, stored, expected):
    content = {"x": tensor(Storage(kind, "0", 2), 0, (2,), (1,))}
    found = load_tensors(write_zip(tmp_path / "a.pth", content, {"0": stored}))["x"]
    assert found.dtype == expected.dtype
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "expected"),
    [
        (0, (2, 3), (3, 1), [[0, 1, 2], [3, 4, 5]]),
        (0, (3, 2), (1, 3), [[0, 3], [1, 4], [2, 5]]),
        (1, (2,), (2,), [1, 3]),
        (4, (2, 2), (0, 1), [[4, 5], [4, 5]]),
        (5, (), (), 5),
        (6, (0, 3), (3, 1), np.zeros((0, 3))),
    ],
)
@pytest.mark.parametrize("form", ["zip", "row"])
def test_strides_and_offsets(tmp_path, form, offset, shape, strides, expected):
    content = {"x": tensor(Storage("FloatStorage", "0", 6), offset, shape, strides)}
    if form == "zip":
        path = write_zip(tmp_path / "a.pth", content, {"0": SIX.tobytes()})
    else:
        path = write_row(tmp_path / "a.pth", content, {"0": SIX})
    found = load_tensors(path)["x"]
    assert found.shape == shape
    assert found.dtype == "float32"
    assert not found.flags.writeable or not found.size
    np.testing.assert_array_equal(found, expected)


def test_shared_storages_parameters_and_the_dict_of_torch(tmp_path):
    storage = Storage("FloatStorage", "0", 6)
    parameter = Call(Name("torch._utils", "_rebuild_parameter"), (WHOLE, True, {}))
    content = Build(
        Call(Name("collections", "OrderedDict"), ([("a", parameter)],)), {"_metadata": {"": {}}}
    )
    found = load_tensors(write_zip(tmp_path / "a.pth", content, {"0": SIX.tobytes()}))
    np.testing.assert_array_equal(found["a"], SIX.reshape(2, 3))

    content = {"a": WHOLE, "b": tensor(storage, 3, (3,), (1,))}
    for path in (
        write_zip(tmp_path / "b.pth", content, {"0": SIX.tobytes()}),
        write_row(tmp_path / "c.pth", content, {"0": SIX}),
    ):
        found = load_tensors(path)
        assert list(found) == ["a", "b"]
        assert np.shares_memory(found["a"], found["b"])
        np.testing.assert_array_equal(found["b"], [3, 4, 5])


def test_big_endian_files(tmp_path):
    path = write_zip(tmp_path / "a.pth", {"x": WHOLE}, {"0": bits(SIX, ">f4")}, byteorder=b"big")
    np.testing.assert_array_equal(load_tensors(path)["x"], SIX.reshape(2, 3))
    path = write_row(tmp_path / "b.pth", {"x": WHOLE}, {"0": SIX.astype(">f4")}, little=False)
    np.testing.assert_array_equal(load_tensors(path)["x"], SIX.reshape(2, 3))


def test_a_checkpoint_is_read_by_its_key(tmp_path):
    content = {"epoch": 3, "model": {"x": WHOLE}, "optimizer": {"state": {}}}
    path = write_zip(tmp_path / "a.pth", content, {"0": SIX.tobytes()})
    np.testing.assert_array_equal(load_tensors(path, key="model")["x"], SIX.reshape(2, 3))
    with pytest.raises(
        ValueError, match=r"type int under 'epoch'.*one of \['model', 'optimizer'\]"
    ):
        load_tensors(path)
    with pytest.raises(ValueError, match=r"expected a dict with key='weights'"):
        load_tensors(path, key="weights")


SHELL = Call(Name("os", "system"), ("touch RAN",))
STORAGE = Storage("FloatStorage", "0", 6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SHELL, r"found the name os\.system, expected tensors .*nothing was run"),
        ({"x": WHOLE, "y": SHELL}, r"found the name os\.system"),
        (Call(Name("builtins", "eval"), ("open('RAN', 'w')",)), r"the name builtins\.eval"),
        (Call(Name("torch", "load"), ("x",)), r"the name torch\.load"),
        (Name("torch._utils", "_rebuild_tensor_v2.__globals__"), "__globals__"),
        (Build(REBUILD, {"function": 1}), "changes what it did not make"),
        (Build(REBUILD, ({}, {"function": 1})), "changes what it did not make"),
        ({"x": Build(WHOLE, {"shape": 1})}, "cannot be read"),
        ({"x": 3}, "found an object of type int under 'x', expected a dict of tensors"),
        ({3: WHOLE}, "found a tensor under 3"),
        ([WHOLE], "found an object of type list, expected a dict of tensors"),
        ({}, r"found a dict of \[\], expected a dict of tensors"),
        ({"x": tensor(STORAGE, 1, (2, 3), (3, 1))}, "the tensor 'x' beyond the 6 values"),
        ({"x": tensor(STORAGE, 0, (10**30,), (10**30,))}, "the tensor 'x' beyond the 6 values"),
        ({"x": tensor(STORAGE, 6, (), ())}, "the tensor 'x' beyond the 6 values"),
        ({"x": tensor(STORAGE, -1, (2,), (1,))}, "integers of 0 or more"),
        ({"x": tensor(STORAGE, 2, (2,), (-1,))}, "integers of 0 or more"),
        ({"x": tensor(STORAGE, 0, (2, 3), (3,))}, "without a storage or a stride"),
        ({"x": tensor("storage", 0, (2,), (1,))}, "without a storage or a stride"),
        ({"x": tensor(Storage("FloatStorage", "0", 7), 0, (7,), (1,))}, "24 bytes in storage '0'"),
        ({"x": tensor(Storage("FloatStorage", "0", -1), 0, (1,), (1,))}, "storage of size -1"),
        ({"x": tensor(Storage("LongStorage", "0", 6), 0, (6,), (1,))}, "expected 6 values of int6"),
        ({"x": tensor(Storage("QInt8Storage", "0", 6), 0, (6,), (1,))}, r"torch\.QInt8Storage"),
    ],
)
@pytest.mark.parametrize("form", ["zip", "row"])
def test_what_is_refused(tmp_path, monkeypatch, form, content, message):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.pth"
    if form == "zip":
        write_zip(path, content, {"0": SIX.tobytes()})
    else:
        write_row(path, content, {"0": SIX} if b"Storage" in dumps(content) else {})
    with pytest.raises(ValueError, match=message) as caught:
        load_tensors(path)
    assert str(caught.value).startswith(f"{path}: found ")
    assert [file.name for file in tmp_path.iterdir()] == ["bad.pth"]
    # A file that fails leaves nothing behind for the next.
    write_zip(path, {"x": WHOLE}, {"0": SIX.tobytes()})
    np.testing.assert_array_equal(load_tensors(path)["x"], SIX.reshape(2, 3))


class Shell:
    def __reduce__(self):
        import os

        return os.system, ("touch RAN",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_code_runs_nothing(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    plain = pickle.dumps({"x": Shell()}, protocol)
    row = b"".join(map(dumps, (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))) + plain
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", plain)
    for data in (plain, row, archive.getvalue()):
        (tmp_path / "bad.pth").write_bytes(data)
        with pytest.raises(ValueError, match=r"found the name (posix|nt)\.system"):
            load_tensors(tmp_path / "bad.pth")
    assert [file.name for file in tmp_path.iterdir()] == ["bad.pth"]


@pytest.mark.parametrize("form", ["zip", "row"])
def test_a_file_cut_anywhere_is_refused(tmp_path, form):
    path = tmp_path / "a.pth"
    if form == "zip":
        write_zip(path, {"x": WHOLE}, {"0": SIX.tobytes()})
    else:
        write_row(path, {"x": WHOLE}, {"0": SIX})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a\.pth: found"):
            load_tensors(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begins with b''"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "begins with b'.x89HDF"),
        (b"<!DOCTYPE html><html>not found</html>", "begins with b'<!DOCTYP'"),
        (pickle.dumps([1, 2]), "expected one by torch.save"),
    ],
)
def test_foreign_files(tmp_path, data, message):
    (tmp_path / "a.pth").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        load_tensors(tmp_path / "a.pth")


def test_foreign_zips(tmp_path):
    content, path = {"x": WHOLE}, tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "")
    with pytest.raises(ValueError, match=r"a zip with 0 files data\.pkl, expected one"):
        load_tensors(path)
    write_zip(path, content, {"0": SIX.tobytes()}, compress=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"no uncompressed 'archive/data\.pkl'"):
        load_tensors(path)
    write_zip(path, content, {})
    with pytest.raises(ValueError, match=r"no uncompressed 'archive/data/0'"):
        load_tensors(path)
    # A path that climbs is a name inside the zip like any other; nothing is extracted.
    inside = tmp_path / "inside"
    inside.mkdir()
    climbs = {"x": tensor(Storage("FloatStorage", "../../../x", 6), 0, (6,), (1,))}
    write_zip(inside / "b.pth", climbs, {"../../../x": SIX.tobytes()}, root="../..")
    np.testing.assert_array_equal(load_tensors(inside / "b.pth")["x"], SIX)
    assert {file.name for file in tmp_path.rglob("*")} == {"a.pth", "inside", "b.pth"}


def test_the_sha256_is_checked_before_anything_is_read(tmp_path):
    path = write_zip(tmp_path / "a.pth", {"x": WHOLE}, {"0": SIX.tobytes()})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(load_tensors(path, sha256=digest.upper())) == ["x"]
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ValueError, match=f"a.pth: found SHA-256 [0-9a-f]+, expected {digest}"):
        load_tensors(path, sha256=digest)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.pth"):
        load_tensors(tmp_path / "a.pth")


@needs_torch
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_torch_writes(tmp_path, zipped, protocol):
    import torch

    base = torch.arange(24.0).reshape(4, 6)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    tensors = {
        **network.state_dict(),
        "turned": base.T,
        "part": base[1:3, ::2],
        "row": base[2].expand(3, 6),
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 2),
        "parameter": torch.nn.Parameter(base + 1),
        **{
            str(dtype): torch.tensor([0, 1, 100]).to(dtype)
            for dtype in (
                *(torch.float16, torch.bfloat16, torch.float64, torch.bool, torch.uint8),
                *(torch.int8, torch.int16, torch.int32, torch.int64, torch.complex64),
            )
        },
    }
    path = tmp_path / "a.pth"
    options = {"_use_new_zipfile_serialization": zipped, "pickle_protocol": protocol}
    for content, key in (
        (tensors, None),
        ({"epoch": 1, "state_dict": network.state_dict()}, "state_dict"),
    ):
        torch.save(content, path, **options)
        found, expected = load_tensors(path, key=key), content[key] if key else content
        assert list(found) == list(expected)
        for name, value in expected.items():
            value = value.detach()
            value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
            assert found[name].dtype == value.dtype, name
            np.testing.assert_array_equal(found[name], value, err_msg=name)
    torch.save(network, path, **options)
    with pytest.raises(ValueError, match=r"found the name torch\.nn\.modules|in place of a stor"):
        load_tensors(path)
