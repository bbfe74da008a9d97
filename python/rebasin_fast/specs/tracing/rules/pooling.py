"""Pooling, resizing and padding of spatial axes; pixel and channel shuffles."""

from __future__ import annotations

import re

import numpy as np

from rebasin_fast.specs.tracing.algebra.values import Group, Value
from rebasin_fast.specs.tracing.algebra.views import index_axis, permute, reshape
from rebasin_fast.specs.tracing.registry import Call, rule


def _spatial(call: Call, value: Value, count: int) -> Value:
    """The last ``count`` axes worked on in place, the others left alone."""
    lead = len(value.shape) - count
    for axis in range(lead, len(value.shape)):
        if call.shape[axis] == 1:
            call.axis(value, axis)  # a mean or maximum over all of it: order does not matter
        else:
            call.freeze_axis(value, axis)
    for group in list(value.groups):
        if min(group.axes) < lead <= max(group.axes):
            call.space.take_apart(value, group, call.reason)
    call.space.record(value)
    kept = [group for group in value.groups if max(group.axes) < lead]
    return call.result(kept, range(lead, len(call.shape)))


def _dimensions(call: Call) -> int:
    """2 for ``aten.max_pool2d``."""
    return int(re.findall(r"(\d)d", call.operation)[0])


@rule("aten.avg_pool1d", "aten.max_pool1d", "aten.adaptive_avg_pool1d", "aten.upsample_linear1d",
      "aten.upsample_nearest1d", "aten._upsample_nearest_exact1d", "aten.reflection_pad1d",
      "aten.replication_pad1d", "aten.lp_pool1d",
      "aten.avg_pool2d", "aten.max_pool2d", "aten.adaptive_avg_pool2d", "aten._adaptive_avg_pool2d",
      "aten.upsample_bilinear2d", "aten.upsample_nearest2d", "aten.upsample_bicubic2d",
      "aten._upsample_nearest_exact2d", "aten._upsample_bilinear2d_aa", "aten._upsample_bicubic2d_aa",
      "aten.reflection_pad2d", "aten.replication_pad2d", "aten.lp_pool2d",
      "aten.avg_pool3d", "aten.max_pool3d", "aten.adaptive_avg_pool3d", "aten.upsample_trilinear3d",
      "aten.upsample_nearest3d", "aten._upsample_nearest_exact3d", "aten.replication_pad3d",
      "aten.reflection_pad3d")  # fmt: skip
def spatial(call: Call) -> Value:
    """As many spatial axes as the operation's name has."""
    return _spatial(call, call.input, _dimensions(call))


@rule("aten.max_pool2d_with_indices", "aten.max_pool1d_with_indices", "aten.adaptive_max_pool2d",
      "aten.adaptive_max_pool1d", "aten.max_pool3d_with_indices", "aten.adaptive_max_pool3d")  # fmt: skip
def pool_with_indices(call: Call) -> list[Value]:
    """The maxima, and their places."""
    call.shapes = call.shapes[0]
    result = spatial(call)
    return [result, Value(result.shape, list(result.groups))]


@rule("aten.pad", "aten.constant_pad_nd")
def pad(call: Call) -> Value:
    """Entries of one value before and after; a channel axis continues in a piece of interchangeable entries."""
    value, amounts = call.input, list(call["pad"])
    mode = call["mode"] or "constant"
    if mode != "constant":
        return _spatial(call, value, len(amounts) // 2)
    for i in range(0, len(amounts), 2):
        axis = len(value.shape) - 1 - i // 2
        before, after = amounts[i], amounts[i + 1]
        if min(before, after) < 0:
            size = value.shape[axis]
            chosen = np.arange(max(-before, 0), size - max(-after, 0))
            value = index_axis(call.space, value, axis, chosen)
        value = _extended(call, value, axis, max(before, 0), max(after, 0))
    return value


def _extended(call: Call, value: Value, axis: int, before: int, after: int) -> Value:
    """Entries of one value before and after: pieces of interchangeable entries."""
    if not before and not after:
        return value
    algebra, size = call.algebra, value.shape[axis]
    middle = call.axis(value, axis)
    if middle is None:
        middle = call.space.as_axis(algebra.leaf(size))
    parts = [middle]
    if before:
        parts.insert(0, algebra.leaf(before))
    if after:
        parts.append(algebra.leaf(after))
    shape = (*value.shape[:axis], before + size + after, *value.shape[axis + 1 :])
    kept = [group for group in value.groups if group.axes != (axis,)]
    return Value(shape, [*kept, Group(algebra.concat(parts), (axis,))])


@rule("aten.pixel_shuffle")
def pixel_shuffle(call: Call) -> Value:
    """Channels (c r r) become c channels of an r times finer grid."""
    value, r = call.input, int(call["upscale_factor"])
    *lead, channels, height, width = value.shape
    n = len(lead)
    split = reshape(call.space, value, [*lead, channels // (r * r), r, r, height, width], call.reason)
    moved = permute(split, [*range(n), n, n + 3, n + 1, n + 4, n + 2])
    return reshape(call.space, moved, call.shape, call.reason)


@rule("aten.pixel_unshuffle")
def pixel_unshuffle(call: Call) -> Value:
    """The inverse of a pixel shuffle."""
    value, r = call.input, int(call["downscale_factor"])
    *lead, channels, height, width = value.shape
    n = len(lead)
    split = reshape(call.space, value, [*lead, channels, height // r, r, width // r, r], call.reason)
    moved = permute(split, [*range(n), n, n + 2, n + 4, n + 1, n + 3])
    return reshape(call.space, moved, call.shape, call.reason)


@rule("aten.channel_shuffle", "aten.native_channel_shuffle")
def channel_shuffle(call: Call) -> Value:
    """Channels (groups c) in the order (c groups)."""
    value, groups = call.input, int(call["groups"])
    channels = value.shape[1]
    order = np.arange(channels).reshape(groups, -1).T.ravel()
    return index_axis(call.space, value, 1, order)
