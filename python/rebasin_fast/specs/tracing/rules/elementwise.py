"""Operations entry by entry, with broadcasting: they tie the axes that meet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rebasin_fast.specs.tracing.algebra.forms import Var
from rebasin_fast.specs.tracing.algebra.selection import take
from rebasin_fast.specs.tracing.algebra.values import Group, Value
from rebasin_fast.specs.tracing.registry import Call, rule
from rebasin_fast.typing import Index

_UNARY = """
    abs acos acosh alias asin asinh atan atanh bernoulli bitwise_not ceil celu clone contiguous cos cosh
    deg2rad detach dropout alpha_dropout feature_dropout elu erf erfc erfinv exp exp2 expm1 floor frac
    gelu hardshrink hardsigmoid hardswish hardtanh isfinite isinf isnan isneginf isposinf leaky_relu
    lgamma lift lift_fresh lift_fresh_copy log log10 log1p log2 log_sigmoid logical_not logit mish
    nan_to_num neg negative positive rad2deg reciprocal relu relu6 round rsqrt selu sgn sigmoid sign
    silu sin sinc sinh softplus softshrink sqrt square tan tanh tanhshrink threshold trunc to type_as
    _to_copy digamma special_expit native_dropout conj resolve_conj resolve_neg signbit data
    requires_grad special_erf fill_diagonal bfloat16 half float double
"""

_NARY = """
    polar complex
    add addcdiv addcmul atan2 bitwise_and bitwise_or bitwise_xor clamp clamp_max clamp_min clip copysign
    div divide eq floor_divide floor_div fmax fmin fmod ge greater greater_equal gt heaviside hypot le
    less less_equal lerp logaddexp logaddexp2 logical_and logical_or logical_xor lt masked_fill maximum
    minimum mul multiply ne not_equal pow prelu_ remainder rsub sub subtract true_divide where xlogy
    __and__ __or__ __xor__ copy _assert_tensor_metadata rrelu_with_noise
"""


@rule(*(f"aten.{name}" for name in _UNARY.split()))
def unary(call: Call) -> Value:
    """Each entry by itself."""
    value = _tensors(call)[0]
    return Value(value.shape, list(value.groups), value.parameter, value.constant)


@rule("aten.max.other", "aten.min.other", *(f"aten.{name}" for name in _NARY.split()))
def broadcast(call: Call) -> Value:
    """Entries that meet under broadcasting."""
    tensors = _tensors(call)
    result = combine(call, tensors, call.shape)
    activations = [value for value in tensors if value.parameter is None and not value.constant]
    if call.operation.startswith(("aten.add.", "aten.add_.", "aten.sub.")) and len(activations) > 1:
        for group in result.groups:
            call.trace.sums.append(group.base)
    return result


@rule("aten.prelu")
def prelu(call: Call) -> Value:
    """A slope a channel, or one for all."""
    value, weight = call.input, call.value("weight")
    if weight.shape and weight.shape[0] > 1:
        tie_channel(call, value, weight, 1)
    return Value(value.shape, list(value.groups))


def tie_channel(call: Call, value: Value, vector: Value, axis: int) -> None:
    """The entries of ``vector`` belong to those of ``axis``."""
    x, y = call.axis(value, axis), call.axis(vector, 0)
    if x is None and y is not None:
        value.groups.append(Group(y, (axis % len(value.shape),)))
    call.unify(x, y)


def combine(call: Call, values: Sequence[Value], shape: Sequence[int]) -> Value:
    """The result of an operation entry by entry on ``values``, broadcast to ``shape``."""
    shape = tuple(shape)
    groups = [group for value in values for group in _aligned(call, value, shape)]
    result = Value(shape)
    for cluster in _clusters(groups):
        result.groups += _tied(call, cluster, shape)
    result.constant = all(value.constant for value in values)
    call.space.record(result)
    return result


def _tensors(call: Call) -> list[Value]:
    return [argument for argument in call.arguments.values() if isinstance(argument, Value)]


def _aligned(call: Call, value: Value, shape: tuple[int, ...]) -> list[Group]:
    """The groups of ``value`` on the axes of the result; axes that are broadcast are dropped."""
    lead = len(shape) - len(value.shape)
    aligned = []
    for group in value.groups:
        kept = [
            axis for axis in group.axes if value.shape[axis] == shape[axis + lead] and shape[axis + lead] > 1
        ]
        left = call.space.drop(group, kept)
        if left is not None:
            aligned.append(left.moved(axis + lead for axis in left.axes))
    return aligned


def _clusters(groups: list[Group]) -> list[list[Group]]:
    """Groups that share an axis, directly or through others."""
    clusters: list[tuple[set[int], list[Group]]] = []
    for group in groups:
        axes, members = set(group.axes), [group]
        apart = []
        for other_axes, other_members in clusters:
            if axes.isdisjoint(other_axes):
                apart.append((other_axes, other_members))
            else:
                axes |= other_axes
                members = other_members + members
        clusters = [*apart, (axes, members)]
    return [members for _, members in clusters]


def _tied(call: Call, cluster: list[Group], shape: tuple[int, ...]) -> list[Group]:
    first = cluster[0]
    if all(set(group.axes) == set(first.axes) for group in cluster[1:]):
        for other in cluster[1:]:
            _tie_entries(call, first, other)
        return [first]
    tied: dict[int, Var | None] = {}
    for group in cluster:
        lone = Value(shape, [group])
        call.space.take_apart(lone, group, call.reason)
        for part in lone.groups:
            (axis,) = part.axes
            tied[axis] = call.unify(tied.get(axis), part.base)
    return [Group(x, (axis,)) for axis, x in tied.items() if x is not None]


def _tie_entries(call: Call, first: Group, other: Group) -> None:
    """Tie two groups on the same axes entry by entry."""
    if len(first.axes) == 1 and first.positions is None and other.positions is None:
        call.unify(call.space.as_axis(first.base), call.space.as_axis(other.base))
        return
    a = call.space.positions(first)
    b = call.space.positions(other).transpose([other.axes.index(axis) for axis in first.axes])
    algebra = call.algebra
    if algebra.find(first.base) == algebra.find(other.base) and np.array_equal(a, b):
        return
    if np.array_equal(a, b) and a.size == algebra.size(first.base) == algebra.size(other.base):
        call.unify(first.base, other.base)
        return
    order = _order_of_fewest_cuts(a.ravel(), b.ravel())
    call.unify(
        call.space.as_axis(take(algebra, first.base, a.ravel()[order])),
        call.space.as_axis(take(algebra, other.base, b.ravel()[order])),
    )


def _order_of_fewest_cuts(a: Index, b: Index) -> Index:
    """Entries by their place in ``a``; as they stand where that is better: sorted copies of a run interleave."""
    by_place = np.argsort(a, kind="stable")
    as_they_stand = np.arange(a.size)
    return min(by_place, as_they_stand, key=lambda order: _breaks(a[order]) + _breaks(b[order]))


def _breaks(positions: Index) -> int:
    return int(np.count_nonzero(np.diff(positions) != 1))
