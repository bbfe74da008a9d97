"""``match --method activation`` and ``merge --method``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import rebasin_fast as rf

from .conftest import Models

Run = Callable[..., Result]

MINE = """
import torch
def net():
    net = torch.nn.Sequential()
    for i, (n, m) in enumerate(((6, 24), (24, 20), (20, 3)), 1):
        net.add_module(f"fc{i}", torch.nn.Linear(n, m))
        net.add_module(f"act{i}", torch.nn.Tanh() if i < 3 else torch.nn.Identity())
    return net
def batches():
    torch.manual_seed(0)
    return [(torch.randn(100, WIDTH), None) for _ in range(3)]
def one_by_one():
    yield from batches()
"""


@pytest.fixture
def shaped(models: Models, tmp_path: Path) -> Models:
    width = models.params_a["fc1.weight"].shape[1]
    text = MINE.replace("6, 24", f"{width}, 24").replace("WIDTH", str(width))
    classes = models.params_a["fc3.weight"].shape[0]
    (tmp_path / "mine_of_methods.py").write_text(text.replace("(20, 3)", f"(20, {classes})"))
    return models


@pytest.mark.parametrize("data", ["batches", "one_by_one"])
def test_match_by_activations(shaped: Models, run: Run, tmp_path: Path, data: str) -> None:
    arguments = [
        "--method",
        "activation",
        "--model",
        "mine_of_methods:net",
        "--data",
        f"mine_of_methods:{data}",
    ]
    result = run("match", shaped.a, shaped.b, "-o", tmp_path / "out.npz", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    aligned = rf.load_params(tmp_path / "out.npz")
    assert all(np.array_equal(aligned[name], array) for name, array in shaped.params_a.items())
    account = json.loads(result.stdout)
    assert account["objective"] == pytest.approx(44.0, abs=1e-3)
    assert account["distance_after"] == 0.0


def test_a_method_asks_for_what_it_needs(shaped: Models, run: Run, tmp_path: Path) -> None:
    result = run("match", shaped.a, shaped.b, "-o", tmp_path / "out.npz", "--method", "activation")
    assert result.exit_code == 2
    assert "--method activation needs --model module:name" in result.stderr
    result = run("match", shaped.a, shaped.b, "-o", tmp_path / "out.npz", "--data", "mine_of_methods:batches")
    assert result.exit_code == 2
    assert "--data is for --method activation" in result.stderr
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("method", ["merge-many", "cycle-consistent"])
def test_merge_of_many(models: Models, run: Run, tmp_path: Path, method: str) -> None:
    result = run(
        "merge", models.a, models.b, models.b, "-o", tmp_path / "m.npz", "--method", method, "--json"
    )
    assert result.exit_code == 0, result.stderr
    merged = rf.load_params(tmp_path / "m.npz")
    for name, expected in models.params_a.items():
        np.testing.assert_allclose(merged[name], expected, rtol=1e-6)
    account = json.loads(result.stdout)
    assert account["models"] == 3
    assert account["objective"] > account["first_objective"]
    assert "objective" in result.stderr


def test_merge_many_takes_the_spec_of_a_trace(shaped: Models, run: Run, tmp_path: Path) -> None:
    (tmp_path / "nothing_moves.py").write_text(
        "import torch\nfrom mine_of_methods import net\n"
        "class Still(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.w = torch.nn.Parameter(torch.ones(3))\n"
        "    def forward(self, x):\n        return x * self.w\n"
        "def still():\n    return Still(), torch.ones(2, 3)\n"
    )
    result = run(
        "merge", shaped.a, shaped.b, "-o", "o.npz", "--method", "merge-many", "--trace", "nothing_moves:still"
    )
    assert result.exit_code == 1
    assert "'w'" in result.stderr


@pytest.mark.parametrize(
    ("model", "data", "words"),
    [
        ("mine_of_methods:batches", "mine_of_methods:batches", ("--model", "list")),
        ("mine_of_methods:net", "faulty_data:unpaired", ("pair", "Tensor")),
        ("mine_of_methods:net", "faulty_data:none", ("no batches",)),
    ],
)
def test_curve_says_what_was_wrong_with_models_and_data(
    model: str, data: str, words: tuple[str, ...], shaped: Models, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "faulty_data.py").write_text(
        "import torch\ndef unpaired():\n    return [torch.ones(2, 6)]\ndef none():\n    return []\n"
    )
    result = run("curve", shaped.a, shaped.b, "--model", model, "--data", data, "--points", "3")
    assert result.exit_code in (1, 2), result.output
    for word in words:
        assert word in result.stderr


def test_curve_refuses_a_picture_that_cannot_be_drawn_before_it_measures(
    shaped: Models, run: Run, tmp_path: Path
) -> None:
    arguments = ["--model", "mine_of_methods:net", "--data", "mine_of_methods:batches", "-o", "curve.xyz"]
    result = run("curve", shaped.a, shaped.b, *arguments)
    assert result.exit_code == 1
    assert "curve.xyz" in result.stderr
    assert ".png" in result.stderr
    assert "[1/" not in result.stderr
