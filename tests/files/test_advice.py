"""The advice of errors about files works."""

import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import rebasin_fast as rf
from rebasin_fast.errors import FileFormatError


def refusal(path: Path, kind: type[Exception] = FileFormatError, **options: str) -> str:
    with pytest.raises(kind) as refused:
        rf.load_params(path, **options)
    return str(refused.value)


def same(path: Path, state: dict[str, torch.Tensor]) -> bool:
    found = rf.load_params(path)
    return list(found) == list(state) and all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_torchscript_program_saved_again(tmp_path: Path) -> None:
    net = nn.Linear(2, 3)
    torch.jit.save(torch.jit.script(net), tmp_path / "a.pt")
    advice = re.search(
        r"torch\.save\(torch\.jit\.load\(old\)\.state_dict\(\), new\)", refusal(tmp_path / "a.pt")
    )
    assert advice is not None
    exec(advice[0], {"torch": torch, "old": tmp_path / "a.pt", "new": tmp_path / "new.pt"})
    assert same(tmp_path / "new.pt", net.state_dict())


def test_a_compressed_archive_packed_again(tmp_path: Path) -> None:
    state = nn.Linear(2, 3).state_dict()
    torch.save(state, tmp_path / "a.pt")
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as archive,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as packed,
        zipfile.ZipFile(tmp_path / "c.pt", "w", zipfile.ZIP_STORED) as stored,
    ):
        for name in archive.namelist():
            packed.writestr(name, archive.read(name))
            stored.writestr(name, archive.read(name))
    assert "zip -0 -r" in refusal(tmp_path / "b.pt")
    assert same(tmp_path / "c.pt", state)


def test_a_file_renamed_as_advised(tmp_path: Path) -> None:
    state = nn.Linear(2, 3).state_dict()
    torch.save(state, tmp_path / "a.safetensors")
    name = refusal(tmp_path / "a.safetensors").split("Rename it: ")[1]
    (tmp_path / "a.safetensors").rename(tmp_path / name)
    assert same(tmp_path / name, state)


@pytest.mark.parametrize("method", ["to_dense", "dequantize"])
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_tensors_made_dense(tmp_path: Path, method: str) -> None:
    dense = torch.eye(3)
    t = dense.to_sparse() if method == "to_dense" else torch.quantize_per_tensor(dense, 0.1, 0, torch.qint8)
    torch.save({"w": t}, tmp_path / "a.pt")
    message = refusal(tmp_path / "a.pt")
    assert method in message or "float32" in message
    torch.save({"w": getattr(t, method)()}, tmp_path / "b.pt")
    assert rf.load_params(tmp_path / "b.pt")["w"].shape == (3, 3)


def test_a_folder_made_as_advised(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.npz"
    with pytest.raises(OSError, match="mkdir") as refused:
        rf.save_params(path, {"w": np.ones(2)})
    command = re.search(r"mkdir -p .*?(?=\.$)", str(refused.value))
    assert command is not None
    subprocess.run(shlex.split(command[0]), check=True)
    rf.save_params(path, {"w": np.ones(2)})
    assert os.listdir(path.parent) == ["a.npz"]


def test_a_module_that_is_no_data_saved_as_its_state_dict(tmp_path: Path) -> None:
    class Opaque(nn.Linear):
        def __reduce__(self) -> tuple[object, ...]:
            return Opaque, (2, 3), {"opaque": True}

    globals()["Opaque"] = Opaque
    Opaque.__qualname__ = "Opaque"
    torch.save(Opaque(2, 3), tmp_path / "a.pt")
    message = refusal(tmp_path / "a.pt")
    program = re.search(
        r"torch\.save\(torch\.load\(old, weights_only=False\)\.state_dict\(\), new\)", message
    )
    assert program is not None
    where = {"torch": torch, "old": tmp_path / "a.pt", "new": tmp_path / "new.pt"}
    exec(program[0], where)
    assert list(rf.load_params(tmp_path / "new.pt")) == ["weight", "bias"]
    assert sys.modules[__name__].Opaque is Opaque
