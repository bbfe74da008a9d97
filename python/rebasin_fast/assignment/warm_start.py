"""Warm starts: the duals of earlier results, checked and brought to the form that the core reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.assignment.result import Assignment

Starts = list[tuple[NDArray[np.float64], NDArray[np.float64]]]


def check_start_type(start: Any) -> None:
    """TypeError unless ``start`` has the duals of a result, or is a list of such."""
    for one in start if isinstance(start, list) else [start]:
        if one is not None and not (hasattr(one, "row_duals") and hasattr(one, "column_duals")):
            raise TypeError(
                "warm_start is the Assignment of an earlier problem, or a list of them for a list of problems; "
                f"got {type(one).__name__}"
            )


def duals_of(start: Assignment, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The duals of one result; ValueError unless they have the problem's shape."""
    check_shape((len(start.row_duals), len(start.column_duals)), shape)
    return np.ascontiguousarray(start.row_duals), np.ascontiguousarray(start.column_duals)


def check_shape(found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """ValueError unless a warm start belongs to a problem of the expected shape."""
    if found != tuple(expected):
        raise ValueError(
            f"warm_start belongs to a problem of shape {found}, the cost has shape {tuple(expected)}; "
            "pass the Assignment of a problem of the same shape, or none"
        )


def starts_of_batch(start: Assignment | None, shape: tuple[int, ...]) -> Starts | None:
    """The duals for each problem of a three-dimensional batch."""
    if start is None:
        return None
    batch, n, m = shape
    check_shape((*np.shape(start.row_duals), *np.shape(start.column_duals)[1:]), (batch, n, m))
    return list(
        zip(np.ascontiguousarray(start.row_duals), np.ascontiguousarray(start.column_duals), strict=True)
    )


def starts_of_list(starts: Any, count: int) -> Starts | None:
    """The duals for each problem of a list."""
    if starts is None:
        return None
    if not isinstance(starts, (list, tuple)) or len(starts) != count:
        raise ValueError(f"a list of {count} problems needs a list of {count} warm starts")
    return [(np.ascontiguousarray(s.row_duals), np.ascontiguousarray(s.column_duals)) for s in starts]
