"""A common ancestor is recognised by the order of units, and never claimed where that order shows none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.axis import Product
from rebasin_fast.matching.kinship import Kinship, kinship
from rebasin_fast.report import write_report

SPEC = rf.specs.mlp(["fc1", "fc2", "fc3"])
SIZES = {"fc1": (16, 48), "fc2": (48, 32), "fc3": (32, 4)}
Model = dict[str, np.ndarray]


def trained(seed: int, start: Model | None = None, steps: int = 150) -> Model:
    """A network after some steps of gradient descent on a task that is drawn anew, from ``start`` or its own."""
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(seed)
    teacher = torch.Generator().manual_seed(99)
    inputs = torch.randn(256, 16, generator=generator)
    labels = torch.randn(16, 4, generator=teacher)
    targets = torch.tanh(inputs @ labels) + 0.1 * torch.randn(256, 4, generator=generator)
    params = {}
    for name, (fan_in, units) in SIZES.items():
        params[f"{name}.weight"] = torch.randn(units, fan_in, generator=generator) / fan_in**0.5
        params[f"{name}.bias"] = torch.zeros(units)
    if start is not None:
        params = {name: torch.tensor(array) for name, array in start.items()}
    for tensor in params.values():
        tensor.requires_grad_(True)
    optimiser = torch.optim.Adam(params.values(), 3e-3)
    for _ in range(steps):
        h = inputs
        for name in SIZES:
            h = h @ params[f"{name}.weight"].T + params[f"{name}.bias"]
            h = h if name == "fc3" else h.relu()
        optimiser.zero_grad()
        ((h - targets) ** 2).mean().backward()
        optimiser.step()
    return {name: tensor.detach().numpy().copy() for name, tensor in params.items()}


def found(a: Model, b: Model) -> Kinship:
    relation = kinship(SPEC, a, b, rf.weight_matching(SPEC, a, b).permutation)
    assert relation is not None
    return relation


def test_a_fine_tuned_copy_is_a_relative() -> None:
    start = trained(0)
    a, b = trained(1, start, 60), trained(2, start, 60)
    relation = found(a, b)
    assert relation.deviations > 20
    assert relation.identity_expected
    statement = str(relation.statement())
    assert "seem to have a common ancestor" in statement
    assert "the identity is expected" in statement


def test_networks_trained_apart_are_none() -> None:
    relation = found(trained(1), trained(2))
    assert abs(relation.deviations) < 5
    assert relation.statement() is None


@pytest.mark.parametrize("seed", range(20))
def test_random_networks_are_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (
        {
            name: rng.standard_normal(shape)
            for layer, (fan_in, units) in SIZES.items()
            for name, shape in ((f"{layer}.weight", (units, fan_in)), (f"{layer}.bias", (units,)))
        }
        for _ in "ab"
    )
    assert abs(found(a, b).deviations) < 6


@pytest.mark.parametrize("seed", range(5))
def test_a_permuted_copy_is_not_said_to_keep_its_order(seed: int) -> None:
    a = trained(1, steps=20)
    rng = np.random.default_rng(seed)
    b = rf.apply_permutation(SPEC, {"P0": rng.permutation(48), "P1": rng.permutation(32)}, a)
    assert found(a, b).statement() is None
    # One layer in its place, one not: relatives, and the identity is not expected.
    half = rf.apply_permutation(SPEC, {"P0": np.arange(48), "P1": rng.permutation(32)}, a)
    relation = found(a, half)
    assert not relation.identity_expected
    assert "is expected" not in (relation.statement() or "")


def test_what_cannot_be_compared() -> None:
    still = rf.PermutationSpec({"w": (None,)})
    assert kinship(still, {"w": np.ones(3)}, {"w": np.ones(3)}, {}) is None
    equal = rf.PermutationSpec({"w": ("P",)})
    ones = {"w": np.ones(30)}
    assert kinship(equal, ones, ones, {"P": np.arange(30)}) is None


def test_large_models_are_compared_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rebasin_fast.matching.kinship._MOST_ENTRIES", 1000)
    start = trained(0)
    assert found(trained(1, start, 20), trained(2, start, 20)).identity_expected


def test_units_within_units_and_complex_numbers() -> None:
    spec = rf.PermutationSpec(
        {"w": (Product("H", "D"), None), "v": (None, Product("H", "D"))}, sizes={"H": 8}
    )
    rng = np.random.default_rng(0)
    a = {name: rng.standard_normal((64, 64)) + 1j * rng.standard_normal((64, 64)) for name in "wv"}
    b = {name: array + 0.2 * rng.standard_normal((64, 64)) for name, array in a.items()}
    relation = kinship(spec, a, b, rf.weight_matching(spec, a, b).permutation)
    assert relation is not None
    assert relation.identity_expected


@pytest.fixture
def relatives(tmp_path: Path) -> list[Path]:
    start = trained(0)
    paths = [tmp_path / f"{name}.npz" for name in "abc"]
    for seed, path in enumerate(paths, 1):
        rf.save_params(path, trained(seed, start, 20))
    return paths


def command(*args: object) -> Any:
    from click.testing import CliRunner

    from rebasin_fast.cli import main

    result = CliRunner().invoke(main, [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    return result.stdout


SAID = "seem to have a common ancestor"


def test_match_says_it_and_its_report(relatives: list[Path], tmp_path: Path) -> None:
    a, b, _ = relatives
    page = tmp_path / "page.html"
    shown = command("match", a, b, "-o", tmp_path / "out.npz", "--report", page)
    assert f"kinship    these {SAID}" in shown
    assert "the identity is expected" in shown
    assert f"These {SAID}" in page.read_text(encoding="utf-8")
    told = json.loads(command("match", a, b, "-o", tmp_path / "json.npz", "--json", "--quiet"))
    assert told["kinship"]["identity_expected"] is True
    assert told["kinship"]["deviations"] > 10


@pytest.mark.parametrize("method", ["first", "merge-many"])
def test_merge_says_it_of_each(relatives: list[Path], tmp_path: Path, method: str) -> None:
    shown = command("merge", *relatives, "-o", tmp_path / "out.npz", "--method", method)
    assert shown.count(SAID) == 2
    told = json.loads(
        command("merge", *relatives, "-o", tmp_path / "j.npz", "--method", method, "--json", "--quiet")
    )
    assert json.dumps(told).count(SAID) == 2


def test_nothing_is_said_of_unrelated_models(tmp_path: Path) -> None:
    a, b = trained(1, steps=20), trained(2, steps=20)
    for name, model in (("a", a), ("b", b)):
        rf.save_params(tmp_path / f"{name}.npz", model)
    page = tmp_path / "page.html"
    shown = command(
        "match", tmp_path / "a.npz", tmp_path / "b.npz", "-o", tmp_path / "o.npz", "--report", page
    )
    assert "ancestor" not in shown
    assert "ancestor" not in page.read_text(encoding="utf-8")
    write_report(page, SPEC, a, a, rf.weight_matching(SPEC, a, a), overwrite=True)
    assert f"These {SAID}" in page.read_text(encoding="utf-8")
