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

_Moves = list[tuple[list[int], int, int, NDArray[np.int64]]]

class Problem:
    def __init__(self) -> None: ...
    def add_permutation(self, size: int, parents: list[int]) -> None: ...
    def add_tensor(self, a: NDArray[Any], b: NDArray[Any], dtype: DType, moves: _Moves) -> None: ...
    def add_remote_tensor(self, shape: list[int], moves: _Moves) -> None: ...

class DescentEvent:
    @property
    def sweep(self) -> int: ...
    @property
    def visit(self) -> int: ...
    @property
    def visits(self) -> int: ...
    @property
    def permutation(self) -> int: ...
    @property
    def objective(self) -> float: ...
    @property
    def flop_done(self) -> float: ...
    @property
    def flop_ahead(self) -> float: ...

class DescentStep:
    def __init__(
        self, permutation: int, fixed_axes_score: float, family: Sequence[NDArray[np.int64]]
    ) -> None: ...
    @property
    def permutation(self) -> int: ...
    @property
    def fixed_axes_score(self) -> float: ...
    @property
    def family(self) -> list[NDArray[np.int64]]: ...

class DescentOptions:
    next_order: Callable[[int], list[int] | None] | None
    on_step: Callable[[DescentStep], object] | None
    on_visit: Callable[[DescentEvent], object] | None
    most_sweeps: int
    first_pass: bool
    perturbations: int
    perturb_only_if_underperformed: bool
    seed: int
    bytes_to_keep: float
    tolerance: float
    overwrite: bool
    recorded: list[DescentStep]
    def __init__(self) -> None: ...

class DescentStats:
    @property
    def visits(self) -> int: ...
    @property
    def skipped_visits(self) -> int: ...
    @property
    def assignments(self) -> int: ...
    @property
    def accepted_steps(self) -> int: ...
    @property
    def perturbations(self) -> int: ...
    @property
    def perturbations_kept(self) -> int: ...
    @property
    def product_flop(self) -> float: ...
    @property
    def product_columns(self) -> int: ...
    @property
    def packed_bytes(self) -> float: ...
    @property
    def planning_seconds(self) -> float: ...
    @property
    def packing_seconds(self) -> float: ...
    @property
    def product_seconds(self) -> float: ...
    @property
    def assignment_seconds(self) -> float: ...
    @property
    def objective_seconds(self) -> float: ...

class DescentResult:
    @property
    def permutations(self) -> list[NDArray[np.int64]]: ...
    @property
    def objective(self) -> float: ...
    @property
    def first_objective(self) -> float: ...
    @property
    def history(self) -> list[float]: ...
    @property
    def converged(self) -> bool: ...
    @property
    def stats(self) -> DescentStats: ...

def coordinate_descent(
    problem: Problem,
    start: Sequence[NDArray[np.int64]],
    options: DescentOptions,
    double_products: bool,
    gemm: int = 0,
    backend: object | None = None,
    stop: StopFlag | None = None,
) -> DescentResult: ...
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
def assignment_counters(cost: NDArray[Any], maximize: bool, start: _Duals | None = ...) -> dict[str, int]: ...
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
