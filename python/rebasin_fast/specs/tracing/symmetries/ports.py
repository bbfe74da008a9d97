"""Copies of the units of a class on the axes of a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from rebasin_fast.specs.tracing.algebra.forms import Nested, Var
from rebasin_fast.specs.tracing.algebra.values import Group, Space
from rebasin_fast.specs.tracing.contraction import Snapshot
from rebasin_fast.specs.tracing.structure import Structure


@dataclass(frozen=True, slots=True)
class Port:
    """One copy of the units of a class: the axes it is on, the variable it is in, and its first position there."""

    axes: tuple[int, ...]
    base: Var
    first: int


class Ports:
    """The copies of all classes on values."""

    def __init__(self, space: Space, structure: Structure) -> None:
        self._space = space
        self._algebra = space.algebra
        self._structure = structure
        self._known: dict[Var, list[tuple[int, int]]] = {}

    def of(self, snapshot: Snapshot) -> dict[int, list[Port]]:
        """For each class on the value, its copies: by their axes, then from left to right."""
        found: dict[int, list[Port]] = {}
        for group in sorted(snapshot.groups, key=lambda group: group.axes):
            for number, first in self._taken(group):
                found.setdefault(number, []).append(Port(group.axes, self._algebra.find(group.base), first))
        return found

    def _taken(self, group: Group) -> Iterable[tuple[int, int]]:
        copies = self.on(group.base)
        if group.positions is None:
            return copies
        taken = set(group.positions.ravel().tolist())
        return [(number, first) for number, first in copies if first in taken]

    def on(self, x: Var) -> list[tuple[int, int]]:
        """The classes on ``x`` with the first position of each copy."""
        root = self._algebra.find(x)
        if root not in self._known:
            self._known[root] = self._copies(root)
        return self._known[root]

    def _copies(self, x: Var) -> list[tuple[int, int]]:
        algebra = self._algebra
        found: list[tuple[int, int]] = []
        for start, _, part in algebra.spans(x):
            if algebra.reason(part) is not None:
                continue
            form = algebra.form(part)
            if isinstance(form, Nested):
                length = algebra.size(form.inner)
                found += [(number, start + first * length) for number, first in self.on(form.outer)]
                inner = self.on(form.inner)
                offsets = self._offsets(form.outer) if inner else []
                found += [(number, start + k * length + first) for k in offsets for number, first in inner]
            else:
                piece = self._structure.piece.get(algebra.find(part))
                if piece is not None:
                    found.append((piece.permutation, start))
        return found

    def _offsets(self, x: Var) -> list[int]:
        """The positions of ``x`` that count copies: all of a frozen axis, the first of one that moves."""
        algebra = self._algebra
        found: list[int] = []
        for start, stop, part in algebra.spans(x):
            form = algebra.form(part)
            if algebra.reason(part) is not None:
                found += range(start, stop)
            elif isinstance(form, Nested):
                length = algebra.size(form.inner)
                inner = self._offsets(form.inner)
                found += [start + k * length + i for k in self._offsets(form.outer) for i in inner]
            else:
                found.append(start)
        return found


def on_one_group(ports: list[Port]) -> bool:
    """Whether all copies are on one group of axes."""
    return len(Counter(port.axes for port in ports)) == 1
