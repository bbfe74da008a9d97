"""The arrays of any library as the writers of files need them, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import ArrayLibrary, foreign_library, identity, library_of, wide_on_host
from .._arrays.elements import CODE_OF_NAME, ELEMENT_TYPES, NAMES, carrier_of, numpy_dtype
from .._arrays.torch import TorchArrays
from ..errors import MissingDependencyError, ParamsError


def element_code(array: Any, name: str) -> str:
    """The element type of an array as a key of `ELEMENT_TYPES`.

    Raises
    ------
    ParamsError
        For types that no format here can hold (objects, strings, quantised, sparse).
    """
    library, array = _readable(array)
    if isinstance(library, TorchArrays) and (str(array.layout) != "torch.strided" or array.is_quantized):
        raise ParamsError(f"parameter {name!r} is a {array.layout} tensor; make it dense first: t.to_dense()")
    code = CODE_OF_NAME.get(library.dtype_name(array))
    if code is None:
        raise ParamsError(
            f"parameter {name!r} has element type {array.dtype}, which cannot be written (possible: {NAMES}). "
            "Convert it first."
        )
    return code


def shape_of(array: Any) -> tuple[int, ...]:
    """The shape as plain integers."""
    return tuple(int(n) for n in np.shape(array))


def raw_bytes(array: Any) -> NDArray[np.uint8]:
    """The elements in C order, little endian, as bytes; a copy only where the layout differs."""
    library, array = _readable(array)
    return library.raw_bytes(array)


def to_numpy(array: Any) -> NDArray[Any]:
    """The array as NumPy's, bfloat16 as ml_dtypes'; without a copy where it lies in host memory."""
    library, array = _readable(array)
    code = CODE_OF_NAME.get(library.dtype_name(array))
    if code is not None and carrier_of(code) != code:
        return library.raw_bytes(array).view(numpy_dtype(code)).reshape(shape_of(array))
    return library.to_host(array)


def to_torch(array: NDArray[Any], code: str) -> Any:
    """Turn a NumPy array, maybe of integers that carry the bytes, into a tensor of type `code`.

    Shares memory where the array may be written to; a read-only one is copied, because torch has no read-only
    tensors and a write to a mapped file would end the process.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            "library='torch' needs torch, which is not installed. Install it: pip install "
            "'rebasin-fast[torch]'"
        ) from error
    carrier = carrier_of(code)
    native = array.astype(array.dtype.newbyteorder("="), copy=False).view(ELEMENT_TYPES[carrier].name)
    if not native.flags.writeable or any(step < 0 for step in native.strides):
        native = native.copy()
    tensor = torch.from_numpy(native)
    return tensor if carrier == code else tensor.view(getattr(torch, ELEMENT_TYPES[code].name))


def cast(array: Any, code: str, name: str) -> Any:
    """Convert floating elements to another floating type, but no number to infinity."""
    found, target = element_code(array, name), ELEMENT_TYPES[code]
    if found == code or not (target.floating and ELEMENT_TYPES[found].floating):
        return array
    if not isinstance(foreign_library(array), TorchArrays):
        array = to_numpy(array)
    library = library_of(array)
    with np.errstate(over="ignore", invalid="ignore"):
        result = library.cast(array, target.name)
    if not library.is_finite(result):
        lost = np.isfinite(wide_on_host(array)) & ~np.isfinite(wide_on_host(result))
        if lost.any():
            raise ParamsError(
                f"parameter {name!r} holds numbers too large for {target.name}, the type it had in the input. "
                "Save without like= to keep its present type."
            )
    return result


def equal(a: Any, b: Any) -> bool:
    """Bitwise equality of elements, shape and type."""
    if a is b or identity(a) == identity(b):
        return True
    same = shape_of(a) == shape_of(b) and element_code(a, "") == element_code(b, "")
    return same and bool(np.array_equal(raw_bytes(a), raw_bytes(b)))


def _readable(array: Any) -> tuple[ArrayLibrary, Any]:
    """An array and its library; anything else is converted by NumPy."""
    library = foreign_library(array)
    if library is not None:
        return library, array
    on_device = hasattr(array, "__cuda_array_interface__") and hasattr(array, "get")
    host = np.asarray(array.get() if on_device else array)
    return library_of(host), host
