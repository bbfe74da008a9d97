"""The solution of a linear assignment problem, with its duals and its proof."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, overload

import numpy as np

from rebasin_fast._arrays import foreign_library
from rebasin_fast._arrays.torch import TorchArrays

_STATUSES = ("optimal", "infeasible", "invalid", "overflow")  # in the order of a batch's description


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Assignment:
    """An optimal assignment and its proof.

    Arrays belong to the library of the cost matrix, on its device: torch in, torch out. JAX without
    ``jax_enable_x64`` narrows them to int32 and float32.

    Attributes
    ----------
    columns : (n,) int64
        Column of each row; -1 marks a row without one: where n > m, or where a ``cost_limit`` or ``partial``
        leaves it unmatched.
    row_duals : (n,) float64
        Dual u of each row. Minimising, ``u[i] + v[j] <= cost[i, j]`` everywhere; maximising, ``>=``.
    column_duals : (m,) float64
        Dual v of each column.
    objective : float
        Sum of the costs of the matched pairs, in float64, in row order; the sum itself is rounded.
    gap : float
        Checked bound on the distance of the assignment's total, in real arithmetic, from the optimum; 0.0 means
        proven optimal. See Notes of :func:`solve_assignment`.
    status : str
        "optimal"; in a batch an array of one per problem, where "infeasible", "invalid" and "overflow" (the total
        or a dual lies beyond float64) mark problems without a solution (columns -1; duals, objective and gap NaN).
    objective_with_prices : float
        ``objective`` and half of the ``cost_limit`` for each unmatched row and column; ``objective`` where there
        is no limit.

    Notes
    -----
    ``==`` compares all attributes, NaN equal to NaN, and gives one bool. Results hold arrays that may be
    changed, and so have no hash.
    """

    columns: Any
    row_duals: Any
    column_duals: Any
    objective: Any
    gap: Any
    status: Any
    objective_with_prices: Any

    def __init__(
        self,
        columns: Any,
        row_duals: Any,
        column_duals: Any,
        objective: Any,
        gap: Any,
        status: Any = "optimal",
        objective_with_prices: Any = None,
    ) -> None:
        # One assignment an attribute through object.__setattr__ would cost a small problem a tenth of its time.
        own = self.__dict__
        own["columns"] = columns
        own["row_duals"] = row_duals
        own["column_duals"] = column_duals
        own["objective"] = objective
        own["gap"] = gap
        own["status"] = status
        own["objective_with_prices"] = objective if objective_with_prices is None else objective_with_prices

    @property
    def rows(self) -> Any:
        """Row of each column, (m,) int64; -1 marks a column without one. Computed anew each time, O(n + m)."""
        columns, restore = _on_host(self.columns)
        m = int(self.column_duals.shape[-1])
        rows = np.full((*columns.shape[:-1], m), -1, np.int64)
        where = np.nonzero(columns >= 0)
        place = (*where[:-1], columns[where])
        rows[place] = where[-1]
        return restore(rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Assignment):
            return NotImplemented
        return type(self) is type(other) and all(
            _same(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        n, m = int(self.row_duals.shape[-1]), int(self.column_duals.shape[-1])
        priced = not _same(self.objective, self.objective_with_prices)
        prices = f", objective_with_prices={self.objective_with_prices}" if priced else ""
        status = f", status={str(self.status)!r}" if self.status != "optimal" else ""
        return f"Assignment(n={n}, m={m}, objective={self.objective}{prices}, gap={self.gap}{status})"


class AssignmentBatch(Assignment):
    """Solutions of problems of one shape: the attributes of :class:`Assignment` with a leading batch axis.

    ``len``, iteration and an index give each problem's :class:`Assignment`; a slice gives an AssignmentBatch.

    Examples
    --------
    >>> import numpy as np
    >>> import rebasin_fast as rf
    >>> many = rf.solve_assignment(np.array([[[1.0, 2.0], [3.0, 1.0]], [[5.0, 1.0], [1.0, 2.0]]]))
    >>> many
    AssignmentBatch(count=2, n=2, m=2, optimal=2)
    >>> [one.objective for one in many], many[1].columns.tolist()
    ([2.0, 2.0], [1, 0])
    """

    def __len__(self) -> int:
        return int(self.columns.shape[0])

    def __iter__(self) -> Iterator[Assignment]:
        return (self[k] for k in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Assignment: ...
    @overload
    def __getitem__(self, index: slice) -> AssignmentBatch: ...
    def __getitem__(self, index: int | slice) -> Assignment:
        if isinstance(index, slice):
            picked: Any = index
            if isinstance(foreign_library(self.columns), TorchArrays) and (index.step or 1) < 0:
                picked = list(range(len(self))[index])  # torch has no negative steps
            return AssignmentBatch(*(getattr(self, field.name)[picked] for field in fields(self)))
        if not isinstance(index, (int, np.integer)):
            raise TypeError(f"a batch is indexed by an integer or a slice, got {type(index).__name__}")
        if not -len(self) <= index < len(self):
            raise IndexError(f"problem {index} of a batch of {len(self)}")
        return Assignment(
            self.columns[index],
            self.row_duals[index],
            self.column_duals[index],
            float(self.objective[index]),
            float(self.gap[index]),
            str(self.status[index]),
            float(self.objective_with_prices[index]),
        )

    def __repr__(self) -> str:
        n, m = int(self.row_duals.shape[-1]), int(self.column_duals.shape[-1])
        counts = {name: int(np.sum(self.status == name)) for name in _STATUSES}
        listed = "".join(f", {name}={count}" for name, count in counts.items() if count or name == "optimal")
        return f"AssignmentBatch(count={len(self)}, n={n}, m={m}{listed})"


def _on_host(array: Any) -> tuple[Any, Any]:
    library = foreign_library(array)
    if library is None:
        return np.asarray(array), lambda result: result
    return library.to_host(array), partial(library.put, array)


def _same(one: Any, other: Any) -> bool:
    one, other = _on_host(one)[0], _on_host(other)[0]
    numbers = one.dtype.kind == other.dtype.kind == "f"
    return bool(np.array_equal(one, other, equal_nan=numbers))
