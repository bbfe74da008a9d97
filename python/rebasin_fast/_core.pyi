from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Duals = tuple[NDArray[np.float64], NDArray[np.float64]]

def assignment_indices(
    cost: NDArray[Any], maximize: object, bfloat16: bool = ..., /
) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...
def assignments(
    costs: Sequence[NDArray[Any]],
    maximize: bool,
    bfloat16: bool,
    starts: Sequence[_Duals] | None,
    threads: int,
) -> list[tuple[int, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], float, float]]: ...
def assignment_counters(cost: NDArray[Any], maximize: bool, start: _Duals | None = ...) -> dict[str, int]: ...
def simd_level() -> str: ...
def simd_levels() -> list[str]: ...
