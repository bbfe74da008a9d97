"""Arrays that lie in a file: views of its mapping, which cost no memory of their own."""

from __future__ import annotations

import math
import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays.elements import ELEMENT_TYPES, numpy_dtype
from .._untrusted import brief
from ..errors import FileFormatError
from .mapping.guarded_map import GuardedMap

MAX_NDIM = 32  # the most in every supported NumPy
MAX_BYTES = 2**63 - 1
DAMAGED = "The file is damaged or hostile: fetch it again from where it came."


class MappedFile:
    """A whole file mapped, shared with every process that reads it.

    Read-only for NumPy. torch has no read-only tensors: there, a write goes to a private copy of the page, where it
    would otherwise end the process.
    """

    def __init__(self, path: Path, library: str = "numpy") -> None:
        self.path = path
        self.inside = False
        access = mmap.ACCESS_COPY if library == "torch" else mmap.ACCESS_READ
        found = GuardedMap.of_file(path, access)
        self.map: Any = b"" if found is None else found
        self.size = len(self.map)

    @classmethod
    def of_bytes(cls, path: Path, data: bytes, library: str = "numpy") -> MappedFile:
        """A file that lies within another one, as its bytes; ``path`` is for messages."""
        file = cls.__new__(cls)
        file.path, file.size, file.inside = path, len(data), True
        file.map = bytearray(data) if library == "torch" else data
        return file

    @property
    def sources(self) -> tuple[GuardedMap, ...]:
        """The mapping that arrays are views of; none for bytes."""
        return (self.map,) if isinstance(self.map, GuardedMap) else ()

    def array(
        self, code: str, shape: tuple[int, ...], offset: int, strides: tuple[int, ...] | None = None
    ) -> NDArray[Any]:
        """A view of the file; `strides` in elements. A copy only where the file does not align its elements."""
        dtype = numpy_dtype(code)
        if math.prod(shape) == 0:
            return np.zeros(shape, dtype)
        steps = None if strides is None else tuple(s * dtype.itemsize for s in strides)
        view: NDArray[Any] = np.ndarray(shape, dtype, buffer=self.map, offset=offset, strides=steps)
        return view if view.flags.aligned else view.copy()

    def aligned(self, code: str, offset: int) -> bool:
        """Whether `array` gives a view, not a copy."""
        return offset % min(8, ELEMENT_TYPES[code].itemsize) == 0


def checked_shape(shape: object, where: str) -> tuple[int, ...]:
    """`shape` as a tuple, if an array can have it; before anything of that size is touched."""
    if not isinstance(shape, list | tuple) or len(shape) > MAX_NDIM:
        raise FileFormatError(f"{where}: {brief(shape)} is not a shape of at most {MAX_NDIM} axes. {DAMAGED}")
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= MAX_BYTES for n in shape):
        raise FileFormatError(f"{where}: {brief(shape)} is not a shape. {DAMAGED}")
    if math.prod(n for n in shape if n) > MAX_BYTES // 16:
        raise FileFormatError(f"{where}: a shape of {brief(shape)} is larger than any memory. {DAMAGED}")
    return tuple(shape)
