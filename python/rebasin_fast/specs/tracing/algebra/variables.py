"""The algebra of axes: what moves along an axis is a variable, and operations tie variables to one another.

A variable has a size. It is undefined (its units may move freely), or it is defined as a concatenation or as a
product of smaller variables, or it is frozen. ``unify`` makes two variables equal: definitions are aligned by cutting
and factoring undefined variables, and what cannot be aligned is frozen, never refused. No torch in here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Var = int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something does not move: the operation, its name in the graph, and the line of the program."""

    operation: str
    node: str = ""
    source: str = ""

    def __str__(self) -> str:
        return f"{self.operation} ({self.source})" if self.source else self.operation


@dataclass(frozen=True, slots=True)
class Joined:
    """Variables one after the other."""

    parts: tuple[Var, ...]


@dataclass(frozen=True, slots=True)
class Nested:
    """Every unit of ``outer`` owns a copy of ``inner``."""

    outer: Var
    inner: Var


Form = None | Joined | Nested


class Algebra:
    """A union-find of variables with definitions."""

    def __init__(self) -> None:
        self._parent: list[Var] = []
        self._size: list[int] = []
        self._form: list[Form] = []
        self._reason: list[Reason | None] = []
        self._products: dict[tuple[Var, Var], Var] = {}
        self._joins: dict[tuple[Var, ...], Var] = {}
        # Single units left out of products: what is left stands for them alone, which tells them from others.
        self.alone: dict[Var, None] = {}

    # --- making variables ------------------------------------------------------------------------------------

    def leaf(self, size: int) -> Var:
        """A new variable of ``size`` units that nothing is known of."""
        return self._new(size, None, None)

    def frozen(self, size: int, reason: Reason) -> Var:
        """A new variable whose units stay where they are."""
        return self._new(size, None, reason)

    def concat(self, parts: Sequence[Var]) -> Var:
        """The variables one after the other."""
        parts = tuple(self.find(part) for part in parts)
        if len(parts) == 1:
            return parts[0]
        if all(self._reason[part] for part in parts):
            return self._new(sum(map(self.size, parts)), None, self._reason[parts[0]])
        if parts not in self._joins:
            self._joins[parts] = self._new(sum(map(self.size, parts)), Joined(parts), None)
        return self._joins[parts]

    def product(self, outer: Var, inner: Var) -> Var:
        """A copy of ``inner`` for every unit of ``outer``; a factor of one unit is left out."""
        outer, inner = self.find(outer), self.find(inner)
        if self._size[outer] == 1:
            self.alone[outer] = None
            return inner
        if self._size[inner] == 1:
            self.alone[inner] = None
            return outer
        if self._reason[outer] and self._reason[inner]:
            return self._new(self._size[outer] * self._size[inner], None, self._reason[inner])
        if (outer, inner) not in self._products:
            size = self._size[outer] * self._size[inner]
            self._products[outer, inner] = self._new(size, Nested(outer, inner), None)
        return self._products[outer, inner]

    # --- asking --------------------------------------------------------------------------------------------------

    def find(self, x: Var) -> Var:
        """The representative of ``x``: equal variables have the same."""
        parent = self._parent
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    def size(self, x: Var) -> int:
        """Number of units."""
        return self._size[x]

    def form(self, x: Var) -> Form:
        """The definition of ``x``; None for an undefined or frozen variable."""
        return self._form[self.find(x)]

    def reason(self, x: Var) -> Reason | None:
        """Why ``x`` is frozen as a whole; None when it is not."""
        return self._reason[self.find(x)]

    def parts(self, x: Var) -> list[Var]:
        """The pieces that ``x`` is a concatenation of, none of them one itself."""
        pieces: list[Var] = []
        stack = [x]
        while stack:
            x = self.find(stack.pop())
            form = self._form[x]
            if self._reason[x] or form is None:
                pieces.append(x)
            elif isinstance(form, Joined):
                stack.extend(reversed(form.parts))
            else:
                outer = self.parts(form.outer)
                if len(outer) == 1:
                    pieces.append(x)
                else:
                    stack.extend(self.product(piece, form.inner) for piece in reversed(outer))
        return pieces

    # --- tying ---------------------------------------------------------------------------------------------------

    def freeze(self, x: Var, reason: Reason) -> None:
        """``x``, and all that it is made of, stays where it is."""
        stack = [x]
        while stack:
            x = self.find(stack.pop())
            if self._reason[x]:
                continue
            form, self._form[x], self._reason[x] = self._form[x], None, reason
            if isinstance(form, Joined):
                stack.extend(form.parts)
            elif isinstance(form, Nested):
                stack += [form.outer, form.inner]

    def unify(self, x: Var, y: Var, reason: Reason) -> None:
        """``x`` and ``y`` move alike from now on; ``reason`` is named where that is only possible by freezing."""
        work = [(x, y)]
        while work:
            a, b = (self.find(v) for v in work.pop())
            if a == b:
                continue
            if self._size[a] != self._size[b]:
                raise AssertionError(f"{self._size[a]} units cannot equal {self._size[b]}")
            known = self._reason[a] or self._reason[b]
            if known:
                self.freeze(a, known)
                self.freeze(b, known)
                self._link(a, b)
                continue
            form_a, form_b = self._form[a], self._form[b]
            if form_a is None:
                self._link(a, b)
            elif form_b is None:
                self._link(b, a)
            elif isinstance(form_a, Nested) and isinstance(form_b, Nested):
                work += self._align_products(a, form_a, b, form_b, reason)
            else:
                work += self._align_pieces(a, b, reason)

    def split(self, x: Var, points: Iterable[int]) -> list[Var]:
        """Cut ``x`` at ``points``; the pieces between them, each a variable of its own."""
        bounds = sorted({0, *points, self.size(x)})
        if len(bounds) == 2:
            return [x]
        self._cut(x, bounds)
        pieces: list[list[Var]] = [[] for _ in bounds[1:]]
        offset = 0
        for part in self._cut_parts(x, bounds):
            pieces[bisect_right(bounds, offset) - 1].append(part)
            offset += self._size[part]
        return [self.concat(piece) for piece in pieces]

    # --- inside --------------------------------------------------------------------------------------------------

    def _new(self, size: int, form: Form, reason: Reason | None) -> Var:
        if size < 1:
            raise AssertionError("a variable has at least one unit")
        self._parent.append(len(self._parent))
        self._size.append(size)
        self._form.append(form)
        self._reason.append(reason)
        return len(self._parent) - 1

    def _link(self, child: Var, root: Var) -> None:
        self._parent[child] = root

    def _align_products(
        self, a: Var, form_a: Nested, b: Var, form_b: Nested, reason: Reason
    ) -> list[tuple[Var, Var]]:
        if self._size[form_a.inner] < self._size[form_b.inner]:
            a, form_a, b, form_b = b, form_b, a, form_a
        large, small = self._size[form_a.inner], self._size[form_b.inner]
        if large % small:
            self.freeze(a, reason)
            self.freeze(b, reason)
            self._link(a, b)
            return []
        self._link(a, b)
        if large == small:
            return [(form_a.outer, form_b.outer), (form_a.inner, form_b.inner)]
        middle = self.leaf(large // small)
        return [
            (form_a.inner, self.product(middle, form_b.inner)),
            (form_b.outer, self.product(form_a.outer, middle)),
        ]

    def _align_pieces(self, a: Var, b: Var, reason: Reason) -> list[tuple[Var, Var]]:
        """Cut both where either is cut, and pair the pieces."""
        bounds = self._bounds(a)
        for _ in range(8):
            self._cut(a, bounds)
            self._cut(b, bounds)
            widened = sorted({*self._bounds(a), *self._bounds(b)})
            if widened == bounds:
                break
            bounds = widened
        parts_a, parts_b = self.parts(a), self.parts(b)
        if [self._size[p] for p in parts_a] != [self._size[p] for p in parts_b]:
            self.freeze(a, reason)
            self.freeze(b, reason)
            return []
        if isinstance(self._form[a], Nested):
            a, b = b, a
        self._link(a, b)
        return list(zip(parts_a, parts_b, strict=True))

    def _bounds(self, x: Var) -> list[int]:
        return [0, *np.cumsum([self._size[part] for part in self.parts(x)]).tolist()]

    def _cut(self, x: Var, bounds: Sequence[int]) -> None:
        offset = 0
        for part in self.parts(x):
            end = offset + self._size[part]
            inside = bounds[bisect_right(bounds, offset) : bisect_left(bounds, end)]
            if inside:
                self._cut_piece(part, [bound - offset for bound in inside])
            offset = end

    def _cut_piece(self, x: Var, points: list[int]) -> None:
        x = self.find(x)
        if self._reason[x]:
            return
        form = self._form[x]
        if form is None:
            bounds = [0, *points, self._size[x]]
            sizes = [after - before for before, after in pairwise(bounds)]
            self._form[x] = Joined(tuple(self.leaf(size) for size in sizes))
        elif isinstance(form, Joined):  # cut meanwhile, as another occurrence of the same variable
            self._cut(x, [0, *points, self._size[x]])
        else:
            inner = self._size[form.inner]
            if self._reason[self.find(form.outer)]:  # has no pieces to cut: a copy for every unit
                self._form[x] = Joined((form.inner,) * self._size[form.outer])
                self._cut(x, [0, *points, self._size[x]])
                return
            units = {unit for p in points for unit in (p // inner, -(-p // inner))}
            self._cut(form.outer, sorted({0, *units, self._size[form.outer]}))
            within = sorted({p % inner for p in points} - {0})
            if within:
                self._cut(form.inner, [0, *within, inner])

    def _cut_parts(self, x: Var, bounds: Sequence[int]) -> list[Var]:
        """The pieces of ``x``, frozen ones cut at ``bounds`` too: those have no definition to cut."""
        pieces: list[Var] = []
        offset = 0
        for part in self.parts(x):
            end = offset + self._size[part]
            reason = self._reason[part]
            inside = bounds[bisect_right(bounds, offset) : bisect_left(bounds, end)] if reason else ()
            if inside and reason:
                edges = [offset, *inside, end]
                pieces += [self.frozen(b - a, reason) for a, b in pairwise(edges)]
            else:
                pieces.append(part)
            offset = end
        return pieces
