"""Proofs on long inputs run on shorter ones, where that hides nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import rebasin_fast as rf
from rebasin_fast.permutation.shortened import shortened


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
    assert sum(SEEN) <= 2 * 10200
    assert set(SEEN) == {1280}


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


def test_short_inputs_are_left_as_they_are() -> None:
    assert list(shortened(torch.zeros(2, 3, 1024), [3])) == []
    assert [x.shape[-1] for x in shortened(torch.zeros(2, 3, 4000), [600])] == [1024, 2048]
