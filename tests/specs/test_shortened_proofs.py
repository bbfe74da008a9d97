"""Proofs on long inputs run on shorter ones, where that hides nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import rebasin_fast as rf
from rebasin_fast.permutation.shortened import shortened
from rebasin_fast.permutation.trial_permutations import generators, trials


class Counting(nn.Module):
    """A 1-D network that counts the positions it is run on."""

    def __init__(self, table: int = 0) -> None:
        super().__init__()
        self.a, self.b = nn.Conv1d(2, 6, 3, padding=1), nn.Conv1d(6, 2, 1)
        self.table = nn.Parameter(torch.randn(table, 1)) if table else None
        self.positions: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        SEEN.append(x.shape[-1])
        h = self.a(x)
        if self.table is not None:
            h = h + self.table[: x.shape[-1], 0]
        return self.b(h.relu())[..., 100:-100]


SEEN: list[int] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


SPEC = rf.PermutationSpec(
    {"a.weight": ("P", None, None), "a.bias": ("P",), "b.weight": (None, "P", None), "b.bias": (None,)}
)


def test_long_axes_are_cut_for_the_proof() -> None:
    SPEC.verify(Counting(), torch.randn(1, 2, 10200))
    assert set(SEEN) == {32, 64, 128, 256}  # the first three leave no output
    assert sum(SEEN) < 10200 / 5


def test_a_table_of_positions_is_read_as_far_as_it_was() -> None:
    axes = {**SPEC.axes_to_perm, "table": ("Q", None)}
    with pytest.raises(rf.SpecError, match="'Q' changes the function"):
        rf.PermutationSpec(axes).verify(Counting(table=2000), torch.randn(1, 2, 2000))


def test_lengths_that_a_model_does_not_take_are_left() -> None:
    model = nn.Sequential(nn.Conv1d(1, 4, 1), nn.Flatten(), nn.Linear(4 * 1200, 3))
    spec = rf.trace_spec(model, torch.randn(1, 1, 1200))
    assert len(spec.permutations) == 1


def test_a_wrong_spec_is_found_on_a_cut_input() -> None:
    wrong: dict[str, Any] = {**SPEC.axes_to_perm, "a.bias": (None,)}
    with pytest.raises(rf.SpecError, match="changes the function"):
        rf.PermutationSpec(wrong).verify(Counting(), torch.randn(1, 2, 5000))


class Tail(nn.Module):
    """Its second weight is for positions that short inputs do not have."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.late = nn.Conv1d(2, 6, 1), nn.Conv1d(6, 2, 1), nn.Parameter(torch.randn(6, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        SEEN.append(x.shape[-1])
        h = self.a(x)
        return self.b(torch.cat([h[..., :500], h[..., 500:] * self.late], -1).relu())


def test_what_only_long_inputs_read_is_tried_on_them() -> None:
    axes: dict[str, Any] = {**SPEC.axes_to_perm, "late": ("P", None)}
    rf.PermutationSpec(axes).verify(Tail(), torch.randn(1, 2, 900))
    assert SEEN[-1] > 500
    with pytest.raises(rf.SpecError, match="'P' changes the function"):
        rf.PermutationSpec({**axes, "late": (None, None)}).verify(Tail(), torch.randn(1, 2, 900))


class TailOfOne(Tail):
    """The same, and no derivative tells."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return super().forward(x)


def test_a_model_without_derivatives_is_tried_on_the_inputs_as_given() -> None:
    axes: dict[str, Any] = {**SPEC.axes_to_perm, "late": ("P", None)}
    rf.PermutationSpec(axes).verify(TailOfOne(), torch.randn(1, 2, 900))
    assert SEEN[-1] == 900


class OddWhenShort(Counting):
    """Another function for short inputs, which the spec of the long ones does not preserve."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = super().forward(x)
        return h if x.shape[-1] > 800 else h + self.a.bias[0]


def test_a_spec_that_fails_on_short_inputs_alone_is_right_for_those_given() -> None:
    SPEC.verify(OddWhenShort(), torch.randn(1, 2, 900))
    assert SEEN[-1] == 900


class Passes(nn.Sequential):
    """Counts its forward passes, and the numbers that they are given."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        SEEN.append(x.numel())
        return super().forward(x)


@pytest.mark.parametrize("layers", [1, 2, 4, 5, 11, 12, 26])
def test_forward_passes_grow_with_the_logarithm_of_the_permutations(layers: int) -> None:
    model = Passes(
        nn.Linear(3, 4), *(m for _ in range(layers) for m in (nn.Tanh(), nn.Linear(4, 4, bias=False)))
    )
    spec = rf.PermutationSpec(
        {
            "0.weight": ("P0", None),
            "0.bias": ("P0",),
            **{
                f"{2 * k}.weight": (f"P{k}" if k < layers else None, f"P{k - 1}")
                for k in range(1, layers + 1)
            },
        }
    )
    spec.verify(model, torch.randn(2, 3))
    assert len(spec.permutations) == layers
    assert len(SEEN) <= 1 + math.ceil(math.log2(layers)) + 3


@pytest.mark.parametrize("size", [128, 256, 512])
def test_the_work_of_a_proof_does_not_grow_with_pictures_and_batches(size: int) -> None:
    model = Passes(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 2, 3))
    spec = rf.trace_spec(model, torch.randn(4, 3, size, size), verify=False)
    SEEN.clear()
    spec.verify(model, torch.randn(4, 3, size, size))
    assert SEEN[0] == 2 * 3 * size**2 or SEEN[0] == 3 * size**2  # the batch alone
    assert sum(SEEN[1:]) <= 9 * 2 * 3 * 32**2  # permutations, and the scales of both layers


def test_large_batches_of_small_rows_keep_enough_of_them() -> None:
    model = Passes(nn.Linear(8, 3), nn.ReLU(), nn.Linear(3, 2))
    rf.specs.mlp(["0", "2"]).verify(model, torch.randn(10000, 8))
    assert set(SEEN) == {512 * 8}


def test_trials_move_each_name_both_ways_and_apart_from_every_other() -> None:
    spec = rf.PermutationSpec({f"w{k}": (f"P{k}",) for k in range(30)})
    sizes = {f"P{k}": 4 for k in range(30)}
    drawn = generators(spec, sizes, np.random.default_rng(0))
    chosen = trials(spec, sizes, drawn)
    moves = {
        name: [next((w for w in (0, 1) if (t[name] == drawn[w][name]).all()), None) for t in chosen]
        for name in sizes
    }
    assert len(chosen) == 6
    assert all({0, 1} <= set(found) for found in moves.values())
    words = {tuple(move is not None for move in found) for found in moves.values()}
    assert len(words) == 30


def test_short_inputs_are_left_as_they_are() -> None:
    assert list(shortened(torch.zeros(1, 3, 32, 32), lambda _: True)) == []
    found = list(shortened(torch.zeros(1, 3, 4000), lambda cut: cut.shape[-1] >= 60))
    assert [x.shape[-1] for x in found] == [64, 128, 512, 2048]


class Constant(nn.Module):
    """Outputs that no parameter decides."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(x), 3, dtype=x.dtype) + 0 * self.b(self.a(x))


@pytest.mark.parametrize("wrong", [False, True], ids=["right spec", "wrong spec"])
def test_equal_outputs_prove_nothing_where_they_could_not_have_differed(wrong: bool) -> None:
    spec = rf.specs.mlp(["a", "b"])
    if wrong:
        spec = rf.PermutationSpec({**spec.axes_to_perm, "b.weight": (None, None)})
    with pytest.raises(rf.SpecError, match="do not depend on the parameters"):
        spec.verify(Constant(), torch.randn(2, 4))
    net = nn.Sequential()
    net.add_module("a", nn.Linear(4, 6))
    net.add_module("b", nn.Linear(6, 3))
    with pytest.raises(rf.SpecError, match="are empty on example_inputs"):
        spec.verify(net, torch.zeros(0, 4))


def test_inputs_that_the_model_does_not_take_are_told_as_data() -> None:
    with pytest.raises(rf.DataError, match="does not run on example_inputs"):
        rf.specs.mlp(["0", "2"]).verify(
            nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)), torch.randn(2, 5)
        )
