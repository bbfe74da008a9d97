"""Convolutions of every dimension: plain, grouped, depthwise, transposed."""

from __future__ import annotations

from rebasin_fast.specs.tracing.algebra.values import Group, Value
from rebasin_fast.specs.tracing.algebra.variables import Var
from rebasin_fast.specs.tracing.algebra.views import frozen_groups
from rebasin_fast.specs.tracing.registry import Call, rule
from rebasin_fast.specs.tracing.rules.elementwise import tie_channel


@rule("aten.conv1d", "aten.conv2d", "aten.conv3d")
def convolution(call: Call) -> Value:
    """Weight (outputs, inputs of a group, taps)."""
    return _convolve(call, transposed=False)


@rule("aten.conv_transpose1d", "aten.conv_transpose2d", "aten.conv_transpose3d")
def transposed_convolution(call: Call) -> Value:
    """Weight (inputs, outputs of a group, taps)."""
    return _convolve(call, transposed=True)


@rule("aten.convolution")
def general_convolution(call: Call) -> Value:
    """Either, as an argument says."""
    return _convolve(call, transposed=bool(call["transposed"]))


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
    result = Value(call.shape)
    if call.shape[channel] > 1:
        result.groups.append(Group(outputs, (channel,)))
    result.groups += [group for group in value.groups if group.axes == (0,) and channel == 1]
    result.groups += frozen_groups(call.space, range(channel + 1, len(call.shape)), call.shape, call.reason)
    call.space.saw(outputs)
    call.space.saw(inputs)
    call.produced(outputs, weight)
    call.space.record(result)
    if call.has("bias"):
        tie_channel(call, result, call.value("bias"), channel)
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
