"""NumPy arrays and scalars, those with dtypes of ml_dtypes included."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays.interface import ArrayLibrary

if TYPE_CHECKING:
    from rebasin_fast.typing import Array


class NumpyArrays(ArrayLibrary):
    """See :class:`ArrayLibrary`."""

    def is_finite(self, array: Array) -> bool:
        return bool(np.isfinite(array).all())

    def replaced(self, array: Array, other: Array, where: NDArray[np.bool_]) -> Array:
        replaced: Any = np.where(where, other, array)
        return replaced.astype(array.dtype)

    def address(self, array: Array) -> int | None:
        return int(array.__array_interface__["data"][0])

    def identity(self, array: Array) -> Hashable:
        if not isinstance(array, np.ndarray) or not array.size:
            return id(array)
        address = array.__array_interface__["data"][0]
        return ("cpu", address, array.shape, array.strides, array.dtype.str)
