"""``match --method activation`` and ``merge --method``."""

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
    pytest.importorskip("torch")
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
    pytest.importorskip("torch")
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
    pytest.importorskip("torch")
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
    pytest.importorskip("torch")
    arguments = ["--model", "mine_of_methods:net", "--data", "mine_of_methods:batches", "-o", "curve.xyz"]
    result = run("curve", shaped.a, shaped.b, *arguments)
    assert result.exit_code == 1
    assert "curve.xyz" in result.stderr
    assert ".png" in result.stderr
    assert "[1/" not in result.stderr


def test_merge_keeps_and_resumes(models: Models, run: Run, tmp_path: Path) -> None:
    files = ("--save-permutations", "many.npz", "--resume", "state.npz")
    arguments = ("merge", models.a, models.b, models.b, "--method", "merge-many", "-o")
    first = run(*arguments, "m.npz", *files)
    assert first.exit_code == 0, first.stderr
    saved = rf.ManyMatching.load(tmp_path / "many.npz", [models.params_a, models.params_b, models.params_b])
    for name, array in rf.load_params(tmp_path / "m.npz").items():
        np.testing.assert_array_equal(saved.merged[name], array)
    again = run(*arguments, "m.npz", *files, "--force", "--json")
    assert json.loads(again.stdout)["objective"] == saved.objective


def test_merge_of_many_says_what_it_does_not_take(models: Models, run: Run) -> None:
    for options in (
        ("--resume", "state.npz"),
        ("--save-permutations", "many.npz"),
        ("--method", "merge-many", "--restarts", 2),
    ):
        result = run("merge", models.a, models.b, "-o", "m.npz", *options)
        assert result.exit_code == 2
        assert options[-2] in result.stderr


def test_merge_of_many_traces(
    models: Models, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    code = (
        "import torch\nfrom collections import OrderedDict\nfrom torch import nn\n"
        "def traced():\n    net = nn.Sequential(OrderedDict(fc1=nn.Linear(6, 24), r1=nn.ReLU(), fc2=nn.Linear(24, 20),"
        " r2=nn.ReLU(), fc3=nn.Linear(20, 4)))\n    return net, torch.zeros(2, 6)\n"
    )
    (tmp_path / "many_traced.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    # Names that no ready spec knows.
    renamed = {name.replace("fc", "layer_of_mine."): array for name, array in models.params_a.items()}
    rf.save_params(tmp_path / "own.npz", renamed)
    options = ("-o", "m.npz", "--method", "merge-many", "--trace", "many_traced:traced")
    assert run("merge", models.a, models.b, *options).exit_code == 0
    assert run("merge", "own.npz", "own.npz", *options, "--force").exit_code != 0
