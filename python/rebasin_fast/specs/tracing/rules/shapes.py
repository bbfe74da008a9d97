"""Views, and the operations that put tensors side by side."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.algebra.views import (
    expand,
    index_axis,
    insert_axes,
    permute,
    remove_axes,
    repeat_axis,
    reshape,
    select,
    transposed,
)
from rebasin_fast.specs.tracing.registry import Call, Result, rule
from rebasin_fast.specs.tracing.rules.joining import join


@rule("aten.view.default", "aten.reshape", "aten._unsafe_view", "aten.flatten", "aten.unflatten", "aten.view_as",
      "aten.reshape_as", "aten.ravel", "aten.pixel_reshape", "aten._reshape_alias")  # fmt: skip
def view(call: Call) -> Value:
    """The same entries under another shape."""
    return reshape(call.space, call.input, call.shape, call.reason)


@rule("aten.view.dtype")
def reinterpret(call: Call) -> Result:
    """The bits as another type: nothing moves."""
    return call.freeze_all()


@rule("aten.view_as_complex")
def pairs_as_complex(call: Call) -> Value:
    """Real and imaginary parts, an axis of two, become one number."""
    value = call.input
    call.freeze_axis(value, -1)
    last = len(value.shape) - 1
    return Value(value.shape[:-1], [group for group in value.groups if last not in group.axes])


@rule("aten.view_as_real")
def complex_as_pairs(call: Call) -> Value:
    """The inverse."""
    value = call.input
    return call.result(value.groups, [len(value.shape)])


@rule("aten.permute")
def permuted(call: Call) -> Value:
    """Axes in another order."""
    return permute(call.input, call["dims"])


@rule("aten.movedim", "aten.moveaxis")
def movedim(call: Call) -> Value:
    """Axes moved to other places."""
    value = call.input
    rank = len(value.shape)
    source, target = ([axis % rank for axis in _listed(call[name])] for name in ("source", "destination"))
    order: list[int | None] = [None] * rank
    for a, b in zip(source, target, strict=True):
        order[b] = a
    rest = iter(axis for axis in range(rank) if axis not in source)
    return permute(value, [next(rest) if axis is None else axis for axis in order])


@rule("aten.transpose", "aten.swapaxes", "aten.swapdims")
def transpose(call: Call) -> Value:
    """Two axes exchanged."""
    value = call.input
    first = call["dim0"] if call["dim0"] is not None else call["axis0"]
    second = call["dim1"] if call["dim1"] is not None else call["axis1"]
    order = list(range(len(value.shape)))
    order[first], order[second] = order[second], order[first]
    return permute(value, order)


@rule("aten.t", "aten.numpy_T", "aten.mT", "aten.adjoint")
def transpose_last(call: Call) -> Value:
    """The last two axes exchanged."""
    return call.input if len(call.shape) < 2 else transposed(call.input)


@rule("aten.squeeze")
def squeeze(call: Call) -> Value:
    """Axes of one entry go."""
    value = call.input
    axes = range(len(value.shape)) if call["dim"] is None else _listed(call["dim"])
    return remove_axes(call.space, value, [axis for axis in axes if value.shape[axis] == 1])


@rule("aten.unsqueeze")
def unsqueeze(call: Call) -> Value:
    """A new axis of one entry."""
    return insert_axes(call.input, [call["dim"]])


@rule("aten.expand", "aten.expand_as", "aten.broadcast_to")
def expanded(call: Call) -> Value:
    """Axes of one entry repeated."""
    return expand(call.space, call.input, call.shape)


@rule("aten.broadcast_tensors")
def broadcast_tensors(call: Call) -> list[Value]:
    """All expanded to the shape of all."""
    return [expand(call.space, value, call.shapes[0]) for value in call["tensors"]]


@rule("aten.repeat", "aten.tile")
def repeat(call: Call) -> Value:
    """The whole tensor repeated along its axes."""
    value = call.input
    times = list(call["repeats"] if call["repeats"] is not None else call["dims"])
    lead = max(len(times) - len(value.shape), 0)
    value = insert_axes(value, range(lead)) if lead else value
    times = [1] * (len(value.shape) - len(times)) + times
    for axis, count in enumerate(times):
        if count == 0:
            return Value(call.shape)
        if count > 1:
            value = repeat_axis(call.space, value, axis, count, call.reason, in_place=False)
    return value


@rule("aten.repeat_interleave.self_int")
def repeat_interleave(call: Call) -> Value:
    """Each entry repeated in place."""
    value, count, axis = call.input, int(call["repeats"]), call["dim"]
    if axis is None:
        value, axis = reshape(call.space, value, [prod(value.shape)], call.reason), 0
    axis %= len(value.shape)
    return repeat_axis(call.space, value, axis, count, call.reason, in_place=True)


@rule("aten.cat", "aten.concat", "aten.concatenate")
def cat(call: Call) -> Value:
    """Tensors one after the other along an axis."""
    values = [value for value in call["tensors"] if value.shape != (0,)]
    return join(call, values, call["dim"] or 0)


@rule("aten.stack")
def stack(call: Call) -> Value:
    """Tensors along a new axis."""
    values, axis = list(call["tensors"]), (call["dim"] or 0) % len(call.shape)
    apart = _axis_apart(call, values)
    if apart is not None:
        return _interleaved(call, values, apart, axis)
    return join(call, [insert_axes(value, [axis]) for value in call["tensors"]], axis)


def _axis_apart(call: Call, values: Sequence[Value]) -> int | None:
    """The one axis along which the values move by different variables; None where there are more, or none."""
    found = []
    for axis in range(len(values[0].shape)):
        groups = [group for value in values if (group := value.group_at(axis))]
        if all(call.space.is_frozen(group) for group in groups):
            continue
        whole = [group.base for group in groups if len(group.axes) == 1 and group.positions is None]
        if len(whole) < len(values):
            return None
        if len(set(map(call.algebra.find, whole))) > 1:
            found.append(axis)
    return found[0] if len(found) == 1 else None


def _interleaved(call: Call, values: Sequence[Value], apart: int, axis: int) -> Value:
    """One after the other along ``apart``, then as a new axis: nothing is tied before an operation uses the axis."""
    joined = join(call, values, apart)
    shape = [*joined.shape[:apart], len(values), *values[0].shape[apart:]]
    split = reshape(call.space, joined, shape, call.reason)
    order = [i for i in range(len(shape)) if i != apart]
    order.insert(axis, apart)
    return permute(split, order)


@rule("aten.hstack", "aten.vstack", "aten.column_stack", "aten.row_stack")
def side_by_side(call: Call) -> Result:
    """Shorthands of a concatenation."""
    values = list(call["tensors"])
    if min(len(value.shape) for value in values) < 2:
        return call.freeze_all()
    return join(call, values, 0 if "vstack" in call.operation or "row" in call.operation else 1)


@rule("aten.split", "aten.split_with_sizes", "aten.chunk", "aten.tensor_split", "aten.unsafe_split",
      "aten.unsafe_chunk", "aten.split_copy", "aten.unsafe_split_with_sizes")  # fmt: skip
def split(call: Call) -> list[Value]:
    """Pieces of an axis, one after the other."""
    value, axis = call.input, call["dim"] or 0
    pieces, start = [], 0
    for shape in call.shapes:
        size = shape[axis]
        pieces.append(index_axis(call.space, value, axis, np.arange(start, start + size)))
        start += size
    return pieces


@rule("aten.unbind")
def unbind(call: Call) -> list[Value]:
    """Every entry of an axis by itself."""
    value, axis = call.input, call["dim"] or 0
    return [select(call.space, value, axis, index) for index in range(value.shape[axis])]


def _listed(axes: int | Sequence[int]) -> list[int]:
    return [axes] if isinstance(axes, int) else list(axes)
