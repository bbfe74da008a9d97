"""The linear assignment problem: SciPy's function, and a richer one with duals and a proof of optimality."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rebasin_fast import _core
from rebasin_fast.assignment.batch import solve_each, solve_many, stacked
from rebasin_fast.assignment.costs import checked, host_array
from rebasin_fast.assignment.result import Assignment
from rebasin_fast.assignment.warm_start import check_start_type, duals_of, starts_of_batch, starts_of_list
from rebasin_fast.cuda import entry as device_entry
from rebasin_fast.foreign_arrays import library_of, to_numpy

_MESSAGES = {"invalid": "matrix contains invalid numeric entries", "infeasible": "cost matrix is infeasible"}


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
        rows, columns = _core.assignment_indices(checked(array), maximize, bfloat16)
        return restore(rows), restore(columns)
    return _core.assignment_indices(checked(cost_matrix), maximize)  # type: ignore[no-any-return]


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
    check_start_type(warm_start)
    if isinstance(cost, (list, tuple)) and any(np.ndim(problem) == 2 for problem in cost):
        return solve_many(list(cost), maximize, starts_of_list(warm_start, len(cost)), threads)
    device = device_entry.library_for(cost)
    if device is not None:
        found = device_entry.solve(cost, bool(maximize), warm_start, device)
        if found is not None:
            return found
    array, bfloat16 = host_array(cost)
    if array.ndim == 3:
        starts = starts_of_batch(warm_start, array.shape)
        return stacked(solve_each(list(array), bfloat16, maximize, starts, threads), array.shape)
    array = checked(array)
    starts = None if warm_start is None else [duals_of(warm_start, array.shape)]
    result = solve_each([array], bfloat16, maximize, starts, threads)[0]
    if result.status != "optimal":
        raise ValueError(_MESSAGES[result.status])
    return result
