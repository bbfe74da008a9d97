"""Norms: each ties its scale and shift to the axis that they stand on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.algebra.views import index_axis
from rebasin_fast.specs.tracing.registry import Call, rule
from rebasin_fast.specs.tracing.rules.elementwise import combine, tie_channel
from rebasin_fast.specs.tracing.rules.reductions import reduce_axes


@rule("aten.batch_norm", "aten.instance_norm")
def batch_norm(call: Call) -> Value:
    """Channel by channel."""
    value = call.value("input")
    for axis in range(2, len(value.shape)):
        call.axis(value, axis)
    result = Value(value.shape, list(value.groups))
    for name in ("weight", "bias", "running_mean", "running_var"):
        if call.has(name):
            tie_channel(call, result, call.value(name), 1)
    call.axis(result, 1)
    call.space.record(result)
    return result


@rule("aten.cudnn_batch_norm", "aten.native_batch_norm", "aten._native_batch_norm_legit_no_training")
def native_batch_norm(call: Call) -> list[Value]:
    """The same in the forms that give statistics too."""
    return [batch_norm(call), Value((0,)), Value((0,))]


@rule("aten.layer_norm", "aten.rms_norm")
def layer_norm(call: Call) -> Value:
    """Over the last axes, all entries of which are alike to it."""
    value = call.value("input")
    count = len(call["normalized_shape"])
    for axis in range(len(value.shape) - count, len(value.shape)):
        call.axis(value, axis)
    result = Value(value.shape, list(value.groups))
    factors = [call.value(name) for name in ("weight", "bias") if call.has(name)]
    result = combine(call, [result, *factors], value.shape)
    for axis in range(len(value.shape) - count, len(value.shape)):
        call.axis(result, axis)
    _statistics(call, result, range(len(value.shape) - count, len(value.shape)))
    return result


@rule("aten.group_norm")
def group_norm(call: Call) -> Value:
    """Channels in groups that stay together."""
    value, groups = call.value("input"), int(call["num_groups"])
    for axis in range(2, len(value.shape)):
        call.axis(value, axis)
    x = call.axis(value, 1)
    result = Value(value.shape, list(value.groups))
    for name in ("weight", "bias"):
        if call.has(name):
            tie_channel(call, result, call.value(name), 1)
    x = call.axis(result, 1)
    if x is not None and 1 < groups < value.shape[1]:
        call.trace.demands.append((x, value.shape[1] // groups, call.reason))
    call.space.record(result)
    return result


@rule("aten.linalg_vector_norm", "aten.norm")
def vector_norm(call: Call) -> Value:
    """A norm over some axes, which go or stay as one entry."""
    return reduce_axes(call, call.value("self"), call["dim"], bool(call["keepdim"]))


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
    """Over one axis, all entries of which are alike to it."""
    value = call.value("self")
    call.axis(value, call["dim"])
    if value.shape:
        _statistics(call, value, [call["dim"] % len(value.shape)])
    return Value(value.shape, list(value.groups))


def _statistics(call: Call, value: Value, axes: Sequence[int]) -> None:
    """The operation sums over ``axes``: what is left carries the others without them."""
    call.space.together(group.base for group in value.groups if set(axes).isdisjoint(group.axes))


@rule("aten.glu")
def glu(call: Call) -> Value:
    """The first half of an axis, gated by the second."""
    value, axis = call.value("self"), -1 if call["dim"] is None else call["dim"]
    half = value.shape[axis] // 2
    halves = [index_axis(call.space, value, axis, np.arange(half) + start) for start in (0, half)]
    return combine(call, halves, call.shape)
