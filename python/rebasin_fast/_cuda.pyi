# Device entries by raw pointers, shapes and strides in elements (cpp/include/rebasin/cuda.hpp). They queue work on a
# stream; MemoryError where the device is out of memory, RuntimeError for every other error of CUDA.

from typing import TypedDict

class _Device(TypedDict):
    name: str
    compute_capability: int  # 90 for 9.0
    multiprocessors: int
    shared_bytes_per_block: int
    memory_bytes: int

class _Versions(TypedDict):
    runtime: int  # 13000 for 13.0
    driver: int  # 0 where there is none
    architectures: str

def count_devices() -> int: ...
def describe(device: int) -> _Device: ...
def device_of(pointer: int) -> int | None: ...  # None for memory of the host
def versions() -> _Versions: ...
def assignment_workspace(
    float64: bool, shape: tuple[int, int, int], strides: tuple[int, int, int], device: int, /
) -> int: ...
def solve_assignments(
    costs: int,
    float64: bool,
    shape: tuple[int, int, int],
    strides: tuple[int, int, int],
    maximize: bool,
    starts: tuple[int, int],  # row_duals, column_duals; (0, 0) for none
    outputs: tuple[
        int, int, int, int, int, int
    ],  # columns, row_duals, column_duals, objectives, gaps, statuses
    workspace: int,
    workspace_bytes: int,
    device: int,
    stream: int,
    /,
) -> None: ...
def list_candidates(
    costs: int,
    float64: bool,
    shape: tuple[int, int],
    strides: tuple[int, int],
    maximize: bool,
    duals: int,
    outputs: tuple[int, int, int, int, int],  # list_costs, list_columns, bounds, column_minima or 0, invalid
    device: int,
    stream: int,
    /,
) -> None: ...
def column_minima(
    costs: int,
    float64: bool,
    shape: tuple[int, int],
    strides: tuple[int, int],
    maximize: bool,
    blocks: int,
    minima: int,
    device: int,
    stream: int,
    /,
) -> None: ...
def certify(
    costs: int,
    float64: bool,
    shape: tuple[int, int],
    strides: tuple[int, int],
    maximize: bool,
    duals: int,
    columns: int,
    outputs: tuple[int, int, int],  # row_duals, slacks, matched_costs
    device: int,
    stream: int,
    /,
) -> None: ...

class RowFetcher:
    def __init__(
        self,
        pointer: int,
        float64: bool,
        columns: int,
        row_stride: int,
        negate: bool,
        device: int,
        stream: int,
    ) -> None: ...
    @property
    def function(self) -> int: ...
    @property
    def context(self) -> int: ...
