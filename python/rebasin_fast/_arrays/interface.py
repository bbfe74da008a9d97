"""The operations of an array library, written with NumPy's methods; other libraries replace those that differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays.elements import CODE_OF_NAME, name_of, numpy_dtype, widened

if TYPE_CHECKING:
    from rebasin_fast.typing import Array, Index


class ArrayLibrary:
    """Operations on the arrays of one library; results stay on the array's device and keep its dtype."""

    def dtype_name(self, array: Array) -> str:
        """``float32``, ``bfloat16``, ``int64``, …: NumPy's name of the dtype."""
        return name_of(np.dtype(array.dtype))

    def to_host(self, array: Array) -> NDArray[Any]:
        """``array`` as NumPy, without a copy where it lies in host memory; bfloat16 as its bits in uint16.

        Of torch, float8 comes as float32 and complex32 as complex64. On a device the current stream is waited for.
        """
        host = np.asarray(array.get() if hasattr(array, "get") else array)
        return host.view(np.uint16) if name_of(host.dtype) == "bfloat16" else host

    def numbers(self, array: Array) -> NDArray[Any]:
        """As :meth:`to_host`, bfloat16 widened to float32."""
        host = self.to_host(array)
        return widened(host) if self.dtype_name(array) == "bfloat16" else host

    def put(self, like: Array, values: NDArray[Any]) -> Array:
        """NumPy's ``values`` as an array of this library on the device of ``like``."""
        return values

    def cast(self, array: Array, dtype: str) -> Array:
        """``array`` in another dtype; itself where it has that one."""
        return array.astype(numpy_dtype(CODE_OF_NAME[dtype]), copy=False)

    def widen(self, array: Array) -> Array:
        """``array`` in float64, or complex128; itself where it has that dtype."""
        return self.cast(array, "complex128" if is_complex(self.dtype_name(array)) else "float64")

    def take(self, array: Array, index: Index, axis: int) -> Array:
        """A copy of ``array`` with position i of ``axis`` filled from position ``index[i]``."""
        return array.take(index, axis=axis)

    def blend(self, arrays: Sequence[Array], weights: Sequence[float]) -> Array:
        """Weighted sum, computed in float32 or wider, in the dtype and on the device of the first array.

        An array whose weight is 0 is not read: infinities there do not reach the sum.
        """
        dtype = arrays[0].dtype
        wide = np.dtype(dtype) if np.dtype(dtype).itemsize > 4 else np.dtype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            pairs = [(array, w) for array, w in zip(arrays, weights, strict=True) if w != 0.0]
            total, *terms = [array.astype(wide) * wide.type(w) for array, w in pairs or [(arrays[0], 0.0)]]
            for term in terms:
                total = total + term
            return total.astype(dtype)

    def is_finite(self, array: Array) -> bool:
        """Whether no entry is NaN or infinite; on a device it is waited for."""
        return bool((array - array == 0).all())

    def replaced(self, array: Array, other: Array, where: NDArray[np.bool_]) -> Array:
        """``array`` with the entries of ``other`` at the places of ``where``; may be ``array`` itself, changed."""
        array[where] = other[where]
        return array

    def dot(self, a: Array, b: Array) -> float:
        """Sum of products over all entries, in float64; of complex arrays the real part of the inner product."""
        wide_a, wide_b = self.widen(a), self.widen(b)
        if is_complex(self.dtype_name(a)):
            wide_a = wide_a.conj()
        return float((wide_a * wide_b).sum().real)

    def raw_bytes(self, array: Array) -> NDArray[np.uint8]:
        """The elements in C order, little endian, as bytes; a copy only where the layout differs."""
        host = self.to_host(array)
        return np.ascontiguousarray(host, dtype=host.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)

    def identity(self, array: Array) -> Hashable:
        """Equal for two living arrays that are the same elements of the same memory."""
        return id(array)

    def address(self, array: Array) -> int | None:
        """The address of the first element in host memory; None where there is none."""
        return None


class DeviceLibrary(ArrayLibrary, ABC):
    """A library whose arrays may lie on a CUDA device; work on them is queued on the device's current stream."""

    @abstractmethod
    def on_device(self, array: Array) -> bool:
        """Whether ``array`` lies on a CUDA device."""

    @abstractmethod
    def device(self, array: Array) -> int:
        """The number of the device."""

    @abstractmethod
    def stream(self, array: Array) -> int:
        """The current stream of the array's device, as an integer."""

    @abstractmethod
    def pointer(self, array: Array) -> int:
        """Address of the first entry; ValueError where the memory holds other numbers than the array."""

    @abstractmethod
    def strides(self, array: Array) -> tuple[int, ...]:
        """Strides in entries."""

    @abstractmethod
    def empty(self, like: Array, shape: Sequence[int], dtype: str) -> Array:
        """An uninitialised contiguous array on the device of ``like``."""


def is_floating(dtype_name: str) -> bool:
    """Whether a dtype takes part in matching and interpolation; integers and booleans do not."""
    return dtype_name.startswith(("float", "bfloat", "longdouble")) or is_complex(dtype_name)


def is_complex(dtype_name: str) -> bool:
    """Whether it is of complex numbers."""
    return dtype_name.startswith(("complex", "clongdouble"))
