"""Views of values: everything that moves entries and computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from rebasin_fast.specs.tracing.algebra.forms import Reason, Var
from rebasin_fast.specs.tracing.algebra.values import Group, Space, Value
from rebasin_fast.typing import Index


def permute(value: Value, order: Sequence[int]) -> Value:
    """Axis i of the result is axis ``order[i]``."""
    order = [axis % len(value.shape) for axis in order]
    place = {axis: i for i, axis in enumerate(order)}
    groups = [group.moved(place[axis] for axis in group.axes) for group in value.groups]
    return Value(tuple(value.shape[axis] for axis in order), groups)


def transposed(value: Value) -> Value:
    """The last two axes exchanged."""
    rank = len(value.shape)
    return permute(value, [*range(rank - 2), rank - 1, rank - 2])


def index_axis(space: Space, value: Value, axis: int, chosen: Index) -> Value:
    """Entries ``chosen`` along ``axis``, in that order."""
    axis %= len(value.shape)
    shape = (*value.shape[:axis], chosen.size, *value.shape[axis + 1 :])
    groups = []
    for group in value.groups:
        if axis not in group.axes or np.array_equal(chosen, np.arange(value.shape[axis])):
            groups.append(group)
        elif reason := space.algebra.reason(group.base):
            groups += space.frozen_groups(group.axes, shape, reason)
        else:
            positions = space.positions(group).take(chosen, group.axes.index(axis))
            groups.append(replace(group, positions=positions))
    return Value(shape, groups)


def select(space: Space, value: Value, axis: int, index: int) -> Value:
    """One entry along ``axis``, which goes."""
    axis %= len(value.shape)
    chosen = np.array([index % value.shape[axis]])
    return remove_axes(space, index_axis(space, value, axis, chosen), [axis])


def remove_axes(space: Space, value: Value, axes: Sequence[int]) -> Value:
    """Drop axes of one entry."""
    gone = {axis % len(value.shape) for axis in axes}
    kept = [axis for axis in range(len(value.shape)) if axis not in gone]
    place = {axis: i for i, axis in enumerate(kept)}
    groups = []
    for group in value.groups:
        left = space.drop(group, [axis for axis in group.axes if axis in place])
        if left is not None:
            groups.append(left.moved(place[axis] for axis in left.axes))
    return Value(tuple(value.shape[axis] for axis in kept), groups)


def insert_axes(value: Value, axes: Sequence[int]) -> Value:
    """New axes of one entry, at positions ``axes`` of the result."""
    rank = len(value.shape) + len(axes)
    new = {axis % rank for axis in axes}
    place = [axis for axis in range(rank) if axis not in new]
    shape = [1] * rank
    for axis, size in zip(place, value.shape, strict=True):
        shape[axis] = size
    return Value(tuple(shape), [group.moved(place[axis] for axis in group.axes) for group in value.groups])


def expand(space: Space, value: Value, shape: Sequence[int]) -> Value:
    """Axes of one entry repeated to ``shape``; new axes come first."""
    lead = len(shape) - len(value.shape)
    padded = insert_axes(value, range(lead)) if lead else value
    sizes = tuple(new if new >= 0 else old for new, old in zip(shape, padded.shape, strict=True))
    widened = [a for a, (new, old) in enumerate(zip(sizes, padded.shape, strict=True)) if new != old]
    groups = []
    for group in padded.groups:
        left = space.drop(group, [axis for axis in group.axes if axis not in widened])
        if left is not None:
            groups.append(left)
    return Value(sizes, groups)


def reshape(space: Space, value: Value, shape: Sequence[int], reason: Reason) -> Value:
    """The entries in row-major order under another shape."""
    shape = _full_shape(value.shape, shape)
    if shape == value.shape:
        return value
    if 0 in shape:
        return Value(shape)
    source = Value(value.shape, list(value.groups))
    segments = _segments(source.shape, shape)
    for group in list(source.groups):
        if len(group.axes) > 1 and not _fills(group, segments, source.shape):
            space.take_apart(source, group, reason)
    result = Value(shape)
    done: set[int] = set()
    for group in source.groups:
        if _fills(group, segments, source.shape):
            result.groups += _reshaped(space, group, segments, shape)
            done.update(group.axes)
    for old, new in segments:
        if any(source.group_at(axis) for axis in old) and done.isdisjoint(old):
            result.groups += _merged_and_split(space, source, old, new, shape)
    return result


def repeat_axis(
    space: Space, value: Value, axis: int, times: int, reason: Reason, *, in_place: bool
) -> Value:
    """``axis`` as a whole ``times`` times, or each of its entries ``in_place``."""
    shape, new = list(value.shape), axis + 1 if in_place else axis
    spread = expand(space, insert_axes(value, [new]), [*shape[:new], times, *shape[new:]])
    shape[axis] *= times
    return reshape(space, spread, shape, reason)


Segments = list[tuple[list[int], list[int]]]


def _fills(group: Group, segments: Segments, sizes: Sequence[int]) -> bool:
    """Whether no other axis takes part in the segments that ``group`` stands in."""
    touched = [old for old, _ in segments if not set(old).isdisjoint(group.axes)]
    return {axis for old in touched for axis in old if sizes[axis] > 1} <= set(group.axes)


def _reshaped(space: Space, group: Group, segments: Segments, shape: tuple[int, ...]) -> list[Group]:
    new_axes = [axis for old, new in segments if not set(old).isdisjoint(group.axes) for axis in new]
    reason = space.algebra.reason(group.base)
    if reason:
        return space.frozen_groups(new_axes, shape, reason)
    order = sorted(range(len(group.axes)), key=lambda i: group.axes[i])
    positions = space.positions(group).transpose(order).reshape([shape[axis] for axis in new_axes])
    return _tidy(space, replace(group, axes=tuple(new_axes), positions=positions))


def _merged_and_split(
    space: Space, source: Value, old: Sequence[int], new: Sequence[int], shape: tuple[int, ...]
) -> list[Group]:
    """The product of all axes in ``old``, as positions on the axes in ``new``."""
    base: Var | None = None
    for axis in reversed(old):
        if source.shape[axis] == 1 and source.group_at(axis) is None:
            continue
        group = source.group_at(axis)
        factor = space.flat(group) if group else space.algebra.leaf(source.shape[axis])
        base = factor if base is None else space.algebra.product(factor, base)
    assert base is not None
    reason = space.algebra.reason(base)
    if reason:
        return space.frozen_groups(new, shape, reason)
    positions = np.arange(space.algebra.size(base)).reshape([shape[axis] for axis in new])
    return _tidy(space, Group(base, tuple(new), positions))


def _tidy(space: Space, group: Group) -> list[Group]:
    """Without axes of one entry, and without positions that are all of the variable in order."""
    positions = space.positions(group)
    if positions.size == 1:
        space.consume(group)
        space.flat(group)
        return []
    kept = [axis for axis, size in zip(group.axes, positions.shape, strict=True) if size > 1]
    positions = positions.reshape([size for size in positions.shape if size > 1])
    whole = positions.ndim == 1 and positions.size == space.algebra.size(group.base)
    if whole and np.array_equal(positions, np.arange(positions.size)):
        return [replace(group, axes=tuple(kept), positions=None)]
    return [replace(group, axes=tuple(kept), positions=positions)]


def _full_shape(old: tuple[int, ...], new: Sequence[int]) -> tuple[int, ...]:
    known = prod(size for size in new if size >= 0)
    return tuple(size if size >= 0 else prod(old) // known for size in new)


def _segments(old: Sequence[int], new: Sequence[int]) -> Segments:
    """The smallest runs of axes that hold the same number of entries in both shapes."""
    segments = []
    i = j = 0
    while i < len(old) and j < len(new):
        olds, news = [i], [j]
        left, right = old[i], new[j]
        i, j = i + 1, j + 1
        while left != right:
            if left < right:
                left *= old[i]
                olds.append(i)
                i += 1
            else:
                right *= new[j]
                news.append(j)
                j += 1
        segments.append((olds, news))
    if segments:
        segments[-1][0].extend(range(i, len(old)))
        segments[-1][1].extend(range(j, len(new)))
    return segments
