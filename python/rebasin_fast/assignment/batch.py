"""The problems of one call, each with its own status: rows and columns may stay unmatched, at a price or not."""

from __future__ import annotations

import math
from dataclasses import fields
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _core
from rebasin_fast._arrays import foreign_library
from rebasin_fast._untrusted import brief
from rebasin_fast.assignment.costs import host_matrices
from rebasin_fast.assignment.failures import STATUSES
from rebasin_fast.assignment.result import Assignment, AssignmentBatch
from rebasin_fast.assignment.warm_start import Start, start_of_batch, starts_of_list


class Options(NamedTuple):
    """The options that all problems of a call share."""

    maximize: bool
    cost_limit: float | None
    partial: bool
    threads: int

    @property
    def priced(self) -> bool:
        """Whether rows and columns may stay unmatched."""
        return self.partial or self.cost_limit is not None


def checked_limit(cost_limit: Any, maximize: bool) -> float | None:
    """The price of an unmatched pair as a float, or None; TypeError or ValueError for other values."""
    if cost_limit is None:
        return None
    try:
        if isinstance(cost_limit, bool | np.bool_):
            raise TypeError
        limit = float(cost_limit)
    except (TypeError, ValueError):
        raise TypeError(
            f"cost_limit is a real number, the price of leaving a row and a column unmatched; got {brief(cost_limit)}"
        ) from None
    if limit == (-math.inf if maximize else math.inf):
        return None
    if not math.isfinite(limit):
        raise ValueError(f"cost_limit must be finite, or None for no limit; got {cost_limit!r}")
    return limit


def solve_matrix(cost: NDArray[Any], bfloat16: bool, start: Start | None, options: Options) -> Assignment:
    """The solution of one matrix, with its ``status``."""
    if options.priced:
        return _solve_priced(cost, bfloat16, options.maximize, options.cost_limit, options.partial)
    found = _core.assignment(cost, options.maximize, bfloat16, start)
    assert found is not None  # the cost was checked
    return Assignment(*found)


def solve_batch(costs: NDArray[Any], bfloat16: bool, warm_start: Any, options: Options) -> AssignmentBatch:
    """Solutions of a (k, n, m) array; no Python object is made a problem unless ``options`` are priced."""
    starts = start_of_batch(warm_start, costs.shape)
    if options.priced:
        return _stacked([solve_matrix(cost, bfloat16, None, options) for cost in costs], costs.shape)
    found = _core.assignment_batch(costs, options.maximize, bfloat16, starts, options.threads)
    return AssignmentBatch(*found[:5], np.array(STATUSES)[found.statuses])


def solve_list(problems: list[Any], warm_starts: Any, options: Options) -> list[Assignment]:
    """Solutions of array-likes of any libraries and shapes."""
    arrays, bfloat16 = host_matrices(problems)
    starts = starts_of_list(warm_starts, [array.shape for array in arrays])
    if options.priced:
        solved = [solve_matrix(array, bfloat16, None, options) for array in arrays]
    else:
        found = _core.assignments(arrays, options.maximize, bfloat16, starts, options.threads)
        solved = [Assignment(*one) for one in found]
    return [restored(one, problem) for one, problem in zip(solved, problems, strict=True)]


def _solve_priced(
    cost: NDArray[Any], bfloat16: bool, maximize: bool, cost_limit: float | None, partial: bool
) -> Assignment:
    """One matrix under a ``cost_limit``, or else with as many rows matched as can be (``partial``)."""
    found = _core.priced_assignment(cost, maximize, bfloat16, cost_limit, partial and cost_limit is None)
    if cost_limit is None:
        return Assignment(*found)
    unmatched = sum(cost.shape) - 2 * int(np.count_nonzero(found.columns >= 0))
    total = _priced_total(found.objective, cost_limit, unmatched)
    if math.isinf(total):
        n, m = cost.shape
        nothing = math.nan
        return Assignment(
            np.full(n, -1), np.full(n, nothing), np.full(m, nothing), nothing, nothing, "overflow"
        )
    return Assignment(*found, total)


def _priced_total(objective: float, cost_limit: float, unmatched: int) -> float:
    """The objective and half of the limit for each unmatched line; infinite beyond float64."""
    total = objective + cost_limit / 2 * unmatched
    if not math.isinf(total):
        return total
    try:  # a part may overflow where the whole does not
        return float(Fraction(objective) + Fraction(cost_limit) / 2 * unmatched)
    except OverflowError:
        return total


def restored(result: Assignment, cost: Any) -> Assignment:
    """The result with its arrays in the library of ``cost`` and on its device."""
    library = foreign_library(cost)
    if library is None:
        return result
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    moved = {
        name: library.put(cost, value)
        for name, value in values.items()
        if isinstance(value, np.ndarray) and name != "status"
    }
    return type(result)(**values | moved)


def _stacked(parts: list[Assignment], shape: tuple[int, ...]) -> AssignmentBatch:
    count, n, m = shape
    return AssignmentBatch(
        np.array([part.columns for part in parts], np.int64).reshape(count, n),
        np.array([part.row_duals for part in parts], np.float64).reshape(count, n),
        np.array([part.column_duals for part in parts], np.float64).reshape(count, m),
        np.array([part.objective for part in parts], np.float64),
        np.array([part.gap for part in parts], np.float64),
        np.array([part.status for part in parts], np.str_),
        np.array([part.objective_with_prices for part in parts], np.float64),
    )
