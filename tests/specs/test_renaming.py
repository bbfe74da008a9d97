"""One network under two sets of names, and tensors under two names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

import rebasin_fast as rf
from rebasin_fast.cli import main
from rebasin_fast.specs.renaming import RenamedParams, names_like, shapes_of

SHAPES = {"fc1.weight": (24, 6), "fc1.bias": (24,), "fc2.weight": (4, 24), "fc2.bias": (4,)}


def network(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}


def wrapped(params: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {prefix + name: array for name, array in params.items()}


@pytest.mark.parametrize("here", ["", "module.", "state_dict.model."])
@pytest.mark.parametrize("there", ["", "module.", "model.", "features.", "_orig_mod.", "ema_model.module."])
def test_prefixes_on_either_side_are_mapped(here: str, there: str) -> None:
    expected, found = wrapped(network(), here), wrapped(network(1), there)
    names = names_like(shapes_of(found), shapes_of(expected))
    if here == there:
        assert names is None
        return
    assert names == {here + name: there + name for name in SHAPES}
    view = RenamedParams(found, names)
    assert list(view) == list(expected)
    assert view[f"{here}fc1.bias"] is found[f"{there}fc1.bias"]
    assert view.restored(expected)[f"{there}fc1.bias"] is expected[f"{here}fc1.bias"]


def test_wrappers_within_names_are_mapped() -> None:
    inside = {name.replace(".", "._orig_mod."): array for name, array in network().items()}
    assert names_like(shapes_of(inside), shapes_of(network()))["fc1.bias"] == "fc1._orig_mod.bias"


def test_two_sets_that_fit_are_refused_with_both() -> None:
    both = {**wrapped(network(), "model."), **wrapped(network(1), "ema.")}
    with pytest.raises(rf.ParamsError, match=r"'model\.', 'ema\.' fit equally well"):
        names_like(shapes_of(both), shapes_of(network()))


@pytest.mark.parametrize(
    "found",
    [
        wrapped({**network(), "fc3.weight": np.ones((2, 2))}, "module."),
        wrapped({**network(), "fc1.weight": np.ones((23, 6))}, "module."),
        wrapped({name: array for name, array in network().items() if name != "fc2.bias"}, "module."),
    ],
)
def test_what_is_another_network_is_not_mapped(found: dict[str, np.ndarray]) -> None:
    assert names_like(shapes_of(found), shapes_of(network())) is None


def test_in_python_the_error_says_what_the_names_are() -> None:
    a, b = network(), wrapped(network(1), "module.")
    with pytest.raises(rf.ParamsError, match=r"'module\.fc1\.weight' is taken for 'fc1\.weight'"):
        rf.weight_matching(rf.specs.for_params(a), a, b)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    a = network()
    spec = rf.specs.for_params(a)
    moved = rf.apply_permutation(spec, {"P0": np.random.default_rng(2).permutation(24)}, a)
    rf.save_params("a.npz", a)
    rf.save_params("b.npz", wrapped(moved, "module."))
    rf.save_params("both.npz", {**wrapped(moved, "model."), **wrapped(network(5), "ema.")})
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_match_maps_the_names_and_writes_those_of_b(files: Path) -> None:
    code, _, said = run("match", "a.npz", "b.npz", "-o", "c.npz", "--save-permutation", "p.npz")
    assert code == 0, said
    assert "'module.fc1.weight' is taken for 'fc1.weight'" in said
    aligned = rf.load_params("c.npz")
    assert all(np.array_equal(aligned[f"module.{name}"], array) for name, array in network().items())
    code, _, said = run("apply", "p.npz", "b.npz", "-o", "again.npz")
    assert code == 0, said
    assert np.array_equal(rf.load_params("again.npz")["module.fc1.weight"], network()["fc1.weight"])


def test_merge_maps_the_names_and_writes_those_of_a(files: Path) -> None:
    code, _, said = run("merge", "b.npz", "a.npz", "-o", "m.npz")
    assert code == 0, said
    assert set(rf.load_params("m.npz")) == set(wrapped(network(), "module."))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_the_spec_of_a_compiled_model_fits_files_of_the_plain_one(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 4))
    spec = rf.trace_spec(torch.compile(model), torch.zeros(2, 6))
    assert "_orig_mod.0.weight" in spec.axes_to_perm
    Path("s.json").write_text(spec.to_json(), encoding="utf-8")
    plain = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    planted = rf.apply_permutation(rf.trace_spec(model, torch.zeros(2, 6)), {"0": np.arange(24)[::-1]}, plain)
    rf.save_params("a.npz", plain)
    rf.save_params("b.npz", wrapped(dict(planted), "_orig_mod."))
    code, _, said = run("match", "a.npz", "b.npz", "-o", "o.npz", "--spec", "s.json")
    assert code == 0, said
    found = rf.load_params("o.npz")
    assert all(np.array_equal(found["_orig_mod." + name], array) for name, array in plain.items())


def test_a_prefix_chooses_among_several_sets(files: Path) -> None:
    code, _, said = run("match", "a.npz", "both.npz", "-o", "d.npz")
    assert code == 1
    assert "--prefix" in said
    code, _, said = run("match", "a.npz", "both.npz", "-o", "d.npz", "--prefix", "model.")
    assert code == 0, said
    found = rf.load_params("d.npz")
    assert np.array_equal(found["model.fc1.weight"], network()["fc1.weight"])
    assert np.array_equal(found["ema.fc1.weight"], network(5)["fc1.weight"])


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.hidden = nn.Embedding(9, 6), nn.Linear(6, 6)
        self.head = nn.Linear(6, 9, bias=False)
        self.head.weight = self.table.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.hidden(self.table(x)).relu())


@pytest.mark.parametrize("lacking", ["a", "b", "ab"])
def test_a_traced_spec_accepts_a_tied_tensor_that_is_held_once(lacking: str) -> None:
    spec = rf.trace_spec(Tied(), torch.arange(8).view(2, 4))
    a = {name: tensor.clone() for name, tensor in Tied().state_dict().items()}
    sizes = spec.sizes(a)
    drawn = {name: np.random.default_rng(3).permutation(n) for name, n in sizes.items()}
    b = dict(rf.apply_permutation(spec, drawn, a))
    for model, params in (("a", a), ("b", b)):
        if model in lacking:
            del params["head.weight"]
    matching = rf.weight_matching(spec, a, b)
    assert matching.report == {}
    restored = rf.apply_permutation(spec, matching.permutation, b)
    assert all(torch.equal(restored[name], a[name]) for name in a if name in b)
