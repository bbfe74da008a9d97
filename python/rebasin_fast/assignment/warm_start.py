"""Warm starts: the duals of earlier results, checked and brought to the form that the core reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import foreign_library
from rebasin_fast.assignment.result import AssignmentBatch

Start = tuple[NDArray[np.float64], NDArray[np.float64]]


def start_of_matrix(start: Any, shape: tuple[int, ...]) -> Start | None:
    """The duals for one matrix."""
    if start is None:
        return None
    if isinstance(start, (list, tuple)):
        raise TypeError(
            "warm_start is the Assignment of an earlier problem of the same shape; for one matrix got a "
            f"{type(start).__name__} of {len(start)}, pass one of them or none"
        )
    duals = _duals_of(start)
    _check_shape((*duals[0].shape, *duals[1].shape), shape)
    return duals


def start_of_batch(start: Any, shape: tuple[int, ...]) -> Start | None:
    """The duals for a (k, n, m) batch: (k, n) and (k, m), from a batch's result or a list of k."""
    if start is None:
        return None
    if isinstance(start, (list, tuple)):
        starts = starts_of_list(start, [shape[1:]] * shape[0])
        if starts is None:
            return None
        rows, columns = zip(*starts, strict=True) if starts else ((), ())
        return np.reshape(rows, shape[:2]), np.reshape(columns, (shape[0], shape[2]))
    duals = _duals_of(start)
    found = (*duals[0].shape, *duals[1].shape[1:])
    _check_shape(
        found if duals[1].shape[:1] == duals[0].shape[:1] else duals[0].shape + duals[1].shape, shape
    )
    return duals


def starts_of_list(starts: Any, shapes: list[tuple[int, ...]]) -> list[Start] | None:
    """The duals for each problem of a list; a problem whose start is None starts from nothing."""
    if starts is None:
        return None
    count = len(shapes)
    if not isinstance(starts, (list, tuple, AssignmentBatch)):
        _duals_of(starts)
        raise ValueError(f"a list of {count} problems needs a list of {count} warm starts, got one")
    if len(starts) != count:
        raise ValueError(f"a list of {count} problems needs a list of {count} warm starts, got {len(starts)}")
    # The core leaves duals aside that are not finite.
    return [
        (np.full(shape[0], np.nan), np.full(shape[1], np.nan)) if start is None else _checked(start, shape)
        for start, shape in zip(starts, shapes, strict=True)
    ]


def _checked(start: Any, shape: tuple[int, ...]) -> Start:
    duals = _duals_of(start)
    _check_shape((*duals[0].shape, *duals[1].shape), shape)
    return duals


def _duals_of(start: Any) -> Start:
    if not (hasattr(start, "row_duals") and hasattr(start, "column_duals")):
        raise TypeError(
            "warm_start is the Assignment of an earlier problem, or a list of them for a list of problems; "
            f"got {type(start).__name__}"
        )
    return _numbers(start.row_duals, "row_duals"), _numbers(start.column_duals, "column_duals")


def _numbers(duals: Any, what: str) -> NDArray[np.float64]:
    library = foreign_library(duals)
    array = np.asarray(duals) if library is None else library.to_host(duals)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{what} of a warm start are real numbers, got dtype {array.dtype}; pass the Assignment of an earlier "
            "problem as it was returned"
        )
    return np.ascontiguousarray(array, dtype=np.float64)


def _check_shape(found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != tuple(expected):
        raise ValueError(
            f"warm_start belongs to a problem of shape {found}, the cost has shape {tuple(expected)}; "
            "pass the Assignment of a problem of the same shape, or none"
        )
