"""The linear assignment problem: SciPy's function, and a richer one with duals and a proof of optimality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rebasin_fast import _core
from rebasin_fast.cuda import entry as device_entry
from rebasin_fast.foreign_arrays import library_of, to_numpy

_NATIVE_SIZES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8)}


@dataclass(frozen=True)
class Assignment:
    """An optimal assignment and its proof.

    For a batch every attribute has a leading batch axis.

    Attributes
    ----------
    columns : (n,) int64
        Column of each row; -1 marks a row left unassigned, which happens only when n > m.
    row_duals : (n,) float64
        Dual u of each row. Minimising, ``u[i] + v[j] <= cost[i, j]`` everywhere; maximising, ``>=``.
    column_duals : (m,) float64
        Dual v of each column.
    objective : float
        Sum of the assigned costs, in float64, in row order.
    gap : float
        Checked bound on the distance of the objective from the optimum, in real arithmetic; 0.0 means proven
        optimal. See Notes of :func:`solve_assignment`.
    status : str
        "optimal"; in a batch an array of one per problem, where "infeasible" and "invalid" mark problems
        without a solution (columns -1; duals, objective and gap NaN).
    """

    columns: NDArray[np.int64]
    row_duals: NDArray[np.float64]
    column_duals: NDArray[np.float64]
    objective: Any
    gap: Any
    status: Any = "optimal"


def linear_sum_assignment(cost_matrix: ArrayLike, maximize: bool = False) -> tuple[Any, Any]:
    """Solve the linear assignment problem exactly; a drop-in for ``scipy.optimize.linear_sum_assignment``.

    Parameters
    ----------
    cost_matrix : (n, m) array_like
        Whatever SciPy takes: real numbers of any dtype, any strides, lists; a torch, CuPy or JAX array too.
        +inf (-inf when maximising) marks a forbidden pair. Never copied or changed when it is a NumPy array
        of integers, booleans or floats up to 64 bits.
    maximize : bool, default False
        Maximise the sum instead.

    Returns
    -------
    row_ind, col_ind : (min(n, m),) int64
        Row indices, sorted, and the column of each; arrays of the library and device of ``cost_matrix``.

    Raises
    ------
    ValueError
        If ``cost_matrix`` is not two-dimensional, holds NaN or the infinity that no assignment may use, or
        forbids every complete assignment.
    TypeError
        If its dtype cannot be cast to float64 safely.

    Notes
    -----
    Time O(n² m) at worst for n <= m; memory O(n + m) beyond the matrix. Optimality is proven on each call;
    :func:`solve_assignment` returns the proof.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rows, columns = rf.linear_sum_assignment([[4, 1, 3], [2, 0, 5], [3, 2, 2]])
    >>> columns.tolist()
    [1, 0, 2]
    """
    found = _core.assignment_indices(cost_matrix, maximize)  # None for what is no plain NumPy matrix
    if found is not None:
        return found  # type: ignore[no-any-return]
    library = library_of(cost_matrix)
    if library is not None:
        device = device_entry.library_for(cost_matrix)
        found = None if device is None else device_entry.indices(cost_matrix, bool(maximize), device)
        if found is not None:
            return found
        array, bfloat16, restore = to_numpy(cost_matrix, library)
        rows, columns = _core.assignment_indices(_checked(array), maximize, bfloat16)
        return restore(rows), restore(columns)
    return _core.assignment_indices(_checked(cost_matrix), maximize)  # type: ignore[no-any-return]


def solve_assignment(
    cost: Any,
    *,
    maximize: bool = False,
    warm_start: Any = None,
    threads: int = 1,
) -> Assignment | list[Assignment]:
    """Solve the linear assignment problem exactly, with duals and a checked optimality gap.

    Parameters
    ----------
    cost : (n, m) or (batch, n, m) array_like, or list of (n, m) arrays
        As for :func:`linear_sum_assignment`. Three dimensions are many problems at once; so is a list of
        arrays, whose shapes may differ.
    maximize : bool, default False
        Maximise instead.
    warm_start : Assignment or list of Assignment, optional
        The result of an earlier, similar problem of the same shape (a list for a list of problems): its
        duals are the start. It changes how fast the answer comes, never the optimum; a stale one costs at
        most one read of the matrix.
    threads : int, default 1
        Threads that share the problems of a batch. The results do not depend on it. Not used on a GPU.

    Returns
    -------
    Assignment or list of Assignment
        One for a matrix or a three-dimensional batch (leading batch axis), a list for a list. NumPy arrays; for
        torch or CuPy arrays on a GPU, where the CUDA module was built, arrays of that library and device.

    Raises
    ------
    ValueError
        As :func:`linear_sum_assignment` for one matrix; problems of a batch report their ``status`` instead.
    TypeError
        If the dtype cannot be cast to float64 safely.

    Notes
    -----
    ``gap`` bounds, in real arithmetic, the objective's distance from the optimum by linear-programming
    duality, and includes the rounding of ``cost - v`` and of sums. It is exactly 0.0 when those operations
    are exact (integers, most float32 matrices) or the bound is below the spacing of attainable totals.

    References
    ----------
    R. Jonker and A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment
    problems", Computing 38, 1987.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> best = rf.solve_assignment([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]])
    >>> best.columns.tolist(), best.objective, best.gap
    ([1, 0, 2], 5.0, 0.0)
    """
    if not isinstance(threads, (int, np.integer)):
        raise TypeError(f"threads is a number of threads, 1 or more; got {threads!r}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    _check_start_type(warm_start)
    if isinstance(cost, (list, tuple)) and any(np.ndim(problem) == 2 for problem in cost):
        return _solve_many(list(cost), maximize, _starts_of_list(warm_start, len(cost)), threads)
    device = device_entry.library_for(cost)
    if device is not None:
        found = device_entry.solve(cost, bool(maximize), warm_start, device)
        if found is not None:
            return found
    array, bfloat16 = _host_array(cost)
    if array.ndim == 3:
        starts = _starts_of_batch(warm_start, array.shape)
        return _stack(_solve(list(array), bfloat16, maximize, starts, threads), array.shape)
    array = _checked(array)
    starts = None if warm_start is None else [_duals(warm_start, array.shape)]
    result = _solve([array], bfloat16, maximize, starts, threads)[0]
    if result.status != "optimal":
        raise ValueError(_MESSAGES[result.status])
    return result


_STATUSES = {0: "optimal", 1: "invalid", 2: "infeasible"}
_MESSAGES = {"invalid": "matrix contains invalid numeric entries", "infeasible": "cost matrix is infeasible"}

_Starts = list[tuple[NDArray[np.float64], NDArray[np.float64]]]


def _solve(
    costs: list[NDArray[Any]], bfloat16: bool, maximize: bool, starts: _Starts | None, threads: int
) -> list[Assignment]:
    found = _core.assignments(costs, bool(maximize), bfloat16, starts, threads)
    results = []
    for cost, (code, columns, row_duals, column_duals, objective, gap) in zip(costs, found, strict=True):
        status = _STATUSES[code]
        if status == "optimal":
            results.append(Assignment(columns, row_duals, column_duals, objective, gap))
        else:
            n, m = cost.shape
            nan = float("nan")
            results.append(Assignment(np.full(n, -1), np.full(n, nan), np.full(m, nan), nan, nan, status))
    return results


def _solve_many(
    problems: list[Any], maximize: bool, starts: _Starts | None, threads: int
) -> list[Assignment]:
    hosts = [_host_array(problem) for problem in problems]
    arrays = [_checked(array) for array, _ in hosts]
    brains = [bfloat16 for _, bfloat16 in hosts]
    if any(brains) and not all(brains):
        # Mixed dtypes; widening is exact.
        arrays = [_widened(array) if brain else array for array, brain in zip(arrays, brains, strict=True)]
        brains = [False]
    if starts is not None:
        for array, (row_duals, column_duals) in zip(arrays, starts, strict=True):
            _check_shape((len(row_duals), len(column_duals)), array.shape)
    return _solve(arrays, any(brains), maximize, starts, threads)


def _widened(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _host_array(cost: Any) -> tuple[NDArray[Any], bool]:
    """Return the cost as an array that the core reads, and whether it is an image of bfloat16."""
    library = library_of(cost)
    if library is not None:
        array, bfloat16, _ = to_numpy(cost, library)
        return _native(array), bfloat16
    return _native(cost), False


def _check_start_type(start: Any) -> None:
    for one in start if isinstance(start, list) else [start]:
        if one is not None and not (hasattr(one, "row_duals") and hasattr(one, "column_duals")):
            raise TypeError(
                "warm_start is the Assignment of an earlier problem, or a list of them for a list of problems; "
                f"got {type(one).__name__}"
            )


def _duals(start: Assignment, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    _check_shape((len(start.row_duals), len(start.column_duals)), shape)
    return np.ascontiguousarray(start.row_duals), np.ascontiguousarray(start.column_duals)


def _check_shape(found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != tuple(expected):
        raise ValueError(
            f"warm_start belongs to a problem of shape {found}, the cost has shape {tuple(expected)}; "
            "pass the Assignment of a problem of the same shape, or none"
        )


def _starts_of_batch(start: Assignment | None, shape: tuple[int, ...]) -> _Starts | None:
    if start is None:
        return None
    batch, n, m = shape
    _check_shape((*np.shape(start.row_duals), *np.shape(start.column_duals)[1:]), (batch, n, m))
    return list(
        zip(np.ascontiguousarray(start.row_duals), np.ascontiguousarray(start.column_duals), strict=True)
    )


def _starts_of_list(starts: Any, count: int) -> _Starts | None:
    if starts is None:
        return None
    if not isinstance(starts, (list, tuple)) or len(starts) != count:
        raise ValueError(f"a list of {count} problems needs a list of {count} warm starts")
    return [(np.ascontiguousarray(s.row_duals), np.ascontiguousarray(s.column_duals)) for s in starts]


def _stack(parts: list[Assignment], shape: tuple[int, ...]) -> Assignment:
    batch, n, m = shape
    return Assignment(
        columns=np.array([part.columns for part in parts], np.int64).reshape(batch, n),
        row_duals=np.array([part.row_duals for part in parts], np.float64).reshape(batch, n),
        column_duals=np.array([part.column_duals for part in parts], np.float64).reshape(batch, m),
        objective=np.array([part.objective for part in parts], np.float64),
        gap=np.array([part.gap for part in parts], np.float64),
        status=np.array([part.status for part in parts], dtype=np.str_),
    )


def _checked(cost: Any) -> NDArray[Any]:
    """Return the cost as a 2-D array that the core can read, or raise what SciPy raises."""
    array = _native(cost)
    if array.ndim != 2:
        raise ValueError(f"expected a matrix (2-D array), got a {array.ndim} array")
    return array


def _native(cost: Any) -> NDArray[Any]:
    if not isinstance(cost, np.ndarray):
        cost = np.asarray(cost) if hasattr(cost, "__array__") else np.asarray(cost, dtype=np.float64)
    dtype = cost.dtype
    if dtype.char not in "fd" and dtype.itemsize not in _NATIVE_SIZES.get(dtype.kind, ()):
        cost = cost.astype(np.float64, casting="safe")
    return cost  # type: ignore[no-any-return]
