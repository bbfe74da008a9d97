"""Device arrays of torch and CuPy as pointers, strides and streams; neither is imported for its own sake."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.errors import DeviceError


class DeviceLibrary(Protocol):
    """What the kernels' callers ask of an array library; arrays lie on one device, work goes to its stream."""

    def device(self, array: Any) -> int:
        """The number of the device."""

    def stream(self, array: Any) -> int:
        """The current stream of the array's device, as an integer."""

    def pointer(self, array: Any) -> int:
        """Address of the first entry."""

    def strides(self, array: Any) -> tuple[int, ...]:
        """Strides in entries."""

    def dtype(self, array: Any) -> str:
        """The name of the dtype in NumPy's words."""

    def empty(self, like: Any, shape: Sequence[int], dtype: str) -> Any:
        """An uninitialised contiguous array on the device of ``like``."""

    def put(self, like: Any, values: NDArray[Any]) -> Any:
        """A copy of host values on the device of ``like``."""

    def get(self, array: Any) -> NDArray[Any]:
        """A copy on the host; waits for the stream."""

    def cast(self, array: Any, dtype: str) -> Any:
        """The array in another dtype."""

    def rows(self, array: Any, index: Any) -> Any:
        """A copy of some rows."""


class TorchDevice:
    """torch.Tensor on a CUDA device."""

    def device(self, array: Any) -> int:
        """See :class:`DeviceLibrary`."""
        return int(array.device.index)

    def stream(self, array: Any) -> int:
        """See :class:`DeviceLibrary`."""
        return int(sys.modules["torch"].cuda.current_stream(array.device).cuda_stream)

    def pointer(self, array: Any) -> int:
        """See :class:`DeviceLibrary`; ValueError where the memory holds other numbers than the tensor."""
        if array.is_conj() or array.is_neg():
            raise ValueError(
                "a tensor awaits its conjugation or negation; give t.resolve_conj().resolve_neg()"
            )
        return int(array.data_ptr())

    def strides(self, array: Any) -> tuple[int, ...]:
        """See :class:`DeviceLibrary`."""
        return tuple(int(stride) for stride in array.stride())

    def dtype(self, array: Any) -> str:
        """See :class:`DeviceLibrary`."""
        return str(array.dtype).removeprefix("torch.")

    def empty(self, like: Any, shape: Sequence[int], dtype: str) -> Any:
        """See :class:`DeviceLibrary`."""
        torch = sys.modules["torch"]
        return torch.empty(tuple(shape), dtype=getattr(torch, dtype), device=like.device)

    def put(self, like: Any, values: NDArray[Any]) -> Any:
        """See :class:`DeviceLibrary`."""
        return sys.modules["torch"].from_numpy(np.ascontiguousarray(values)).to(like.device)

    def get(self, array: Any) -> NDArray[Any]:
        """See :class:`DeviceLibrary`."""
        host: NDArray[Any] = array.detach().cpu().numpy()
        return host

    def cast(self, array: Any, dtype: str) -> Any:
        """See :class:`DeviceLibrary`."""
        return array.detach().to(getattr(sys.modules["torch"], dtype))

    def rows(self, array: Any, index: Any) -> Any:
        """See :class:`DeviceLibrary`."""
        return array[index]


class CupyDevice:
    """cupy.ndarray."""

    def device(self, array: Any) -> int:
        """See :class:`DeviceLibrary`."""
        return int(array.device.id)

    def stream(self, array: Any) -> int:
        """See :class:`DeviceLibrary`."""
        with array.device:
            return int(sys.modules["cupy"].cuda.get_current_stream().ptr)

    def pointer(self, array: Any) -> int:
        """See :class:`DeviceLibrary`."""
        return int(array.__cuda_array_interface__["data"][0])

    def strides(self, array: Any) -> tuple[int, ...]:
        """See :class:`DeviceLibrary`."""
        return tuple(int(stride) // int(array.itemsize) for stride in array.strides)

    def dtype(self, array: Any) -> str:
        """See :class:`DeviceLibrary`."""
        return str(array.dtype.name)

    def empty(self, like: Any, shape: Sequence[int], dtype: str) -> Any:
        """See :class:`DeviceLibrary`."""
        with like.device:
            return sys.modules["cupy"].empty(tuple(shape), dtype=dtype)

    def put(self, like: Any, values: NDArray[Any]) -> Any:
        """See :class:`DeviceLibrary`."""
        with like.device:
            return sys.modules["cupy"].asarray(values)

    def get(self, array: Any) -> NDArray[Any]:
        """See :class:`DeviceLibrary`."""
        host: NDArray[Any] = array.get()
        return host

    def cast(self, array: Any, dtype: str) -> Any:
        """See :class:`DeviceLibrary`."""
        with array.device:
            return array.astype(dtype)

    def rows(self, array: Any, index: Any) -> Any:
        """See :class:`DeviceLibrary`."""
        return array[index]


def device_library(array: object) -> DeviceLibrary | None:
    """The library of an array that lies on a CUDA device; None for anything else."""
    for kind in type(array).__mro__:
        root = kind.__module__.partition(".")[0]
        if root == "torch" and kind.__name__ == "Tensor":
            return TorchDevice() if getattr(array, "is_cuda", False) else None
        if root == "cupy" and kind.__name__ == "ndarray":
            return CupyDevice()
    return None


@dataclass(frozen=True)
class Placement:
    """Where the work on an array goes: its library, the number of its device, and the stream."""

    library: DeviceLibrary
    device: int
    stream: int


def placement_of(array: Any, library: DeviceLibrary, module: Any) -> Placement:
    """Where ``array`` lies; DeviceError when its memory is not on the device that its library names."""
    device = library.device(array)
    pointer = library.pointer(array)
    found = module.device_of(pointer) if pointer else device
    if found != device:
        where = "host memory" if found is None else f"device {found}"
        raise DeviceError(
            f"the array says that it lies on CUDA device {device}, and its memory is on {where}; pass an array "
            "allocated by its library on one device, such as tensor.to('cuda:0')"
        )
    return Placement(library, device, library.stream(array))


def check_same_device(first: Any, second: Any, library: DeviceLibrary, what: str) -> None:
    """DeviceError when two arrays lie on different devices."""
    a, b = library.device(first), library.device(second)
    if a != b:
        raise DeviceError(
            f"{what} lies on CUDA device {b}, the costs on device {a}; move one of them, such as x.to('cuda:{a}')"
        )
