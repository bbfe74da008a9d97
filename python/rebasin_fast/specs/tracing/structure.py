"""Permutations from variables: undefined variables in one context form a class, and a class is a permutation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rebasin_fast.specs.tracing.algebra.forms import Nested, Var
from rebasin_fast.specs.tracing.algebra.values import Space


@dataclass(frozen=True)
class Piece:
    """Where the units of a variable lie among those of its permutation."""

    permutation: int  # number of the class
    start: int


class Structure:
    """Undefined variables in classes: one class, one permutation."""

    def __init__(self, space: Space, axes: Iterable[Var]) -> None:
        self.space = space
        self.algebra = space.algebra
        self.order: dict[Var, None] = {}
        self._signatures: dict[Var, Counter[int]] = defaultdict(Counter)
        self._contexts: dict[tuple[object, ...], int] = {}
        self._seen: set[Var] = set()
        self._visit_all((*axes, *space.axes))
        before = -1
        while before != len(self.algebra.single_units):  # visits cut products further, and separate units
            before = len(self.algebra.single_units)
            self._visit_all(tuple(self.algebra.single_units))
        self.classes: dict[int, list[Var]] = {}
        self.piece: dict[Var, Piece] = {}
        # Several copies on one axis: copies that belong together are not identified.
        self._classify({leaf for leaf, seen in self._signatures.items() if max(seen.values()) > 1})

    def _visit_all(self, axes: Iterable[Var]) -> None:
        for x in axes:
            root = self.algebra.find(x)
            if root not in self._seen:
                self._seen.add(root)
                self._visit(root, self._context("axis", root))

    def break_up(self, classes: set[int]) -> None:
        """Give every variable of ``classes`` a class of its own."""
        self._classify({leaf for number in classes for leaf in self.classes[number]} | self._alone)

    def size(self, number: int) -> int:
        """Units of a class."""
        return sum(self.algebra.size(leaf) for leaf in self.classes[number])

    def _classify(self, alone: set[Var]) -> None:
        self._alone = alone
        grouped: dict[object, list[Var]] = {}
        for leaf in self.order:
            key: object = leaf if leaf in alone else frozenset(self._signatures[leaf].items())
            grouped.setdefault(key, []).append(leaf)
        self.classes = dict(enumerate(grouped.values()))
        self.piece = {}
        for number, leaves in self.classes.items():
            start = 0
            for leaf in leaves:
                self.piece[leaf] = Piece(number, start)
                start += self.algebra.size(leaf)

    def _context(self, *key: object) -> int:
        return self._contexts.setdefault(key, len(self._contexts))

    def _visit(self, x: Var, context: int, times: int = 1) -> None:
        algebra = self.algebra
        for part in algebra.parts(x):
            if algebra.reason(part) is not None:
                continue
            form = algebra.form(part)
            if not isinstance(form, Nested):
                self._signatures[part][context] += times
                self.order.setdefault(part)
            elif algebra.reason(form.outer) is not None:  # as many copies, one after the other
                self._visit(form.inner, context, times * algebra.size(form.outer))
            else:
                outer, inner = algebra.find(form.outer), algebra.find(form.inner)
                self._visit(outer, self._context(context, "outer", inner), times)
                self._visit(inner, self._context(context, "inner", outer), times)

    # --- nesting ---------------------------------------------------------------------------------------------

    def chains(self, x: Var) -> set[tuple[int, ...]]:
        """The chains of nested classes on an axis, outermost first; () for frozen positions."""
        algebra = self.algebra
        found: set[tuple[int, ...]] = set()
        for part in algebra.parts(x):
            form = algebra.form(part)
            if algebra.reason(part) is not None:
                found.add(())
            elif isinstance(form, Nested):
                inner = self.chains(form.inner)
                found |= {a + b for a in self.chains(form.outer) for b in inner}
            else:
                found.add((self.piece[part].permutation,) if part in self.piece else ())
        return found

    def outers_in_tensors(self) -> dict[int, set[int]]:
        """For each class, the other classes that index every tensor that it indexes, on axes that identify them."""
        outers: dict[int, set[int]] = {}
        chains: dict[Var, set[tuple[int, ...]]] = {}
        recorded = {tuple(sorted(self.algebra.find(x) for x in axes)) for axes in self.space.tensors}
        for axes in recorded:
            for x in axes:
                if x not in chains:
                    chains[x] = self.chains(x)
            common = [set.intersection(*map(set, chains[x])) for x in axes]
            for place, x in enumerate(axes):
                elsewhere = Counter(c for i, held in enumerate(common) if i != place for c in held)
                for chain in chains[x]:
                    for depth, number in enumerate(chain):
                        # The axis itself numbers their units.
                        own = set(chain[:depth])
                        sure = own | {c for c, times in elsewhere.items() if times == 1}
                        sure.discard(number)
                        outers[number] = outers[number] & sure if number in outers else sure
        return outers
