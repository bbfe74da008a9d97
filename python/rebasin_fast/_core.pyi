from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Duals = tuple[NDArray[np.float64], NDArray[np.float64]]

def assignment_indices(
    cost: object, maximize: object, bfloat16: bool = ..., /
) -> Any: ...  # (row_ind, col_ind), or None where cost is no NumPy matrix that the core reads
def assignment(
    cost: object, maximize: object, bfloat16: bool = ..., start: _Duals | None = ..., /
) -> Any: ...  # (status, columns, row_duals, column_duals, objective, gap), or None as above
def assignment_batch(
    costs: NDArray[Any], maximize: bool, bfloat16: bool, starts: _Duals | None, threads: int
) -> tuple[
    NDArray[np.int64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.int32],
]: ...

class DType:
    float32: DType
    float64: DType
    float16: DType
    bfloat16: DType

class StopFlag:
    def __init__(self) -> None: ...
    def set(self) -> None: ...

class Problem:
    def __init__(self) -> None: ...
    def add_permutation(self, size: int, parents: list[int]) -> None: ...
    def add_tensor(
        self,
        a: NDArray[Any],
        b: NDArray[Any],
        dtype: DType,
        moves: list[tuple[list[int], int, int, NDArray[np.int64]]],
    ) -> None: ...

def coordinate_descent(
    problem: Problem,
    double_products: bool,
    gemm: int,
    start: list[NDArray[np.int64]],
    next_order: Callable[[int], list[int] | None] | None,
    most_sweeps: int,
    first_pass: bool,
    tolerance: float,
    overwrite: bool,
    bytes_to_keep: float,
    on_visit: Callable[[int, int, int, int, float, float, float], None] | None,
    recorded: list[tuple[int, float, list[NDArray[np.int64]]]] = ...,
    on_step: Callable[[int, float, list[NDArray[np.int64]]], object] | None = None,
    shakes: int = 0,
    shakes_where_astray: bool = True,
    seed: int = 0,
    stop: StopFlag | None = None,
) -> dict[str, Any]: ...
def solve_from_lists(
    costs: NDArray[Any],
    columns: NDArray[np.int32],
    bounds: NDArray[np.float64],
    duals: NDArray[np.float64],
    fetch: int,
    context: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], float, float, int] | None: ...
def build_config() -> dict[str, str]: ...
def assignments(
    costs: Sequence[NDArray[Any]],
    maximize: bool,
    bfloat16: bool,
    starts: Sequence[_Duals] | None,
    threads: int,
) -> list[tuple[int, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], float, float]]: ...
def priced_assignment(
    cost: NDArray[Any], maximize: bool, bfloat16: bool, cost_limit: float | None, partial: bool
) -> tuple[int, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], float, float]: ...
def k_best_assignments(
    costs: Sequence[NDArray[Any]], maximize: bool, bfloat16: bool, k: int, within: float, threads: int
) -> list[tuple[int, NDArray[np.int64], NDArray[np.float64], float, tuple[int, int, int, int]]]: ...
def bottleneck_assignments(
    costs: Sequence[NDArray[Any]], maximize: bool, bfloat16: bool, threads: int
) -> list[
    tuple[int, NDArray[np.int64], tuple[int, int], NDArray[np.int64], NDArray[np.int64], tuple[int, int]]
]: ...
def assignment_counters(cost: NDArray[Any], maximize: bool, start: _Duals | None = ...) -> dict[str, Any]: ...
def simd_level() -> str: ...
def simd_levels() -> list[str]: ...
def sparse_assignment(
    values: NDArray[Any],
    indices: NDArray[Any],
    starts: NDArray[Any],
    columns: int,
    maximize: bool,
    partial: bool,
) -> tuple[
    int,
    NDArray[np.int64],
    NDArray[np.float64],
    NDArray[np.float64],
    float,
    float,
    NDArray[np.int64],
    NDArray[np.int64],
    dict[str, int],
]: ...
