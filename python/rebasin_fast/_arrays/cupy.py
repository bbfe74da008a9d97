"""CuPy arrays; cupy itself is reached through the modules that the user has imported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from rebasin_fast._arrays.interface import DeviceLibrary

if TYPE_CHECKING:
    from rebasin_fast.typing import Array


class CupyArrays(DeviceLibrary):
    """See :class:`DeviceLibrary`."""

    def put(self, like: Array, values: NDArray[Any]) -> Array:
        with like.device:
            return sys.modules["cupy"].asarray(values)

    def cast(self, array: Array, dtype: str) -> Array:
        with array.device:
            return super().cast(array, dtype)

    def on_device(self, array: Array) -> bool:
        return True

    def device(self, array: Array) -> int:
        return int(array.device.id)

    def stream(self, array: Array) -> int:
        with array.device:
            return int(sys.modules["cupy"].cuda.get_current_stream().ptr)

    def pointer(self, array: Array) -> int:
        return int(array.__cuda_array_interface__["data"][0])

    def strides(self, array: Array) -> tuple[int, ...]:
        return tuple(int(stride) // int(array.itemsize) for stride in array.strides)

    def empty(self, like: Array, shape: Sequence[int], dtype: str) -> Array:
        with like.device:
            return sys.modules["cupy"].empty(tuple(shape), dtype=dtype)
