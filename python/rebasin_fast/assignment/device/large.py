"""One large problem: lists on the device, the search on the host, the certificate on the device again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _core
from rebasin_fast._arrays.buffers import DeviceLibrary, placement_of
from rebasin_fast._native.cuda import require_device
from rebasin_fast.assignment.device import kernels
from rebasin_fast.errors import DeviceError

_BLOCKS = 4


@dataclass(frozen=True)
class LargeResult:
    """Host arrays: columns (n,) int64, row_duals (n,), column_duals (m,), the objective, a gap; rows fetched."""

    columns: NDArray[np.int64]
    row_duals: NDArray[np.float64]
    column_duals: NDArray[np.float64]
    objective: float
    gap: float
    fetched: int


def solve_large(costs: Any, library: DeviceLibrary, *, maximize: bool) -> LargeResult | None:
    """Solve an (n, m) float32 or float64 problem, n <= m, whose rows are contiguous.

    About 200 bytes a row go to the host, and each row whose list runs out. None where that does not suffice
    (invalid or forbidden entries, costs of too many magnitudes, a constant matrix): copy the matrix instead.
    Waits for the array's stream.
    """
    n, m = costs.shape
    module = require_device()
    place = placement_of(costs, library, module)
    minima = library.get(kernels.column_minima(costs, _BLOCKS, library, maximize=maximize))
    if not np.isfinite(minima).all():
        return None
    duals = minima.mean(axis=0) if n == m else np.zeros(m)
    listed = kernels.list_candidates(costs, library.put(costs, duals), library, maximize=maximize)
    if library.get(listed.invalid)[0]:
        return None
    list_costs = library.get(listed.costs)
    if (list_costs == list_costs[0, 0]).all():
        return None
    fetcher = module.RowFetcher(
        library.pointer(costs), library.dtype(costs) == "float64", m, library.strides(costs)[0], maximize,
        place.device, place.stream,
    )  # fmt: skip
    found = _core.solve_from_lists(
        list_costs,
        library.get(listed.columns),
        library.get(listed.bounds),
        duals,
        fetcher.function,
        fetcher.context,
    )
    if found is None:
        return None
    columns, row_duals, column_duals, objective, gap, fetched = found
    _check(costs, library, maximize, columns, column_duals, gap)
    sign = -1.0 if maximize else 1.0
    return LargeResult(
        columns, sign * row_duals + 0.0, sign * column_duals + 0.0, sign * objective + 0.0, gap, fetched
    )


def _check(
    costs: Any, library: DeviceLibrary, maximize: bool, columns: NDArray[Any], duals: NDArray[Any], gap: float
) -> None:
    """Compare the host's proof with one read from the whole matrix; they differ only if its memory changed."""
    _, slacks, matched = kernels.certify(
        costs, library.put(costs, duals), library.put(costs, columns), library, maximize=maximize
    )
    left = float(library.get(slacks).sum())
    allowed = gap + 1e-12 * float(np.abs(library.get(matched)).sum())
    if not left <= allowed:
        raise DeviceError(
            f"the device's certificate leaves {left:.3g} where the host's allows {allowed:.3g}: the cost matrix "
            "changed while it was solved; synchronise whatever writes to it first"
        )
