"""Similarities of A's slots and B's units, where B stands with all other axes moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.matching.symmetric.places import Place
from rebasin_fast.matching.symmetric.rotations import Numbers, similarity_of_pairs

if TYPE_CHECKING:
    from rebasin_fast.matching.symmetric.problem import Family, SymmetricProblem
    from rebasin_fast.typing import Floats

Counts: TypeAlias = Callable[[int], bool]


class Similarities:
    """Products of A's arrays and B's, the latter as they are moved so far, over the arrays that count."""

    def __init__(
        self, problem: SymmetricProblem, b: Sequence[NDArray[Any]], counts: Counts = lambda _array: True
    ) -> None:
        self._problem, self._b, self._counts = problem, b, counts
        self.seconds = self.flop = 0.0

    def of_places(self, family: Family, places: Sequence[Place]) -> Floats:
        """(copies, n, n): the sum over the places of A's rows times B's, in float64."""
        total = np.zeros((prod(family.copies), family.size, family.size))
        self._add(total, places)
        return total

    def of_pairs(self, family: Family, inner: Family) -> Floats:
        """(copies, n, n, m, m): for each pair of units the similarity of the ``inner`` units, m of them, within."""
        copies, units, each = prod(family.copies), family.size, inner.size
        total = np.zeros((copies, units * each, units * each))
        self._add(total, inner.acted)
        by_pairs: Floats = total.reshape(copies, units, each, units, each).transpose(0, 1, 3, 2, 4)
        return by_pairs

    def of_rotations(self, family: Family) -> Numbers:
        """(copies, n, n, rotations): for each pair of units the complex similarity of each of their rotated pairs."""
        started = perf_counter()
        total = np.zeros((prod(family.copies), family.size, family.size, family.rotations), np.complex128)
        for place in family.turned:
            if self._counts(place.array):
                a, b = (
                    place.numbers(values) for values in (self._problem.a[place.array], self._b[place.array])
                )
                similarity_of_pairs(a, b, place, total)
                self.flop += 8.0 * family.size * a.size
        self.seconds += perf_counter() - started
        return total

    def _add(self, total: Floats, places: Sequence[Place]) -> None:
        """Add the products of A's rows and B's over the places, as if they had the copies and units of ``total``."""
        started = perf_counter()
        for place in places:
            if self._counts(place.array):
                arrays = (self._problem.a[place.array], self._b[place.array])
                a, b = (place.rows(values).reshape(*total.shape[:2], -1) for values in arrays)
                total += np.matmul(a, b.swapaxes(-1, -2))
                self.flop += 2.0 * total.size * a.shape[-1]
        self.seconds += perf_counter() - started
