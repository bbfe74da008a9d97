"""The public assignment functions on arrays that lie on a CUDA device."""

from __future__ import annotations

from typing import Any

import numpy as np

from rebasin_fast._arrays import DeviceLibrary, device_library
from rebasin_fast._native.cuda import is_available
from rebasin_fast.assignment.batch import restored
from rebasin_fast.assignment.device import batched
from rebasin_fast.assignment.device.large import solve_large
from rebasin_fast.assignment.failures import infeasible_error, raise_unless_optimal
from rebasin_fast.assignment.result import Assignment
from rebasin_fast.assignment.warm_start import Start, start_of_batch, start_of_matrix
from rebasin_fast.errors import InfeasibleError


def library_for(cost: object) -> DeviceLibrary | None:
    """The library of a device array of a shape that the kernels take; None: the host solves it from a copy."""
    library = device_library(cost)
    if library is None or not is_available():
        return None
    shape = _shape(cost)
    return library if len(shape) in (2, 3) and 0 not in shape and max(shape[-2:]) <= 1 << 16 else None


def indices(cost: Any, maximize: bool, library: DeviceLibrary) -> tuple[Any, Any] | None:
    """(row_ind, col_ind) of a matrix on its device, rows sorted; None: the host solves it from a copy."""
    if len(cost.shape) != 2:
        return None
    found = _solve_matrix(cost, maximize, None, library)
    if found is None:
        return None
    if found.status == "overflow":  # pairs are no sums: the host finds them
        return None
    raise_unless_optimal(found.status, lambda: InfeasibleError("cost matrix is infeasible"))
    rows = np.flatnonzero(found.columns >= 0)
    return library.put(cost, rows), library.put(cost, found.columns[rows])


def solve(cost: Any, maximize: bool, start: Any, library: DeviceLibrary) -> Assignment | None:
    """The Assignment of a matrix or a batch, its arrays on the device; None: the host solves it from a copy."""
    if len(cost.shape) == 3:
        starts = _on_device(cost, start_of_batch(start, _shape(cost)), library)
        found = batched.solve_batch(cost, library, maximize=maximize, start=starts)
        return batched.assignments_of(found, library, lambda array: array)
    one = _solve_matrix(cost, maximize, start, library)
    if one is None:
        return None
    raise_unless_optimal(
        one.status, lambda: infeasible_error(library.to_host(batched.as_kernel_costs(cost, library)))
    )
    return restored(one, cost)


def _solve_matrix(cost: Any, maximize: bool, start: Any, library: DeviceLibrary) -> Assignment | None:
    """The solution of one matrix in host arrays, with its ``status``."""
    cost = batched.as_kernel_costs(cost, library)
    n, m = _shape(cost)
    if max(n, m) <= batched.LARGEST_FOR_ONE_BLOCK:
        starts = _on_device(cost, start_of_matrix(start, (n, m)), library)
        found = batched.solve_batch(cost[None], library, maximize=maximize, start=starts)
        return batched.assignments_of(found, library, library.to_host)[0]
    if n > m or library.strides(cost)[1] != 1 or start is not None:
        return None
    large = solve_large(cost, library, maximize=maximize)
    return None if large is None else large[0]


def _on_device(cost: Any, start: Start | None, library: DeviceLibrary) -> Start | None:
    """Duals as float64 device arrays, one row a problem."""
    if start is None:
        return None
    rows, columns = (
        library.put(cost, np.array(duals).reshape(-1, int(extent)))
        for duals, extent in zip(start, cost.shape[-2:], strict=True)
    )
    return rows, columns


def _shape(cost: Any) -> tuple[int, ...]:
    return tuple(int(extent) for extent in cost.shape)
