"""NumPy arrays, and those that follow its methods: JAX, CuPy, ml_dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays.interface import is_complex

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
        return array.astype(np.complex128 if is_complex(self.dtype_name(array)) else np.float64)

    def blend(self, arrays: Sequence[Array], weights: Sequence[float]) -> Array:
        """See :class:`ArrayLibrary`."""
        dtype = arrays[0].dtype
        wide = np.dtype(dtype) if np.dtype(dtype).itemsize > 4 else np.dtype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            return self._sum(arrays, weights, wide).astype(dtype)

    def _sum(self, arrays: Sequence[Array], weights: Sequence[float], wide: np.dtype[Any]) -> Array:
        pairs = [(array, w) for array, w in zip(arrays, weights, strict=True) if w != 0.0]
        terms = [array.astype(wide) * wide.type(w) for array, w in pairs]
        total = terms[0] if terms else arrays[0].astype(wide) * wide.type(0.0)
        for term in terms[1:]:
            total = total + term
        return total

    def is_finite(self, array: Array) -> bool:
        """See :class:`ArrayLibrary`."""
        # Of other libraries than NumPy: what is not finite differs from itself by NaN.
        return bool(
            np.isfinite(array).all()
            if isinstance(array, np.ndarray | np.generic)
            else (array - array == 0).all()
        )

    def replaced(self, array: Array, other: Array, where: NDArray[np.bool_]) -> Array:
        """See :class:`ArrayLibrary`."""
        if isinstance(array, np.ndarray | np.generic):
            return np.where(where, other, array).astype(array.dtype)
        if hasattr(array, "at"):
            return array.at[where].set(other[where].astype(array.dtype))
        array[where] = other[where]
        return array

    def dot(self, a: Array, b: Array) -> float:
        """See :class:`ArrayLibrary`."""
        wide_a, wide_b = self.widen(a), self.widen(b)
        if is_complex(self.dtype_name(a)):
            wide_a = wide_a.conj()
        return float((wide_a * wide_b).sum().real)
