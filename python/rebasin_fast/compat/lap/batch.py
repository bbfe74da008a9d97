"""lap's functions of many matrices; ``costs`` is (B, n, m), and each result a list of B."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast.assignment import AssignmentBatch, solve_assignment
from rebasin_fast.compat.lap import forms
from rebasin_fast.compat.lap.dense import check_options
from rebasin_fast.compat.lap.sparse import lapmod

_EXTEND = "pass extend_cost=True for rectangular ones"


@_arguments.checked()
def lapjvx_batch(
    costs: Any,
    extend_cost: bool = False,
    cost_limit: float = np.inf,
    return_cost: bool = True,
    n_threads: int | None = 0,
) -> Any:
    """``(totals, rows, columns)``; see :func:`rebasin_fast.compat.lap.lapjvx`. 0 threads are all processors."""
    totals, columns = _solve(costs, extend_cost, cost_limit, n_threads, complete=True)
    return _indices(totals, columns, return_cost)


@_arguments.checked()
def lapjvxa_batch(
    costs: Any,
    extend_cost: bool = False,
    cost_limit: float = np.inf,
    return_cost: bool = True,
    n_threads: int | None = 0,
) -> Any:
    """``(totals, pairs)``; see :func:`rebasin_fast.compat.lap.lapjvxa`."""
    totals, columns = _solve(costs, extend_cost, cost_limit, n_threads, complete=True)
    return _pairs(totals, columns, return_cost)


@_arguments.checked()
def lapjvs_batch(
    costs: Any,
    extend_cost: bool = False,
    return_cost: bool = True,
    n_threads: int | None = 0,
    prefer_float32: bool = True,
) -> Any:
    """``(totals, rows, columns)``; see :func:`rebasin_fast.compat.lap.lapjvs`."""
    totals, columns = _solve(costs, extend_cost, math.inf, n_threads, complete=False)
    return _indices(totals, columns, return_cost)


@_arguments.checked()
def lapjvsa_batch(
    costs: Any,
    extend_cost: bool = False,
    return_cost: bool = True,
    n_threads: int | None = 0,
    prefer_float32: bool = True,
) -> Any:
    """``(totals, pairs)``; see :func:`rebasin_fast.compat.lap.lapjvsa`."""
    totals, columns = _solve(costs, extend_cost, math.inf, n_threads, complete=False)
    return _pairs(totals, columns, return_cost)


@_arguments.checked()
def lapjvr_batch(
    costs: Any,
    extend_cost: bool = False,
    cost_limit: float = np.inf,
    return_cost: bool = True,
    n_threads: int | None = 0,
    *,
    precision: str = "native",
    output: str = "indices",
) -> Any:
    """``(totals, rows, columns)`` or ``(totals, pairs)``; see :func:`rebasin_fast.compat.lap.lapjvr`."""
    check_options(precision, output)
    totals, columns = _solve(costs, extend_cost, cost_limit, n_threads, complete=False)
    return (_pairs if output == "pairs" else _indices)(totals, columns, return_cost)


lapjvh_batch = lapjvr_batch  # two solvers in lapx, one here


@_arguments.checked()
def lapmod_batch(
    problems: Sequence[Any],
    fast: bool = True,
    return_cost: bool = True,
    fp_version: int = 3,
    n_threads: int | None = 0,
) -> Any:
    """``(totals, xs, ys)`` of ``(n, cc, ii, kk)`` tuples; see :func:`rebasin_fast.compat.lap.lapmod`."""
    if any(not isinstance(one, tuple | list) or len(one) != 4 for one in problems):
        raise ValueError("problems are tuples of four, (n, cc, ii, kk)")
    found = [lapmod(n, cc, ii, kk, fast, True, fp_version) for n, cc, ii, kk in problems]
    parts = [one[1] for one in found], [one[2] for one in found]
    return forms.with_total(np.array([one[0] for one in found], np.float64), parts, return_cost)


def _solve(
    costs: Any, extend_cost: Any, cost_limit: float, n_threads: int | None, *, complete: bool
) -> tuple[Any, list[forms.Columns]]:
    array = forms.array_of("costs", costs, "3-dimensional array expected [B, N, M]", 3)
    limited = forms.is_limited(cost_limit)
    forms.check_square(array.shape, extend_cost or limited, _EXTEND)
    threads = max(1, n_threads or os.cpu_count() or 1)
    batch = solve_assignment(array, cost_limit=cost_limit, threads=threads)
    assert isinstance(batch, AssignmentBatch)
    if (batch.status == "optimal").all():
        return batch.objective, list(batch.columns)
    # A problem without a solution: each is solved as a single matrix.
    each = [forms.solve(cost, cost_limit, complete=complete) for cost in array]
    return np.array([total for total, _ in each], np.float64), [columns for _, columns in each]


def _indices(totals: Any, columns: list[forms.Columns], return_cost: Any) -> Any:
    found = [forms.indices(one) for one in columns]
    return forms.with_total(
        totals, ([rows for rows, _ in found], [chosen for _, chosen in found]), return_cost
    )


def _pairs(totals: Any, columns: list[forms.Columns], return_cost: Any) -> Any:
    form: Callable[[forms.Columns], forms.Columns] = forms.pairs
    return forms.with_total(totals, ([form(one) for one in columns],), return_cost)
