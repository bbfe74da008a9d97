"""torch checkpoints: contents around a state dict, and pickles that must never be executed."""

import argparse
import collections
import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import rebasin_fast as rf
from rebasin_fast.errors import FileFormatError, MissingDependencyError


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))


def agree(found, expected) -> bool:
    return list(found) == list(expected) and all(torch.equal(found[n], expected[n]) for n in expected)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("frame", ["plain", "state_dict", "model", "nested", "prefixed"])
def test_a_state_dict_is_found_and_its_frame_put_back(tmp_path, zipped, frame):
    state = model().state_dict()
    if frame == "prefixed":
        state = collections.OrderedDict((f"module.{name}", value) for name, value in state.items())
    note = {"epoch": 3, "best_prec1": 91.5, "args": {"lr": [0.1, 0.01]}, "arch": "resnet"}
    saved = {
        "plain": state,
        "prefixed": {"state_dict": state, **note},
        "state_dict": {**note, "state_dict": state},
        "model": {"model": state, **note},
        "nested": {"checkpoint": {"model_state_dict": state, "inner": 1}, **note},
    }[frame]
    torch.save(saved, tmp_path / "in.pth", _use_new_zipfile_serialization=zipped)
    params = rf.load_params(tmp_path / "in.pth")
    assert agree(params, state)
    assert params.source.left_out == {}
    shifted = {name: value + 1 for name, value in params.items()}
    rf.save_params(tmp_path / "out.pth", shifted, like=params)
    found = torch.load(tmp_path / "out.pth", weights_only=True)
    expected = torch.load(tmp_path / "in.pth", weights_only=True)

    def compare(a, b):
        assert type(a) is type(b)
        if isinstance(b, torch.Tensor):
            assert torch.equal(a, b + 1)
            assert a.dtype == b.dtype
        elif isinstance(b, dict):
            assert list(a) == list(b)
            for key in b:
                compare(a[key], b[key])
        else:
            assert a == b

    compare(found, expected)
    if frame == "plain":
        assert found._metadata == state._metadata


def test_what_is_not_weights_is_reported_and_not_fatal(tmp_path):
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    saved = {
        "epoch": 4,
        "args": argparse.Namespace(lr=0.1),
        "numpy": np.float64(3.0),
        "state_dict": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "ema": net.state_dict(),
        "path": Path("x"),
    }
    for zipped in (True, False):
        torch.save(saved, tmp_path / "in.pt", _use_new_zipfile_serialization=zipped)
        params = rf.load_params(tmp_path / "in.pt")
        assert agree(params, saved["state_dict"])
        assert {"args", "numpy", "ema", "path"} <= set(params.source.left_out)
        assert "argparse.Namespace" in params.source.left_out["args"]
        assert "do not move" in params.source.left_out["ema"]
        rf.save_params(tmp_path / "out.pt", params, overwrite=True)
        assert torch.load(tmp_path / "out.pt", weights_only=True)["epoch"] == 4


def test_entries_that_are_asked_for(tmp_path):
    a, b = {"w": torch.ones(2)}, {"w": torch.zeros(2)}
    torch.save({"encoder": a, "decoder": b}, tmp_path / "two.pt")
    with pytest.raises(
        FileFormatError, match=r"several sets of parameters: 'encoder', 'decoder'.*entry='encoder'"
    ):
        rf.load_params(tmp_path / "two.pt")
    assert torch.equal(rf.load_params(tmp_path / "two.pt", entry="decoder")["w"], b["w"])
    torch.save({"nets": {"g": a, "d": b}, "state_dict": a}, tmp_path / "deep.pt")
    assert torch.equal(rf.load_params(tmp_path / "deep.pt", entry="nets/d")["w"], b["w"])
    with pytest.raises(FileFormatError, match="no entry 'absent'"):
        rf.load_params(tmp_path / "deep.pt", entry="absent")
    rf.save_params(tmp_path / "half.safetensors", {"w": np.ones(2)})
    with pytest.raises(FileFormatError, match="no inner entries"):
        rf.load_params(tmp_path / "half.safetensors", entry="x")


@pytest.mark.parametrize("zipped", [True, False])
def test_views_parameters_and_odd_layouts(tmp_path, zipped):
    base = torch.arange(24.0).reshape(2, 3, 4)
    saved = {
        "parameter": torch.nn.Parameter(base.clone()),
        "slice": base[:, 1:, ::2],
        "transposed": base.permute(2, 0, 1),
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "expanded": torch.ones(1).expand(6, 7),
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 4),
        "half": torch.randn(3).half(),
        "brain": torch.randn(3).bfloat16(),
        "bool": torch.tensor([True, False]),
        "complex": torch.tensor([1 + 2j]),
    }
    if zipped:
        saved["eight"] = torch.randn(4).to(torch.float8_e4m3fn)
        saved["unsigned"] = torch.tensor([1, 2], dtype=torch.uint16)
    torch.save(saved, tmp_path / "odd.pt", _use_new_zipfile_serialization=zipped)
    found = rf.load_params(tmp_path / "odd.pt")
    numpy = rf.load_params(tmp_path / "odd.pt", library="numpy")
    for name, value in saved.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name].to(torch.complex64), value.to(torch.complex64))
        assert not found[name].requires_grad
        assert np.array_equal(numpy[name].astype(np.complex64), value.detach().to(torch.complex64).numpy())


def test_a_model_takes_what_is_loaded(tmp_path):
    net, other = model(), model()
    other[0].weight.data += 1
    torch.save({"state_dict": net.state_dict()}, tmp_path / "in.pt")
    other.load_state_dict(rf.load_params(tmp_path / "in.pt"))
    assert agree(other.state_dict(), net.state_dict())


def test_a_description_that_repeats_itself_takes_no_time(tmp_path):
    inner: dict = {"epoch": 1}
    for _ in range(4):
        inner = dict.fromkeys((f"k{i}" for i in range(3000)), inner)
    torch.save({"a": inner, "b": inner, "state_dict": {"w": torch.ones(1)}}, tmp_path / "in.pt")
    params = rf.load_params(tmp_path / "in.pt")
    assert list(params) == ["w"]
    assert "too large" in params.source.left_out["a"]


def test_tensors_may_be_written_to_without_touching_the_file(tmp_path):
    torch.save({"w": torch.zeros(5000)}, tmp_path / "in.pt")
    before = (tmp_path / "in.pt").read_bytes()
    params = rf.load_params(tmp_path / "in.pt")
    params["w"].add_(1)
    assert (tmp_path / "in.pt").read_bytes() == before
    array = rf.load_params(tmp_path / "in.pt", library="numpy")["w"]
    with pytest.raises(ValueError, match="read-only"):
        array += 1


@pytest.mark.parametrize("zipped", [True, False])
def test_tied_tensors_are_one_and_stay_one(tmp_path, zipped):
    table = torch.randn(50, 8)
    torch.save({"wte": table, "head": table, "bias": torch.ones(2)}, tmp_path / "in.pt",
               _use_new_zipfile_serialization=zipped)  # fmt: skip
    params = rf.load_params(tmp_path / "in.pt")
    assert params.ties == {"head": "wte"}
    assert params["head"] is params["wte"]
    assert params.parameter_count == 50 * 8 + 2
    moved = {name: value.flip(0) for name, value in params.items()}
    for source in (params, moved):
        rf.save_params(tmp_path / "out.pt", source, like=params, overwrite=True)
        found = torch.load(tmp_path / "out.pt", weights_only=True)
        assert found["head"].data_ptr() == found["wte"].data_ptr()
    moved["head"] = moved["head"] + 1
    with pytest.raises(rf.errors.ParamsError, match="'head' and 'wte' were one tied parameter"):
        rf.save_params(tmp_path / "out.pt", moved, like=params, overwrite=True)
    rf.save_params(tmp_path / "out.pt", moved, overwrite=True)


def test_a_slice_of_a_large_tensor_does_not_drag_it_along(tmp_path):
    rf.save_params(tmp_path / "out.pt", {"w": torch.zeros(1_000_000)[:10]})
    assert (tmp_path / "out.pt").stat().st_size < 10_000


class Hostile:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "payload",
    [
        (os.system, "touch {0}"),
        (subprocess.call, ["touch", "{0}"]),
        (eval, "open('{0}', 'w')"),
        (exec, "open('{0}', 'w')"),
        (open, "{0}", "w"),
        (os.mkdir, "{0}"),
    ],
)
def test_a_hostile_pickle_is_refused_and_not_executed(tmp_path, zipped, payload):
    function, *arguments = payload
    mark = tmp_path / "executed"
    arguments = [
        [part.format(mark) for part in a] if isinstance(a, list) else a.format(mark) for a in arguments
    ]
    hostile = Hostile(function, *arguments)
    module = torch.nn.Sequential(torch.nn.Linear(2, 2))
    module.note = hostile
    for saved in (
        {"w": torch.ones(2), "x": hostile},
        hostile,
        {"state_dict": {"w": torch.ones(1)}, "y": [hostile]},
        module,
    ):
        path = tmp_path / "hostile.pt"
        torch.save(saved, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(
            FileFormatError,
            match=r"hostile\.pt contains a call of .*Nothing of it was executed.*\.safetensors",
        ):
            rf.load_params(path)
        path.write_bytes(pickle.dumps(saved if saved is hostile else {"y": hostile}, protocol=2))
        with pytest.raises(FileFormatError, match=r"hostile\.pt"):
            rf.load_params(path)
    assert not mark.exists()


def test_programs_say_what_to_do(tmp_path):
    program = io.BytesIO()
    with zipfile.ZipFile(program, "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02}.")
        archive.writestr("m/constants.pkl", b"\x80\x02).")
    (tmp_path / "program.pt").write_bytes(program.getvalue())
    with pytest.raises(FileFormatError, match="TorchScript"):
        rf.load_params(tmp_path / "program.pt")


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        ({"epoch": 3}, "holds no named tensors"),
        ([torch.ones(2)], "holds no named tensors"),
        ({"w": torch.eye(2).to_sparse()}, "is a sparse tensor, not a dense"),
        ({0: torch.ones(2)}, "holds no named tensors"),
    ],
)
def test_files_without_a_usable_state_dict(tmp_path, saved, words):
    torch.save(saved, tmp_path / "x.pt")
    with pytest.raises(FileFormatError, match=words):
        rf.load_params(tmp_path / "x.pt")


def test_a_storage_outside_of_the_file_and_giant_shapes(tmp_path):
    torch.save({"w": torch.arange(4.0)}, tmp_path / "good.pt")
    with zipfile.ZipFile(tmp_path / "good.pt") as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    pickle_name = next(name for name in members if name.endswith("data.pkl"))
    for old, new in [
        (b"K\x04\x85", b"K\xff\x85"),  # the shape
        (b"K\x04\x85", b"\x8a\x08" + (2**62).to_bytes(8, "little") + b"\x85"),
        (b"K\x01\x85", b"K\x7f\x85"),  # the stride
        (b"K\x04tq", b"J\xff\xff\xff\x7ftq"),  # the storage's length
    ]:
        assert old in members[pickle_name]
        with zipfile.ZipFile(tmp_path / "bad.pt", "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data.replace(old, new, 1) if name == pickle_name else data)
        with pytest.raises(FileFormatError, match=r"bad\.pt"):
            rf.load_params(tmp_path / "bad.pt")


def test_neither_torch_nor_ml_dtypes_is_imported_without_need(tmp_path):
    torch.save({"w": torch.ones(3), "b": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "in.pt")
    code = (
        "import sys; import rebasin_fast as rf; rf.load_params(sys.argv[1], library='numpy')['w'];"
        "assert not {'torch', 'safetensors', 'ml_dtypes'} & set(sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "in.pt")], check=True, env=env)


def test_without_torch(tmp_path, monkeypatch):
    torch.save({"w": torch.ones(3)}, tmp_path / "in.pt")
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    params = rf.load_params(tmp_path / "in.pt")
    assert isinstance(params["w"], np.ndarray)
    for refused in (
        lambda: rf.load_params(tmp_path / "in.pt", library="torch")["w"],
        lambda: rf.save_params(tmp_path / "out.pt", params),
        lambda: rf.files.check_output(tmp_path / "out.pt"),
    ):
        with pytest.raises(MissingDependencyError, match=r"pip install 'rebasin-fast\[torch\]'"):
            refused()
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    rf.save_params(tmp_path / "out.safetensors", params)


def test_bfloat16_without_ml_dtypes(tmp_path, monkeypatch):
    torch.save({"w": torch.ones(3, dtype=torch.bfloat16)}, tmp_path / "in.pt")
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    assert rf.load_params(tmp_path / "in.pt")["w"].dtype == torch.bfloat16
    rf.save_params(tmp_path / "out.safetensors", rf.load_params(tmp_path / "in.pt"))
    with pytest.raises(MissingDependencyError, match="pip install ml_dtypes"):
        rf.load_params(tmp_path / "out.safetensors")["w"]


@pytest.mark.skipif("REBASIN_FAST_DATA" not in os.environ, reason="needs the folder of real checkpoints")
@pytest.mark.parametrize("name", ["resnet20_a.th", "resnet20_b.th"])
def test_real_checkpoints(tmp_path, name):
    path = Path(os.environ["REBASIN_FAST_DATA"]) / "checkpoints" / name
    expected = torch.load(path, weights_only=True, map_location="cpu")
    params = rf.load_params(path)
    assert agree(params, expected["state_dict"])
    assert all(key.startswith("module.") for key in params)
    rf.save_params(tmp_path / "out.th", params)
    again = torch.load(tmp_path / "out.th", weights_only=True)
    assert again["best_prec1"] == expected["best_prec1"]
    assert agree(again["state_dict"], expected["state_dict"])
