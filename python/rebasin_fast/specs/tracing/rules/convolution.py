"""Convolutions of every dimension: plain, grouped, depthwise, transposed."""

from __future__ import annotations

from rebasin_fast.specs.tracing.algebra.forms import Var
from rebasin_fast.specs.tracing.algebra.values import Group, Value
from rebasin_fast.specs.tracing.registry import Call, rule
from rebasin_fast.specs.tracing.rules.elementwise import tie_channel


@rule("aten.conv1d", "aten.conv2d", "aten.conv3d", "aten.conv_transpose1d", "aten.conv_transpose2d",
      "aten.conv_transpose3d", "aten.convolution")  # fmt: skip
def convolution(call: Call) -> Value:
    """Weight (outputs, inputs of a group, taps); transposed, (inputs, outputs of a group, taps)."""
    return _convolve(call, transposed="transpose" in call.operation or bool(call["transposed"]))


def _convolve(call: Call, *, transposed: bool) -> Value:
    value, weight = call.value("input"), call.value("weight")
    taps = len(weight.shape) - 2
    channel = len(value.shape) - taps - 1
    for axis in range(taps):
        call.freeze_axis(weight, 2 + axis)
        call.freeze_axis(value, channel + 1 + axis)
    first, second = _or_new(call, weight, 0), _or_new(call, weight, 1)
    groups = int(call["groups"] or 1)
    if groups == 1:
        inputs, outputs = (first, second) if transposed else (second, first)
    else:
        inputs, outputs = _grouped(call, first, second, groups, transposed)
    x = call.axis(value, channel)
    call.unify(x, inputs)
    groups_of_result = [Group(outputs, (channel,))] if call.shape[channel] > 1 else []
    groups_of_result += [group for group in value.groups if group.axes == (0,) and channel == 1]
    result = call.result(groups_of_result, range(channel + 1, len(call.shape)))
    call.space.as_axis(outputs)
    call.space.as_axis(inputs)
    call.produced(outputs, weight)
    for bias in call.given("bias"):
        tie_channel(call, result, bias, channel)
    return result


def _or_new(call: Call, weight: Value, axis: int) -> Var:
    x = call.axis(weight, axis)
    return call.algebra.leaf(weight.shape[axis]) if x is None else x


def _grouped(call: Call, first: Var, second: Var, groups: int, transposed: bool) -> tuple[Var, Var]:
    """Inputs and outputs as groups of channels; the weight's first axis runs over groups too."""
    algebra = call.algebra
    group = algebra.leaf(groups)
    within = algebra.leaf(algebra.size(first) // groups)
    call.unify(first, algebra.product(group, within))
    other = algebra.product(group, second)
    return (first, other) if transposed else (other, first)
