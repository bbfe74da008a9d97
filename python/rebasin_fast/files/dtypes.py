"""One table of element types: the names that files, NumPy and torch give to the same thing.

The key is safetensors' name ("F32", "BF16"), which every format of this package uses between its parts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import FileFormatError, MissingDependencyError


class ElementType(NamedTuple):
    """One element type: its NumPy name, torch name, size in bytes, and whether it is a floating type."""

    numpy: str
    torch: str
    itemsize: int
    floating: bool


ELEMENT_TYPES: dict[str, ElementType] = {
    "F64": ElementType("float64", "float64", 8, True),
    "F32": ElementType("float32", "float32", 4, True),
    "F16": ElementType("float16", "float16", 2, True),
    "BF16": ElementType("bfloat16", "bfloat16", 2, True),
    "F8_E4M3": ElementType("float8_e4m3fn", "float8_e4m3fn", 1, True),
    "F8_E5M2": ElementType("float8_e5m2", "float8_e5m2", 1, True),
    "C64": ElementType("complex64", "complex64", 8, False),
    "C128": ElementType("complex128", "complex128", 16, False),
    "I64": ElementType("int64", "int64", 8, False),
    "I32": ElementType("int32", "int32", 4, False),
    "I16": ElementType("int16", "int16", 2, False),
    "I8": ElementType("int8", "int8", 1, False),
    "U64": ElementType("uint64", "uint64", 8, False),
    "U32": ElementType("uint32", "uint32", 4, False),
    "U16": ElementType("uint16", "uint16", 2, False),
    "U8": ElementType("uint8", "uint8", 1, False),
    "BOOL": ElementType("bool", "bool", 1, False),
}

CODE_OF_NUMPY = {element.numpy: code for code, element in ELEMENT_TYPES.items()}
CODE_OF_TORCH = {element.torch: code for code, element in ELEMENT_TYPES.items()}

_IN_ML_DTYPES = {"BF16": "I16", "F8_E4M3": "U8", "F8_E5M2": "U8"}


def numpy_dtype(code: str) -> np.dtype[Any]:
    """NumPy's type for a code; the small floating types come from `ml_dtypes`.

    Raises
    ------
    MissingDependencyError
        For bfloat16 and float8 where `ml_dtypes` is not installed.
    """
    name = ELEMENT_TYPES[code].numpy
    if code not in _IN_ML_DTYPES:
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


def opaque_code(code: str) -> str:
    """Name a type of the same size that plain NumPy has, to carry the bytes of one that it has not."""
    return _IN_ML_DTYPES.get(code, code)


def known_code(code: object, where: str) -> str:
    """`code` itself if it is an element type that we can hold; `where` names file and parameter."""
    if isinstance(code, str) and code in ELEMENT_TYPES:
        return code
    raise FileFormatError(
        f"{where}: element type {code!r} is not supported (supported: {', '.join(ELEMENT_TYPES)}). "
        "Packed and quantised weights cannot be matched: convert the checkpoint to float16 or float32 first."
    )
