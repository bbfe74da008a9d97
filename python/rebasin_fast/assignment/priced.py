"""Assignments that may leave rows and columns unmatched: at a price, or where forbidden pairs require it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _core
from rebasin_fast.assignment.result import Assignment


def checked_limit(cost_limit: Any, maximize: bool) -> float | None:
    """The price of an unmatched pair as a float, or None; TypeError or ValueError for other values."""
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
) -> Assignment:
    """One matrix under a ``cost_limit``, or else with as many rows matched as can be (``partial``)."""
    found = _core.priced_assignment(cost, maximize, bfloat16, cost_limit, partial and cost_limit is None)
    if cost_limit is None:
        return Assignment(*found)
    unmatched = sum(cost.shape) - 2 * int(np.count_nonzero(found.columns >= 0))
    return Assignment(*found, found.objective + cost_limit / 2 * unmatched)
