"""Assignments that may leave rows and columns unmatched: at a price, or where forbidden pairs leave no choice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _core

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
    solved = _core.priced_assignment(cost, maximize, bfloat16, cost_limit, partial and cost_limit is None)
    status, columns, row_duals, column_duals, objective, gap = solved
    if status != 0:
        (n, m), nan = cost.shape, math.nan
        return status, np.full(n, -1), np.full(n, nan), np.full(m, nan), nan, nan, nan
    unmatched = sum(cost.shape) - 2 * int(np.count_nonzero(columns >= 0))
    with_prices = objective if cost_limit is None else objective + cost_limit / 2 * unmatched
    return 0, columns, row_duals, column_duals, objective, gap, with_prices
