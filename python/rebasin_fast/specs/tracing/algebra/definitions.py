"""Variables of axes and their definitions: undefined, a concatenation, a product, or frozen.

A variable has a size. It is undefined (its units may move freely), or it is defined as a concatenation or as a
product of smaller variables, or it is frozen. Equal variables have one representative (union-find).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rebasin_fast.specs.tracing.algebra.forms import Concatenation, Form, Nested, Reason, Var


class Definitions:
    """A union-find of variables with definitions, which are made, read and frozen here."""

    def __init__(self) -> None:
        self._parent: list[Var] = []
        self._size: list[int] = []
        self._form: list[Form] = []
        self._reason: list[Reason | None] = []
        self._products: dict[tuple[Var, Var], Var] = {}
        self._joins: dict[tuple[Var, ...], Var] = {}
        # Units left out of products as factors of one unit: the other factor moves with no other unit.
        self.single_units: dict[Var, None] = {}

    # --- making variables ------------------------------------------------------------------------------------

    def leaf(self, size: int) -> Var:
        """A new undefined variable of ``size`` units."""
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
            self._joins[parts] = self._new(sum(map(self.size, parts)), Concatenation(parts), None)
        return self._joins[parts]

    def product(self, outer: Var, inner: Var) -> Var:
        """A copy of ``inner`` for every unit of ``outer``; a factor of one unit is left out."""
        outer, inner = self.find(outer), self.find(inner)
        if self._size[outer] == 1:
            self.single_units[outer] = None
            return inner
        if self._size[inner] == 1:
            self.single_units[inner] = None
            return outer
        if self._reason[outer] and self._reason[inner]:
            return self._new(self._size[outer] * self._size[inner], None, self._reason[inner])
        if (outer, inner) not in self._products:
            size = self._size[outer] * self._size[inner]
            self._products[outer, inner] = self._new(size, Nested(outer, inner), None)
        return self._products[outer, inner]

    # --- queries -------------------------------------------------------------------------------------------------

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
            elif isinstance(form, Concatenation):
                stack.extend(reversed(form.parts))
            else:
                outer = self.parts(form.outer)
                if len(outer) == 1:
                    pieces.append(x)
                else:
                    stack.extend(self.product(piece, form.inner) for piece in reversed(outer))
        return pieces

    # --- tying ---------------------------------------------------------------------------------------------------

    def spans(self, x: Var) -> Iterator[tuple[int, int, Var]]:
        """The parts of ``x``, each after its first unit and the one after its last."""
        start = 0
        for part in self.parts(x):
            stop = start + self._size[part]
            yield start, stop, part
            start = stop

    def freeze(self, x: Var, reason: Reason) -> None:
        """``x``, and its parts, stay where they are."""
        stack = [x]
        while stack:
            x = self.find(stack.pop())
            if self._reason[x]:
                continue
            form, self._form[x], self._reason[x] = self._form[x], None, reason
            if isinstance(form, Concatenation):
                stack.extend(form.parts)
            elif isinstance(form, Nested):
                stack += [form.outer, form.inner]

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
