"""Assignments of device arrays: batches in the kernel, single large problems between device and host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from rebasin_fast._arrays import DeviceLibrary
from rebasin_fast._arrays.buffers import check_same_device
from rebasin_fast.assignment.device import kernels
from rebasin_fast.assignment.failures import STATUSES
from rebasin_fast.assignment.result import AssignmentBatch

# Below, a block is done before a matrix has come to the host and its answer back.
LARGEST_FOR_ONE_BLOCK = 512


def kernel_takes(shape: tuple[int, ...]) -> bool:
    """Whether the batch kernel solves problems of this shape."""
    return len(shape) == 3 and 0 not in shape and max(shape[1:]) <= kernels.MOST_BATCH_COLUMNS


def as_kernel_costs(costs: Any, library: DeviceLibrary) -> Any:
    """The costs in a dtype that the kernels read; widening is exact up to int64's large values, as in SciPy."""
    dtype = library.dtype_name(costs)
    if dtype in ("float32", "float64"):
        return costs
    if dtype in ("float16", "bfloat16", "int8", "uint8", "int16", "uint16", "bool"):
        return library.cast(costs, "float32")
    if dtype in ("int32", "uint32", "int64", "uint64"):
        return library.cast(costs, "float64")
    raise TypeError(f"a cost matrix holds real numbers, got dtype {dtype}")


def solve_batch(
    costs: Any, library: DeviceLibrary, *, maximize: bool, start: tuple[Any, Any] | None = None
) -> kernels.BatchResult:
    """Solve (k, n, m) problems on the device; those that the kernel leaves go to the host's solver.

    Reads the statuses, and so waits for the array's stream. Results lie on the device of ``costs``.
    """
    costs = as_kernel_costs(costs, library)
    if start is not None:
        for duals in start:
            check_same_device(costs, duals, library, "the warm start")
    found = kernels.solve_batch(costs, library, maximize=maximize, start=start)
    left = np.flatnonzero(library.to_host(found.statuses) == 3)
    return _finish_on_host(costs, library, maximize, found, left) if left.size else found


def _finish_on_host(
    costs: Any, library: DeviceLibrary, maximize: bool, found: kernels.BatchResult, left: Any
) -> kernels.BatchResult:
    from rebasin_fast import _core

    problems = [library.to_host(costs[int(p)]) for p in left]
    solved = _core.assignments(problems, maximize, False, None, 1)
    fields = {name: library.to_host(getattr(found, name)).copy() for name in found.__dataclass_fields__}
    for p, one in zip(left, solved, strict=True):
        fields["statuses"][p] = STATUSES.index(one.status)
        fields["columns"][p], fields["objectives"][p], fields["gaps"][p] = one.columns, one.objective, one.gap
        fields["row_duals"][p], fields["column_duals"][p] = one.row_duals, one.column_duals
    return replace(found, **{name: library.put(costs, value) for name, value in fields.items()})


def assignments_of(
    found: kernels.BatchResult, library: DeviceLibrary, convert: Callable[[Any], Any]
) -> AssignmentBatch:
    """The solutions with their arrays converted, such as to the host."""
    arrays = (found.columns, found.row_duals, found.column_duals, found.objectives, found.gaps)
    columns, row_duals, column_duals, objectives, gaps = map(convert, arrays)
    names = np.array(STATUSES)[library.to_host(found.statuses)]
    return AssignmentBatch(columns, row_duals, column_duals, objectives, gaps, names)
