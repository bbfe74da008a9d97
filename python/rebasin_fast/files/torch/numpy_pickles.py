"""NumPy arrays inside pickles, read as data: element type, shape and bytes stand in the pickle itself."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import FileFormatError
from ..mapped import DAMAGED, checked_shape
from .pickle_reader import Call, Global

_RECONSTRUCT = {"numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"}
_FROM_BUFFER = {"numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"}
_PLAIN_TYPES = "?bhilqBHILQefdFD"
_TYPE_NAME = re.compile(r"[<>=|]?[a-zA-Z?]{1,10}\d{0,3}")  # NumPy reads a whole language in its place


def is_numpy_array(node: Any) -> bool:
    """Whether it describes a NumPy array of numbers."""
    if not isinstance(node, Call) or not isinstance(node.function, Global):
        return False
    return str(node.function) in _RECONSTRUCT | _FROM_BUFFER and _parts(node) is not None


def numpy_array(node: Call, where: str) -> NDArray[Any]:
    """The array, read-only, in native byte order.

    Raises
    ------
    FileFormatError
        Shape and bytes do not fit one another.
    """
    parts = _parts(node)
    assert parts is not None
    data, dtype, shape, order = parts
    shape = checked_shape(shape, where)
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise FileFormatError(f"{where}: {len(data)} bytes do not fit shape {shape} of {dtype}. {DAMAGED}")
    array: NDArray[Any] = np.frombuffer(data, dtype).reshape(shape, order=order)
    array = array.astype(dtype.newbyteorder("="), copy=False)
    array.flags.writeable = False
    return array


def _parts(node: Call) -> tuple[bytes, np.dtype[Any], Any, Literal["C", "F"]] | None:
    if str(node.function) in _FROM_BUFFER:
        if len(node.args) != 4:
            return None
        data, described, shape, order = node.args
    else:
        if not isinstance(node.state, tuple) or len(node.state) != 5:
            return None
        _version, shape, described, fortran, data = node.state
        order = "F" if fortran else "C"
    content, dtype = _bytes(data), _dtype(described)
    return None if content is None or dtype is None else (content, dtype, shape, "F" if order == "F" else "C")


def _bytes(node: Any) -> bytes | None:
    if isinstance(node, bytes | bytearray):
        return bytes(node)
    # Protocol 2, which torch.save uses, has no bytes: they stand as text.
    if isinstance(node, Call) and str(node.function) == "_codecs.encode" and len(node.args) == 2:
        text, encoding = node.args
        if node.data is None and isinstance(text, str) and encoding == "latin1":
            try:
                node.data = text.encode("latin1")
            except UnicodeEncodeError:
                return None
        return node.data
    empty = (
        isinstance(node, Call)
        and str(node.function) in ("__builtin__.bytes", "builtins.bytes")
        and not node.args
    )
    return b"" if empty else None


def _dtype(node: Any) -> np.dtype[Any] | None:
    if not isinstance(node, Call) or str(node.function) != "numpy.dtype" or not node.args:
        return None
    if not isinstance(node.args[0], str) or not _TYPE_NAME.fullmatch(node.args[0]):
        return None
    try:
        dtype = np.dtype(node.args[0])
    except TypeError:
        return None
    order = node.state[1] if isinstance(node.state, tuple) and len(node.state) > 1 else "="
    if dtype.char not in _PLAIN_TYPES or order not in ("<", ">", "=", "|"):
        return None
    result: np.dtype[Any] = dtype.newbyteorder(">" if order == ">" else "<")
    return result
