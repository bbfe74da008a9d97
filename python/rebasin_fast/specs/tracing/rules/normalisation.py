"""Norms and softmax: scale and shift are tied to their axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.algebra.views import index_axis
from rebasin_fast.specs.tracing.registry import Call, rule
from rebasin_fast.specs.tracing.rules.elementwise import combine, tie_channel


@rule("aten.batch_norm", "aten.instance_norm")
def batch_norm(call: Call) -> Value:
    """Channel by channel."""
    result = _with_vectors_of_channels(call)
    call.axis(result, 1)
    return result


def _with_vectors_of_channels(call: Call) -> Value:
    """The input, whose channels are tied to scale, shift and statistics."""
    value = call.input
    for axis in range(2, len(value.shape)):
        call.axis(value, axis)
    result = Value(value.shape, list(value.groups))
    for vector in call.given("weight", "bias", "running_mean", "running_var"):
        tie_channel(call, result, vector, 1)
    return result


@rule("aten.cudnn_batch_norm", "aten.native_batch_norm", "aten._native_batch_norm_legit_no_training")
def native_batch_norm(call: Call) -> list[Value]:
    """The same in the forms that give statistics too."""
    return [batch_norm(call), Value((0,)), Value((0,))]


@rule("aten.layer_norm", "aten.rms_norm")
def layer_norm(call: Call) -> Value:
    """Over the last axes, in any order of their entries."""
    value = call.input
    rank = len(value.shape)
    normed = range(rank - len(call["normalized_shape"]), rank)
    for axis in normed:
        call.axis(value, axis)
    result = combine(call, [value, *call.given("weight", "bias")], value.shape)
    for axis in normed:
        call.axis(result, axis)
    _record_statistics(call, result, normed)
    return result


@rule("aten.group_norm")
def group_norm(call: Call) -> Value:
    """Channels in groups that stay together."""
    result, groups = _with_vectors_of_channels(call), int(call["num_groups"])
    x = call.axis(result, 1)
    if x is not None and 1 < groups < result.shape[1]:
        call.trace.block_constraints.append((x, result.shape[1] // groups, call.reason))
    return result


@rule("aten._weight_norm")
def weight_norm(call: Call) -> Value:
    """A weight by its direction and its lengths, which are taken over all axes but one."""
    direction, lengths = call.value("v"), call.value("g")
    for axis in range(len(direction.shape)):
        if axis != call["dim"] % len(direction.shape):
            call.axis(direction, axis)
    return combine(call, [direction, lengths], direction.shape)


@rule("aten.softmax", "aten.log_softmax", "aten._softmax", "aten._log_softmax", "aten._safe_softmax")
def softmax(call: Call) -> Value:
    """Over one axis, in any order of their entries."""
    value = call.input
    call.axis(value, call["dim"])
    if value.shape:
        _record_statistics(call, value, [call["dim"] % len(value.shape)])
    return Value(value.shape, list(value.groups))


def _record_statistics(call: Call, value: Value, axes: Sequence[int]) -> None:
    """The operation sums over ``axes``: its statistics have the other axes only."""
    call.space.together(group.base for group in value.groups if set(axes).isdisjoint(group.axes))


@rule("aten.glu")
def glu(call: Call) -> Value:
    """The first half of an axis, gated by the second."""
    value, axis = call.input, -1 if call["dim"] is None else call["dim"]
    half = value.shape[axis] // 2
    halves = [index_axis(call.space, value, axis, np.arange(half) + start) for start in (0, half)]
    return combine(call, halves, call.shape)
