"""The linear assignment problem on sparse costs: entries that are absent are forbidden."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rebasin_fast import _core
from rebasin_fast.assignment.failures import raise_unless_optimal, violator_error
from rebasin_fast.assignment.result import Assignment

_LARGEST = np.iinfo(np.int32).max
_INT64 = np.iinfo(np.int64)
_HALF = 1 << 63  # of the range of unsigned integers
_BITS_BEYOND_FLOAT64 = 11  # of an unsigned integer of 64 bits


def is_sparse(value: object) -> bool:
    """Whether ``value`` is a scipy.sparse array or matrix, by its type's name."""
    return any(kind.__module__.startswith("scipy.sparse") for kind in type(value).__mro__) and hasattr(
        value, "tocsr"
    )


def indices_of_sparse(cost: Any, maximize: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Solve, and return ``(row_ind, col_ind)`` as :func:`rebasin_fast.linear_sum_assignment` does."""
    csr = _csr_of(cost)
    n, m = _checked_shape(csr.shape)
    starts, places = _checked_indices(csr.indptr, csr.indices, n, m)
    values, _ = _checked_values(csr.data, places.size)
    found = _core.sparse_assignment(values, places, starts, m, maximize, False)
    if found.status != "overflow":  # pairs are no sums
        _raise_unless_optimal(found)
    columns = found.columns
    rows = np.flatnonzero(columns >= 0)
    return rows, columns[rows]


def solve_sparse(
    cost: Any, maximize: bool, partial: bool = False, *, given: tuple[Any, Any] = (None, None)
) -> Assignment:
    """Solve a scipy.sparse array of any format; ``given`` are the options of dense costs."""
    for name, value in zip(("warm_start", "cost_limit"), given, strict=True):
        if value is not None:
            raise ValueError(
                f"{name} is for dense costs, the cost is a sparse {type(cost).__name__}; leave it out, or pass "
                "a dense matrix with inf where pairs are forbidden"
            )
    csr = _csr_of(cost)
    return solve_csr(csr.data, csr.indices, csr.indptr, csr.shape, maximize=maximize, partial=partial)


def _csr_of(cost: Any) -> Any:
    if cost.ndim != 2:
        raise ValueError(f"expected a matrix (2-D array), got a {cost.ndim} array")
    csr = cost.tocsr()
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    return csr


def solve_csr(
    data: ArrayLike,
    indices: ArrayLike,
    indptr: ArrayLike,
    shape: tuple[int, int],
    *,
    maximize: bool = False,
    partial: bool = False,
) -> Assignment:
    """Solve the linear assignment problem on costs in compressed sparse rows (CSR).

    Parameters
    ----------
    data : (nnz,) array_like
        Costs, real numbers; +inf (-inf when maximising) is a forbidden pair, as one that is absent. float32,
        float64 and int64 are read as they are, other dtypes are converted once.
    indices : (nnz,) array_like of int
        Column of each cost, in any order within a row; of costs with the same place the best counts.
    indptr : (n + 1,) array_like of int
        Row i holds ``data[indptr[i]:indptr[i + 1]]``.
    shape : (n, m)
        Rows and columns.
    maximize : bool, default False
        Maximise instead.
    partial : bool, default False
        Match as many rows as can be, at the least cost among these.

    Returns
    -------
    Assignment
        As of :func:`rebasin_fast.solve_assignment`.

    Raises
    ------
    ValueError
        If the arrays do not describe such a matrix, or if costs are NaN or the infinity that no assignment may
        use.
    InfeasibleError
        A ValueError; if there is no complete assignment and ``partial`` is false.
    TypeError
        If the dtype of ``data`` cannot be cast to float64 safely.

    Notes
    -----
    Memory: one copy of the costs, 12 bytes an entry, and some 100 bytes a row and column. Costs are solved as
    fixed-point numbers of 53 bits, integers exactly where their range allows; the rounding is part of ``gap``.

    The stages: column and row reduction; a greatest matching of tight entries; shortest augmenting paths; where
    these would take long, an auction with falling epsilon, price refinement, and paths for the rows left.

    References
    ----------
    D. Bertsekas, "Auction algorithms for network flow problems", 1992; A. Goldberg and R. Kennedy, "An efficient
    cost scaling algorithm for the assignment problem", 1995 (price refinement); R. Jonker and A. Volgenant, 1987;
    A. Dulmage and N. Mendelsohn, 1958 (``partial``).

    Examples
    --------
    >>> from rebasin_fast.assignment.sparse import solve_csr
    >>> solve_csr([4.0, 1.0, 2.0], [0, 1, 1], [0, 2, 3], (2, 2)).columns.tolist()
    [0, 1]
    """
    n, m = _checked_shape(shape)
    starts, places = _checked_indices(np.asarray(indptr), np.asarray(indices), n, m)
    values, offset = _checked_values(np.asarray(data), places.size)
    found = _core.sparse_assignment(values, places, starts, m, bool(maximize), bool(partial))
    _raise_unless_optimal(found)
    objective = found.objective
    if offset:
        objective = _total_of(np.asarray(data), places, starts, found.columns, bool(maximize))
        duals = found.row_duals if n <= m else found.column_duals
        duals += np.float64(offset)
        np.nextafter(duals, np.inf if maximize else -np.inf, out=duals)
    return Assignment(found.columns, found.row_duals, found.column_duals, objective, found.gap)


def _raise_unless_optimal(found: _core.SparseSolution) -> None:
    raise_unless_optimal(
        found.status,
        lambda: violator_error(tuple(found.violating_rows.tolist()), tuple(found.violating_columns.tolist())),
    )


def _total_of(
    data: NDArray[Any], places: NDArray[Any], starts: NDArray[Any], columns: NDArray[Any], maximize: bool
) -> float:
    """The total of the matched integers, rounded once; of costs with one place the best counts."""
    best: dict[int, int] = {}
    better = max if maximize else min
    rows = np.repeat(np.arange(columns.size), np.diff(starts))
    for entry in np.flatnonzero(places == columns[rows]):
        row, cost = int(rows[entry]), int(data[entry])
        best[row] = better(best.get(row, cost), cost)
    return float(sum(best.values()))


def _checked_shape(shape: tuple[int, int]) -> tuple[int, int]:
    n, m = (int(extent) for extent in shape)
    if min(n, m) < 0 or max(n, m) > _LARGEST:
        raise ValueError(f"a sparse cost has up to {_LARGEST} rows and columns, got the shape {shape}")
    return n, m


def _checked_indices(
    starts: NDArray[Any], places: NDArray[Any], n: int, m: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    for name, array in (("indptr", starts), ("indices", places)):
        if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
            raise ValueError(f"{name} is a vector of integers, got {array.dtype} of shape {array.shape}")
    wide = places.dtype != np.int32 or starts.dtype != np.int32
    dtype = np.int64 if wide else np.int32
    starts, places = (np.ascontiguousarray(array, dtype) for array in (starts, places))
    if (
        starts.size != n + 1
        or starts[0] != 0
        or starts[-1] != places.size
        or np.any(starts[1:] < starts[:-1])
    ):
        raise ValueError(
            f"indptr has to rise from 0 to the number of indices, {places.size}, in {n + 1} steps; got "
            f"{starts.size} from {starts[:1].tolist()} to {starts[-1:].tolist()}"
        )
    if places.size and not (places.min() >= 0 and places.max() < m):
        raise ValueError(f"columns lie in [0, {m}), found {places.min()} to {places.max()}")
    return starts, places


def _checked_values(values: NDArray[Any], count: int) -> tuple[NDArray[Any], int]:
    """Costs of a dtype that the core reads, and the offset, a float64, that was taken off each."""
    if values.shape != (count,):
        raise ValueError(
            f"one cost an index is needed, got costs of shape {values.shape} for {count} indices"
        )
    kind = values.dtype.kind
    if kind == "u" and values.size and int(values.max()) > _INT64.max:
        offset = int(values.min()) >> _BITS_BEYOND_FLOAT64 << _BITS_BEYOND_FLOAT64
        if int(values.max()) - offset <= _INT64.max:
            return (values - values.dtype.type(offset)).astype(np.int64), offset
        return (values ^ values.dtype.type(_HALF)).view(np.int64), _HALF
    if kind in "biu":
        return np.ascontiguousarray(values, np.int64), 0
    if kind == "f" and values.dtype.itemsize <= 4:
        return np.ascontiguousarray(values, np.float32), 0
    return np.ascontiguousarray(values.astype(np.float64, casting="safe", copy=False)), 0
