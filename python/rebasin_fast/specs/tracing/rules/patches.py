"""Images as columns of patches, and back."""

from __future__ import annotations

from math import prod

from rebasin_fast.specs.tracing.algebra.values import Group, Value
from rebasin_fast.specs.tracing.algebra.views import reshape
from rebasin_fast.specs.tracing.registry import Call, rule


@rule("aten.im2col")
def unfold(call: Call) -> Value:
    """(…, C, H, W) becomes (…, C taps, places): every channel owns its taps."""
    value, taps = call.input, prod(call["kernel_size"])
    channel = len(value.shape) - 3
    for axis in (channel + 1, channel + 2):
        call.freeze_axis(value, axis)
    x = call.axis(value, channel)
    groups = [group for group in value.groups if max(group.axes) < channel]
    if x is not None or taps > 1:
        x = call.algebra.leaf(value.shape[channel]) if x is None else x
        owned = call.algebra.product(x, call.algebra.frozen(taps, call.reason))
        groups.append(Group(call.space.as_axis(owned), (channel,)))
    return call.result(groups, [channel + 1])


@rule("aten.col2im")
def fold(call: Call) -> Value:
    """(…, C taps, places) becomes (…, C, H, W): overlapping patches are added."""
    value, taps = call.input, prod(call["kernel_size"])
    channel = len(value.shape) - 2
    *lead, columns, places = value.shape
    split = reshape(call.space, value, [*lead, columns // taps, taps, places], call.reason)
    for axis in (channel + 1, channel + 2):
        call.freeze_axis(split, axis)
    x = call.axis(split, channel)
    groups = [group for group in split.groups if max(group.axes) < channel]
    if x is not None:
        groups.append(Group(x, (channel,)))
    return call.result(groups, [channel + 1, channel + 2])
