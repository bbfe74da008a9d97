"""Other programs' files: whole modules, archives of Stable-Baselines3, Keras, NumPy dictionaries, nestings."""

import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import rebasin_fast as rf
from rebasin_fast.errors import FileFormatError, MissingDependencyError
from rebasin_fast.files.foreign_formats import FOREIGN

ZOO = Path(os.environ.get("REBASIN_FAST_DATA", "nowhere")) / "zoo"


class Net(nn.Module):
    """A class that readers do not have: it is gone before the file is read."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
        self.head = nn.Linear(4, 2)
        self.tied = self.head
        self.register_buffer("passing", torch.ones(3), persistent=False)
        self.register_buffer("mask", torch.ones(3))
        self.register_parameter("none", None)
        self.settings = {"width": 4, "criterion": nn.CrossEntropyLoss(weight=torch.ones(2))}


def agree(found, expected) -> bool:
    return list(found) == list(expected) and all(torch.equal(found[n], expected[n]) for n in expected)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_whole_module_is_read_as_its_state_dict(tmp_path, monkeypatch, zipped, framed):
    torch.manual_seed(0)
    net = Net()
    expected = net.state_dict()
    saved = {"net": net, "epoch": 3, "criterion": nn.CrossEntropyLoss()} if framed else net
    torch.save(saved, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    monkeypatch.delattr(sys.modules[__name__], "Net")
    found = rf.load_params(tmp_path / "a.pt")
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert found.ties == {"tied.weight": "head.weight", "tied.bias": "head.bias"}
    assert any("Net" in entry for entry in found.source.left_out)
    rf.save_params(tmp_path / "o.pt", found)
    written = torch.load(tmp_path / "o.pt", weights_only=True)
    assert set(written["net"] if framed else written) == set(expected)


def test_modules_that_contain_themselves_or_explode_are_refused(tmp_path):
    net = nn.Sequential()
    for _ in range(40):
        net = nn.Sequential(net, net, net)
    torch.save(net, tmp_path / "bomb.pt")
    with pytest.raises(FileFormatError):
        rf.load_params(tmp_path / "bomb.pt")
    loop = nn.Sequential(nn.Linear(2, 2))
    loop._modules["self"] = loop
    torch.save(loop, tmp_path / "loop.pt")
    with pytest.raises(FileFormatError):
        rf.load_params(tmp_path / "loop.pt")


def test_an_archive_of_stable_baselines(tmp_path):
    policy, optimizer = {"net.weight": torch.randn(3, 2)}, {"state": {0: torch.ones(9)}}
    for name, content in (("policy.pth", policy), ("policy.optimizer.pth", optimizer)):
        torch.save(content, tmp_path / name)
    with zipfile.ZipFile(tmp_path / "agent.zip", "w") as archive:
        archive.writestr("data", json.dumps({"policy_class": {":serialized:": "gASV"}}))
        for name in ("policy.pth", "policy.optimizer.pth"):
            archive.write(tmp_path / name, name)
    for library in ("torch", "numpy"):
        found = rf.load_params(tmp_path / "agent.zip", library=library)
        assert np.array_equal(np.asarray(found["net.weight"]), policy["net.weight"].numpy())
        assert set(found.source.left_out) == {"data", "policy.optimizer.pth"}
    rf.load_params(tmp_path / "agent.zip")["net.weight"].add_(1.0)
    with zipfile.ZipFile(tmp_path / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "policy.pth", "policy.pth")
    with pytest.raises(FileFormatError, match="unzip") as refused:
        rf.load_params(tmp_path / "packed.zip")
    (archive_name, member) = re.search(r"unzip (\S+) (\S+)\)", str(refused.value)).groups()
    zipfile.ZipFile(archive_name).extract(member, tmp_path / "out")
    assert agree(rf.load_params(tmp_path / "out" / member), policy)


@pytest.mark.skipif(not ZOO.is_dir(), reason="REBASIN_FAST_DATA holds no zoo")
def test_the_files_that_people_posted_are_read():
    counts = {path.name: len(rf.load_params(path)) for path in sorted(ZOO.iterdir())}
    agents = [f"sb3_{kind}_{game}.zip" for kind in ("a2c", "ppo") for game in ("cartpole", "lunarlander")]
    assert {n: count for n, count in counts.items() if n.endswith(".zip")} == dict.fromkeys(agents, 12)
    assert counts["nif_mnist_half_0.pt"] == counts["nif_mnist_half_1.pt"] == 4


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_dictionaries_of_numpy_arrays(tmp_path, protocol):
    rng = np.random.default_rng(0)
    arrays = {
        "w": rng.standard_normal((3, 4)).astype(np.float32),
        "columns": np.asfortranarray(rng.standard_normal((3, 4))),
        "big_endian": rng.standard_normal(5).astype(">f4"),
        "count": np.array(7),
        "empty": np.zeros((0, 3), np.float16),
        "strided": np.arange(12.0)[::2],
    }
    torch.save({"state_dict": arrays, "epoch": 1}, tmp_path / "a.pt", pickle_protocol=protocol)
    for library in ("torch", "numpy"):
        found = rf.load_params(tmp_path / "a.pt", library=library)
        assert list(found) == list(arrays)
        for name, array in arrays.items():
            assert np.array_equal(np.asarray(found[name]), array), name
    rf.save_params(tmp_path / "o.npz", rf.load_params(tmp_path / "a.pt"))
    objects = {"w": np.array([{"a": 1}], dtype=object)}
    torch.save(objects, tmp_path / "o.pt", pickle_protocol=protocol)
    with pytest.raises(FileFormatError):
        rf.load_params(tmp_path / "o.pt")


def test_a_numpy_array_that_lies_about_its_shape_is_refused(tmp_path):
    class Lying:
        def __reduce__(self):
            return (
                np.empty(0).__reduce__()[0],
                (np.ndarray, (0,), b"b"),
                (1, (9, 9), np.dtype("f4"), False, b"1234"),
            )

    torch.save({"w": Lying()}, tmp_path / "a.pt")
    with pytest.raises(FileFormatError, match="do not fit"):
        rf.load_params(tmp_path / "a.pt")


def megatron() -> dict:
    return {
        "language_model": {
            "embedding": {"word_embeddings": {"weight": torch.randn(5, 4)}},
            "transformer": OrderedDict(
                {"layers.0.weight": torch.randn(4, 4), "layers.0.bias": torch.randn(4)}
            ),
        },
        "lm_head": {"weight": torch.randn(5, 4)},
    }


@pytest.mark.parametrize("framed", [True, False])
def test_the_nested_dictionaries_of_megatron(tmp_path, framed):
    model = megatron()
    torch.save({"model": model, "iteration": 4} if framed else model, tmp_path / "a.pt")
    found = rf.load_params(tmp_path / "a.pt")
    names = [
        "language_model.embedding.word_embeddings.weight",
        "language_model.transformer.layers.0.weight",
        "language_model.transformer.layers.0.bias",
        "lm_head.weight",
    ]
    assert list(found) == names
    rf.save_params(tmp_path / "o.pt", {name: array + 1 for name, array in found.items()}, like=found)
    written = torch.load(tmp_path / "o.pt", weights_only=True)
    written = written["model"] if framed else written
    inner = written["language_model"]["transformer"]["layers.0.weight"]
    assert torch.equal(inner, model["language_model"]["transformer"]["layers.0.weight"] + 1)


@pytest.mark.parametrize("key", ["swa_state_dict", "swa_model"])
def test_averaged_weights_of_swa(tmp_path, key):
    averaged = torch.optim.swa_utils.AveragedModel(nn.Linear(2, 2)).state_dict()
    torch.save({"swa_n": 3, key: averaged, "optimizer": {"state": {}}}, tmp_path / "a.pt")
    assert agree(rf.load_params(tmp_path / "a.pt"), averaged)
    torch.save({"state_dict": nn.Linear(2, 2).state_dict(), key: averaged}, tmp_path / "b.pt")
    both = rf.load_params(tmp_path / "b.pt")
    assert list(both) == ["weight", "bias"]
    assert key in both.source.left_out
    assert agree(rf.load_params(tmp_path / "b.pt", entry=key), averaged)


def test_a_tensor_that_the_index_forgot_is_a_parameter(tmp_path):
    rf.save_params(tmp_path / "one.safetensors", {"a": np.ones(2), "forgotten": np.full(3, 7.0)})
    rf.save_params(tmp_path / "two.safetensors", {"b": np.ones(2)})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}))
    found = rf.load_params(index)
    assert set(found) == {"a", "b", "forgotten"}
    rf.save_params(tmp_path / "out", found)
    again = rf.load_params(tmp_path / "out")
    assert np.array_equal(again["forgotten"], np.full(3, 7.0))
    rf.save_params(tmp_path / "two.safetensors", {"b": np.ones(2), "forgotten": np.ones(3)}, overwrite=True)
    with pytest.raises(FileFormatError, match=r"both one\.safetensors and two\.safetensors hold it"):
        rf.load_params(index)


def _write_foreign(name: str, path: Path, w: np.ndarray) -> None:
    if name == "GGUF":
        gguf = pytest.importorskip("gguf")
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_tensor("w", w)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    elif name == "ONNX":
        onnx = pytest.importorskip("onnx")
        graph = onnx.helper.make_graph([], "g", [], [], [onnx.numpy_helper.from_array(w, "w")])
        onnx.save(onnx.helper.make_model(graph), path)
    else:
        # As flax.serialization writes it: arrays are extension 1 of shape, dtype and bytes.
        msgpack = pytest.importorskip("msgpack")
        packed = msgpack.ExtType(1, msgpack.packb((w.shape, w.dtype.name, w.tobytes())))
        path.write_bytes(msgpack.packb({"params": {"dense": {"w": packed}}}))


@pytest.mark.parametrize("known", FOREIGN, ids=lambda known: known.name)
def test_other_formats_are_named_with_a_command(known, tmp_path):
    path = tmp_path / f"a model{known.suffixes[0]}"
    path.write_bytes((b"GGUF" if known.name == "GGUF" else b"\x08\x01") + b"\x00" * 60)
    with pytest.raises(FileFormatError, match=re.escape(known.name)) as refused:
        rf.load_params(path)
    command = shlex.split(str(refused.value).split("): ", 1)[1])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "command", "exec")
    assert command[3:] == [str(path), str(path.with_suffix(".npz"))]


@pytest.mark.parametrize("known", FOREIGN, ids=lambda known: known.name)
def test_the_command_of_the_refusal_converts(known, tmp_path):
    w = np.arange(64, dtype=np.float32).reshape(2, 32)
    path = tmp_path / f"a model{known.suffixes[0]}"
    _write_foreign(known.name, path, w)
    with pytest.raises(FileFormatError) as refused:
        rf.load_params(path)
    command = shlex.split(str(refused.value).split("): ", 1)[1])
    subprocess.run([sys.executable, *command[1:]], check=True, timeout=120)
    converted = rf.load_params(path.with_suffix(".npz"))
    assert np.array_equal(next(iter(converted.values())), w)


def _keras_file(h5py, path: Path, whole: bool) -> dict[str, np.ndarray]:
    arrays = {"dense/dense/kernel": np.ones((3, 2), np.float32), "dense/dense/bias": np.zeros(2, np.float32)}
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights") if whole else file
        for name, array in arrays.items():
            group[f"{name}:0"] = array
        file.create_group("optimizer_weights")["m"] = np.ones(9)
    return arrays


@pytest.mark.parametrize("whole", [True, False])
def test_weights_of_keras(tmp_path, whole):
    h5py = pytest.importorskip("h5py")
    arrays = _keras_file(h5py, tmp_path / "a.h5", whole)
    found = rf.load_params(tmp_path / "a.h5")
    assert set(found) == set(arrays)
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", "{}")
        archive.write(tmp_path / "a.h5", "model.weights.h5")
    assert set(rf.load_params(tmp_path / "a.keras")) == set(arrays)
    with pytest.raises(FileFormatError, match="read, not written"):
        rf.save_params(tmp_path / "o.h5", found)
    rf.save_params(tmp_path / "o.safetensors", found)
    (tmp_path / "broken.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:300])
    with pytest.raises(FileFormatError):
        rf.load_params(tmp_path / "broken.h5")


def test_links_of_hdf5_are_not_followed(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["w"] = np.ones(3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["w"] = h5py.ExternalLink("secret.h5", "w")
    with pytest.raises(FileFormatError, match="link"):
        rf.load_params(tmp_path / "a.h5")


def test_keras_without_h5py_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 99)
    with pytest.raises(MissingDependencyError, match="pip install h5py"):
        rf.load_params(tmp_path / "a.h5")
