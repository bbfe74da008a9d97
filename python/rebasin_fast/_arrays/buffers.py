"""Where device arrays lie: the device and the stream of the work on them, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rebasin_fast._arrays.interface import DeviceLibrary
from rebasin_fast.errors import DeviceError


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
            f"the array reports CUDA device {device}, and its memory is on {where}; pass an array "
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
