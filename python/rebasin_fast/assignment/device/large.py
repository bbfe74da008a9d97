"""One large problem: lists on the device, the search on the host, the certificate on the device again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _core
from rebasin_fast._arrays import DeviceLibrary
from rebasin_fast._arrays.buffers import placement_of
from rebasin_fast._native.cuda import require_device
from rebasin_fast.assignment.device import kernels
from rebasin_fast.assignment.result import Assignment
from rebasin_fast.errors import DeviceError

_BLOCKS = 4


def solve_large(costs: Any, library: DeviceLibrary, *, maximize: bool) -> tuple[Assignment, int] | None:
    """The solution of an (n, m) float32 or float64 problem in host arrays, and the number of rows that were fetched.

    n <= m, rows contiguous. About 200 bytes a row go to the host, and each row whose list runs out. None where that
    does not suffice (invalid or forbidden entries, costs of too many magnitudes, a constant matrix): copy the matrix
    instead. Waits for the array's stream.
    """
    n, m = costs.shape
    module = require_device()
    place = placement_of(costs, library, module)
    minima = library.to_host(kernels.column_minima(costs, _BLOCKS, library, maximize=maximize))
    if not np.isfinite(minima).all():
        return None
    duals = minima.mean(axis=0) if n == m else np.zeros(m)
    listed = kernels.list_candidates(costs, library.put(costs, duals), library, maximize=maximize)
    if library.to_host(listed.invalid)[0]:
        return None
    list_costs = library.to_host(listed.costs)
    if (list_costs == list_costs[0, 0]).all():
        return None
    fetcher = module.RowFetcher(
        library.pointer(costs), library.dtype_name(costs) == "float64", m, library.strides(costs)[0], maximize,
        place.device, place.stream,
    )  # fmt: skip
    found = _core.solve_from_lists(
        list_costs,
        library.to_host(listed.columns),
        library.to_host(listed.bounds),
        duals,
        fetcher.function,
        fetcher.context,
    )
    if found is None:
        return None
    one = found.solution
    _check(costs, library, maximize, one.columns, one.column_duals, one.gap)
    sign = -1.0 if maximize else 1.0
    row_duals, column_duals, objective = (
        sign * value + 0.0 for value in (one.row_duals, one.column_duals, one.objective)
    )
    return Assignment(one.columns, row_duals, column_duals, objective, one.gap), found.fetched


def _check(
    costs: Any, library: DeviceLibrary, maximize: bool, columns: NDArray[Any], duals: NDArray[Any], gap: float
) -> None:
    """Compare the host's proof with one read from the whole matrix; they differ only if its memory changed."""
    _, slacks, matched = kernels.certify(
        costs, library.put(costs, duals), library.put(costs, columns), library, maximize=maximize
    )
    left = float(library.to_host(slacks).sum())
    allowed = gap + 1e-12 * float(np.abs(library.to_host(matched)).sum())
    if not left <= allowed:
        raise DeviceError(
            f"the device's certificate leaves {left:.3g} where the host's allows {allowed:.3g}: the cost matrix "
            "changed while it was solved; synchronise the stream that writes to it first"
        )
