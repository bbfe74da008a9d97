"""Many assignment problems at once, each with its own status."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _core
from rebasin_fast._arrays.foreign import Restore, library_of, to_numpy
from rebasin_fast.assignment.costs import checked, host_array, widened
from rebasin_fast.assignment.priced import Solved, solve_priced
from rebasin_fast.assignment.result import Assignment, AssignmentBatch
from rebasin_fast.assignment.warm_start import Start, start_of_batch, starts_of_list

_STATUSES = ("optimal", "invalid", "infeasible")


class Options(NamedTuple):
    """What all problems of a call have in common."""

    maximize: bool
    cost_limit: float | None
    partial: bool
    threads: int

    @property
    def priced(self) -> bool:
        """Whether rows and columns may stay unmatched."""
        return self.partial or self.cost_limit is not None


def solve_batch(costs: NDArray[Any], bfloat16: bool, warm_start: Any, options: Options) -> AssignmentBatch:
    """Solutions of a (k, n, m) array; no Python object is made a problem unless ``options`` are priced."""
    start = start_of_batch(warm_start, costs.shape)
    if options.priced:
        return _stacked([_priced(cost, bfloat16, options) for cost in costs], costs.shape)
    columns, row_duals, column_duals, objectives, gaps, codes = _core.assignment_batch(
        costs, options.maximize, bfloat16, start, options.threads
    )
    return AssignmentBatch(columns, row_duals, column_duals, objectives, gaps, np.array(_STATUSES)[codes])


def solve_list(problems: list[Any], warm_starts: Any, options: Options) -> list[Assignment]:
    """Solutions of array-likes of any libraries and shapes."""
    hosts = [host_array(problem) for problem in problems]
    arrays = [checked(array) for array, _ in hosts]
    starts = starts_of_list(warm_starts, [array.shape for array in arrays])
    if options.priced:
        solved = [_priced(array, brain, options) for array, (_, brain) in zip(arrays, hosts, strict=True)]
    else:
        solved = _solve_each(arrays, [brain for _, brain in hosts], starts, options)
    return [
        restored(_assignment(one, array.shape), restore_of(problem))
        for one, array, problem in zip(solved, arrays, problems, strict=True)
    ]


def restored(result: Assignment, restore: Restore | None) -> Assignment:
    """The result with its arrays in the library that ``restore`` leads to."""
    if restore is None:
        return result
    columns, row_duals, column_duals = map(restore, (result.columns, result.row_duals, result.column_duals))
    if not isinstance(result, AssignmentBatch):
        return Assignment(
            columns, row_duals, column_duals, result.objective, result.gap, result.status,
            result.objective_with_prices,
        )  # fmt: skip
    objective, gap, with_prices = map(restore, (result.objective, result.gap, result.objective_with_prices))
    return AssignmentBatch(columns, row_duals, column_duals, objective, gap, result.status, with_prices)


def restore_of(cost: Any) -> Restore | None:
    """The way from NumPy to the library and device of ``cost``; None for what is of no other library."""
    library = library_of(cost)
    return None if library is None else to_numpy(cost[:0], library)[2]


def _solve_each(
    arrays: list[NDArray[Any]], brains: list[bool], starts: list[Start] | None, options: Options
) -> list[Any]:
    if any(brains) and not all(brains):
        # Mixed dtypes; widening is exact.
        arrays = [widened(array) if brain else array for array, brain in zip(arrays, brains, strict=True)]
        brains = [False]
    return _core.assignments(arrays, options.maximize, any(brains), starts, options.threads)


def _priced(cost: NDArray[Any], bfloat16: bool, options: Options) -> Solved:
    return solve_priced(cost, bfloat16, options.maximize, options.cost_limit, options.partial)


def _assignment(solved: Any, shape: tuple[int, ...]) -> Assignment:
    code, columns, row_duals, column_duals, objective, gap, *with_prices = solved
    if code != 0:
        nan = float("nan")
        (n, m), status = shape, _STATUSES[code]
        return Assignment(np.full(n, -1), np.full(n, nan), np.full(m, nan), nan, nan, status)
    return Assignment(columns, row_duals, column_duals, objective, gap, "optimal", *with_prices)


def _stacked(parts: list[Solved], shape: tuple[int, ...]) -> AssignmentBatch:
    count, n, m = shape
    return AssignmentBatch(
        np.array([part[1] for part in parts], np.int64).reshape(count, n),
        np.array([part[2] for part in parts], np.float64).reshape(count, n),
        np.array([part[3] for part in parts], np.float64).reshape(count, m),
        np.array([part[4] for part in parts], np.float64),
        np.array([part[5] for part in parts], np.float64),
        np.array(_STATUSES)[[part[0] for part in parts]],
        np.array([part[6] for part in parts], np.float64),
    )
