"""Linear equations between exponents: what is left free is a symmetry."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction

Unknown = Hashable
Solution = dict[Unknown, Fraction]


class Equations:
    """Homogeneous linear equations over the rationals, or modulo 2.

    Equalities x = y and x = -y, which are most of them, join unknowns at once; the others are eliminated at the end.
    """

    def __init__(self, modulus: int | None = None) -> None:
        self._modulus = modulus
        self._parent: dict[Unknown, tuple[Unknown, int]] = {}
        self._sums: list[dict[Unknown, Fraction]] = []

    def add(self, unknown: Unknown) -> None:
        """An unknown, free so far."""
        self._parent.setdefault(unknown, (unknown, 1))

    def equal(self, x: Unknown, y: Unknown, sign: int = 1) -> None:
        """X = sign · y; modulo 2 both signs are one."""
        sign = 1 if self._modulus == 2 else sign
        (root_x, sign_x), (root_y, sign_y) = self._find(x), self._find(y)
        if root_x != root_y:
            self._parent[root_x] = (root_y, sign_x * sign * sign_y)
        elif sign_x != sign * sign_y:
            self.zero(x)

    def zero(self, x: Unknown) -> None:
        """X = 0."""
        self.total({x: Fraction(1)})

    def total(self, terms: Mapping[Unknown, Fraction | int]) -> None:
        """The sum of coefficient · unknown is 0."""
        for unknown in terms:
            self.add(unknown)
        self._sums.append({unknown: Fraction(coefficient) for unknown, coefficient in terms.items()})

    def solutions(self) -> list[Solution]:
        """A basis of the solutions, by unknown; zeros are left out."""
        roots = {self._find(unknown)[0] for unknown in self._parent}
        rows = [row for terms in self._sums if (row := self._reduced(terms))]
        pivots = self._eliminated(rows)
        free = [root for root in sorted(roots, key=str) if root not in pivots]
        basis = []
        for chosen in free:
            values = {chosen: Fraction(1)}
            for pivot, row in pivots.items():
                if chosen in row:
                    values[pivot] = self._normal(-row[chosen])
            basis.append(self._spread(values))
        return basis

    def _spread(self, values: Mapping[Unknown, Fraction]) -> Solution:
        found = {}
        for unknown in self._parent:
            root, sign = self._find(unknown)
            value = self._normal(values.get(root, Fraction(0)) * sign)
            if value:
                found[unknown] = value
        return found

    def _find(self, x: Unknown) -> tuple[Unknown, int]:
        self.add(x)
        path, sign = [], 1
        while (step := self._parent[x])[0] != x:
            path.append((x, sign))
            sign *= step[1]
            x = step[0]
        for unknown, before in path:
            self._parent[unknown] = (x, sign * before)
        return x, sign

    def _normal(self, value: Fraction) -> Fraction:
        return value if self._modulus is None else value % self._modulus

    def _reduced(self, terms: Mapping[Unknown, Fraction]) -> dict[Unknown, Fraction]:
        row: dict[Unknown, Fraction] = {}
        for unknown, coefficient in terms.items():
            root, sign = self._find(unknown)
            row[root] = self._normal(row.get(root, Fraction(0)) + sign * coefficient)
        return {root: value for root, value in row.items() if value}

    def _eliminated(self, rows: Iterable[dict[Unknown, Fraction]]) -> dict[Unknown, dict[Unknown, Fraction]]:
        """Pivot -> the other terms of its row, in reduced echelon form: pivot + rest = 0."""
        pivots: dict[Unknown, dict[Unknown, Fraction]] = {}
        for row in rows:
            row = dict(row)
            for pivot in [unknown for unknown in row if unknown in pivots]:
                self._subtract(row, row.pop(pivot), pivots[pivot])
            if not row:
                continue
            pivot = next(iter(row))
            scale = row.pop(pivot)
            rest = {unknown: self._normal(value / scale) for unknown, value in row.items()}
            for other in pivots.values():
                if pivot in other:
                    self._subtract(other, other.pop(pivot), rest)
            pivots[pivot] = rest
        return pivots

    def _subtract(
        self, row: dict[Unknown, Fraction], factor: Fraction, rest: Mapping[Unknown, Fraction]
    ) -> None:
        for unknown, value in rest.items():
            left = self._normal(row.get(unknown, Fraction(0)) - factor * value)
            if left:
                row[unknown] = left
            else:
                row.pop(unknown, None)
