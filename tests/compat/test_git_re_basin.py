"""The drop-in module against the original program's results, and as its scripts use it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import rebasin_fast as rf
import rebasin_fast.compat.git_re_basin as grb
from helpers.published_pairs import CASES, pair
from reference import weight_matching as reference

RECORDED = json.loads((Path(__file__).parent / "recorded_by_jax.json").read_text())["matchings"]


@pytest.mark.parametrize("case", CASES)
def test_results_are_those_of_the_original(case: str) -> None:
    spec, a, b = pair(case)
    found = grb.weight_matching(5, spec, a, b, silent=True)
    assert {p: index.tolist() for p, index in found.items()} == RECORDED[case]
    assert list(found) == list(spec.perm_to_axes)


@pytest.mark.parametrize("case", CASES)
def test_steps_are_those_of_the_published_loop(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Gains are printed visit by visit; the slow reference replays the order that was printed."""
    spec, a, b = pair(case)
    found = grb.weight_matching(7, spec, a, b)
    lines = [line.rpartition(": ") for line in capsys.readouterr().out.splitlines()]
    sweeps: dict[str, list[str]] = {}
    for place, _, _gain in lines:
        sweep, _, permutation = place.partition("/")
        sweeps.setdefault(sweep, []).append(permutation)
    replayed = reference.weight_matching(spec.axes_to_perm, a, b, order=list(sweeps.values()))
    assert {p: index.tolist() for p, index in found.items()} == {
        p: index.tolist() for p, index in replayed.permutation.items()
    }
    assert all(sorted(names) == sorted(spec.perm_to_axes) for names in sweeps.values())
    assert replayed.converged
    assert len(sweeps) == replayed.sweeps
    start = reference.weight_matching(spec.axes_to_perm, a, b, order=[[]]).objective
    gained = sum(float(gain) for _, _, gain in lines)
    assert gained == pytest.approx(replayed.objective - start, rel=1e-9)


def test_published_specs() -> None:
    """Permutations and arrays as the paper's code has them."""
    counts = {
        "mlp": (grb.mlp_permutation_spec(3), 3, 8),
        "vgg16": (grb.vgg16_permutation_spec(), 15, 58),
        "resnet20": (grb.resnet20_permutation_spec(), 12, 65),
        "resnet50": (grb.resnet50_permutation_spec(), 37, 161),
        "cnn": (grb.cnn_permutation_spec(), 3, 5),
    }
    for name, (spec, permutations, arrays) in counts.items():
        assert len(spec.perm_to_axes) == permutations, name
        assert len(spec.axes_to_perm) == arrays, name
    assert list(grb.mlp_permutation_spec(2).axes_to_perm) == [
        "Dense_0/kernel", "Dense_1/kernel", "Dense_0/bias", "Dense_1/bias", "Dense_2/kernel", "Dense_2/bias",
    ]  # fmt: skip
    assert grb.vgg16_permutation_spec().axes_to_perm["Dense_0/kernel"] == ("P_Conv_12", "P_Dense_0")
    resnet20 = grb.resnet20_permutation_spec().axes_to_perm
    assert resnet20["blockgroups_1/blocks_0/shortcut/layers_0/kernel"] == (None, None, "P_bg0", "P_bg1")
    resnet50 = grb.resnet50_permutation_spec().axes_to_perm
    assert resnet50["blockgroups_3/blocks_0/ResNetSkipConnection_0/ConvBlock_0/BatchNorm_0/scale"] == (
        "P_bg4",
    )
    with pytest.raises(ValueError, match="1 or more"):
        grb.mlp_permutation_spec(0)


def test_a_flax_mlp_keeps_its_function() -> None:
    spec, a, _ = pair("mlp")
    perm = {
        p: np.random.default_rng(0).permutation(len(a[axes[0][0]][0]))
        for p, axes in spec.perm_to_axes.items()
    }
    moved = grb.apply_permutation(spec, perm, a)

    def forward(params: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
        for i in range(3):
            x = np.maximum(x @ params[f"Dense_{i}/kernel"] + params[f"Dense_{i}/bias"], 0)
        return x @ params["Dense_3/kernel"] + params["Dense_3/bias"]

    x = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
    np.testing.assert_allclose(forward(moved, x), forward(a, x), rtol=1e-4, atol=1e-3)


def test_planted_permutation_is_recovered_from_its_own_spec() -> None:
    spec, a, _ = pair("vgg16")
    rng = np.random.default_rng(0)
    planted = {p: rng.permutation(a[axes[0][0]].shape[axes[0][1]]) for p, axes in spec.perm_to_axes.items()}
    b = grb.apply_permutation(spec, planted, a)
    found = grb.weight_matching(np.array([0, 1], np.uint32), spec, a, b, silent=True)
    aligned = grb.apply_permutation(spec, found, b)
    assert all(np.array_equal(aligned[name], a[name]) for name in a)


def test_torch_in_torch_out() -> None:
    spec, a, b = pair("mlp")
    expected = grb.weight_matching(5, spec, a, b, silent=True)
    a, b = ({name: torch.from_numpy(array) for name, array in params.items()} for params in (a, b))
    found = grb.weight_matching(5, spec, a, b, silent=True)
    assert all(isinstance(index, torch.Tensor) for index in found.values())
    assert {p: index.tolist() for p, index in found.items()} == {p: i.tolist() for p, i in expected.items()}
    moved = grb.apply_permutation(spec, found, b)
    assert torch.equal(moved["Dense_0/bias"], b["Dense_0/bias"][found["P_0"]])


def test_init_perm_is_the_start_the_order_and_left_alone() -> None:
    spec, a, b = pair("mlp")
    first = grb.weight_matching(5, spec, a, b, silent=True)
    start = dict(reversed(first.items()))
    before = copy.deepcopy(start)
    again = grb.weight_matching(6, spec, a, b, init_perm=start, silent=True)
    assert list(again) == list(start)
    assert all(np.array_equal(again[p], first[p]) for p in first)
    assert all(np.array_equal(start[p], before[p]) for p in start)
    assert all(np.array_equal(grb.weight_matching(6, spec, a, b, 0, start, True)[p], start[p]) for p in start)


def test_except_axis_and_a_full_spec() -> None:
    spec, a, b = pair("mlp")
    perm = {
        p: np.random.default_rng(0).permutation(a[axes[0][0]].shape[axes[0][1]])
        for p, axes in spec.perm_to_axes.items()
    }
    kernel = grb.get_permuted_param(spec, perm, "Dense_1/kernel", a, except_axis=1)
    assert np.array_equal(kernel, a["Dense_1/kernel"][perm["P_0"]])
    full = rf.PermutationSpec(spec.axes_to_perm)
    assert all(
        np.array_equal(index, grb.weight_matching(5, spec, a, b, silent=True)[p])
        for p, index in grb.weight_matching(5, full, a, b, silent=True).items()
    )


def test_mistakes_are_named() -> None:
    spec, a, b = pair("mlp")
    with pytest.raises(rf.ParamsError, match="'Dense_1/bias', which the parameters of B lack"):
        grb.weight_matching(0, spec, a, {k: v for k, v in b.items() if k != "Dense_1/bias"})
    with pytest.raises(rf.SpecError, match="'extra' is not in the spec"):
        grb.apply_permutation(spec, {}, {"extra": np.ones(2)})
    with pytest.raises(rf.PermutationError, match="'P_1' is missing"):
        grb.weight_matching(0, spec, a, b, init_perm={"P_0": np.arange(len(a["Dense_0/bias"]))})


def test_arrays_that_the_spec_does_not_name_are_ignored_in_matching() -> None:
    spec, a, b = pair("mlp")
    expected = grb.weight_matching(5, spec, a, b, silent=True)
    found = grb.weight_matching(5, spec, {**a, "step": np.ones(())}, {**b, "step": np.ones(())}, silent=True)
    assert all(np.array_equal(found[p], expected[p]) for p in expected)
