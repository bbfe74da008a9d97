"""Entries that a trace did not read stay: specs traced on short inputs hold on longer ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import rebasin_fast as rf
from helpers.programs import Program
from nightly.fuzz_longer_inputs import STEPS, fault


@pytest.mark.slow
@pytest.mark.parametrize("step", sorted(STEPS))
def test_every_step_holds_on_longer_inputs(step: str) -> None:
    assert fault(["relu", step]) is None


def unread(spec: rf.TracedSpec, parameter: str) -> int:
    return sum(a.length for a in spec.frozen if a.parameter == parameter and "lack of use" in a.operation)


def test_the_rest_of_a_position_table_stays_and_the_report_says_so() -> None:
    def body(m: Any, x: torch.Tensor) -> torch.Tensor:
        return m.last((m.first(x) + m.positions[: x.shape[1]]).relu())

    model = Program(body, first=nn.Linear(3, 8), positions=(32, 8), last=nn.Linear(8, 2))
    spec = rf.trace_spec(model, torch.randn(2, 6, 3))
    assert spec.axes_to_perm["positions"] == (None, "first")
    assert unread(spec, "positions") == 26
    assert "positions axis 0: 26 by lack of use in the trace" in spec.report()
    spec.verify(model, torch.randn(2, 32, 3))


def test_inactive_widths_stay() -> None:
    def body(m: Any, x: torch.Tensor, width: int = 4) -> torch.Tensor:
        h = F.linear(x, m.first.weight[:width], m.first.bias[:width]).relu()
        return F.linear(h, m.last.weight[:, :width])

    model = Program(body, first=nn.Linear(3, 10), last=nn.Linear(10, 2))
    spec = rf.trace_spec(model, torch.randn(2, 3))
    assert unread(spec, "first.weight") == unread(spec, "last.weight") == 6
    assert sorted(spec.permutation_sizes.values()) == [4]
    model.body = lambda m, x: body(m, x, 10)
    spec.verify(model, torch.randn(2, 3))


def test_outputs_of_a_layer_that_nothing_reads_stay() -> None:
    model = Program(lambda m, x: m.last(m.first(x)[..., :5]), first=nn.Linear(3, 9), last=nn.Linear(5, 2))
    spec = rf.trace_spec(model, torch.randn(2, 3))
    assert unread(spec, "first.weight") == 4
    assert sorted(spec.permutation_sizes.values()) == [5]


def test_heads_and_steps_that_are_read_one_by_one_still_move() -> None:
    def body(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.first(x)
        return sum(m.last(h.unflatten(-1, (3, 4))[:, i].tanh()) for i in range(3))

    model = Program(body, first=nn.Linear(3, 12), last=nn.Linear(4, 2))
    spec = rf.trace_spec(model, torch.randn(2, 3))
    assert 4 in spec.permutation_sizes.values()
    assert not any("lack of use" in axis.operation for axis in spec.frozen)
