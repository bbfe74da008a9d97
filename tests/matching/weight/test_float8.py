"""float8 parameters of torch, for which few operations exist: moved by their bits, averaged in float32."""

from pathlib import Path

import numpy as np
import pytest
import torch

import rebasin_fast as rf
from rebasin_fast.merging.distance import l2_distance

KINDS = [torch.float8_e4m3fn, torch.float8_e5m2]


def params(kind: torch.dtype, seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    shapes = {"fc1.weight": (8, 4), "fc1.bias": (8,), "fc2.weight": (3, 8), "fc2.bias": (3,)}
    return {name: torch.randn(shape).to(kind) for name, shape in shapes.items()}


def floats(model: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.float() for name, tensor in model.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_matching_and_averages_are_those_of_the_same_numbers_in_float32(kind: torch.dtype) -> None:
    spec = rf.specs.mlp(["fc1", "fc2"])
    a, b = params(kind, 0), params(kind, 1)
    narrow, wide = rf.weight_matching(spec, a, b), rf.weight_matching(spec, floats(a), floats(b))
    assert narrow.objective == pytest.approx(wide.objective, rel=1e-6)
    moved = rf.apply_permutation(spec, narrow.permutation, b)
    expected = rf.apply_permutation(spec, narrow.permutation, floats(b))
    assert all(torch.equal(moved[name].float(), expected[name]) for name in b)
    mean, wide_mean = rf.interpolate(a, moved, 0.5), rf.interpolate(floats(a), expected, 0.5)
    for name, tensor in mean.items():
        assert tensor.dtype == kind
        assert torch.equal(tensor.float(), wide_mean[name].to(kind).float())
    assert l2_distance(a, b) == pytest.approx(l2_distance(floats(a), floats(b)), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extension", ["pt", "safetensors"])
def test_files_of_float8(kind: torch.dtype, extension: str, tmp_path: Path) -> None:
    a = params(kind, 0)
    torch.save(a, tmp_path / "a.pt")
    read = rf.load_params(tmp_path / "a.pt")
    merged = rf.interpolate(read, read, 0.5)
    rf.save_params(tmp_path / f"m.{extension}", merged, like=read)
    again = rf.load_params(tmp_path / f"m.{extension}", library="torch")
    for name, tensor in a.items():
        assert again[name].dtype == kind
        assert np.array_equal(again[name].float().numpy(), tensor.float().numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_nan_of_float8_is_refused_by_name(kind: torch.dtype) -> None:
    a, b = params(kind, 0), params(kind, 1)
    a["fc1.weight"].view(torch.uint8)[2, 1] = 0x7F
    with pytest.raises(rf.ParamsError, match=r"'fc1.weight' of model A holds 1 entries that are NaN"):
        rf.interpolate(a, b, 0.5)
    mixed = rf.interpolate(a, b, 0.5, allow_nonfinite=True)
    assert mixed["fc1.weight"].float().isnan().sum() == 1


def test_infinities_of_float8_that_all_models_share_stay() -> None:
    a, b = params(torch.float8_e5m2, 0), params(torch.float8_e5m2, 1)
    for model in (a, b):
        model["fc1.bias"][3] = -torch.inf
    mixed = rf.interpolate(a, b, 0.5)["fc1.bias"].float()
    assert mixed[3] == -torch.inf
    assert mixed.isinf().sum() == 1
