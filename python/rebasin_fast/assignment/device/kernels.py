"""The kernels on device arrays: one function each; every output is allocated by the array's own library.

All of them queue their work on the array's current stream and return at once; reading a result waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rebasin_fast._arrays import DeviceLibrary
from rebasin_fast._arrays.buffers import Placement, placement_of
from rebasin_fast._native.cuda import require_device
from rebasin_fast.errors import DeviceError

LIST_LENGTH = 24
MOST_BATCH_COLUMNS = 1 << 16


@dataclass(frozen=True)
class BatchResult:
    """The answers of a batch, as device arrays.

    columns (k, n) int64; row_duals (k, n), column_duals (k, m), objectives and gaps (k,) float64; statuses (k,)
    int32: 0 optimal, 1 invalid, 2 infeasible, 3 left to the host. Problems that are not optimal hold -1 and NaN.
    """

    columns: Any
    row_duals: Any
    column_duals: Any
    objectives: Any
    gaps: Any
    statuses: Any


def solve_batch(
    costs: Any, library: DeviceLibrary, *, maximize: bool, start: tuple[Any, Any] | None
) -> BatchResult:
    """Solve (k, n, m) assignment problems, a warp or a block each.

    Parameters
    ----------
    costs : (k, n, m) float32 or float64 device array, any strides
    library : the library of ``costs``
    maximize : bool
    start : (row_duals (k, n), column_duals (k, m)), contiguous float64 device arrays, or None
    """
    module = require_device()
    place = placement_of(costs, library, module)
    k, n, m = costs.shape
    outputs = BatchResult(
        columns=library.empty(costs, (k, n), "int64"),
        row_duals=library.empty(costs, (k, n), "float64"),
        column_duals=library.empty(costs, (k, m), "float64"),
        objectives=library.empty(costs, (k,), "float64"),
        gaps=library.empty(costs, (k,), "float64"),
        statuses=library.empty(costs, (k,), "int32"),
    )
    wide, strides = library.dtype_name(costs) == "float64", library.strides(costs)
    workspace_bytes = module.assignment_workspace(wide, (k, n, m), strides, place.device)
    # The library's allocator hands memory out again in order of its stream, so the workspace may be dropped here.
    workspace = library.empty(costs, (max(workspace_bytes, 1),), "uint8")
    _call(
        module.solve_assignments, place, library.pointer(costs), wide, (k, n, m), strides, maximize,
        (0, 0) if start is None else (library.pointer(start[0]), library.pointer(start[1])),
        tuple(library.pointer(getattr(outputs, name)) for name in BatchResult.__dataclass_fields__),
        library.pointer(workspace), workspace_bytes,
    )  # fmt: skip
    return outputs


@dataclass(frozen=True)
class Candidates:
    """Candidate lists of a large matrix for the host's solver, as device arrays.

    costs (n, 24) of the matrix's dtype, as minimised, ascending by cost - v, padded with inf; columns (n, 24) int32;
    bounds (n,) float64, the least cost - v not listed; column_minima (m,) float64 or None; invalid (1,) int32, 1
    where an entry is NaN or -inf as minimised.
    """

    costs: Any
    columns: Any
    bounds: Any
    column_minima: Any
    invalid: Any


def list_candidates(
    costs: Any, duals: Any, library: DeviceLibrary, *, maximize: bool, with_minima: bool = False
) -> Candidates:
    """Each row's smallest ``cost - duals`` of an (n, m) float32 or float64 matrix, and the minimum of each column."""
    n, m = costs.shape
    found = Candidates(
        costs=library.empty(costs, (n, LIST_LENGTH), library.dtype_name(costs)),
        columns=library.empty(costs, (n, LIST_LENGTH), "int32"),
        bounds=library.empty(costs, (n,), "float64"),
        column_minima=library.empty(costs, (m,), "float64") if with_minima else None,
        invalid=library.empty(costs, (1,), "int32"),
    )
    outputs = tuple(
        0 if array is None else library.pointer(array)
        for array in (found.costs, found.columns, found.bounds, found.column_minima, found.invalid)
    )
    _call_on_matrix("list_candidates", costs, library, maximize, library.pointer(duals), outputs)
    return found


def column_minima(costs: Any, blocks: int, library: DeviceLibrary, *, maximize: bool) -> Any:
    """(blocks, m) float64: the least cost, as minimised, of each column in each block of rows; NaN passed over."""
    minima = library.empty(costs, (blocks, costs.shape[1]), "float64")
    _call_on_matrix("column_minima", costs, library, maximize, blocks, library.pointer(minima))
    return minima


def certify(
    costs: Any, duals: Any, columns: Any, library: DeviceLibrary, *, maximize: bool
) -> tuple[Any, Any, Any]:
    """(row_duals, slacks, matched costs), (n,) float64 each, of an assignment int64 (n,) and column duals (m,)."""
    outputs = tuple(library.empty(costs, (costs.shape[0],), "float64") for _ in range(3))
    _call_on_matrix(
        "certify", costs, library, maximize, library.pointer(duals), library.pointer(columns),
        tuple(library.pointer(output) for output in outputs),
    )  # fmt: skip
    return outputs[0], outputs[1], outputs[2]


def _call_on_matrix(kernel: str, costs: Any, library: DeviceLibrary, maximize: bool, *arguments: Any) -> None:
    module = require_device()
    _call(
        getattr(module, kernel), placement_of(costs, library, module), library.pointer(costs),
        library.dtype_name(costs) == "float64", tuple(costs.shape), library.strides(costs), maximize, *arguments,
    )  # fmt: skip


def _call(entry: Any, place: Placement, *arguments: Any) -> None:
    try:
        entry(*arguments, place.device, place.stream)
    except MemoryError as error:
        raise MemoryError(
            f"CUDA device {place.device} is out of memory ({error}); pass fewer problems at once, or free what the "
            "array's library keeps (torch.cuda.empty_cache(), cupy.get_default_memory_pool().free_all_blocks())"
        ) from None
    except RuntimeError as error:
        raise DeviceError(f"CUDA device {place.device}: {error}") from error
