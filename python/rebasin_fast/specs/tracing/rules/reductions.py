"""Sums, means, extremes and counts over axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.algebra.views import insert_axes
from rebasin_fast.specs.tracing.registry import Call, rule


def reduce_axes(call: Call, value: Value, axes: Any, keepdim: bool) -> Value:
    """Over ``axes`` (all of them for None), whose order does not matter."""
    rank = len(value.shape)
    listed: Sequence[int] = (
        range(rank) if axes is None or axes == [] else [axes] if isinstance(axes, int) else axes
    )
    gone = {axis % rank for axis in listed} if rank else set()
    for axis in gone:
        call.axis(value, axis)
    call.space.record(value)
    kept = [axis for axis in range(rank) if axis not in gone]
    place = {axis: i for i, axis in enumerate(kept)}
    groups = [
        group.moved(place[axis] for axis in group.axes)
        for group in value.groups
        if gone.isdisjoint(group.axes)
    ]
    result = Value(tuple(value.shape[axis] for axis in kept), groups)
    return insert_axes(result, sorted(gone)) if keepdim else result


@rule("aten.sum", "aten.mean", "aten.amax", "aten.amin", "aten.prod", "aten.logsumexp", "aten.any", "aten.all",
      "aten.std", "aten.var", "aten.nansum", "aten.count_nonzero", "aten.max.default", "aten.min.default",
      "aten.linalg_vector_norm", "aten.norm")  # fmt: skip
def reduction(call: Call) -> Value:
    """One number for all entries of some axes."""
    return reduce_axes(call, call.input, call["dim"], bool(call["keepdim"]))


@rule("aten.var_mean", "aten.std_mean", "aten.aminmax")
def two_reductions(call: Call) -> list[Value]:
    """Two numbers for all entries of some axes."""
    return [reduction(call), reduction(call)]


@rule("aten.max.dim", "aten.min.dim", "aten.median.dim", "aten.mode", "aten.kthvalue")
def extreme(call: Call) -> list[Value]:
    """The largest or k-th entry of an axis, and its number, which depends on the order of the axis."""
    value, axis = call.input, -1 if call["dim"] is None else call["dim"]
    if 1 in call["used"]:
        call.freeze_axis(value, axis)
    return [reduce_axes(call, value, axis, bool(call["keepdim"])) for _ in range(2)]


@rule("aten.argmax", "aten.argmin")
def place_of_extreme(call: Call) -> Value:
    """The number of the largest entry."""
    value = call.input
    if call["dim"] is None:
        call.freeze(value)
        return Value(call.shape)
    call.freeze_axis(value, call["dim"])
    return reduce_axes(call, value, call["dim"], bool(call["keepdim"]))


@rule("aten.cumsum", "aten.cumprod", "aten.logcumsumexp", "aten.argsort")
def cumulative(call: Call) -> Value:
    """Along an axis, in its order."""
    value = call.input
    call.freeze_axis(value, call["dim"])
    return Value(value.shape, list(value.groups))


@rule("aten.sort", "aten.topk", "aten.cummax", "aten.cummin")
def ordered(call: Call) -> list[Value]:
    """Entries of an axis by size, with their numbers; without the numbers the order that they came in is lost."""
    value = call.input
    axis = -1 if call["dim"] is None else call["dim"]
    axis %= len(value.shape)
    by_size = call.operation.startswith(("aten.sort", "aten.topk"))
    if 1 in call["used"] or not by_size:
        call.freeze_axis(value, axis)
    else:
        call.axis(value, axis)
    kept = [group for group in value.groups if axis not in group.axes]
    return [
        Value(shape, kept + call.space.frozen_groups([axis], shape, call.reason)) for shape in call.shapes
    ]
