"""Entries chosen along axes: slices, lookups, gathers."""

from __future__ import annotations

import numpy as np

from rebasin_fast.specs.tracing.algebra.values import Group, Value
from rebasin_fast.specs.tracing.algebra.views import index_axis, select
from rebasin_fast.specs.tracing.registry import Call, Result, rule
from rebasin_fast.specs.tracing.rules.elementwise import combine


@rule("aten.slice")
def sliced(call: Call) -> Value:
    """``start:end:step`` of an axis."""
    value, axis = call.input, call["dim"] or 0
    chosen = range(value.shape[axis])[slice(call["start"], call["end"], call["step"] or 1)]
    return index_axis(call.space, value, axis, np.array(chosen, dtype=np.int64))


@rule("aten.narrow")
def narrow(call: Call) -> Value:
    """``length`` entries from ``start``."""
    start = call["start"]
    if isinstance(start, Value):
        call.freeze_axis(call.input, call["dim"])
        start = 0
    return index_axis(call.space, call.input, call["dim"], np.arange(start, start + call["length"]))


@rule("aten.select")
def selected(call: Call) -> Value:
    """One entry of an axis."""
    return select(call.space, call.input, call["dim"], int(call["index"]))


@rule("aten.flip")
def flip(call: Call) -> Value:
    """Axes reversed."""
    value = call.input
    for axis in call["dims"]:
        value = index_axis(call.space, value, axis, np.arange(value.shape[axis])[::-1])
    return value


@rule("aten.roll")
def roll(call: Call) -> Result:
    """Entries moved round an axis."""
    value = call.input
    shifts, axes = call["shifts"], call["dims"]
    shifts, axes = ([x] if isinstance(x, int) else list(x or ()) for x in (shifts, axes))
    if not axes:
        return call.freeze_all()
    for shift, axis in zip(shifts, axes, strict=True):
        value = index_axis(call.space, value, axis, np.roll(np.arange(value.shape[axis]), shift))
    return value


@rule("aten.embedding")
def embedding(call: Call) -> Value:
    """Rows of a table."""
    weight, indices = call.value("weight"), call.value("indices")
    call.freeze_axis(weight, 0)
    call.freeze(indices)
    rank = len(indices.shape)
    result = Value((*indices.shape, weight.shape[1]), list(indices.groups))
    x = call.axis(weight, 1)
    if x is not None:
        result.groups.append(Group(x, (rank,)))
        call.produced(x, weight)
    return result


@rule("aten.index_select")
def index_select(call: Call) -> Value:
    """Entries of an axis by a tensor of numbers: the axis stays."""
    value, axis = call.input, call["dim"] % len(call.shape)
    call.freeze_axis(value, axis)
    return call.result([group for group in value.groups if axis not in group.axes], [axis])


@rule("aten.index", "aten._unsafe_index")
def index(call: Call) -> Value:
    """Entries by tensors of numbers: the axes that are indexed stay."""
    value, indices = call.input, list(call["indices"])
    chosen = [axis for axis, numbers in enumerate(indices) if numbers is not None]
    for axis in chosen:
        call.freeze_axis(value, axis)
        call.freeze(indices[axis])
    rank = max(len(indices[axis].shape) for axis in chosen)
    together = chosen == list(range(chosen[0], chosen[-1] + 1))
    first = chosen[0] if together else 0
    rest = [axis for axis in range(len(value.shape)) if axis not in chosen]
    place = {axis: (i if i < first else i + rank) for i, axis in enumerate(rest)}
    kept = [g.moved(place[a] for a in g.axes) for g in value.groups if all(a in place for a in g.axes)]
    return call.result(kept, range(first, first + rank))


@rule("aten.embedding_bag.padding_idx", "aten.embedding_bag.default", "aten._embedding_bag")
def embedding_bag(call: Call) -> list[Value | None]:
    """Sums, means or maxima of rows of a table; offsets and counts stay."""
    weight = call.value("weight")
    for value in call.given("indices", "offsets", "per_sample_weights"):
        call.freeze(value)
    call.freeze_axis(weight, 0)
    results: list[Value | None] = [
        None if shape is None else call.space.frozen(shape, call.reason) for shape in call.shapes
    ]
    x = call.axis(weight, 1)
    rows = call.space.frozen(call.shapes[0][:1], call.reason)
    vectors = Value(call.shapes[0], [*rows.groups, *([Group(x, (1,))] if x is not None else [])])
    results[0] = vectors
    call.produced(x, weight)
    maxima = results[3]  # the row that was the largest, for each entry of a vector
    if maxima is not None and maxima.shape == call.shapes[0] and x is not None:
        results[3] = Value(maxima.shape, list(vectors.groups))
    return results


@rule("aten.index_add", "aten.index_copy", "aten.index_reduce")
def added_by_index(call: Call) -> Value:
    """Entries of an axis added to those of another by a tensor of numbers: both stay, and the other axes meet."""
    value, source = call.input, call.value("source")
    axis = call["dim"] % len(value.shape)
    call.freeze_axis(value, axis)
    call.freeze_axis(source, axis)
    call.freeze(call.value("index"))
    return _tied_but_on(call, value, source, axis)


@rule("aten.scatter_add", "aten.scatter_reduce")
def scattered(call: Call) -> Value:
    """The same where every entry has a number of its own: those are equal along axes over which they were expanded."""
    value, source, numbers = call.input, call.value("src"), call.value("index")
    axis = call["dim"] % len(value.shape)
    if numbers.shape != source.shape:
        raise ValueError("the numbers cover a part of the source")
    call.freeze_axis(value, axis)
    call.freeze_axis(source, axis)
    call.freeze(numbers)
    for group in numbers.groups:  # other numbers for other entries: nothing moves along these
        for other in group.axes:
            call.freeze_axis(source, other)
            call.freeze_axis(value, other)
    return _tied_but_on(call, value, source, axis)


def _tied_but_on(call: Call, value: Value, source: Value, axis: int) -> Value:
    """``value`` with ``source`` on all axes but one, along which nothing moves."""

    def without(tensor: Value) -> Value:
        shape = [*tensor.shape]
        shape[axis] = 1
        return Value(tuple(shape), [group for group in tensor.groups if axis not in group.axes])

    rest = combine(call, [without(value), without(source)], without(value).shape)
    return call.result(rest.groups, [axis])
