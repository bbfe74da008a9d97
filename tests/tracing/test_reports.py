"""Reports of traced specs, choices among their permutations, and messages where a choice cannot be met."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import rebasin_fast as rf
from helpers.programs import Program, between, symmetries
from rebasin_fast.axis import Fixed, Product
from rebasin_fast.tracing import Value, register_rule

ROWS = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(3, 6), nn.Linear(6, 2)
        self.attention = nn.MultiheadAttention(6, 3, batch_first=True)
        self.up, self.down = nn.Linear(6, 8), nn.Linear(8, 6)
        self.unused = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return self.head(x + self.down(self.up(x).relu()))


def test_names_follow_the_parameters_that_make_the_units() -> None:
    spec = rf.trace_spec(Block(), ROWS)
    assert set(spec.permutations) == {
        "embed", "attention.in_proj.heads", "attention.in_proj.qk", "attention.in_proj.vo", "up",
    }  # fmt: skip
    assert spec.residual == {"embed"}


def test_report_tells_what_moves_and_what_holds_the_rest() -> None:
    spec = rf.trace_spec(Block(), ROWS)
    text = spec.report()
    assert "embed: 6 units, residual stream" in text
    assert "attention.in_proj.qk: 2 units within attention.in_proj.heads" in text
    line = next(line for line in text.splitlines() if "head.weight axis 0" in line)
    assert "2 by output of the model" in line
    held = {(axis.parameter, axis.axis): axis for axis in spec.frozen}
    assert held["embed.weight", 1].operation == "input of the model"
    assert held["unused.weight", 0].operation == "not used by the traced program"
    assert spec.unused == ("unused.weight", "unused.bias")
    # torch's own layers are called from the line of the program that calls them
    assert spec.sources["up.weight"].startswith(str(Path(__file__)))


def test_an_operation_without_a_rule_holds_what_it_touches() -> None:
    spec = rf.trace_spec(between(lambda m, h: torch.fft.fft(h).real, 6, 6), ROWS)
    assert spec.permutations == ()
    reasons = {axis.operation for axis in spec.frozen if axis.parameter == "first.weight" and axis.axis == 0}
    assert reasons == {"aten.fft_fft.default, which has no rule"}


def test_the_residual_stream_can_be_left_alone() -> None:
    spec = rf.trace_spec(Block(), ROWS, residual=False)
    assert "embed" not in spec.permutations
    assert len(spec.permutations) == 4
    assert spec.axes_to_perm["embed.weight"] == (None, None)
    assert "residual=False" in {axis.operation for axis in spec.frozen}


def test_permutations_are_frozen_by_name_and_by_parameter() -> None:
    spec = rf.trace_spec(Block(), ROWS, freeze=["*.heads", "up"])
    assert set(spec.permutations) == {"embed", "attention.in_proj.qk", "attention.in_proj.vo"}
    # Without heads that move, all heads share what moves within them.
    assert spec.parents["attention.in_proj.qk"] == ()
    assert spec.axes_to_perm["attention.out_proj.weight"][1] == Product(Fixed(3), "attention.in_proj.vo")


def test_permutations_are_selected() -> None:
    spec = rf.trace_spec(Block(), ROWS, select=["up", "attention.in_proj.heads"])
    assert set(spec.permutations) == {"up", "attention.in_proj.heads"}
    with pytest.raises(rf.SpecError, match="select names 'nothing', which fits no permutation"):
        rf.trace_spec(Block(), ROWS, select=["nothing"])
    with pytest.raises(TypeError, match="freeze is a sequence of names; got 'up'"):
        rf.trace_spec(Block(), ROWS, freeze="up")


def test_groups_and_what_is_within_are_frozen_apart() -> None:
    model = nn.Sequential(nn.Conv2d(3, 6, 1), nn.Conv2d(6, 4, 1, groups=2), nn.Conv2d(4, 2, 1))
    images = torch.randn(2, 3, 4, 4)
    whole = rf.trace_spec(model, images)
    assert symmetries(whole) == {(2,): 1, (2, 3): 1, (2, 2): 1}
    groups = next(name for name in whole.permutations if not whole.parents[name])
    assert symmetries(rf.trace_spec(model, images, freeze=[groups])) == {(3,): 1, (2,): 1}


def test_a_traced_spec_is_a_spec() -> None:
    model = Block()
    spec = rf.trace_spec(model, ROWS)
    assert isinstance(spec, rf.PermutationSpec)
    assert rf.PermutationSpec.from_json(spec.to_json()) == spec
    assert rf.TracedSpec.from_json(spec.to_json()) == spec
    spec.validate(model.state_dict())


def test_statistics_and_second_names_stay_out_of_the_objective() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
    spec = rf.trace_spec(model, torch.randn(2, 3, 4, 4))
    assert spec.unmatched == ("1.running_mean", "1.running_var")
    tied = Program(lambda m, x: m.b(m.a(x)), a=nn.Embedding(7, 4), b=nn.Linear(4, 7, bias=False))
    tied.b.weight = tied.a.weight
    spec = rf.trace_spec(tied, torch.arange(6).view(2, 3))
    assert spec.unmatched == ("b.weight",)
    assert spec.axes_to_perm["a.weight"] == spec.axes_to_perm["b.weight"] == (None, "a")


def test_a_model_without_weights_is_traced() -> None:
    with torch.device("meta"):
        model = Block()
    spec = rf.trace_spec(model, torch.empty(2, 5, 3, device="meta"), verify=False)
    assert len(spec.permutations) == 5


def test_the_model_is_left_as_it_was() -> None:
    model = Block().train()
    model.up.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rf.trace_spec(model, ROWS)
    assert model.training
    assert not model.up.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_keyword_inputs() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, *, x: torch.Tensor, scale: float) -> torch.Tensor:
            return self.b(self.a(x) * scale)

    assert rf.trace_spec(Named(), {"x": ROWS, "scale": 2.0}).permutations == ("a",)


class Branching(nn.Module):
    """Code that no tracer can follow."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale if x.sum() > 0 else x * self.scale * 2


def scaled(call: rf.tracing.Call) -> Value:
    (x,) = call.inputs
    call.unify(call.axis(x, -1), call.axis(call.parameters["scale"], 0))
    return Value(x.shape, list(x.groups))


def test_a_module_with_a_rule_of_its_own_is_not_looked_into() -> None:
    model = nn.Sequential(nn.Linear(3, 4), Branching(), Branching(), nn.Linear(4, 2))
    with pytest.raises(rf.SpecError, match=r"torch.export cannot follow Sequential.*register_rule"):
        rf.trace_spec(model, ROWS)
    register_rule(Branching, scaled)
    try:
        spec = rf.trace_spec(model, ROWS)
    finally:
        register_rule(Branching, None)
    assert spec.axes_to_perm["1.scale"] == spec.axes_to_perm["2.scale"] == ("0",)
    assert "forward" not in model[1].__dict__


def test_a_rule_for_an_operation() -> None:
    model = between(lambda m, h: torch.fft.fft(h, dim=1).real, 6, 6)
    assert rf.trace_spec(model, ROWS).permutations == ()

    def along_one_axis(call: rf.tracing.Call) -> Value:
        x = call.value("self")
        call.freeze_axis(x, call["dim"])
        return Value(x.shape, list(x.groups))

    register_rule("aten.fft_fft", along_one_axis)
    register_rule("aten.real", lambda call: call.value("self"))
    try:
        spec = rf.trace_spec(model, ROWS)
    finally:
        register_rule("aten.fft_fft", None)
        register_rule("aten.real", None)
    assert spec.permutations == ("first",)


@pytest.mark.skipif(
    tuple(map(int, torch.__version__.split(".")[:2])) < (2, 9),
    reason="torch.export of 2.6 to 2.8 refuses a bare LSTM, and says so",
)
def test_nothing_is_printed_and_no_warning_escapes(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rf.trace_spec(nn.LSTM(3, 4), ROWS)
    assert capfd.readouterr() == ("", "")


def test_units_that_nothing_is_like_are_told() -> None:
    spec = rf.trace_spec(between(lambda m, h: h * h[..., :1], 4, 4), ROWS)
    assert symmetries(spec) == {(3,): 1}
    held = [axis for axis in spec.frozen if (axis.parameter, axis.axis) == ("first.bias", 0)]
    assert [(axis.length, axis.operation) for axis in held] == [(1, "no other unit is like it")]


def test_units_that_stand_within_themselves_are_held() -> None:
    spec = rf.trace_spec(between(lambda m, h: (h[..., None] * h[..., None, :]).flatten(2), 4, 16), ROWS)
    assert spec.permutations == ()
    held = {axis.operation for axis in spec.frozen if axis.parameter == "first.bias"}
    assert held == {"its symmetries cannot be written as axis entries"}
