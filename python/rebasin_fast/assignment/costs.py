"""Matrices, batches and lists of any library as NumPy arrays that the core reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import foreign_library
from rebasin_fast._arrays.elements import widened

_PLAIN = "fdilqILQbBhH?"  # types of elements that the core reads as they are
_NATIVE_SIZES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8)}


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
    with naming_the_cost():
        array, bfloat16 = host_array(cost)
    if array.ndim == 3:
        return Problems(list(array), bfloat16, many=True)
    return Problems([checked(array)], bfloat16, many=False)


@contextmanager
def naming_the_cost() -> Iterator[None]:
    """Errors of NumPy about something that is no array of numbers name the argument."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"cost is no matrix of numbers: {error}") from None


def host_array(cost: Any) -> tuple[NDArray[Any], bool]:
    """Return the cost as an array that the core reads, and whether it holds the bits of bfloat16 numbers."""
    library = foreign_library(cost)
    if library is None:
        return native(cost), False
    return native(library.to_host(cost)), library.dtype_name(cost) == "bfloat16"


def host_matrices(costs: Iterable[Any]) -> tuple[list[NDArray[Any]], bool]:
    """Return matrices of any libraries as :func:`host_array` does, bfloat16 widened where not all are of it."""
    hosts = [host_array(cost) for cost in costs]
    all_bfloat16 = bool(hosts) and all(bfloat16 for _, bfloat16 in hosts)
    return [
        checked(widened(array) if bfloat16 and not all_bfloat16 else array) for array, bfloat16 in hosts
    ], all_bfloat16


def checked(cost: Any) -> NDArray[Any]:
    """Return the cost as a 2-D array that the core can read; ValueError with SciPy's message for other axes."""
    array = native(cost)
    if array.ndim != 2:
        raise ValueError(f"expected a matrix (2-D array), got a {array.ndim} array")
    return array


def native(cost: Any) -> NDArray[Any]:
    """Return the cost as an array of a dtype that the core reads.

    Arrays are cast as far as that is safe. Of everything else the values are taken as float64, one by one where
    they are objects, as SciPy does.
    """
    if not isinstance(cost, np.ndarray):
        array = np.asarray(cost) if hasattr(cost, "__array__") else None
        return array if array is not None and _is_native(array.dtype) else np.asarray(cost, dtype=np.float64)
    return cost if _is_native(cost.dtype) else cost.astype(np.float64, casting="safe")


def as_numbers(array: NDArray[Any], bfloat16: bool) -> NDArray[Any]:
    """The costs as NumPy computes with them: bfloat16 widened, everything in the native byte order."""
    if bfloat16:
        return widened(array)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _is_native(dtype: np.dtype[Any]) -> bool:
    return dtype.char in "fd" or dtype.itemsize in _NATIVE_SIZES.get(dtype.kind, ())
