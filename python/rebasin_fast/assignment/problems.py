"""One matrix, a batch or a list of matrices, as the arrays that the core reads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays.elements import widened
from rebasin_fast.assignment.costs import checked, host_array, host_matrices

_PLAIN = "fdilqILQbBhH?"  # types of elements that the core reads as they are


class Problems(NamedTuple):
    """Matrices of one dtype class.

    Attributes
    ----------
    arrays : list of (n, m) arrays
    bfloat16 : bool
        The arrays hold the bits of bfloat16 numbers.
    many : bool
        They came as a batch or a list, whose problems report their status instead of raising.
    """

    arrays: list[NDArray[Any]]
    bfloat16: bool
    many: bool

    def value(self, problem: int, row: int, column: int) -> Any:
        """Return one entry of a matrix, as a Python number."""
        entry = self.arrays[problem][row : row + 1, column : column + 1]
        return (widened(entry) if self.bfloat16 else entry).item()


def problems_of(cost: Any) -> Problems:
    """Read ``cost``: a matrix, three dimensions, or a list of matrices of any libraries and shapes."""
    if type(cost) is np.ndarray and cost.ndim == 2 and cost.dtype.char in _PLAIN:
        return Problems([cost], False, many=False)
    if isinstance(cost, (list, tuple)) and any(np.ndim(problem) == 2 for problem in cost):
        return Problems(*host_matrices(cost), many=True)
    array, bfloat16 = host_array(cost)
    if array.ndim == 3:
        return Problems(list(array), bfloat16, many=True)
    return Problems([checked(array)], bfloat16, many=False)


def check_count(name: str, value: Any) -> int:
    """Return ``value`` as an int; TypeError or ValueError unless it is a whole number of at least one."""
    if type(value) is int and value > 0:
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is a whole number, 1 or more; got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return int(value)
