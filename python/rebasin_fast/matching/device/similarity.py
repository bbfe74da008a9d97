"""Similarities of resident parameters: whole, or by the product over what has moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rebasin_fast._arrays.operations import Operations
from rebasin_fast.matching.device.problem import ResidentProblem, Tensor
from rebasin_fast.matching.device.tables import Tables
from rebasin_fast.typing import Index


@dataclass(frozen=True)
class Occurrence:
    """One move of a permutation: positions (n, copies) of each unit of A and of B on ``axis`` of a tensor."""

    tensor: int
    axis: int
    a_positions: Index
    b_positions: Index


class Similarity:
    """Sums of products over the occurrences of a permutation; counts floating-point operations."""

    def __init__(self, problem: ResidentProblem, ops: Operations) -> None:
        self._problem = problem
        self._ops = ops
        self._dtype = "float64" if problem.wide else "float32"
        self.flop = 0.0

    def compute(self, units: int, occurrences: list[Occurrence], tables: list[Tables]) -> Any:
        """(units, units) on the device; zeros where nothing occurs."""
        total = None
        for occurrence in occurrences:
            tensor = self._problem.tensors[occurrence.tensor]
            a = self._wide(self._units(tensor.a, occurrence.axis, occurrence.a_positions))
            b = self._units(tensor.b, occurrence.axis, occurrence.b_positions)
            b = self._wide(self._permuted(b, occurrence.axis, tables[occurrence.tensor]))
            total = self._add(total, a, b, occurrence.axis, units)
        return self._zeros(units) if total is None else total

    def add_changes(
        self,
        similarity: Any,
        units: int,
        occurrences: list[Occurrence],
        tables: list[Tables],
        before: list[Tables],
    ) -> Any:
        """The similarity brought from the tables ``before``, one list an occurrence, to ``tables``."""
        total = similarity
        for occurrence, was in zip(occurrences, before, strict=True):
            now = tables[occurrence.tensor]
            changed = [
                axis
                for axis, (new, old) in enumerate(zip(now, was, strict=True))
                if axis != occurrence.axis and new is not old and not _equal(new, old)
            ]
            if changed:
                total = self._add_change(total, units, occurrence, now, was, changed)
        return total

    def _add_change(
        self, total: Any, units: int, occurrence: Occurrence, now: Tables, was: Tables, changed: list[int]
    ) -> Any:
        tensor = self._problem.tensors[occurrence.tensor]
        a = tensor.a
        if len(changed) == 1:
            axis = changed[0]
            new, old = now[axis], was[axis]
            assert new is not None
            assert old is not None
            moved = np.flatnonzero(new != old)
            a = self._ops.take(a, moved, axis)
            now, was = list(now), list(was)
            now[axis], was[axis] = new[moved], old[moved]
        a = self._wide(self._units(a, occurrence.axis, occurrence.a_positions))
        b = self._units(tensor.b, occurrence.axis, occurrence.b_positions)
        # The difference is formed in the width of the products, never in that of the parameters.
        difference = self._wide(self._permuted(b, occurrence.axis, now)) - self._wide(
            self._permuted(b, occurrence.axis, was)
        )
        return self._add(total, a, difference, occurrence.axis, units)

    def objectives(self, which: list[int], tables: list[Tables]) -> list[float]:
        """vec(A) . vec(permuted B) of some tensors, in float64."""
        pairs = []
        for t in which:
            tensor: Tensor = self._problem.tensors[t]
            pairs.append((tensor.a, self._permuted(tensor.b, None, tables[t])))
        return self._ops.dots(pairs)

    def _units(self, array: Any, axis: int, positions: Index) -> Any:
        flat = positions.ravel()
        if flat.size == array.shape[axis] and np.array_equal(flat, np.arange(flat.size)):
            return array
        return self._ops.take(array, flat, axis)

    def _permuted(self, array: Any, skip: int | None, tables: Tables) -> Any:
        for axis, table in enumerate(tables):
            if axis != skip and table is not None:
                array = self._ops.take(array, table, axis)
        return array

    def _wide(self, array: Any) -> Any:
        return self._ops.widen(array, self._dtype)

    def _add(self, total: Any, a: Any, b: Any, axis: int, units: int) -> Any:
        if 0 in a.shape or 0 in b.shape:
            return total
        left, right = (self._ops.unfold(array, axis, units) for array in (a, b))
        self.flop += 2.0 * units * units * int(left.shape[1])
        product = self._ops.multiply(left, right)
        if total is None:
            return product
        total += product
        return total

    def _zeros(self, units: int) -> Any:
        return self._ops.place(np.zeros((units, units), self._dtype))


def _equal(new: Index | None, old: Index | None) -> bool:
    return new is None or old is None or np.array_equal(new, old)
