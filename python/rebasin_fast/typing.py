"""Types that several modules name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# Matrices and batches of them as static types; an array of unknown dimensions passes for a matrix.
Matrix: TypeAlias = np.ndarray[tuple[int, int], np.dtype[Any]]
MatrixBatch: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[Any]]
# NumPy, torch, CuPy or JAX arrays; anything with a shape where only sizes are read.
Array: TypeAlias = Any
Params: TypeAlias = Mapping[str, Array]
Index: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Permutation: TypeAlias = Mapping[str, Index]
Rng: TypeAlias = int | np.random.Generator | None
