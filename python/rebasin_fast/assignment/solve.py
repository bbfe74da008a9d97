"""The linear assignment problem: SciPy's function, and one with duals and a proof of optimality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from numpy.typing import ArrayLike, NDArray

from rebasin_fast import _arguments, _core
from rebasin_fast._arrays import foreign_library
from rebasin_fast.assignment.batch import (
    Options,
    checked_limit,
    restored,
    solve_batch,
    solve_list,
    solve_matrix,
)
from rebasin_fast.assignment.costs import as_numbers, checked, host_array, naming_the_cost
from rebasin_fast.assignment.device import entry as device_entry
from rebasin_fast.assignment.failures import infeasible_error, raise_unless_optimal
from rebasin_fast.assignment.result import Assignment, AssignmentBatch
from rebasin_fast.assignment.sparse import indices_of_sparse, is_sparse, solve_sparse
from rebasin_fast.assignment.warm_start import start_of_matrix

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from rebasin_fast.assignment.options import AssignmentOptions
    from rebasin_fast.typing import Index, Matrix, MatrixBatch


@overload
def linear_sum_assignment(
    cost_matrix: NDArray[Any] | Sequence[Any], maximize: bool = ...
) -> tuple[Index, Index]: ...
@overload
def linear_sum_assignment(cost_matrix: Any, maximize: bool = ...) -> tuple[Any, Any]: ...
def linear_sum_assignment(cost_matrix: ArrayLike, maximize: bool = False) -> tuple[Any, Any]:
    """Solve the linear assignment problem exactly; a drop-in for ``scipy.optimize.linear_sum_assignment``.

    Parameters
    ----------
    cost_matrix : (n, m) array_like
        As SciPy takes it: real numbers of any dtype, any strides, lists, data frames, objects that are
        numbers; torch, CuPy and JAX arrays; ``scipy.sparse`` arrays, whose absent entries are forbidden
        pairs. +inf (-inf when maximising) marks a forbidden pair. Never changed, and not copied when it is a
        NumPy array of float32 or float64; other dtypes are converted once, above four million entries row by
        row.
    maximize : bool, default False
        Maximise the sum instead.

    Returns
    -------
    row_ind, col_ind : (min(n, m),) int64
        Row indices, sorted, and the column of each; arrays of the library and device of ``cost_matrix`` (int32 in
        JAX without ``jax_enable_x64``).

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
    found = _core.assignment_indices(cost_matrix, maximize)  # None unless it is a NumPy matrix
    if found is not None:
        return found
    if is_sparse(cost_matrix):
        return indices_of_sparse(cost_matrix, bool(maximize))
    library = foreign_library(cost_matrix)
    if library is not None:
        device = device_entry.library_for(cost_matrix)
        found = None if device is None else device_entry.indices(cost_matrix, bool(maximize), device)
        if found is not None:
            return found
        array, bfloat16 = host_array(cost_matrix)
        rows, columns = _indices(checked(array), maximize, bfloat16)
        return library.put(cost_matrix, rows), library.put(cost_matrix, columns)
    return _indices(checked(cost_matrix), maximize, bfloat16=False)


def _indices(cost: NDArray[Any], maximize: bool, bfloat16: bool) -> tuple[Index, Index]:
    found = _core.assignment_indices(cost, maximize, bfloat16)
    assert found is not None  # the cost was checked
    return found


@overload
def solve_assignment(
    cost: Matrix | Sequence[Sequence[float]], **options: Unpack[AssignmentOptions]
) -> Assignment: ...
@overload
def solve_assignment(cost: MatrixBatch, **options: Unpack[AssignmentOptions]) -> AssignmentBatch: ...
@overload
def solve_assignment(cost: Sequence[Any], **options: Unpack[AssignmentOptions]) -> list[Assignment]: ...
@overload
def solve_assignment(cost: Any, **options: Unpack[AssignmentOptions]) -> Assignment: ...
def solve_assignment(
    cost: Any,
    *,
    maximize: bool = False,
    warm_start: Any = None,
    cost_limit: float | None = None,
    partial: bool = False,
    threads: int = 1,
) -> Assignment | list[Assignment]:
    """Solve the linear assignment problem exactly, with duals and a checked optimality gap.

    Parameters
    ----------
    cost : (n, m) or (batch, n, m) array_like, or list of (n, m) arrays
        As for :func:`linear_sum_assignment`. Three dimensions are many problems at once; so is a list of
        arrays, whose shapes may differ. Of ``scipy.sparse`` arrays one at a time, without ``warm_start`` and
        ``cost_limit``.
    maximize : bool, default False
        Maximise instead.
    warm_start : Assignment or list of Assignment, optional
        The result of an earlier, similar problem of the same shape; for a batch its result, or a list; for a
        list a list, where None starts from nothing. Its duals are the start. It changes how fast the answer
        comes, never the optimum; a stale one costs at most one read of the matrix.
    cost_limit : float, optional
        Let a row or a column stay unmatched at the price of ``cost_limit / 2`` each, so that a pair is worth
        taking below ``cost_limit`` (above, when maximising). The solution is that of the extended matrix
        ``[[cost, cost_limit / 2], [cost_limit / 2, 0]]`` of shape (n + m, n + m), as in lap and lapx.
    partial : bool, default False
        Match as many rows as forbidden pairs allow, at the least cost among these; then no problem is infeasible.
        Without effect where there is a ``cost_limit``.
    threads : int, default 1
        Threads that share the problems of a batch. The results do not depend on it. Not used on a GPU.

    Returns
    -------
    Assignment or list of Assignment
        One for a matrix, an :class:`AssignmentBatch` for three dimensions, a list for a list. Static checkers take an
        array for a matrix unless its type has three dimensions. Arrays of the result are of the library of ``cost``
        and on its device: NumPy for NumPy and lists, torch for torch, CuPy, JAX.

    Raises
    ------
    ValueError
        As :func:`linear_sum_assignment` for one matrix; problems of a batch report their ``status`` instead.
    InfeasibleError
        A ValueError; if forbidden pairs leave no complete assignment of one matrix. Its ``rows`` and ``columns``
        are a set of rows that compete for too few columns, or of columns for too few rows where n > m.
    CostOverflowError
        A ValueError and an OverflowError; if costs near 1e308 have a total, or need a dual, beyond float64. Such
        problems of a batch have the ``status`` "overflow".
    TypeError
        If the dtype cannot be cast to float64 safely.

    Notes
    -----
    ``gap`` bounds, in real arithmetic, the distance of the assignment's total from the optimum by
    linear-programming duality, and includes the rounding of ``cost - v`` and of sums. It is exactly 0.0 when
    those operations are exact (integers, most float32 matrices), where the bound is below the spacing of attainable
    totals, or where the assignment was proven in integers: then costs differ by more than float64 holds in one
    sum, and the duals, being rounded, prove the total up to four of the last bits of each. ``objective`` is the
    total in real arithmetic, rounded once; 64-bit integers count as the integers that they are.

    With a ``cost_limit``, the duals are those of the extended problem, where those of the dummy rows and columns
    are 0: ``row_duals <= cost_limit / 2`` with equality on unmatched rows, the same for columns, and
    ``objective_with_prices`` is the sum of all (minimising; ``>=`` when maximising). ``gap`` is about
    ``objective_with_prices``.

    With ``partial`` and k pairs, ``sum(u) + sum(v) - (n - k) * max(u) - (m - k) * max(v)`` bounds the total from
    below (minimising; ``min`` and from above when maximising).

    References
    ----------
    R. Jonker and A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment
    problems", Computing 38, 1987.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> best = rf.solve_assignment([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]])
    >>> best
    Assignment(n=3, m=3, objective=5.0, gap=0.0)
    >>> best.columns.tolist(), best.rows.tolist()
    ([1, 0, 2], [1, 0, 2])
    >>> gated = rf.solve_assignment([[0.2, 0.9], [0.9, 0.8]], cost_limit=0.7)
    >>> gated.columns.tolist(), gated.objective
    ([0, -1], 0.2)
    """
    if maximize is not False:
        maximize = _arguments.flag("maximize", maximize)
    if (
        warm_start is None
        and cost_limit is None
        and partial is False
        and type(threads) is int
        and threads == 1
    ):
        found = _core.assignment(cost, maximize)  # None unless it is a NumPy matrix
        if found is not None:
            return _optimal(Assignment(*found), cost, bfloat16=False)
    threads = _arguments.count("threads", threads, of="a number of threads")
    partial = _arguments.flag("partial", partial)
    options = Options(maximize, checked_limit(cost_limit, maximize), partial, threads)
    if is_sparse(cost):
        return solve_sparse(cost, options.maximize, options.partial, given=(warm_start, cost_limit))
    if isinstance(cost, (list, tuple)):
        if not cost:
            raise ValueError(
                f"cost is an empty {type(cost).__name__}: neither a matrix nor a list of matrices; pass "
                "np.empty((0, m)) for a matrix without rows"
            )
        if any(map(_is_matrix, cost)):
            return solve_list(list(cost), warm_start, options)
    return _solve_array(cost, warm_start, options)


def _solve_array(cost: Any, warm_start: Any, options: Options) -> Assignment:
    device = None if options.priced else device_entry.library_for(cost)
    if device is not None:
        found = device_entry.solve(cost, options.maximize, warm_start, device)
        if found is not None:
            return found
    with naming_the_cost():
        array, bfloat16 = host_array(cost)
    if array.ndim == 3:
        return restored(solve_batch(array, bfloat16, warm_start, options), cost)
    array = checked(array)
    start = start_of_matrix(warm_start, array.shape)
    return restored(_optimal(solve_matrix(array, bfloat16, start, options), array, bfloat16), cost)


def _optimal(found: Assignment, cost: Any, bfloat16: bool) -> Assignment:
    if found.status != "optimal":
        raise_unless_optimal(found.status, lambda: infeasible_error(as_numbers(cost, bfloat16)))
    return found


def _is_matrix(value: Any) -> bool:
    """Whether an entry of a list is a matrix, judged by its first row where it is a list itself."""
    if isinstance(value, (list, tuple)):
        return bool(value) and (isinstance(value[0], (list, tuple)) or getattr(value[0], "ndim", 0) == 1)
    return bool(getattr(value, "ndim", 0) == 2)
