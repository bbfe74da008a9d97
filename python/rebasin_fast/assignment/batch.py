"""Many assignment problems at once, each with its own status."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _core
from rebasin_fast.assignment.costs import checked, host_array, widened
from rebasin_fast.assignment.result import Assignment
from rebasin_fast.assignment.warm_start import Starts, check_shape

_STATUSES = {0: "optimal", 1: "invalid", 2: "infeasible"}


def solve_each(
    costs: list[NDArray[Any]], bfloat16: bool, maximize: bool, starts: Starts | None, threads: int
) -> list[Assignment]:
    """An Assignment of each matrix; those without a solution say so in ``status``."""
    found = _core.assignments(costs, bool(maximize), bfloat16, starts, threads)
    results = []
    for cost, (code, columns, row_duals, column_duals, objective, gap) in zip(costs, found, strict=True):
        status = _STATUSES[code]
        if status == "optimal":
            results.append(Assignment(columns, row_duals, column_duals, objective, gap))
        else:
            n, m = cost.shape
            nan = float("nan")
            results.append(Assignment(np.full(n, -1), np.full(n, nan), np.full(m, nan), nan, nan, status))
    return results


def solve_many(problems: list[Any], maximize: bool, starts: Starts | None, threads: int) -> list[Assignment]:
    """The same for array-likes of any libraries and shapes."""
    hosts = [host_array(problem) for problem in problems]
    arrays = [checked(array) for array, _ in hosts]
    brains = [bfloat16 for _, bfloat16 in hosts]
    if any(brains) and not all(brains):
        # Mixed dtypes; widening is exact.
        arrays = [widened(array) if brain else array for array, brain in zip(arrays, brains, strict=True)]
        brains = [False]
    if starts is not None:
        for array, (row_duals, column_duals) in zip(arrays, starts, strict=True):
            check_shape((len(row_duals), len(column_duals)), array.shape)
    return solve_each(arrays, any(brains), maximize, starts, threads)


def stacked(parts: list[Assignment], shape: tuple[int, ...]) -> Assignment:
    """Assignments of one shape as one, with a leading batch axis."""
    batch, n, m = shape
    return Assignment(
        columns=np.array([part.columns for part in parts], np.int64).reshape(batch, n),
        row_duals=np.array([part.row_duals for part in parts], np.float64).reshape(batch, n),
        column_duals=np.array([part.column_duals for part in parts], np.float64).reshape(batch, m),
        objective=np.array([part.objective for part in parts], np.float64),
        gap=np.array([part.gap for part in parts], np.float64),
        status=np.array([part.status for part in parts], dtype=np.str_),
    )
