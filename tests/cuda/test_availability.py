"""Messages where there is no GPU, or no CUDA module."""

import sys

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast._native import cuda as native


def test_asking_never_raises(monkeypatch):
    assert rf.cuda.is_available() in (True, False)
    for error in (
        ImportError("libcudart.so.13: cannot open"),
        OSError("broken"),
        ModuleNotFoundError("_cuda"),
    ):

        def fail(name, error=error):
            raise error

        monkeypatch.setattr(native.importlib, "import_module", fail)
        assert rf.cuda.is_available() is False
        assert rf.cuda.devices() == []


def test_a_build_without_the_module_says_how_to_build_it(monkeypatch):
    monkeypatch.setattr(native, "_MODULE", "rebasin_fast._never_built")
    with pytest.raises(rf.DeviceError, match=r"REBASIN_CUDA=ON"):
        native.require_device()


def test_a_machine_without_a_device_says_so(monkeypatch):
    class Module:
        @staticmethod
        def count_devices():
            return 0

    monkeypatch.setattr(native, "load", lambda: Module)
    with pytest.raises(rf.DeviceError, match="nvidia-smi"):
        native.require_device()


def test_a_device_is_refused_by_name():
    spec = rf.specs.mlp(["0", "2"])
    with pytest.raises(ValueError, match="'cuda:1'"):
        rf.weight_matching(spec, {}, {}, device="gpu")


@pytest.mark.skipif(
    sys.modules.get("torch") is not None and sys.modules["torch"].cuda.is_available(), reason="has a device"
)
def test_matching_on_a_device_that_is_not_there():
    spec = rf.specs.mlp(["0", "2"])
    shapes = {"0.weight": (4, 3), "0.bias": (4,), "2.weight": (2, 4), "2.bias": (2,)}
    params = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    with pytest.raises(rf.DeviceError, match="device='cpu' runs on the host"):
        rf.weight_matching(spec, params, params, device="cuda")
