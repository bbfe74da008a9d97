"""``match --method frank-wolfe | straight-through | sinkhorn``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import rebasin_fast as rf
from helpers.command_line import Models

Run = Callable[..., Result]

CODE = """
import torch
from collections import OrderedDict
from torch import nn


def net():
    return nn.Sequential(OrderedDict(
        fc1=nn.Linear(6, 24), r1=nn.ReLU(), fc2=nn.Linear(24, 20), r2=nn.ReLU(), fc3=nn.Linear(20, 4)))


def batches():
    rng = torch.Generator().manual_seed(0)
    return [(torch.randn(16, 6, generator=rng), torch.arange(16) % 4) for _ in range(6)]
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "learnt_models.py").write_text(CODE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "learnt_models"


def assert_aligned(models: Models, path: Path) -> None:
    found = rf.load_params(path)
    for name, expected in models.params_a.items():
        np.testing.assert_array_equal(found[name], expected, err_msg=name)


@pytest.mark.parametrize(
    "options", [("frank-wolfe", "--restarts", 3), ("sinkhorn",)], ids=lambda given: given[0]
)
@pytest.mark.slow
def test_without_data(models: Models, run: Run, tmp_path: Path, options: tuple[object, ...]) -> None:
    pytest.importorskip("torch")
    result = run("match", models.a, models.b, "-o", "out.npz", "--json", "--method", *options)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["distance_after"] == 0.0
    assert_aligned(models, tmp_path / "out.npz")


def test_straight_through(models: Models, run: Run, tmp_path: Path, code: str) -> None:
    pytest.importorskip("torch")
    options = ("--method", "straight-through", "--model", f"{code}:net", "--data", f"{code}:batches")
    result = run("match", models.a, models.b, "-o", "out.npz", "--json", *options)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["steps"] == 6
    assert_aligned(models, tmp_path / "out.npz")


def test_sinkhorn_on_data(models: Models, run: Run, code: str) -> None:
    pytest.importorskip("torch")
    options = ("--method", "sinkhorn", "--model", f"{code}:net", "--data", f"{code}:batches")
    result = run("match", models.a, models.b, "-o", "out.npz", "--json", *options)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["loss"] <= found["first_loss"]


def test_what_is_missing_is_asked_for(models: Models, run: Run, code: str) -> None:
    pytest.importorskip("torch")
    for method in ("straight-through", "sinkhorn"):
        result = run(
            "match", models.a, models.b, "-o", "out.npz", "--method", method, "--model", f"{code}:net"
        )
        assert result.exit_code == 2
        assert f"--method {method} needs --data module:name" in result.stderr
    result = run(
        "match", models.a, models.b, "-o", "out.npz", "--method", "frank-wolfe", "--data", f"{code}:net"
    )
    assert (
        "--data is for --method activation, both, straight-through, sinkhorn; got frank-wolfe"
        in result.stderr
    )
