"""Assignments that may leave rows and columns unmatched: at a price, or where forbidden pairs leave no choice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _core
from rebasin_fast.assignment.costs import as_numbers

# (status, columns, row_duals, column_duals, objective, gap, objective_with_prices)
Solved = tuple[int, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], float, float, float]


def checked_limit(cost_limit: Any, maximize: bool) -> float | None:
    """The price of a pair, None where nothing may stay unmatched for its sake; TypeError or ValueError else."""
    if cost_limit is None:
        return None
    try:
        limit = float(cost_limit)
    except (TypeError, ValueError):
        raise TypeError(
            f"cost_limit is a real number, the price of leaving a row and a column unmatched; got {cost_limit!r}"
        ) from None
    if limit == (-math.inf if maximize else math.inf):
        return None
    if not math.isfinite(limit):
        raise ValueError(f"cost_limit must be finite, or None for no limit; got {cost_limit!r}")
    return limit


def solve_priced(
    cost: NDArray[Any], bfloat16: bool, maximize: bool, cost_limit: float | None, partial: bool
) -> Solved:
    """One matrix under a ``cost_limit``, or else with as many rows matched as can be (``partial``)."""
    # The one call of the core for both, over the extended matrix.
    numbers = as_numbers(cost, bfloat16).astype(np.float64)
    n, m = numbers.shape
    if cost_limit is None:
        pairs, corner = _most_pairs(numbers), -math.inf if maximize else math.inf
        dummy_rows, price = m - pairs, 0.0
    else:
        dummy_rows, price, corner = m, cost_limit / 2, 0.0
    size = n + dummy_rows
    extended = np.full((size, size), price)
    extended[:n, :m] = numbers
    extended[n:, m:] = corner
    status, found, u, v, _, gap = _core.assignment(extended, maximize)
    if status != 0:
        nan = math.nan
        return status, np.full(n, -1), np.full(n, nan), np.full(m, nan), nan, nan, nan
    columns = np.where(found[:n] < m, found[:n], -1)
    row_duals, column_duals = _duals(u, v, columns, m, cost_limit, maximize)
    matched = np.flatnonzero(columns >= 0)
    objective = float(sum(numbers[matched, columns[matched]].tolist()))
    unmatched = n + m - 2 * len(matched)
    with_prices = objective if cost_limit is None else objective + price * unmatched
    return 0, columns, row_duals, column_duals, objective, gap, with_prices


def _duals(
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    columns: NDArray[np.int64],
    m: int,
    cost_limit: float | None,
    maximize: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Duals of the rows and columns; those of the dummies are shifted to zero."""
    n = len(columns)
    if cost_limit is None:
        shift = u[n] if len(u) > n else -v[m] if len(v) > m else 0.0
        return u[:n] - shift, v[:m] + shift
    if not (columns >= 0).any():
        return np.full(n, cost_limit / 2), np.full(m, cost_limit / 2)
    bounded = np.maximum if maximize else np.minimum
    return bounded(u[:n] + v[m], cost_limit / 2), bounded(v[:m] - v[m], cost_limit / 2)


def _most_pairs(numbers: NDArray[np.float64]) -> int:
    if not np.isinf(numbers).any():
        return min(int(extent) for extent in numbers.shape)
    # Imported here: it takes longer than most problems.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    found = maximum_bipartite_matching(csr_array(~np.isinf(numbers)), perm_type="column")
    return int(np.sum(found >= 0))
