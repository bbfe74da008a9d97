"""Many assignment problems at once, each with its own status."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _core
from rebasin_fast._arrays.foreign import Restore, library_of, to_numpy
from rebasin_fast.assignment.costs import checked, host_array, widened
from rebasin_fast.assignment.failures import STATUSES
from rebasin_fast.assignment.priced import solve_priced
from rebasin_fast.assignment.result import Assignment, AssignmentBatch
from rebasin_fast.assignment.warm_start import Start, start_of_batch, starts_of_list


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


def solve_matrix(cost: NDArray[Any], bfloat16: bool, start: Start | None, options: Options) -> Assignment:
    """The solution of one matrix, with its ``status``."""
    if options.priced:
        return solve_priced(cost, bfloat16, options.maximize, options.cost_limit, options.partial)
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
    hosts = [host_array(problem) for problem in problems]
    arrays = [checked(array) for array, _ in hosts]
    kinds = [bfloat16 for _, bfloat16 in hosts]
    starts = starts_of_list(warm_starts, [array.shape for array in arrays])
    if options.priced:
        solved = [solve_matrix(array, kind, None, options) for array, kind in zip(arrays, kinds, strict=True)]
    else:
        if any(kinds) and not all(kinds):
            # Mixed dtypes; widening is exact.
            arrays = [widened(array) if kind else array for array, kind in zip(arrays, kinds, strict=True)]
            kinds = [False]
        found = _core.assignments(arrays, options.maximize, any(kinds), starts, options.threads)
        solved = [Assignment(*one) for one in found]
    return [restored(one, restore_of(problem)) for one, problem in zip(solved, problems, strict=True)]


def restored(result: Assignment, restore: Restore | None) -> Assignment:
    """The result with its arrays in the library that ``restore`` leads to."""
    if restore is None:
        return result
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    moved = {
        name: restore(value)
        for name, value in values.items()
        if isinstance(value, np.ndarray) and name != "status"
    }
    return type(result)(**values | moved)


def restore_of(cost: Any) -> Restore | None:
    """The conversion from NumPy to the library and device of ``cost``; None where it is of no other library."""
    library = library_of(cost)
    return None if library is None else to_numpy(cost[:0], library)[2]


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
