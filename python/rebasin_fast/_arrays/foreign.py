"""Arrays of other libraries, found by type name and never imported for their own sake.

Each function here goes one way: an array in, a NumPy array out, with the way back for results.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Restore = Callable[[NDArray[Any]], Any]


def library_of(value: object) -> str | None:
    """Name the array library that ``value`` comes from: "torch", "cupy", "jax", or None for anything else."""
    if type(value) is np.ndarray:
        return None
    for kind in type(value).__mro__:
        root, _, _ = kind.__module__.partition(".")
        if root == "torch" and kind.__name__ == "Tensor":
            return "torch"
        if root == "cupy" and kind.__name__ == "ndarray":
            return "cupy"
        if root in ("jax", "jaxlib") and kind.__name__ in ("Array", "ArrayImpl"):
            return "jax"
    return None


def to_numpy(value: Any, library: str) -> tuple[NDArray[Any], bool, Restore]:
    """Bring an array of ``library`` to NumPy.

    Returns
    -------
    array
        Shares memory with ``value`` where it lies in host memory, else a host copy.
    bfloat16
        True when ``array`` is the uint16 image of bfloat16 numbers.
    restore
        Brings a NumPy result to the library and device of ``value``.
    """
    return _converters[library](value)


def _from_torch(value: Any) -> tuple[NDArray[Any], bool, Restore]:
    torch = sys.modules["torch"]
    device = value.device
    host = value.detach().resolve_conj().resolve_neg().cpu()
    bfloat16 = host.dtype == torch.bfloat16
    array = host.view(torch.int16).numpy().view(np.uint16) if bfloat16 else host.numpy()
    return array, bfloat16, lambda result: torch.from_numpy(result).to(device)


def _from_cupy(value: Any) -> tuple[NDArray[Any], bool, Restore]:
    cupy = sys.modules["cupy"]

    def restore(result: NDArray[Any]) -> Any:
        with value.device:
            return cupy.asarray(result)

    return value.get(), False, restore


def _from_jax(value: Any) -> tuple[NDArray[Any], bool, Restore]:
    jax = sys.modules["jax"]
    array = np.asarray(value)
    bfloat16 = array.dtype.name == "bfloat16"
    device = next(iter(value.devices()))
    return (
        array.view(np.uint16) if bfloat16 else array,
        bfloat16,
        lambda result: jax.device_put(result, device),
    )


_converters: dict[str, Callable[[Any], tuple[NDArray[Any], bool, Restore]]] = {
    "torch": _from_torch,
    "cupy": _from_cupy,
    "jax": _from_jax,
}
