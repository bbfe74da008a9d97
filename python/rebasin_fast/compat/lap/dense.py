"""lap's functions of one dense matrix."""

from __future__ import annotations

import math
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast.assignment import solve_assignment
from rebasin_fast.compat.lap import forms
from rebasin_fast.errors import InfeasibleError

_EXTEND = "pass extend_cost=True for a rectangular one"
_EXTEND_OR_LIMIT = "pass extend_cost=True or a finite cost_limit for a rectangular one"


@overload
def lapjv(
    cost: Any, extend_cost: bool = ..., cost_limit: float = ..., return_cost: Literal[True] = ...
) -> tuple[float, NDArray[np.int32], NDArray[np.int32]]: ...
@overload
def lapjv(cost: Any, extend_cost: bool = ..., cost_limit: float = ..., return_cost: bool = ...) -> Any: ...
@_arguments.checked()
def lapjv(cost: Any, extend_cost: bool = False, cost_limit: float = np.inf, return_cost: bool = True) -> Any:
    """Minimise; ``(total, x, y)``: the column of each row and the row of each column, int32, -1 for none.

    Parameters
    ----------
    cost : (n, m) ndarray
        Real numbers of any dtype; +inf forbids a pair. Not copied or changed.
    extend_cost : bool, default False
        Let n and m differ.
    cost_limit : float, default inf
        If finite, a row or a column may stay unmatched at ``cost_limit / 2`` each, and n and m may differ; see
        :func:`rebasin_fast.solve_assignment`.
    return_cost : bool, default True
        Whether the total comes first: the sum of the matched pairs in float64, without prices.

    Raises
    ------
    TypeError
        If ``cost`` is no ndarray.
    ValueError
        If it is not square and may not be rectangular, not two-dimensional, or holds NaN or -inf; if the limit is
        NaN or -inf.

    Notes
    -----
    Where forbidden pairs leave no complete assignment, forbidden pairs complete it, and the total is infinite.
    NaN and -inf, undefined in lap, are errors here.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.compat.lap import lapjv
    >>> total, x, y = lapjv(np.array([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0]]), extend_cost=True)
    >>> total, x.tolist(), y.tolist()
    (3.0, [1, 0], [1, 0, -1])
    """
    total, columns, m = _solve_array(cost, extend_cost, cost_limit)
    return forms.with_total(total, forms.maps(columns, m, np.int32), return_cost)


@overload
def lapjvx(
    cost: Any, extend_cost: bool = ..., cost_limit: float = ..., return_cost: Literal[True] = ...
) -> tuple[float, NDArray[np.int64], NDArray[np.int32]]: ...
@overload
def lapjvx(cost: Any, extend_cost: bool = ..., cost_limit: float = ..., return_cost: bool = ...) -> Any: ...
@_arguments.checked()
def lapjvx(cost: Any, extend_cost: bool = False, cost_limit: float = np.inf, return_cost: bool = True) -> Any:
    """:func:`lapjv` with ``(total, rows, columns)``: the matched pairs, int64 and int32."""
    total, columns, _ = _solve_array(cost, extend_cost, cost_limit)
    rows, found = forms.indices(columns)
    return forms.with_total(total, (rows, found.astype(np.int32)), return_cost)


@overload
def lapjvxa(
    cost: Any, extend_cost: bool = ..., cost_limit: float = ..., return_cost: Literal[True] = ...
) -> tuple[float, NDArray[np.int32]]: ...
@overload
def lapjvxa(cost: Any, extend_cost: bool = ..., cost_limit: float = ..., return_cost: bool = ...) -> Any: ...
@_arguments.checked()
def lapjvxa(
    cost: Any, extend_cost: bool = False, cost_limit: float = np.inf, return_cost: bool = True
) -> Any:
    """:func:`lapjv` with ``(total, pairs)``: the matched pairs, (K, 2) int32."""
    total, columns, _ = _solve_array(cost, extend_cost, cost_limit)
    return forms.with_total(total, (forms.pairs(columns).astype(np.int32),), return_cost)


@overload
def lapjvc(
    cost: Any, return_cost: Literal[True] = ...
) -> tuple[float, NDArray[np.int32], NDArray[np.int32]]: ...
@overload
def lapjvc(cost: Any, return_cost: bool = ...) -> Any: ...
@_arguments.checked()
def lapjvc(cost: Any, return_cost: bool = True) -> Any:
    """``(total, rows, columns)``, int32, of any shape; all that is not finite is forbidden.

    As many pairs as these allow, at the least total among such assignments.
    """
    array = forms.matrix_of(cost, rectangular=True, advice="")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        array = np.where(np.isfinite(array), array, np.inf)
    try:
        total, columns = forms.solve(array, math.inf, complete=False)
    except InfeasibleError:
        found: Any = solve_assignment(array, partial=True)
        total, columns = found.objective, found.columns
    rows, chosen = forms.indices(columns)
    return forms.with_total(total, (rows.astype(np.int32), chosen.astype(np.int32)), return_cost)


@overload
def lapjvs(
    cost: Any,
    extend_cost: bool | None = ...,
    return_cost: Literal[True] = ...,
    jvx_like: bool = ...,
    prefer_float32: bool = ...,
) -> tuple[float, NDArray[np.int64], NDArray[np.int64]]: ...
@overload
def lapjvs(
    cost: Any,
    extend_cost: bool | None = ...,
    return_cost: bool = ...,
    jvx_like: bool = ...,
    prefer_float32: bool = ...,
) -> Any: ...
@_arguments.checked()
def lapjvs(
    cost: Any,
    extend_cost: bool | None = None,
    return_cost: bool = True,
    jvx_like: bool = True,
    prefer_float32: bool = True,
) -> Any:
    """``(total, rows, columns)``, or ``(total, x, y)`` without ``jvx_like``; int64.

    ``extend_cost=None`` lets n and m differ. ValueError where forbidden pairs leave no complete assignment.
    ``prefer_float32`` has no effect: costs are read as they are.
    """
    total, columns, m = _solve_feasible(cost, extend_cost is None or extend_cost, math.inf)
    form = forms.indices(columns) if jvx_like else forms.maps(columns, m, np.int64)
    return forms.with_total(total, form, return_cost)


@overload
def lapjvsa(
    cost: Any, extend_cost: bool | None = ..., return_cost: Literal[True] = ..., prefer_float32: bool = ...
) -> tuple[float, NDArray[np.int64]]: ...
@overload
def lapjvsa(
    cost: Any, extend_cost: bool | None = ..., return_cost: bool = ..., prefer_float32: bool = ...
) -> Any: ...
@_arguments.checked()
def lapjvsa(
    cost: Any, extend_cost: bool | None = None, return_cost: bool = True, prefer_float32: bool = True
) -> Any:
    """:func:`lapjvs` with ``(total, pairs)``: the matched pairs, (K, 2) int64."""
    total, columns, _ = _solve_feasible(cost, extend_cost is None or extend_cost, math.inf)
    return forms.with_total(total, (forms.pairs(columns),), return_cost)


@overload
def lapjvr(
    cost: Any,
    extend_cost: bool = ...,
    cost_limit: float = ...,
    return_cost: Literal[True] = ...,
    *,
    precision: str = ...,
    output: Literal["indices"] = ...,
) -> tuple[float, NDArray[np.int64], NDArray[np.int64]]: ...
@overload
def lapjvr(
    cost: Any,
    extend_cost: bool = ...,
    cost_limit: float = ...,
    return_cost: bool = ...,
    *,
    precision: str = ...,
    output: str = ...,
) -> Any: ...
@_arguments.checked()
def lapjvr(
    cost: Any,
    extend_cost: bool = False,
    cost_limit: float = np.inf,
    return_cost: bool = True,
    *,
    precision: str = "native",
    output: str = "indices",
) -> Any:
    """``(total, rows, columns)``, int64, or with ``output="pairs"`` ``(total, pairs)``; see :func:`lapjv`.

    ValueError where forbidden pairs leave no complete assignment. ``precision`` has no effect.
    """
    check_options(precision, output)
    total, columns, _ = _solve_feasible(cost, extend_cost, cost_limit)
    parts = (forms.pairs(columns),) if output == "pairs" else forms.indices(columns)
    return forms.with_total(total, parts, return_cost)


lapjvh = lapjvr  # two solvers in lapx, one here


def check_options(precision: object, output: object) -> None:
    """ValueError unless both are among their names."""
    if precision not in ("native", "float32", "float64"):
        raise ValueError(f"precision must be 'native', 'float32' or 'float64', got {precision!r}")
    if output not in ("indices", "pairs"):
        raise ValueError(f"output must be 'indices' or 'pairs', got {output!r}")


def _solve_array(cost: Any, extend_cost: Any, cost_limit: float) -> tuple[float, forms.Columns, int]:
    if not isinstance(cost, np.ndarray):
        raise TypeError(f"cost is a numpy.ndarray, got {type(cost).__name__}; pass np.asarray(cost)")
    limited = forms.is_limited(cost_limit)
    array = forms.matrix_of(cost, rectangular=extend_cost or limited, advice=_EXTEND_OR_LIMIT)
    return (*forms.solve(array, cost_limit, complete=True), array.shape[1])


def _solve_feasible(cost: Any, extend_cost: Any, cost_limit: float) -> tuple[float, forms.Columns, int]:
    limited = forms.is_limited(cost_limit)
    array = forms.matrix_of(cost, rectangular=extend_cost or limited, advice=_EXTEND)
    return (*forms.solve(array, cost_limit, complete=False), array.shape[1])
