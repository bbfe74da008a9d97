"""What the public assignment functions do with arrays that lie on a CUDA device."""

from __future__ import annotations

from typing import Any

import numpy as np

from rebasin_fast._arrays.buffers import DeviceLibrary, device_library
from rebasin_fast._native.cuda import is_available
from rebasin_fast.assignment.device import batched, kernels
from rebasin_fast.assignment.device.large import LargeResult, solve_large
from rebasin_fast.assignment.infeasible import infeasible_error
from rebasin_fast.assignment.result import Assignment, AssignmentBatch
from rebasin_fast.errors import InfeasibleError


def library_for(cost: object) -> DeviceLibrary | None:
    """The library of a device array of a shape that the kernels take; None: the host solves it from a copy."""
    library = device_library(cost)
    if library is None or not is_available():
        return None
    shape = tuple(int(n) for n in cost.shape)  # type: ignore[attr-defined]
    return library if len(shape) in (2, 3) and 0 not in shape and max(shape[-2:]) <= 1 << 16 else None


def indices(cost: Any, maximize: bool, library: DeviceLibrary) -> tuple[Any, Any] | None:
    """(row_ind, col_ind) of a matrix on its device, rows sorted; None: the host solves it from a copy."""
    if len(cost.shape) != 2:
        return None
    found = _solve_matrix(cost, maximize, None, library)
    if found is None:
        return None
    columns = found.columns
    rows = np.flatnonzero(columns >= 0)
    return library.put(cost, rows), library.put(cost, columns[rows])


def solve(cost: Any, maximize: bool, start: Any, library: DeviceLibrary) -> Assignment | None:
    """The Assignment of a matrix or a batch, its arrays on the device; None: the host solves it from a copy."""
    if len(cost.shape) == 3:
        found = batched.solve_batch(cost, library, maximize=maximize, start=_starts(cost, start, library))
        names = np.array(["optimal", "invalid", "infeasible"])
        return AssignmentBatch(
            found.columns, found.row_duals, found.column_duals, found.objectives, found.gaps,
            names[library.get(found.statuses)],
        )  # fmt: skip
    try:
        one = _solve_matrix(cost, maximize, start, library)
    except InfeasibleError:
        raise infeasible_error(library.get(batched.as_kernel_costs(cost, library))) from None
    if one is None:
        return None
    arrays = [library.put(cost, values) for values in (one.columns, one.row_duals, one.column_duals)]
    return Assignment(arrays[0], arrays[1], arrays[2], one.objective, one.gap)


def _solve_matrix(cost: Any, maximize: bool, start: Any, library: DeviceLibrary) -> LargeResult | None:
    cost = batched.as_kernel_costs(cost, library)
    n, m = (int(extent) for extent in cost.shape)
    if max(n, m) <= batched.LARGEST_FOR_ONE_BLOCK:
        starts = None if start is None else _starts(cost[None], start, library)
        return _first(batched.solve_batch(cost[None], library, maximize=maximize, start=starts), library)
    if n > m or library.strides(cost)[1] != 1 or start is not None:
        return None
    return solve_large(cost, library, maximize=maximize)


def _first(found: kernels.BatchResult, library: DeviceLibrary) -> LargeResult:
    status = int(library.get(found.statuses)[0])
    if status == 1:
        raise ValueError("matrix contains invalid numeric entries")
    if status == 2:
        raise InfeasibleError("cost matrix is infeasible")
    arrays = [library.get(values)[0] for values in (found.columns, found.row_duals, found.column_duals)]
    objective, gap = float(library.get(found.objectives)[0]), float(library.get(found.gaps)[0])
    return LargeResult(arrays[0], arrays[1], arrays[2], objective, gap, 0)


def _starts(cost: Any, start: Any, library: DeviceLibrary) -> tuple[Any, Any] | None:
    """Duals of an earlier Assignment, on the device, one row a problem."""
    if start is None:
        return None
    k, n, m = (int(extent) for extent in cost.shape)
    placed = []
    for duals, extent, what in ((start.row_duals, n, "row"), (start.column_duals, m, "column")):
        found = tuple(int(e) for e in duals.shape)
        if found not in ((k, extent), (extent,)) or (len(found) == 1 and k != 1):
            raise ValueError(
                f"warm_start has {what} duals of shape {found}, the cost needs {(k, extent)}; pass the Assignment of "
                "a problem of the same shape, or none"
            )
        host = library.get(duals) if device_library(duals) is not None else np.asarray(duals)
        placed.append(library.put(cost, np.array(host, np.float64).reshape(k, extent)))
    return placed[0], placed[1]
