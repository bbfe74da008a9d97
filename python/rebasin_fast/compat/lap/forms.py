"""Common parts of the functions of lap: checks of arguments, one solve, and the forms of a result."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast.assignment import Assignment, solve_assignment
from rebasin_fast.errors import InfeasibleError

Columns = NDArray[np.int64]


def matrix_of(cost: Any, *, rectangular: bool, advice: str) -> NDArray[Any]:
    """The cost as a 2-D array; ValueError unless it is square, empty or may be rectangular."""
    array = array_of("cost", cost, "2-dimensional array expected", 2)
    check_square(array.shape, rectangular, advice)
    return array


def array_of(name: str, cost: Any, expected: str, dimensions: int) -> NDArray[Any]:
    """The argument as an array of so many dimensions; TypeError or ValueError that names it otherwise."""
    array = _arguments.array(name, cost, expected)
    if array.ndim != dimensions:
        raise ValueError(f"{name}: {expected}, got {array.ndim} dimensions")
    return array


def check_square(shape: tuple[int, ...], rectangular: bool, advice: str) -> None:
    """ValueError unless matrices of this shape are square, empty, or may be rectangular."""
    n, m = shape[-2:]
    if n != m and 0 not in (n, m) and not rectangular:
        raise ValueError(f"costs: square cost array expected, got shape {(n, m)}; {advice}")


def is_limited(cost_limit: float) -> bool:
    """Whether the limit is finite; ValueError for NaN and -inf."""
    if math.isnan(cost_limit) or cost_limit == -math.inf:
        raise ValueError(f"cost_limit must be finite or positive infinity, got {cost_limit}")
    return cost_limit < math.inf


def solve(cost: NDArray[Any], cost_limit: float, *, complete: bool) -> tuple[float, Columns]:
    """The total of the matched pairs and the column of each row, -1 for none.

    Where forbidden pairs leave no complete assignment: InfeasibleError, unless it is to be made ``complete`` with
    forbidden pairs; the total is then infinite.
    """
    try:
        found = solve_assignment(cost, cost_limit=cost_limit)
    except InfeasibleError:
        if not complete:
            raise
        return math.inf, completed(cost)
    assert isinstance(found, Assignment)
    return found.objective, found.columns


def completed(cost: NDArray[Any]) -> Columns:
    """As many allowed pairs as can be, at the least cost among these, and forbidden pairs for the rest."""
    found = solve_assignment(cost, partial=True)
    assert isinstance(found, Assignment)
    columns: Columns = found.columns.copy()
    free_rows, free_columns = np.flatnonzero(columns < 0), np.flatnonzero(found.rows < 0)
    fewer = min(len(free_rows), len(free_columns))
    columns[free_rows[:fewer]] = free_columns[:fewer]
    return columns


def maps(columns: Columns, m: int, dtype: type[np.integer[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """(x, y): the column of each row and the row of each column, -1 for none."""
    y = np.full(m, -1, dtype)
    matched = np.flatnonzero(columns >= 0)
    y[columns[matched]] = matched
    return columns.astype(dtype), y


def indices(columns: Columns) -> tuple[Columns, Columns]:
    """(rows, columns) of the matched pairs, rows sorted."""
    matched = np.flatnonzero(columns >= 0)
    return matched, columns[matched]


def pairs(columns: Columns) -> Columns:
    """The matched pairs, (K, 2)."""
    return np.stack(indices(columns), axis=1)


def with_total(total: Any, parts: Any, return_cost: Any) -> Any:
    """The total, if ``return_cost``, and the parts; a single part without a tuple."""
    if return_cost:
        return (total, *parts)
    return tuple(parts) if len(parts) > 1 else parts[0]
