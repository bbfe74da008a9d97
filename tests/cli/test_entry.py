"""``--entry``: which set of parameters of a torch file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import rebasin_fast as rf
from helpers.command_line import Models

Run = Callable[..., Result]

torch = pytest.importorskip("torch")


@pytest.fixture
def two_sets(models: Models, tmp_path: Path) -> dict[str, Path]:
    """Files of A and B that hold the networks under "student", and noughts under "teacher"."""
    paths = {}
    for name, params in (("a", models.params_a), ("b", models.params_b)):
        tensors = {key: torch.from_numpy(array.copy()) for key, array in params.items()}
        paths[name] = tmp_path / f"{name}.pt"
        noughts = {key: torch.zeros_like(tensor) for key, tensor in tensors.items()}
        torch.save({"teacher": noughts, "student": tensors}, paths[name])
    return paths


def test_entry_names_the_set_to_match(
    two_sets: dict[str, Path], models: Models, run: Run, tmp_path: Path
) -> None:
    result = run("match", two_sets["a"], two_sets["b"], "-o", tmp_path / "o.pt", "--entry", "student")
    assert result.exit_code == 0, result.output
    aligned = rf.load_params(tmp_path / "o.pt", library="numpy")
    for name, array in models.params_a.items():
        assert (aligned[name] == array).all()


@pytest.mark.parametrize("command", ["match", "merge"])
def test_files_of_several_sets_say_how_to_choose(
    command: str, two_sets: dict[str, Path], run: Run, tmp_path: Path
) -> None:
    result = run(command, two_sets["a"], two_sets["b"], "-o", tmp_path / "o.pt")
    assert result.exit_code == 1
    assert "--entry teacher" in result.output
    assert not (tmp_path / "o.pt").exists()


def test_entry_that_is_not_there_is_named(two_sets: dict[str, Path], run: Run) -> None:
    result = run("spec", two_sets["a"], "--entry", "ema")
    assert result.exit_code == 1
    assert "'ema'" in result.output
