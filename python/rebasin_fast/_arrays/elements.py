"""One table of element types, with the names that NumPy, torch and files give to each; bfloat16 widened."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.errors import MissingDependencyError


class ElementType(NamedTuple):
    """One element type.

    Attributes
    ----------
    name : str
        Its name in torch and in NumPy, or in ``ml_dtypes`` where NumPy has none.
    itemsize : int
        Bytes.
    floating : bool
        Whether it is of real floating-point numbers.
    carrier : str
        The code of an integer of the same size, for the bits of a type that NumPy lacks; else empty.
    """

    name: str
    itemsize: int
    floating: bool = False
    carrier: str = ""

    def nbytes(self, shape: tuple[int, ...]) -> int:
        """The size in bytes of an array of this type."""
        return prod(shape) * self.itemsize


# By the names of safetensors.
ELEMENT_TYPES: dict[str, ElementType] = {
    "F64": ElementType("float64", 8, floating=True),
    "F32": ElementType("float32", 4, floating=True),
    "F16": ElementType("float16", 2, floating=True),
    "BF16": ElementType("bfloat16", 2, floating=True, carrier="I16"),
    "F8_E4M3": ElementType("float8_e4m3fn", 1, floating=True, carrier="U8"),
    "F8_E5M2": ElementType("float8_e5m2", 1, floating=True, carrier="U8"),
    "C64": ElementType("complex64", 8),
    "C128": ElementType("complex128", 16),
    "I64": ElementType("int64", 8),
    "I32": ElementType("int32", 4),
    "I16": ElementType("int16", 2),
    "I8": ElementType("int8", 1),
    "U64": ElementType("uint64", 8),
    "U32": ElementType("uint32", 4),
    "U16": ElementType("uint16", 2),
    "U8": ElementType("uint8", 1),
    "BOOL": ElementType("bool", 1),
}

CODE_OF_NAME = {element.name: code for code, element in ELEMENT_TYPES.items()}


@lru_cache(256)
def name_of(dtype: np.dtype[Any]) -> str:
    """NumPy's name of a dtype, which it composes anew at every call: 5 µs, twice for each parameter of a model."""
    return str(dtype.name)


NAMES = ", ".join(CODE_OF_NAME)


def carrier_of(code: str) -> str:
    """The code of the type under which NumPy holds the bytes: the type itself, or an integer."""
    return ELEMENT_TYPES[code].carrier or code


def numpy_dtype(code: str) -> np.dtype[Any]:
    """NumPy's type for a code; the small floating types come from ``ml_dtypes``.

    Raises
    ------
    MissingDependencyError
        For bfloat16 and float8 where ``ml_dtypes`` is not installed.
    """
    name = ELEMENT_TYPES[code].name
    if carrier_of(code) == code:
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError as error:
        raise MissingDependencyError(
            f"{name} parameters as NumPy arrays need the package ml_dtypes, which is not installed. "
            "Install it: pip install ml_dtypes"
        ) from error
    result: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return result


def widened(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Numbers of bfloat16, given by their bits, as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def rounded_to_bfloat16(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest numbers of bfloat16, ties to even, as float32."""
    bits = values.view(np.uint32)
    rounded = ((bits + (((bits >> 16) & 1) + 0x7FFF)) & 0xFFFF0000).astype(np.uint32)
    return np.where(np.isnan(values), values, rounded.view(np.float32))
