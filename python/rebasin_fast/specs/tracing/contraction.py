"""Products of tensors as they were contracted, recorded by the rules."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from rebasin_fast.specs.tracing.algebra.values import Group, Value


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A value, and its groups at one point of the program: operations take them apart later."""

    value: Value
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Contraction:
    """Operands with the labels of their axes, and the product; labels that it lacks were summed over."""

    operands: tuple[tuple[Snapshot, tuple[Hashable, ...]], ...]
    product: Snapshot
    labels: tuple[Hashable, ...]


def snapshot(value: Value) -> Snapshot:
    """``value`` as it is now."""
    return Snapshot(value, tuple(value.groups))


def contraction_of(
    operands: Sequence[tuple[Value, Sequence[Hashable]]], product: Value, labels: Sequence[Hashable]
) -> Contraction:
    """The record of one product, made after its axes were tied."""
    taken = tuple((snapshot(value), tuple(own)) for value, own in operands)
    return Contraction(taken, snapshot(product), tuple(labels))
