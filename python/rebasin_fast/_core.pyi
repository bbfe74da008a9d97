"""The compiled core. Results are named tuples; ``status`` is "optimal", "invalid", "infeasible" or "overflow"."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

_Index: TypeAlias = NDArray[np.int64]
_Floats: TypeAlias = NDArray[np.float64]
_Duals: TypeAlias = tuple[_Floats, _Floats]
_Status: TypeAlias = Literal["optimal", "invalid", "infeasible", "overflow"]

# -- dense assignment

class Solution(NamedTuple):
    """Columns (n,), row duals (n,), column duals (m,); -1 and NaN where the status is not optimal."""

    columns: _Index
    row_duals: _Floats
    column_duals: _Floats
    objective: float
    gap: float
    status: _Status

class SolutionBatch(NamedTuple):
    """One row a problem; statuses: 0 is optimal, 1 invalid, 2 infeasible, 3 overflow."""

    columns: _Index
    row_duals: _Floats
    column_duals: _Floats
    objectives: _Floats
    gaps: _Floats
    statuses: NDArray[np.int32]

class AssignmentCounters(NamedTuple):
    """Operations of one solve, for benchmarks and tests; see rebasin/assignment.hpp."""

    entries_read: int
    bids: int
    refills: int
    augmentations: int
    scanned_rows: int
    dense_searches: int
    list_bytes: int
    strategy: str

def assignment_indices(
    cost: object, maximize: object, bfloat16: object = False, /
) -> tuple[_Index, _Index] | None: ...  # None where cost is no NumPy matrix that the core reads
def assignment(
    cost: object, maximize: object, bfloat16: object = False, start: _Duals | None = None, /
) -> Solution | None: ...  # None as above
def priced_assignment(
    cost: NDArray[Any], maximize: bool, bfloat16: bool, cost_limit: float | None, partial: bool
) -> Solution: ...
def assignments(
    costs: Sequence[NDArray[Any]],
    maximize: bool,
    bfloat16: bool,
    starts: Sequence[_Duals] | None,
    threads: int,
) -> list[Solution]: ...
def assignment_batch(
    costs: NDArray[Any], maximize: bool, bfloat16: bool, starts: _Duals | None, threads: int
) -> SolutionBatch: ...
def assignment_counters(
    cost: NDArray[Any], maximize: bool, start: _Duals | None = None
) -> AssignmentCounters: ...

# -- a matrix that lies elsewhere

class ListsSolution(NamedTuple):
    """The solution of the costs as minimised, and the number of rows that were fetched."""

    solution: Solution
    fetched: int

def solve_from_lists(
    costs: NDArray[Any],
    columns: NDArray[np.int32],
    bounds: _Floats,
    duals: _Floats,
    fetch: int,
    context: int,
) -> ListsSolution | None: ...  # None where the whole matrix is needed

# -- sparse assignment

class SparseSolution(NamedTuple):
    """A solution, the Hall violator of an infeasible problem, and counters (rebasin/sparse_assignment.hpp)."""

    columns: _Index
    row_duals: _Floats
    column_duals: _Floats
    objective: float
    gap: float
    status: _Status
    violating_rows: _Index
    violating_columns: _Index
    entries_read: int
    bids: int
    searches: int
    joint_searches: int
    levels: int

def sparse_assignment(
    values: NDArray[Any],
    indices: NDArray[Any],
    starts: NDArray[Any],
    columns: int,
    maximize: bool,
    partial: bool,
) -> SparseSolution: ...

# -- k best and bottleneck

class KBestSolution(NamedTuple):
    """Columns (count, n) and totals (count,), best first, none unless optimal; counters (rebasin/k_best.hpp)."""

    columns: _Index
    objectives: _Floats
    gap: float
    status: _Status
    nodes: int
    searches: int
    scanned_rows: int
    compared: int

def k_best_assignments(
    costs: Sequence[NDArray[Any]], maximize: bool, bfloat16: bool, k: int, within: float, threads: int
) -> list[KBestSolution]: ...

class BottleneckSolution(NamedTuple):
    """Columns (n,), the place of the bottleneck (-1 in an empty matrix), the block that proves it, counters."""

    columns: _Index
    row: int
    column: int
    block_rows: _Index
    block_columns: _Index
    status: _Status
    thresholds: int
    phases: int

def bottleneck_assignments(
    costs: Sequence[NDArray[Any]], maximize: bool, bfloat16: bool, threads: int
) -> list[BottleneckSolution]: ...

# -- weight matching

class DType:
    float32: DType
    float64: DType
    float16: DType
    bfloat16: DType

class StopFlag:
    def __init__(self) -> None: ...
    def set(self) -> None: ...

_Moves = list[tuple[list[int], int, int, _Index]]

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
    def __init__(self, permutation: int, fixed_axes_score: float, family: Sequence[_Index]) -> None: ...
    @property
    def permutation(self) -> int: ...
    @property
    def fixed_axes_score(self) -> float: ...
    @property
    def family(self) -> list[_Index]: ...

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
    def permutations(self) -> list[_Index]: ...
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
    start: Sequence[_Index],
    options: DescentOptions,
    double_products: bool,
    gemm: int = 0,
    backend: object | None = None,
    stop: StopFlag | None = None,
) -> DescentResult: ...

# -- the build

def build_config() -> dict[str, str]: ...
def simd_level() -> str: ...
def simd_levels() -> list[str]: ...
