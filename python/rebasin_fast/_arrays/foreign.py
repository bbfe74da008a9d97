"""Arrays of other libraries than NumPy, on the way to NumPy and back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from numpy.typing import NDArray

from rebasin_fast._arrays import foreign_library

Restore = Callable[[NDArray[Any]], Any]
_NAMES = {"TorchArrays": "torch", "CupyArrays": "cupy", "JaxArrays": "jax"}


def library_of(value: object) -> str | None:
    """Name the array library that ``value`` comes from: "torch", "cupy", "jax", or None for anything else."""
    library = foreign_library(value)
    return None if library is None else _NAMES[type(library).__name__]


def to_numpy(value: Any, _library: str) -> tuple[NDArray[Any], bool, Restore]:
    """NumPy's array; whether it holds the bits of bfloat16 numbers; and the way back of a result."""
    library = foreign_library(value)
    assert library is not None
    return library.to_host(value), library.dtype_name(value) == "bfloat16", partial(library.put, value)
