"""``--trace``: specs of models that the user's own code makes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import rebasin_fast as rf
from rebasin_fast.cli import main

MODELS = """
import torch
from torch import nn

INPUTS = torch.ones(2, 3)

def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2))

def small():
    return network(), INPUTS

def alone():
    return network()

def with_inputs():
    model = network()
    model.example_input_array = INPUTS
    return model

def weightless():
    with torch.device("meta"):
        return network(), torch.empty(2, 3)

def nothing():
    return 3, INPUTS
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "traced_models.py").write_text(MODELS)
    path = list(sys.path)
    yield lambda *args: CliRunner().invoke(main, [str(arg) for arg in args])
    sys.path[:] = path
    sys.modules.pop("traced_models", None)


def test_spec_writes_what_is_traced(run: Callable[..., Result], tmp_path: Path) -> None:
    done = run("spec", "--trace", "traced_models:small", "-o", tmp_path / "s.json", "--why")
    assert done.exit_code == 0, done.output
    assert "4 parameters, 1 permutations" in done.stdout
    assert "2.weight axis 0: 2 by output of the model" in done.stdout
    spec = rf.PermutationSpec.from_json((tmp_path / "s.json").read_text())
    assert spec.axes_to_perm["2.weight"] == (None, "0")
    account = json.loads(run("spec", "--trace", "traced_models:with_inputs", "--json").stdout)
    assert account["permutations"]["0"]["size"] == 16


def test_match_aligns_by_a_traced_spec(run: Callable[..., Result], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = {"0.weight": (16, 3), "0.bias": (16,), "2.weight": (2, 16), "2.bias": (2,)}
    a = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    spec = rf.specs.mlp(["0", "2"])
    b = rf.apply_permutation(spec, {"P0": rng.permutation(16)}, a)
    rf.save_params(tmp_path / "a.npz", a)
    rf.save_params(tmp_path / "b.npz", b)
    done = run("match", "a.npz", "b.npz", "-o", "out.npz", "--trace", "traced_models:small", "-q")
    assert done.exit_code == 0, done.output
    aligned = rf.load_params(tmp_path / "out.npz")
    assert all(np.array_equal(aligned[name], a[name]) for name in a)
    shown = run("spec", "a.npz", "--trace", "traced_models:small")
    assert "16 units: 0.weight axis 0" in shown.stdout


def test_a_model_without_weights_is_traced_and_not_verified(run: Callable[..., Result]) -> None:
    done = run("spec", "--trace", "traced_models:weightless")
    assert done.exit_code == 0, done.output
    assert "not verified" in done.stderr
    assert "1 permutations" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--trace", "no_such_module:small"], 2, "module 'no_such_module' cannot be imported from here"),
        (["--trace", "traced_models:large"], 2, "module 'traced_models' has no 'large'"),
        (["--trace", "traced_models"], 2, "is not of the form module:name"),
        (
            ["--trace", "traced_models:alone"],
            1,
            "without inputs to call it with; return (model, example_inputs)",
        ),
        (["--trace", "traced_models:nothing"], 1, "the factory gave int; expected a torch.nn.Module"),
        (["--trace", "traced_models:small", "--spec", "mlp"], 2, "give one of them"),
        ([], 2, "give MODEL, a file of parameters, or --trace"),
    ],
)
def test_mistakes(run: Callable[..., Result], arguments: list[str], code: int, message: str) -> None:
    done = run("spec", *arguments)
    assert done.exit_code == code, done.output
    assert message in " ".join(done.stderr.split())
