"""Files that are not what they claim: refused with a cure, before memory of their claims is taken."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest
import safetensors
import safetensors.numpy

import rebasin_fast as rf
from rebasin_fast.errors import FileFormatError


def header(content: "dict | str | bytes", data: bytes = b"") -> bytes:
    if isinstance(content, dict):
        content = json.dumps(content)
    if isinstance(content, str):
        content = content.encode()
    return struct.pack("<Q", len(content)) + content + data


def tensor(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


BAD_SAFETENSORS = {
    "giant header": struct.pack("<Q", 2**63) + b"{" + b" " * 20,
    "header longer than the file": struct.pack("<Q", 99) + b"{}",
    "not JSON": header("{nonsense"),
    "not text": header(b"{\xff\xfe\x00"),
    "a list": header("[]"),
    "nested without end": header('{"a":' + "[" * 100_000),
    "a name twice": header('{"w":%s,"w":%s}' % ((json.dumps(tensor()),) * 2), bytes(8)),
    "an offset twice": header('{"w":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}}', bytes(8)),
    "metadata of numbers": header({"__metadata__": {"a": 1}}),
    "metadata no mapping": header({"__metadata__": []}),
    "no dtype": header({"w": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
    "unknown dtype": header({"w": tensor("F4")}, bytes(8)),
    "dtype a list": header({"w": tensor(["F32"])}, bytes(8)),
    "shape negative": header({"w": tensor(shape=(-2,))}, bytes(8)),
    "shape of text": header({"w": tensor(shape=("2",))}, bytes(8)),
    "shape true": header({"w": tensor("F32", (True, 2))}, bytes(8)),
    "shape overflows": header({"w": tensor(shape=(2**32, 2**32), offsets=(0, 0))}),
    "shape overflows beside zero": header({"w": tensor(shape=(0, 2**62, 2**62), offsets=(0, 0))}),
    "shape of many digits": header(
        '{"w":{"dtype":"F32","shape":[1%s],"data_offsets":[0,8]}}' % ("0" * 5000), bytes(8)
    ),
    "too many axes": header({"w": tensor(shape=(1,) * 65, offsets=(0, 4))}, bytes(4)),
    "size disagrees": header({"w": tensor(shape=(3,))}, bytes(8)),
    "offsets backwards": header({"w": tensor(offsets=(8, 0))}, bytes(8)),
    "offsets negative": header({"w": tensor(offsets=(-8, 0))}, bytes(8)),
    "offsets beyond the end": header({"w": tensor(shape=(2**40,), offsets=(0, 2**42))}, bytes(8)),
    "offsets not two": header({"w": {**tensor(), "data_offsets": [0]}}, bytes(8)),
    "offsets of floats": header({"w": tensor(offsets=(0.0, 8.0))}, bytes(8)),
    "overlap": header({"v": tensor(), "w": tensor(offsets=(4, 12))}, bytes(12)),
    "a gap": header({"v": tensor(), "w": tensor(offsets=(12, 20))}, bytes(20)),
    "more data than described": header({"v": tensor()}, bytes(16)),
    "truncated": header({"v": tensor()}, bytes(7)),
    "too short": b"1234567",
    "empty": b"",
}


@pytest.mark.parametrize("kind", BAD_SAFETENSORS)
def test_bad_safetensors_files_are_refused(tmp_path, kind):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(BAD_SAFETENSORS[kind])
    with pytest.raises(FileFormatError, match=r"bad\.safetensors"):
        rf.load_params(path)


def test_whatever_the_format_s_own_library_refuses_we_refuse_and_the_reverse(tmp_path):
    stricter_here = {"a name twice", "an offset twice"}  # the library takes the last of two
    for kind, content in BAD_SAFETENSORS.items():
        path = tmp_path / "bad.safetensors"
        path.write_bytes(content)
        if kind in stricter_here or kind in ("too many axes", "shape overflows beside zero", "unknown dtype"):
            continue
        with pytest.raises(Exception), safetensors.safe_open(path, "np") as file:  # noqa: B017, PT011
            file.keys()


def npz(members: "dict[str, bytes]", compression=zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def npy(array: np.ndarray, **options) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, **options)
    return out.getvalue()


def npy_header(text: str, data: bytes = b"") -> bytes:
    body = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(body)) + body + data


def doubled() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("w.npy", npy(np.ones(2)))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("w.npy", npy(np.zeros(2)))
    return out.getvalue()


BAD_NPZ = {
    "pickled": lambda: npz({"w.npy": npy(np.array([{}], object), allow_pickle=True)}),
    "giant shape": lambda: npz(
        {"w.npy": npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }")}
    ),
    "overflowing shape": lambda: npz(
        {"w.npy": npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }")}
    ),
    "negative shape": lambda: npz(
        {"w.npy": npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", bytes(8))}
    ),
    "code in the header": lambda: npz(
        {"w.npy": npy_header("{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': (1,)}")}
    ),
    "text": lambda: npz({"w.npy": npy(np.array(["abc"]))}),
    "records": lambda: npz({"w.npy": npy(np.zeros(2, [("a", "f4")]))}),
    "wrong magic": lambda: npz({"w.npy": b"no array here, just some text that goes on"}),
    "empty member": lambda: npz({"w.npy": b""}),
    "truncated": lambda: npz({"w.npy": npy(np.ones(1000))})[:4000],
    "twice": doubled,
    "a bomb": lambda: npz(
        {"w.npy": npy(np.zeros(40_000_000))}, zipfile.ZIP_DEFLATED
    ),
    "damaged compression": lambda: npz({"w.npy": npy(np.random.default_rng(0).random(500))}, 8).replace(
        b"\x93", b"\x92"
    )[:-400] + bytes(400),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_NPZ)
def test_bad_npz_files_are_refused(tmp_path, kind):
    path = tmp_path / "bad.npz"
    path.write_bytes(BAD_NPZ[kind]())
    with pytest.raises(FileFormatError, match=r"bad\.npz"):
        dict(rf.load_params(path))


def test_damage_inside_a_compressed_member_is_found_when_it_is_read(tmp_path):
    path = tmp_path / "bad.npz"
    data = bytearray(npz({"w.npy": npy(np.random.default_rng(0).random(20_000))}, zipfile.ZIP_DEFLATED))
    data[120_000] ^= 0xFF
    path.write_bytes(data)
    params = rf.load_params(path)
    with pytest.raises(FileFormatError, match="cannot be unpacked"):
        params["w"]


def test_unusual_but_honest_npz_files(tmp_path):
    path = tmp_path / "good.npz"
    arrays = {"f": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "b": np.arange(4, dtype=">i2")}
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path.write_bytes(
            npz({f"{n}.npy": npy(a) for n, a in arrays.items()} | {"notes.txt": b"x"}, compression)
        )
        params = rf.load_params(path)
        assert all(np.array_equal(params[n], a) for n, a in arrays.items())
        assert params["b"].dtype == np.int16
        assert params.source.left_out == {"notes.txt": "not an array"}


def test_pickled_dictionaries_in_npy_say_what_to_do(tmp_path):
    np.save(tmp_path / "dict.npy", {"w": np.ones(2)}, allow_pickle=True)
    with pytest.raises(FileFormatError, match=r"numpy\.savez"):
        rf.load_params(tmp_path / "dict.npy")
    with pytest.raises(FileFormatError, match="cannot be written"):
        rf.save_params(tmp_path / "out.npy", {"w": np.ones(2)})


def test_names_and_contents_that_disagree(tmp_path):
    pytest.importorskip("torch")
    rf.save_params(tmp_path / "a.safetensors", {"w": np.ones(2)})
    rf.save_params(tmp_path / "a.npz", {"w": np.ones(2)})
    rf.save_params(tmp_path / "a.pt", {"w": np.ones(2)})
    for suffix in (".safetensors", ".npz", ".pt"):
        for other in {".safetensors", ".npz", ".pt"} - {suffix}:
            path = tmp_path / f"wrong{other}"
            path.write_bytes((tmp_path / f"a{suffix}").read_bytes())
            with pytest.raises(FileFormatError, match=rf"Rename it: wrong\{suffix}"):
                rf.load_params(path)
        path = tmp_path / "nameless"
        path.write_bytes((tmp_path / f"a{suffix}").read_bytes())
        assert list(rf.load_params(path)) == ["w"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>not found</html>", "web page"),
        (b"", "is empty"),
        (b"hello world, this is a text", "its content is not"),
        (b"PK\x05\x06" + bytes(18), r"its content is not"),
    ],
)
def test_what_is_often_there_instead_of_weights(tmp_path, content, words):
    for name in ("m.safetensors", "m.pt", "m.npz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileFormatError, match=words):
            rf.load_params(tmp_path / name)


def test_missing_files_suggest_what_is_near(tmp_path):
    (tmp_path / "resnet20.safetensors").write_bytes(b"x")
    with pytest.raises(FileNotFoundError, match=r"Did you mean resnet20\.safetensors"):
        rf.load_params(tmp_path / "resnet2.safetensors")
    with pytest.raises(FileNotFoundError, match=r"The folder holds resnet20\.safetensors"):
        rf.load_params(tmp_path / "x")
    with pytest.raises(rf.errors.RebasinError, match="does not exist either"):
        rf.load_params(tmp_path / "none" / "x")


def test_metadata_and_ties_of_safetensors(tmp_path):
    path = tmp_path / "tied.safetensors"
    table = np.arange(6.0)
    rf.save_params(path, {"wte": table, "head": table, "b": np.ones(2)}, metadata={"step": "7"})
    assert set(safetensors.numpy.load_file(path)) == {"b", "wte"}
    params = rf.load_params(path)
    assert params.ties == {"head": "wte"}
    assert params["head"] is params["wte"]
    assert params.parameter_count == 8
    assert params.source.metadata == {"format": "pt", "step": "7", "head": "wte"}
    rf.save_params(tmp_path / "again.safetensors", {n: a + 1 for n, a in params.items()}, like=params)
    again = rf.load_params(tmp_path / "again.safetensors")
    assert again.ties == {"head": "wte"}
    assert again.source.metadata["step"] == "7"
    untied = {"wte": table, "head": table + 1}
    rf.save_params(tmp_path / "untied.safetensors", untied)
    assert rf.load_params(tmp_path / "untied.safetensors").ties == {}


def test_ties_agree_with_the_convention_of_the_format_s_library(tmp_path):
    pytest.importorskip("torch")
    import safetensors.torch
    import torch

    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.wte = torch.nn.Embedding(5, 3)
            self.head = torch.nn.Linear(3, 5, bias=False)
            self.head.weight = self.wte.weight

    model, other = Tied(), Tied()
    safetensors.torch.save_model(model, tmp_path / "theirs.safetensors")
    params = rf.load_params(tmp_path / "theirs.safetensors")
    assert set(params) == {"wte.weight", "head.weight"}
    rf.save_params(tmp_path / "ours.safetensors", params)
    safetensors.torch.load_model(other, tmp_path / "ours.safetensors")
    assert torch.equal(other.head.weight, model.head.weight)


def test_headers_that_leave_their_data_unaligned(tmp_path):
    path = tmp_path / "odd.safetensors"
    values = np.arange(3, dtype=np.float64)
    text = json.dumps({"w": tensor("F64", (3,), (0, 24))})
    text += " " * ((5 - len(text)) % 8)
    path.write_bytes(header(text, values.tobytes()))
    found = rf.load_params(path)["w"]
    assert found.flags.aligned
    assert np.array_equal(found, values)


def test_mapped_arrays_take_no_memory_of_their_own(tmp_path):
    import tracemalloc

    path = tmp_path / "large.safetensors"
    rf.save_params(path, {f"w{i}": np.ones((256, 1024), np.float32) for i in range(32)})

    def private() -> int:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) << 10

    tracemalloc.start()
    before = private()
    params = rf.load_params(path)
    total = sum(float(array[::64].sum()) for array in params.values())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 32 * 4 * 1024
    assert peak < 2 << 20
    assert private() - before < 4 << 20
    assert not params["w0"].flags.writeable
