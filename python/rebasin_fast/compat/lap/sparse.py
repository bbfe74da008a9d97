"""lap's function of a sparse matrix."""

from __future__ import annotations

import math
import operator
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast.assignment.sparse import solve_csr
from rebasin_fast.compat.lap import forms

LARGE = 1000000
FP_1, FP_2, FP_DYNAMIC = 1, 2, 3


@overload
def lapmod(
    n: Any,
    cc: Any,
    ii: Any,
    kk: Any,
    fast: bool = ...,
    return_cost: Literal[True] = ...,
    fp_version: int = ...,
) -> tuple[float, NDArray[np.int32], NDArray[np.int32]]: ...
@overload
def lapmod(
    n: Any, cc: Any, ii: Any, kk: Any, fast: bool = ..., return_cost: bool = ..., fp_version: int = ...
) -> Any: ...
@_arguments.checked()
def lapmod(
    n: Any,
    cc: Any,
    ii: Any,
    kk: Any,
    fast: bool = True,
    return_cost: bool = True,
    fp_version: int = FP_DYNAMIC,
) -> Any:
    """Minimise over the entries of a sparse (n, n) matrix; ``(total, x, y)`` as of :func:`lapjv`.

    Parameters
    ----------
    n : int
        Number of rows, 1 or more.
    cc : (k,) array_like
        The entries row by row, finite. Unlike in lap they may be negative, or 1e6 and more.
    ii : (n + 1,) array_like of int
        Where each row starts in ``cc``, and k.
    kk : (k,) array_like of int
        The column of each entry, increasing in each row.
    fast, fp_version
        Without effect.
    return_cost : bool, default True
        Whether the total comes first.

    Raises
    ------
    ValueError
        If the arrays do not describe such a matrix.

    Notes
    -----
    Where the entries leave no complete assignment, absent ones complete it, and the total is infinite.

    Examples
    --------
    >>> from rebasin_fast.compat.lap import lapmod
    >>> total, x, y = lapmod(2, [5.0, 1.0, 2.0], [0, 2, 3], [0, 1, 1])
    >>> total, x.tolist(), y.tolist()
    (7.0, [0, 1], [0, 1])
    """
    n = operator.index(n)
    values, starts, columns = _checked(
        n,
        _arguments.array("cc", cc, "the entries, row by row"),
        _arguments.array("ii", ii, "where each row starts"),
        _arguments.array("kk", kk, "the column of each entry"),
    )
    if fp_version not in (FP_1, FP_2, FP_DYNAMIC):
        raise ValueError(f"fp_version is FP_1, FP_2 or FP_DYNAMIC, got {fp_version!r}")
    total, found = _solve(n, values, starts, columns)
    return forms.with_total(total, forms.maps(found, n, np.int32), return_cost)


def _solve(
    n: int, values: NDArray[Any], starts: NDArray[Any], columns: NDArray[Any]
) -> tuple[float, forms.Columns]:
    found = solve_csr(values, columns, starts, (n, n), partial=True)
    if (found.columns >= 0).all():
        return found.objective, found.columns
    # As in lap, absent entries complete the assignment.
    completed = found.columns.copy()
    completed[found.columns < 0] = np.flatnonzero(found.rows < 0)
    return math.inf, completed


def _checked(
    n: int, values: NDArray[Any], starts: NDArray[Any], columns: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    if n < 1:
        raise ValueError(f"the cost matrix must have a positive number of rows, got n={n}")
    if not values.ndim == starts.ndim == columns.ndim == 1:
        raise ValueError("cc, ii and kk must be one-dimensional arrays")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"the entries cc must be real numbers, got dtype {values.dtype}")
    if starts.dtype.kind not in "iu" or columns.dtype.kind not in "iu":
        raise ValueError(f"ii and kk must be integers, got dtypes {starts.dtype} and {columns.dtype}")
    if len(starts) != n + 1:
        raise ValueError(f"ii must contain n + 1 = {n + 1} row starts, got {len(starts)}")
    if len(values) != len(columns):
        raise ValueError(f"cc and kk must have the same length, got {len(values)} and {len(columns)}")
    starts, columns = starts.astype(np.int64), columns.astype(np.int64)
    if starts[0] != 0 or starts[-1] != len(values) or (np.diff(starts) < 0).any():
        raise ValueError(f"ii must start at 0, end at len(cc) = {len(values)}, and never decrease")
    if len(columns) and not (columns.min() >= 0 and columns.max() < n):
        raise ValueError(f"column indices kk must be in [0, {n}), got {columns.min()} to {columns.max()}")
    rows = np.repeat(np.arange(n), np.diff(starts))
    if (np.diff(columns)[np.diff(rows) == 0] <= 0).any():
        raise ValueError("column indices kk must increase strictly within each row")
    if not np.isfinite(values).all():
        raise ValueError("the entries cc must be finite; leave forbidden pairs out")
    return values, starts, columns
