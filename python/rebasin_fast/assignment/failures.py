"""Statuses of the core as exceptions; the error for an infeasible matrix names a Hall violator.

A Hall violator: rows that together allow fewer columns than they are, or columns that allow fewer rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.errors import CostOverflowError, InfeasibleError

# By the numbers that the core and the kernels give them.
STATUSES = ("optimal", "invalid", "infeasible", "overflow")

_MOST_STARTS = 16  # unmatched rows or columns whose violators are compared; the smallest is named
_MOST_NAMED = 8  # indices of a long list in a message


def raise_unless_optimal(status: str, infeasible: Callable[[], ValueError]) -> None:
    """ValueError for invalid entries, ``infeasible()`` without an assignment, CostOverflowError beyond float64."""
    if status == "invalid":
        raise ValueError("matrix contains invalid numeric entries")
    if status == "infeasible":
        raise infeasible()
    if status == "overflow":
        raise overflow_error()


def overflow_error() -> CostOverflowError:
    """The error for costs whose total, or a dual of it, float64 does not hold."""
    return CostOverflowError(
        "cost has entries so large that the total of an assignment, or a dual, lies beyond float64 (1.8e308); scale "
        "the costs, as in cost * 2.0**-64, which keeps all their bits, or take the pairs of the optimum alone from "
        "linear_sum_assignment"
    )


def infeasible_error(cost: NDArray[Any]) -> InfeasibleError:
    """The error that names a Hall violator of an infeasible matrix; O(n m) for each of at most 16 unmatched rows."""
    allowed = ~np.isinf(cost)
    n, m = allowed.shape
    if n <= m:
        rows, columns = hall_violator(allowed)
    else:
        columns, rows = hall_violator(allowed.T)
    return violator_error(rows, columns)


def violator_error(rows: tuple[int, ...], columns: tuple[int, ...]) -> InfeasibleError:
    """The error that names a Hall violator: the larger set may take the smaller only."""
    if len(rows) > len(columns):
        described = f"row{_named(rows)} may take {_opposite_side('column', columns)}"
    else:
        described = f"column{_named(columns)} may take {_opposite_side('row', rows)}"
    return InfeasibleError(f"cost matrix is infeasible: {described}", rows=rows, columns=columns)


def hall_violator(allowed: NDArray[np.bool_]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Rows and all the columns that they may take, one fewer; ``allowed`` has no matching of all rows.

    From an unmatched row of a maximum matching, the rows that alternating paths reach.
    """
    # Imported here: only an error needs it, and it takes longer to import than most problems to solve.
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    column_of = maximum_bipartite_matching(csr_array(allowed), perm_type="column")
    row_of = np.full(allowed.shape[1], -1)
    row_of[column_of[column_of >= 0]] = np.flatnonzero(column_of >= 0)
    found = (_reached(allowed, row_of, row) for row in np.flatnonzero(column_of < 0)[:_MOST_STARTS])
    return min(found, key=lambda violator: len(violator[0]))


def _reached(
    allowed: NDArray[np.bool_], row_of: NDArray[Any], start: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    rows = np.zeros(allowed.shape[0], bool)
    columns = np.zeros(allowed.shape[1], bool)
    front = np.array([start])
    while front.size:
        rows[front] = True
        fresh = allowed[front].any(axis=0) & ~columns
        columns |= fresh
        front = row_of[fresh]
    return tuple(np.flatnonzero(rows).tolist()), tuple(np.flatnonzero(columns).tolist())


def _named(indices: tuple[int, ...]) -> str:
    described = ", ".join(map(str, indices[:_MOST_NAMED]))
    left = len(indices) - _MOST_NAMED
    return f"{'s' if len(indices) > 1 else ''} {described}" + (f" and {left} more" if left > 0 else "")


def _opposite_side(kind: str, indices: tuple[int, ...]) -> str:
    return f"{kind}{_named(indices)} only" if indices else f"no {kind}"
