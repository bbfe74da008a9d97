"""The compiled CUDA module's place taken by its NumPy reference."""

import pytest

from helpers.host_module import HostModule
from rebasin_fast._native import cuda as native


@pytest.fixture
def module(monkeypatch):
    stand_in = HostModule()
    monkeypatch.setattr(native, "load", lambda: stand_in)
    return stand_in
