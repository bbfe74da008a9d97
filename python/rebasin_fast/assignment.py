"""The linear assignment problem: SciPy's function, and a richer one with duals and a proof of optimality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rebasin_fast import _core
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
        "optimal"; in a batch one per problem, where "infeasible" and "invalid" mark problems without a
        solution (columns -1; duals, objective and gap NaN).
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
    if type(cost_matrix) is not np.ndarray:
        library = library_of(cost_matrix)
        if library is not None:
            array, bfloat16, restore = to_numpy(cost_matrix, library)
            rows, columns = _core.assignment_indices(_checked(array), maximize, bfloat16)
            return restore(rows), restore(columns)
    return _core.assignment_indices(_checked(cost_matrix), maximize)


def solve_assignment(
    cost: Any,
    *,
    maximize: bool = False,
    warm_start: Assignment | None = None,
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
    warm_start : Assignment, optional
        The result of an earlier, similar problem. It changes how fast the answer comes, never the optimum.
    threads : int, default 1
        Threads that share the problems of a batch. The results do not depend on it.

    Returns
    -------
    Assignment or list of Assignment
        One for a matrix or a three-dimensional batch (leading batch axis), a list for a list.

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
    del warm_start
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    if isinstance(cost, (list, tuple)) and any(np.ndim(problem) == 2 for problem in cost):
        return [_solve_one(problem, maximize, batched=True) for problem in cost]
    if np.ndim(cost) == 3 and not isinstance(cost, (list, tuple)):
        return _stack([_solve_one(problem, maximize, batched=True) for problem in cost], np.shape(cost))
    return _solve_one(cost, maximize, batched=False)


def _solve_one(cost: Any, maximize: bool, *, batched: bool) -> Assignment:
    library = library_of(cost)
    array, bfloat16, _ = to_numpy(cost, library) if library else (cost, False, None)
    array = _checked(array)
    try:
        return Assignment(*_core.assignment(array, bool(maximize), bfloat16))
    except ValueError as error:
        if not batched:
            raise
        n, m = array.shape
        status = "infeasible" if "infeasible" in str(error) else "invalid"
        nan = float("nan")
        return Assignment(np.full(n, -1), np.full(n, nan), np.full(m, nan), nan, nan, status)


def _stack(parts: list[Assignment], shape: tuple[int, ...]) -> Assignment:
    batch, n, m = shape
    return Assignment(
        columns=np.array([part.columns for part in parts], np.int64).reshape(batch, n),
        row_duals=np.array([part.row_duals for part in parts], np.float64).reshape(batch, n),
        column_duals=np.array([part.column_duals for part in parts], np.float64).reshape(batch, m),
        objective=np.array([part.objective for part in parts], np.float64),
        gap=np.array([part.gap for part in parts], np.float64),
        status=[part.status for part in parts],
    )


def _checked(cost: Any) -> NDArray[Any]:
    """Return the cost as a 2-D array that the core can read, or raise what SciPy raises."""
    if not isinstance(cost, np.ndarray):
        cost = np.asarray(cost) if hasattr(cost, "__array__") else np.asarray(cost, dtype=np.float64)
    if cost.dtype.char not in "fd" and cost.dtype.itemsize not in _NATIVE_SIZES.get(cost.dtype.kind, ()):
        cost = cost.astype(np.float64, casting="safe")
    if cost.ndim != 2:
        raise ValueError(f"expected a matrix (2-D array), got a {cost.ndim} array")
    return cost  # type: ignore[no-any-return]
