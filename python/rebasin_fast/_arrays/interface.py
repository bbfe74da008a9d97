"""What the package asks of an array library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rebasin_fast.typing import Array


class ArrayLibrary(Protocol):
    """Operations on the arrays of one library; results stay on the array's device and keep its dtype."""

    def owns(self, array: object) -> bool:
        """Whether ``array`` belongs to this library."""

    def take(self, array: Array, index: NDArray[np.int64], axis: int) -> Array:
        """A copy of ``array`` with position i of ``axis`` filled from position ``index[i]``."""

    def to_host(self, array: Array) -> NDArray[Any]:
        """``array`` as NumPy, without a copy where it lies in host memory; bfloat16 as ml_dtypes or uint16 bits."""

    def adopt(self, host: NDArray[Any]) -> Array:
        """A NumPy array as one that operations with this library's arrays take."""

    def dtype_name(self, array: Array) -> str:
        """``float32``, ``bfloat16``, ``int64``, … in NumPy's words."""

    def widen(self, array: Array) -> Array:
        """``array`` in float64, or complex128."""

    def blend(self, arrays: Sequence[Array], weights: Sequence[float]) -> Array:
        """Weighted sum, computed in float32 or wider, in the dtype and on the device of the first array.

        An array whose weight is 0 is not touched: infinities there do not spoil the sum.
        """

    def is_finite(self, array: Array) -> bool:
        """Whether no entry is NaN or infinite; on a device it is waited for."""

    def replaced(self, array: Array, other: Array, where: NDArray[np.bool_]) -> Array:
        """``array`` with the entries of ``other`` at the places of ``where``; may be ``array`` itself, changed."""

    def dot(self, a: Array, b: Array) -> float:
        """Sum of products over all entries, in float64; of complex arrays the real part of the inner product."""


def is_floating(dtype_name: str) -> bool:
    """Whether a dtype takes part in matching and interpolation; integers and booleans do not."""
    return dtype_name.startswith(("float", "bfloat", "longdouble")) or is_complex(dtype_name)


def is_complex(dtype_name: str) -> bool:
    """Whether it is of complex numbers."""
    return dtype_name.startswith(("complex", "clongdouble"))
