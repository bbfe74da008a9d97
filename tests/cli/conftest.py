"""Small models as files, and the command line called in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.command_line import SHAPES, Models, Ran, invoke


@pytest.fixture
def models(tmp_path: Path) -> Models:
    rng = np.random.default_rng(7)
    spec = rf.specs.mlp(["fc1", "fc2", "fc3"])
    params_a = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
    hidden = {"P0": rng.permutation(24), "P1": rng.permutation(20)}
    params_b = rf.apply_permutation(spec, hidden, params_a)
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    rf.save_params(a, params_a)
    rf.save_params(b, params_b)
    return Models(a, b, params_a, params_b, spec)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    monkeypatch.chdir(tmp_path)

    def call(*args: object) -> Ran:
        return invoke([str(arg) for arg in args])

    return call
