"""The algebra of axes: each axis of a tensor is a variable, and operations make variables equal.

``unify`` makes two variables equal: definitions are aligned by cutting and factoring undefined variables, and
variables that cannot be aligned are frozen, never refused. No torch in here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from rebasin_fast.specs.tracing.algebra.definitions import Definitions
from rebasin_fast.specs.tracing.algebra.forms import Concatenation, Nested, Reason, Var


class Algebra(Definitions):
    """Definitions, and the equations that operations state between variables."""

    def unify(self, x: Var, y: Var, reason: Reason) -> None:
        """``x`` and ``y`` become equal; ``reason`` is recorded where that is only possible by freezing."""
        work = [(x, y)]
        while work:
            a, b = (self.find(v) for v in work.pop())
            if a == b:
                continue
            if self._size[a] != self._size[b]:
                raise AssertionError(f"{self._size[a]} units cannot equal {self._size[b]}")
            known = self._reason[a] or self._reason[b]
            if known:
                self._freeze_both(a, b, known)
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
        start = 0
        for part in self._cut_parts(x, bounds):
            pieces[bisect_right(bounds, start) - 1].append(part)
            start += self._size[part]
        return [self.concat(piece) for piece in pieces]

    # --- inside --------------------------------------------------------------------------------------------------

    def _freeze_both(self, a: Var, b: Var, reason: Reason) -> None:
        self.freeze(a, reason)
        self.freeze(b, reason)
        self._link(a, b)

    def _align_products(
        self, a: Var, form_a: Nested, b: Var, form_b: Nested, reason: Reason
    ) -> list[tuple[Var, Var]]:
        if self._size[form_a.inner] < self._size[form_b.inner]:
            a, form_a, b, form_b = b, form_b, a, form_a
        large, small = self._size[form_a.inner], self._size[form_b.inner]
        if large % small:
            self._freeze_both(a, b, reason)
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
        return [0, *(stop for _, stop, _ in self.spans(x))]

    def _cut(self, x: Var, bounds: Sequence[int]) -> None:
        for start, stop, part in self.spans(x):
            inside = bounds[bisect_right(bounds, start) : bisect_left(bounds, stop)]
            if inside:
                self._cut_piece(part, [bound - start for bound in inside])

    def _cut_piece(self, x: Var, points: list[int]) -> None:
        x = self.find(x)
        if self._reason[x]:
            return
        form = self._form[x]
        if form is None:
            bounds = [0, *points, self._size[x]]
            sizes = [after - before for before, after in pairwise(bounds)]
            self._form[x] = Concatenation(tuple(self.leaf(size) for size in sizes))
        elif isinstance(form, Concatenation):  # cut meanwhile, as another occurrence of the same variable
            self._cut(x, [0, *points, self._size[x]])
        else:
            inner = self._size[form.inner]
            if self._reason[self.find(form.outer)]:  # has no pieces to cut: a copy for every unit
                self._form[x] = Concatenation((form.inner,) * self._size[form.outer])
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
        for start, stop, part in self.spans(x):
            reason = self._reason[part]
            inside = bounds[bisect_right(bounds, start) : bisect_left(bounds, stop)] if reason else ()
            if inside and reason:
                pieces += [self.frozen(b - a, reason) for a, b in pairwise([start, *inside, stop])]
            else:
                pieces.append(part)
        return pieces
