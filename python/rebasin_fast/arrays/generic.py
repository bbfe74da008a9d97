"""NumPy arrays, and those that follow its methods: JAX, CuPy, ml_dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rebasin_fast.typing import Array


class GenericArrays:
    """Arrays with NumPy's ``take``, ``astype`` and ``reshape``."""

    def owns(self, array: object) -> bool:
        """Whether ``array`` is a NumPy array or has the methods used here."""
        return isinstance(array, np.ndarray | np.generic) or all(
            hasattr(array, method) for method in ("take", "astype", "reshape", "dtype", "shape")
        )

    def take(self, array: Array, index: NDArray[np.int64], axis: int) -> Array:
        """See :class:`ArrayLibrary`."""
        return array.take(index, axis=axis)

    def to_host(self, array: Array) -> NDArray[Any]:
        """See :class:`ArrayLibrary`."""
        return np.asarray(array.get() if hasattr(array, "get") else array)

    def adopt(self, host: NDArray[Any]) -> Array:
        """See :class:`ArrayLibrary`."""
        return host

    def dtype_name(self, array: Array) -> str:
        """See :class:`ArrayLibrary`."""
        return str(np.dtype(array.dtype).name)

    def widen(self, array: Array) -> Array:
        """See :class:`ArrayLibrary`."""
        return array.astype(np.float64)

    def blend(self, arrays: Sequence[Array], weights: Sequence[float]) -> Array:
        """See :class:`ArrayLibrary`."""
        dtype = arrays[0].dtype
        wide = dtype if self.dtype_name(arrays[0]) == "float64" else np.dtype(np.float32)
        terms = [array.astype(wide) * wide.type(w) for array, w in zip(arrays, weights, strict=True)]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total.astype(dtype)

    def dot(self, a: Array, b: Array) -> float:
        """See :class:`ArrayLibrary`."""
        return float((a.astype(np.float64) * b.astype(np.float64)).sum())
