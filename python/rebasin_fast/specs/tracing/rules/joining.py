"""Tensors one after the other along an axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rebasin_fast.specs.tracing.algebra.forms import Var
from rebasin_fast.specs.tracing.algebra.selection import take
from rebasin_fast.specs.tracing.algebra.values import Group, Value
from rebasin_fast.specs.tracing.registry import Call
from rebasin_fast.specs.tracing.rules.elementwise import combine
from rebasin_fast.typing import Index


def join(call: Call, values: Sequence[Value], axis: int) -> Value:
    """``values`` one after the other along ``axis``; their other axes are tied."""
    axis %= len(values[0].shape)
    values = [value for value in values if value.shape[axis] > 0]
    if len(values) == 1:
        return values[0]
    shape = list(values[0].shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    rest, joined = _split_off(call, values, axis)
    joint = _joined_lazily(call, joined, values, axis)
    if joint is None:
        pieces = [_piece(call, value, axis) for value in values]
        rest, _ = _split_off(call, values, axis)
        joint = Group(call.algebra.concat(pieces), (axis,))
    result = Value(tuple(shape), [joint])
    result.constant = all(value.constant for value in values)
    size_one = [*shape[:axis], 1, *shape[axis + 1 :]]
    others = [Value(tuple(size_one), groups) for groups in rest]
    result.groups += combine(call, others, size_one).groups
    call.space.record(result)
    return result


def _split_off(
    call: Call, values: Sequence[Value], axis: int
) -> tuple[list[list[Group]], list[Group | None]]:
    """For each value the groups apart from ``axis``, and the group on it."""
    rest = [[group for group in value.groups if axis not in group.axes] for value in values]
    return rest, [value.group_at(axis) for value in values]


def _joined_lazily(
    call: Call, groups: Sequence[Group | None], values: Sequence[Value], axis: int
) -> Group | None:
    """Entries of one variable put together again; None where the pieces come from several."""
    first = groups[0]
    if first is None or call.algebra.reason(first.base):
        return None
    for group in groups[1:]:
        if group is None or call.algebra.find(group.base) != call.algebra.find(first.base):
            return None
        if set(group.axes) != set(first.axes):
            return None
    positions = [
        call.space.positions(group).transpose([group.axes.index(a) for a in first.axes])
        for group in groups
        if group is not None
    ]
    if len(first.axes) > 1 and not _alike_elsewhere(positions, first.axes.index(axis)):
        return None
    if first.source is None or any(group is None or group.source != first.source for group in groups):
        # Computed by different operations, the pieces are different tensors: each is a part by itself.
        for group in groups:
            if group is not None:
                call.space.flat(group)
        entries = np.concatenate([p.ravel() for p in positions])
        if np.unique(entries).size < entries.size:  # a unit in two pieces: the rest of each separates units
            call.space.as_axis(take(call.algebra, first.base, entries))
    return Group(first.base, first.axes, np.concatenate(positions, axis=first.axes.index(axis)))


def _alike_elsewhere(positions: Sequence[Index], dim: int) -> bool:
    return len({p.shape[:dim] + p.shape[dim + 1 :] for p in positions}) == 1


def _piece(call: Call, value: Value, axis: int) -> Var:
    x = call.axis(value, axis)
    if x is not None:
        return x
    size = value.shape[axis]
    # An entry is bound to the tensor that it comes from.
    if size == 1:
        return call.algebra.frozen(1, call.reason)
    return call.space.as_axis(call.algebra.leaf(size))
