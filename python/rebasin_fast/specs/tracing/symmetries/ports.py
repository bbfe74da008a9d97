"""Copies of the units of a class on the axes of a value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rebasin_fast.specs.tracing.algebra.forms import Nested, Var
from rebasin_fast.specs.tracing.algebra.values import Group, Space
from rebasin_fast.specs.tracing.contraction import Snapshot
from rebasin_fast.specs.tracing.structure import Structure
from rebasin_fast.typing import Index


@dataclass(frozen=True, slots=True)
class Port:
    """One copy of the units of a class: the axes it is on, the variable it is in, and its first position there."""

    axes: tuple[int, ...]
    base: Var
    first: int


# The classes on a variable; for each its copies, by their positions.
Copies = dict[int, list[Index]]


class Ports:
    """The copies of all classes on values."""

    def __init__(self, space: Space, structure: Structure) -> None:
        self._algebra = space.algebra
        self._structure = structure
        self._known: dict[Var, Copies] = {}

    def of(self, snapshot: Snapshot) -> dict[int, list[Port]]:
        """For each class on the value, its copies: by their axes, then from left to right."""
        found: dict[int, list[Port]] = {}
        for group in sorted(snapshot.groups, key=lambda group: group.axes):
            for number, copies in self._taken(group).items():
                ports = [Port(group.axes, self._algebra.find(group.base), int(copy.min())) for copy in copies]
                found.setdefault(number, []).extend(sorted(ports, key=lambda port: port.first))
        return found

    def _taken(self, group: Group) -> Copies:
        """The copies of which the group holds any position: a slice may hold one half of every unit."""
        copies = self.on(group.base)
        if group.positions is None or not copies:
            return copies
        held = np.zeros(self._algebra.size(group.base), bool)
        held[group.positions] = True
        taken = {number: [copy for copy in own if held[copy].any()] for number, own in copies.items()}
        return {number: own for number, own in taken.items() if own}

    def on(self, x: Var) -> Copies:
        """The classes on ``x``."""
        root = self._algebra.find(x)
        if root not in self._known:
            self._known[root] = self._copies(root)
        return self._known[root]

    def _copies(self, x: Var) -> Copies:
        algebra = self._algebra
        found: Copies = {}
        for start, stop, part in algebra.spans(x):
            if algebra.reason(part) is not None:
                continue
            form = algebra.form(part)
            if isinstance(form, Nested):
                for number, copies in self._nested(form).items():
                    found.setdefault(number, []).extend(copy + start for copy in copies)
            else:
                piece = self._structure.piece.get(algebra.find(part))
                if piece is not None:
                    found.setdefault(piece.permutation, []).append(np.arange(start, stop))
        return found

    def _nested(self, form: Nested) -> Copies:
        """Copies of the outer classes with all that they own, and of the inner ones within all units that move."""
        length = self._algebra.size(form.inner)
        found = {
            number: [np.add.outer(copy * length, np.arange(length)).ravel() for copy in copies]
            for number, copies in self.on(form.outer).items()
        }
        inner = self.on(form.inner)
        for together in self._together(form.outer) if inner else ():
            for number, copies in inner.items():
                found.setdefault(number, []).extend(
                    np.add.outer(together * length, copy).ravel() for copy in copies
                )
        return found

    def _together(self, x: Var) -> list[Index]:
        """The positions of ``x`` in parts that count as one copy: units that move together, or one that stays."""
        algebra = self._algebra
        found: list[Index] = []
        for start, stop, part in algebra.spans(x):
            form = algebra.form(part)
            if algebra.reason(part) is not None:
                found += [np.array([position]) for position in range(start, stop)]
            elif isinstance(form, Nested):
                length = algebra.size(form.inner)
                inner = self._together(form.inner)
                outer = self._together(form.outer)
                found += [start + np.add.outer(o * length, i).ravel() for o in outer for i in inner]
            else:
                found.append(np.arange(start, stop))
        return found
