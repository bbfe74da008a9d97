"""Random bytes and damaged files: always our own error, never a crash, never much memory."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
from rebasin_fast.errors import RebasinError

SETTINGS = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MAX_MEMORY = 32 << 20
PARAMS = {"a.weight": np.arange(12, dtype=np.float32).reshape(3, 4), "a.bias": np.ones(3), "n": np.array(3)}


def valid_files() -> "dict[str, bytes]":
    import tempfile
    from pathlib import Path

    files = {}
    tensors = {"state_dict": {n: torch.from_numpy(a.copy()) for n, a in PARAMS.items()}, "epoch": 3}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".safetensors", ".npz"):
            path = Path(folder) / f"f{suffix}"
            rf.save_params(path, PARAMS)
            files[suffix] = path.read_bytes()
    out = io.BytesIO()
    np.savez_compressed(out, **PARAMS)
    files["packed.npz"] = out.getvalue()
    for name, zipped in (("zip.pt", True), ("stream.pt", False)):
        out = io.BytesIO()
        torch.save(tensors, out, _use_new_zipfile_serialization=zipped)
        files[name] = out.getvalue()
    return files


FILES = valid_files()


def survive(path) -> None:
    """Load everything in every way: only our errors, little memory, no array far larger than the file."""
    tracemalloc.start()
    try:
        outcomes = [outcome(path, library) for library in ("numpy", "torch")]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MAX_MEMORY
    for found in outcomes:
        assert path.name in found


def outcome(path, library) -> str:
    try:
        params = rf.load_params(path, library=library)
        if all(array.nbytes < MAX_MEMORY for array in params.values()):
            return repr(params)
        return "an array far larger than the file"
    except RebasinError as error:
        return str(error)


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt", ""])
@SETTINGS
@given(content=st.binary(max_size=400))
@example(content=b"\x80\x02r\xff\xff\xff\x7f.")  # a memo index that would take 16 GiB
@example(content=b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f")  # a bytes object of 2^63 bytes
@example(content=b"\x80\x02c" + b"x" * 300)
def test_random_bytes(tmp_path, suffix, content):
    path = tmp_path / f"fuzz{suffix}"
    heads = {
        ".safetensors": struct.pack("<Q", len(content)) + b"{",
        ".npz": b"PK\x03\x04",
        ".pt": b"\x80\x02",
    }
    for data in (content, heads.get(suffix, b"") + content):
        path.write_bytes(data)
        survive(path)


@pytest.mark.parametrize("kind", FILES)
@SETTINGS
@given(data=st.data())
def test_mutated_files(tmp_path, kind, data):
    content = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(content) - 1))
        action = data.draw(st.sampled_from(["set", "cut", "insert", "delete", "big"]))
        if action == "set":
            content[position] = data.draw(st.integers(0, 255))
        elif action == "cut":
            del content[max(position, 1) :]
        elif action == "insert":
            content[position:position] = data.draw(st.binary(min_size=1, max_size=9))
        elif action == "delete":
            del content[position : min(position + 8, len(content) - 1)]
        else:
            content[position : position + 8] = b"\xff" * 7 + b"\x7f"
    path = tmp_path / f"fuzz{kind[kind.index('.') :]}"
    path.write_bytes(content)
    survive(path)


@SETTINGS
@given(data=st.data())
def test_mutated_descriptions_in_whole_torch_archives(tmp_path, data):
    """Damage inside the pickle only: the archive stays whole, so the reader gets as far as it can."""
    with zipfile.ZipFile(io.BytesIO(FILES["zip.pt"])) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = next(name for name in members if name.endswith("data.pkl"))
    pickle = bytearray(members[name])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(pickle) - 1))
        replacement = data.draw(st.binary(max_size=5))
        pickle[position : position + data.draw(st.integers(0, 5))] = replacement
    path = tmp_path / "fuzz.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for other, content in members.items():
            archive.writestr(other, bytes(pickle) if other == name else content)
    survive(path)
    assert path.exists()


HEADER_VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False),
        st.sampled_from(["F32", "F16", "dtype", "x"]),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["dtype", "shape"]), inner),
    max_leaves=6,
)  # fmt: skip


@SETTINGS
@given(
    dtype=st.one_of(st.sampled_from(["F32", "BF16", "BOOL", "F64"]), HEADER_VALUES),
    shape=st.one_of(st.lists(st.integers(0, 4), max_size=3), HEADER_VALUES),
    offsets=st.one_of(st.tuples(st.integers(0, 64), st.integers(0, 64)).map(list), HEADER_VALUES),
    metadata=HEADER_VALUES,
)
def test_invented_safetensors_headers(tmp_path, dtype, shape, offsets, metadata):
    import json

    text = {"__metadata__": metadata, "w": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}
    encoded = json.dumps(text).encode()
    path = tmp_path / "fuzz.safetensors"
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + bytes(64))
    survive(path)
