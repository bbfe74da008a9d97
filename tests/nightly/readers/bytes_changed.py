"""Valid files of every format with some bytes changed, cut, doubled or moved."""

from __future__ import annotations

import io
import pickle
import random
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

import rebasin_fast as rf
from rebasin_fast.files import save_permutation

from .case import PERMUTATION_ERRORS, Case, read_params, read_permutation

ARRAYS = {"a.weight": np.arange(12, dtype=np.float32).reshape(3, 4), "a.bias": np.ones(3), "n": np.array(3)}
_LARGE = (b"\xff" * 4, b"\x7f" + b"\xff" * 7, b"\xff" * 7 + b"\x7f", b"\0" * 8, b"\x80\0\0\0")


@lru_cache(maxsize=1)
def valid_files() -> dict[str, bytes]:
    """The bytes of a file of each format by a name with its extension; those of torch where torch is installed."""
    files: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".safetensors", ".npz"):
            path = Path(folder, f"plain{suffix}")
            rf.save_params(path, ARRAYS)
            files[path.name] = path.read_bytes()
            path = Path(folder, f"permutation{suffix}")
            save_permutation(path, {"P": np.array([2, 0, 1])}, '{"axes": {"w": ["P"]}}', metadata={"a": "b"})
            files[path.name] = path.read_bytes()
    packed = io.BytesIO()
    np.savez_compressed(packed, **ARRAYS)
    files["packed.npz"] = packed.getvalue()
    files["plain.pkl.pt"] = pickle.dumps({"w": [1, 2], "a": {"b": None}}, protocol=4)
    return files | _files_of_torch()


def _files_of_torch() -> dict[str, bytes]:
    try:
        import torch
    except ImportError:
        return {}
    tensors = {name: torch.from_numpy(array.copy()) for name, array in ARRAYS.items()}
    whole = {"state_dict": tensors, "epoch": 3, "arrays": {"w": np.ones(2)}}
    files = {}
    for name, content, zipped, protocol in (
        ("zip.pt", whole, True, 2),
        ("zip4.pt", {"model": torch.nn.Linear(2, 3), "w": torch.ones(2, 3).T}, True, 4),
        ("stream.pt", whole, False, 2),
        ("numpy.pt", {"w": ARRAYS["a.weight"], "b": ARRAYS["n"]}, True, 3),
    ):
        out = io.BytesIO()
        torch.save(content, out, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
        files[name] = out.getvalue()
    return files


def changed(draw: random.Random, content: bytes, most: int = 6) -> bytes:
    """The bytes with one to ``most`` changes."""
    data = bytearray(content)
    for _ in range(draw.randint(1, most)):
        at = draw.randrange(len(data) + 1)
        match draw.randrange(8):
            case 0:
                data[at : at + 1] = bytes([draw.randrange(256)])
            case 1 if at < len(data):
                data[at] ^= 1 << draw.randrange(8)
            case 2:
                data[at:at] = draw.randbytes(draw.randint(1, 9))
            case 3:
                del data[at : at + draw.randint(1, 9)]
            case 4:
                large = draw.choice(_LARGE)
                data[at : at + len(large)] = large
            case 5:
                start = draw.randrange(len(data) + 1)
                data[at:at] = data[start : start + draw.randint(1, 60)]
            case 6 if draw.random() < 0.2:
                del data[at:]
            case _:
                data[at : at + 2] = draw.randrange(1 << 16).to_bytes(2, "little")
    return bytes(data)


def case(draw: random.Random) -> Case:
    """A changed file of any format."""
    name = draw.choice(sorted(valid_files()))
    files = {name: changed(draw, valid_files()[name])}
    if name.startswith("permutation"):
        return Case(files, name, read_permutation, PERMUTATION_ERRORS)
    return Case(files, name, read_params)
