"""Array-likes of any library as NumPy arrays that the core reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays.foreign import library_of, to_numpy

_NATIVE_SIZES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8)}


def host_array(cost: Any) -> tuple[NDArray[Any], bool]:
    """Return the cost as an array that the core reads, and whether it is an image of bfloat16."""
    library = library_of(cost)
    if library is not None:
        array, bfloat16, _ = to_numpy(cost, library)
        return native(array), bfloat16
    return native(cost), False


def checked(cost: Any) -> NDArray[Any]:
    """Return the cost as a 2-D array that the core can read, or raise what SciPy raises."""
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


def widened(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Numbers of bfloat16, given by their bits, as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def as_numbers(array: NDArray[Any], bfloat16: bool) -> NDArray[Any]:
    """The costs as NumPy computes with them: bfloat16 widened, everything in the native byte order."""
    if bfloat16:
        return widened(array)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _is_native(dtype: np.dtype[Any]) -> bool:
    return dtype.char in "fd" or dtype.itemsize in _NATIVE_SIZES.get(dtype.kind, ())
