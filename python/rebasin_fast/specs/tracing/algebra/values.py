"""Abstract tensors: a shape, and for each axis the variable that moves it.

Axes that came out of one variable by a view are kept together as a :class:`Group`: the variable, and the position in
it of every entry. Views, slices and transpositions are then NumPy indexing, and nothing is cut before an operation
uses a single axis. An axis in no group is uniform: the tensor is the same all along it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rebasin_fast.specs.tracing.algebra.forms import Reason, Var
from rebasin_fast.specs.tracing.algebra.selection import take, take_apart
from rebasin_fast.specs.tracing.algebra.variables import Algebra
from rebasin_fast.typing import Index


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """``positions`` in ``base``, one dimension for each of ``axes``; None is the whole of it, in order."""

    base: Var
    axes: tuple[int, ...]
    positions: Index | None = None
    source: int | None = None  # of entries that one operation computed; views keep it

    def moved(self, axes: Iterable[int]) -> Group:
        """The same group on other axes."""
        return replace(self, axes=tuple(axes))


@dataclass(slots=True, eq=False)
class Value:
    """A tensor: its shape, its groups, and the parameter that it is (or is a view of)."""

    shape: tuple[int, ...]
    groups: list[Group] = field(default_factory=list)
    parameter: str | None = None
    constant: bool = False  # computed from neither inputs nor parameters

    def group_at(self, axis: int) -> Group | None:
        """The group that ``axis`` belongs to; None when it is uniform."""
        return next((group for group in self.groups if axis in group.axes), None)


def values_in(argument: object) -> list[Value]:
    """All values in ``argument``: itself, or those that its lists, tuples and mappings hold."""
    if isinstance(argument, Value):
        return [argument]
    items = argument.values() if isinstance(argument, Mapping) else argument
    if isinstance(argument, list | tuple | Mapping):
        return [value for item in items for value in values_in(item)]  # type: ignore[attr-defined]
    return []


class Space:
    """Values over one algebra: takes groups apart, and records the axes that operations use.

    ``axes``: variables that some operation used as an axis of its own. ``tensors``: variables that index one tensor,
    or one operation's inner loop, together. ``operations``: groups of the arguments and of the results of each.
    """

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra
        self.axes: dict[Var, None] = {}
        self.tensors: dict[tuple[Var, ...], None] = {}
        self.operations: list[tuple[tuple[Group, ...], tuple[Group, ...]]] = []

    def positions(self, group: Group) -> Index:
        """The positions of ``group`` as an array."""
        if group.positions is None:
            return np.arange(self.algebra.size(group.base))
        return group.positions

    def as_axis(self, x: Var) -> Var:
        """Record ``x`` as an axis that an operation uses, and return it."""
        self.axes[x] = None
        return x

    def together(self, variables: Iterable[Var]) -> None:
        """The variables index one tensor, or one inner loop."""
        self.tensors[tuple(variables)] = None

    def consume(self, group: Group) -> None:
        """Record that the entries of ``group`` are consumed: no axis of a result has them."""
        self.operations.append(((group,), ()))

    def record(self, value: Value) -> None:
        """Remember which variables index ``value``."""
        self.together(group.base for group in value.groups)

    # --- axes ----------------------------------------------------------------------------------------------------

    def whole(self, x: Var, axis: int) -> Group:
        """``x`` as one axis."""
        return Group(x, (axis,))

    def axis(self, value: Value, axis: int, reason: Reason) -> Var | None:
        """The variable of one axis; None when the axis is uniform. Takes its group apart."""
        axis %= len(value.shape)
        group = value.group_at(axis)
        if group is None:
            return None
        if len(group.axes) > 1 or group.positions is not None:
            self.take_apart(value, group, reason)
            group = value.group_at(axis)
            if group is None:
                return None
        return self.as_axis(group.base)

    def take_apart(self, value: Value, group: Group, reason: Reason) -> None:
        """Give each axis of ``group`` a variable of its own. ``value`` keeps its meaning."""
        if group.positions is None:
            self.as_axis(group.base)
            return
        found, chosen = take_apart(self.algebra, group.base, group.positions, reason)
        for x in (*found, *chosen):
            self.as_axis(x)
        for x in chosen:
            self.consume(self.whole(x, 0))
        value.groups.remove(group)
        for axis, x in zip(group.axes, found, strict=True):
            if value.shape[axis] > 1:
                value.groups.append(Group(x, (axis,)))
        self.record(value)

    def flat(self, group: Group) -> Var:
        """One variable for all entries of ``group``, in the order of its axes."""
        if group.positions is None:
            return self.as_axis(group.base)
        return self.as_axis(take(self.algebra, group.base, group.positions.ravel()))

    def freeze_axis(self, value: Value, axis: int, reason: Reason) -> None:
        """Nothing moves along ``axis``."""
        x = self.axis(value, axis, reason)
        if x is not None:
            self.algebra.freeze(x, reason)

    def freeze(self, value: Value, reason: Reason) -> None:
        """Nothing moves along any axis of ``value``."""
        for group in value.groups:
            self.algebra.freeze(self.flat(group), reason)

    def frozen_groups(self, axes: Iterable[int], shape: Sequence[int], reason: Reason) -> list[Group]:
        """Each of ``axes`` frozen by itself."""
        return [Group(self.algebra.frozen(shape[axis], reason), (axis,)) for axis in axes if shape[axis] > 1]

    def frozen(self, shape: Sequence[int], reason: Reason) -> Value:
        """A tensor along which nothing moves."""
        return Value(tuple(shape), self.frozen_groups(range(len(shape)), shape, reason))

    def is_frozen(self, group: Group) -> bool:
        """Whether nothing moves in ``group``."""
        return self.algebra.reason(group.base) is not None

    # --- ties ----------------------------------------------------------------------------------------------------

    def unify(self, x: Var | None, y: Var | None, reason: Reason) -> Var | None:
        """One variable for two axes that move alike; a uniform axis follows the other."""
        if x is None or y is None:
            return y if x is None else x
        self.algebra.unify(x, y, reason)
        return x

    def drop(self, group: Group, kept: Sequence[int]) -> Group | None:
        """``group`` without axes of one entry; entries that no kept axis indexes are recorded as consumed."""
        if len(kept) == len(group.axes):
            return group
        if not kept:
            self.consume(group)
        if group.positions is None:
            self.as_axis(group.base)
            return None
        shape = tuple(group.positions.shape[group.axes.index(axis)] for axis in kept)
        if kept:
            return replace(group, axes=tuple(kept), positions=group.positions.reshape(shape))
        self.flat(group)
        return None
