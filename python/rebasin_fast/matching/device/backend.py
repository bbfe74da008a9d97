"""The arithmetic of a descent over resident parameters: products, gathers, assignments and gains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.assignment import Assignment
from rebasin_fast.matching.device.problem import ResidentProblem
from rebasin_fast.typing import Index

# Element offsets of the positions of B along each axis of a tensor, in C order; and positions, None for all in order.
Tables = Sequence[Index]
Positions = list[Index | None]
# Units of one permutation along an axis: tensor, axis, positions of A's and of B's units, copies of a unit in a row.
Occurrence = tuple[int, int, Index, Index]
# An occurrence as B's entries lie now, and as they lay when it was last counted; None: to be counted in full.
Change = tuple[Occurrence, Tables, Tables | None]

_MOST_TABLES = 4096


@dataclass
class _Held:
    """A permutation's similarity and its last assignment."""

    matrix: Any = None
    assigned: Assignment | None = None


class DeviceBackend:
    """Called by the core's descent, which decides all else (``cpp/src/descent/backend.hpp``); for one descent.

    Permutations and tensors are numbers of the problem. Products of nothing count no floating-point operations.
    """

    def __init__(self, problem: ResidentProblem) -> None:
        self._tensors = problem.tensors
        self._ops = problem.operations
        self._assigner = problem.assigner
        self._dtype = "float64" if problem.double_products else "float32"
        self._held: dict[int, _Held] = {}
        self._blocks: tuple[Any, int, int] = (None, 0, 0)
        self._tables: dict[tuple[int, bytes], Index | None] = {}

    def objective(self, tables: Sequence[Tables]) -> float:
        """vec(A) . vec(permuted B) over all tensors, in float64."""
        return sum(
            self._ops.dots([(tensor.a, self._permuted(tensor.b, None, self._positions(number, tables[number])))])[0]
            for number, tensor in enumerate(self._tensors)
        )  # fmt: skip

    def gain(self, changes: Sequence[tuple[int, Tables, Tables]]) -> float:
        """By how much some tensors' share of the objective has changed; one wait for the device."""
        differences = [
            self._difference(number, None, self._tensors[number].a, self._tensors[number].b, now, before, "float64")
            for number, now, before in changes
        ]  # fmt: skip
        return sum(self._ops.dots([each for each in differences if each is not None]))

    def spread(self) -> float:
        """The sum over tensors of |A - mean A| |B - mean B|, each mean over the entries that permutations exchange.

        As the core's ``spread_of_objective``. Two copies of the largest tensor in float64.
        """
        total = 0.0
        for tensor in self._tensors:
            squares = []
            for array in (tensor.a, tensor.b):
                wide = means = self._ops.widen(array, "float64")
                for _, axis, copies, positions in tensor.moves:
                    if copies:
                        means = self._ops.averaged(means, axis, positions.reshape(-1, copies))
                squares += self._ops.dots([(wide - means, wide - means)])
            total += sqrt(squares[0]) * sqrt(squares[1])
        return total

    def entries(self, number: int, model: Literal["a", "b"], offsets: Index) -> NDArray[np.float64]:
        """Entries at C-order offsets, float64 on the host."""
        array = getattr(self._tensors[number], model).reshape(-1)
        found: NDArray[np.float64] = self._ops.to_host(
            self._ops.widen(self._ops.take(array, offsets, 0), "float64")
        )
        return found

    def refresh(self, permutation: int, units: int, changes: Sequence[Change], anew: bool) -> float:
        """Add the changes to the permutation's similarity, or to zeros; floating-point operations."""
        held = self._held.setdefault(permutation, _Held())
        held.matrix, flop = self._sum(units, changes, None if anew else held.matrix)
        return flop

    def assign(self, permutations: Sequence[int], forbidden: Sequence[tuple[int, int]]) -> list[Index]:
        """Units of each permutation, from its last duals; forbidden (slot, unit) pairs count as the slot's least."""
        held = [self._held[permutation] for permutation in permutations]
        matrices = [each.matrix for each in held]
        if forbidden:
            matrix = self._ops.to_host(matrices[0]).copy()
            slots, units = np.array(forbidden).T
            matrix[slots, units] = matrix[slots].min(axis=1)
            matrices = [self._ops.place(matrix)]
        found = self._assigner.assign(matrices, [each.assigned for each in held])
        for each, assigned in zip(held, found, strict=True):
            each.assigned = assigned
        return [assigned.columns for assigned in found]

    def rows(self, permutation: int, rows: Index) -> Any:
        """Rows of the permutation's similarity, on the host."""
        return self._ops.to_host(self._ops.take(self._held[permutation].matrix, rows, 0))

    def release(self, permutation: int) -> None:
        """Free the permutation's similarity; its duals stay."""
        self._held[permutation].matrix = None

    def similarity(self, units: int, occurrences: Sequence[Change]) -> tuple[Any, float]:
        """A similarity that is not kept, on the host, and floating-point operations."""
        matrix, flop = self._sum(units, occurrences, None)
        return self._ops.to_host(matrix), flop

    def form_blocks(self, copies: int, units: int, occurrences: Sequence[Change]) -> float:
        """Hold the similarity of copies * units slots for ``assign_blocks``; floating-point operations."""
        matrix, flop = self._sum(copies * units, occurrences, None)
        self._blocks = self._ops.pairs_of_blocks(matrix, copies, units), copies, units
        return flop

    def assign_blocks(self, blocks: Sequence[tuple[int, int]]) -> tuple[Index, NDArray[np.float64]]:
        """Columns, one block after the other, and objectives of square blocks by their row and column."""
        matrices, copies, _ = self._blocks
        wanted = np.array([row * copies + column for row, column in blocks], np.int64)
        if wanted.size < copies * copies:
            matrices = self._ops.take(matrices, wanted, 0)
        columns, objectives = self._assigner.assign_batch(matrices)
        return columns.ravel(), objectives

    def _sum(self, units: int, changes: Sequence[Change], total: Any) -> tuple[Any, float]:
        """``total`` with the products of all changes added, in place."""
        flop = 0.0
        for (number, axis, a_positions, b_positions), now, before in changes:
            a = self._units(self._tensors[number].a, axis, a_positions)
            b = self._units(self._tensors[number].b, axis, b_positions)
            if before is None:
                b = self._ops.widen(self._permuted(b, axis, self._positions(number, now)), self._dtype)
            else:
                # The difference is formed in the width of the products, never in that of the parameters.
                difference = self._difference(number, axis, a, b, now, before, self._dtype)
                if difference is None:
                    continue
                a, b = difference
            if 0 in a.shape or 0 in b.shape:
                continue
            left, right = (
                self._ops.unfold(side, axis, units) for side in (self._ops.widen(a, self._dtype), b)
            )
            flop += 2.0 * units * units * int(left.shape[1])
            product = self._ops.multiply(left, right)
            if total is None:
                total = product
            else:
                total += product
        return self._ops.place(np.zeros((units, units), self._dtype)) if total is None else total, flop

    def _difference(
        self, number: int, skip: int | None, a: Any, b: Any, now: Tables, before: Tables, dtype: str
    ) -> tuple[Any, Any] | None:
        """A, and B less B as it lay before, where one axis has moved on the moved positions alone; None: none has."""
        new, old = self._positions(number, now), self._positions(number, before)
        changed = [axis for axis in range(len(new)) if axis != skip and new[axis] is not old[axis]]
        if not changed:
            return None
        if len(changed) == 1:
            axis = changed[0]
            in_order = np.arange(len(now[axis]))
            new_axis, old_axis = (in_order if each is None else each for each in (new[axis], old[axis]))
            moved = np.flatnonzero(new_axis != old_axis)
            a = self._ops.take(a, moved, axis)
            new[axis], old[axis] = new_axis[moved], old_axis[moved]
        wide = [self._ops.widen(self._permuted(b, skip, each), dtype) for each in (new, old)]
        return a, wide[0] - wide[1]

    def _units(self, array: Any, axis: int, positions: Index) -> Any:
        if positions.size == array.shape[axis] and np.array_equal(positions, np.arange(positions.size)):
            return array
        return self._ops.take(array, positions, axis)

    def _permuted(self, array: Any, skip: int | None, positions: Positions) -> Any:
        for axis, index in enumerate(positions):
            if axis != skip and index is not None:
                array = self._ops.take(array, index, axis)
        return array

    def _positions(self, number: int, tables: Tables) -> Positions:
        """Positions of a tensor's tables: for equal tables the same array, which lies on the device already."""
        return [
            self._position(stride, table)
            for stride, table in zip(self._tensors[number].strides, tables, strict=True)
        ]

    def _position(self, stride: int, table: Index) -> Index | None:
        key = (stride, table.tobytes())
        if key not in self._tables:
            if len(self._tables) >= _MOST_TABLES:
                self._tables.clear()
            index = table // max(stride, 1)
            self._tables[key] = None if np.array_equal(index, np.arange(index.size)) else index
        return self._tables[key]
