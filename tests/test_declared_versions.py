"""The lower bounds of pyproject.toml are the versions that are run."""

import re
from pathlib import Path

import pytest

from rebasin_fast.specs.tracing.graph import OLDEST_TORCH

ROOT = Path(__file__).parents[1]


def declared() -> dict[str, set[str]]:
    """Every lower bound of pyproject.toml, by package."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    bounds: dict[str, set[str]] = {}
    for name, version in re.findall(r'"([A-Za-z0-9_-]+)>=([0-9.]+)', text):
        bounds.setdefault(name, set()).add(version)
    return bounds


def run_with() -> dict[str, str]:
    lines = (ROOT / "tests" / "lowest_versions.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("package", sorted(run_with()))
def test_the_declared_bound_is_the_version_that_is_run(package: str) -> None:
    found = declared()[package]
    as_run = tuple(map(int, run_with()[package].split(".")))
    for version in found:
        bound = tuple(map(int, version.split(".")))
        assert bound == as_run[: len(bound)], f"{package}>={version} is declared, {as_run} is run"
        assert not any(as_run[len(bound) :]), f"{package}>={version} allows less than {as_run}"


def test_the_bound_of_torch_is_that_of_tracing() -> None:
    assert declared()["torch"] == {".".join(map(str, OLDEST_TORCH))}


class _Old:
    __version__ = "2.5.1+cu124"


def test_a_torch_too_old_for_tracing_is_said_in_one_line() -> None:
    from rebasin_fast.errors import MissingDependencyError
    from rebasin_fast.specs.tracing.graph import _check_version

    with pytest.raises(MissingDependencyError) as refused:
        _check_version(_Old)
    assert "\n" not in str(refused.value)
    assert "2.5.1" in str(refused.value)
    for version in ("2.6.0", "2.13.0+cpu", "3.0.0a1"):
        _check_version(type("_New", (), {"__version__": version}))


def test_what_does_not_trace_works_with_an_older_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    import rebasin_fast as rf

    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    monkeypatch.setattr(torch, "__version__", "2.5.1+cu124")
    with pytest.raises(rf.MissingDependencyError, match=r"2\.6 or later; 2\.5\.1"):
        rf.trace_spec(model, torch.zeros(1, 3))
    spec = rf.specs.for_params(model.state_dict())
    spec.verify(model, torch.randn(5, 3))
    found = rf.weight_matching(spec, model.state_dict(), model.state_dict())
    moved = rf.apply_permutation(spec, found.permutation, model.state_dict())
    assert all(torch.equal(moved[name], array) for name, array in model.state_dict().items())
