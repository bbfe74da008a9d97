"""The header of an array of NumPy: element type, order and shape.

NumPy's own reader takes a tenth of a second for one that is no header (it looks for numbers of Python 2, token by
token), and a file of a megabyte has thousands.
"""

from __future__ import annotations

import ast
import re
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

MAX_HEADER = 4096
_KEYS = {"descr", "fortran_order", "shape"}
_LONG_OF_PYTHON_2 = re.compile(r"(?<=\d)L\b")


class NpyHeader(NamedTuple):
    """What a header says, and the position of the first element."""

    shape: Any
    fortran_order: bool
    dtype: np.dtype[Any]
    start: int


def parse_npy_header(head: bytes) -> NpyHeader:
    """The header at the beginning of these bytes.

    Raises
    ------
    Exception
        Of many classes: it is no header. The shape is not checked.
    """
    if head[:6] != npy.MAGIC_PREFIX or len(head) < 12:
        raise ValueError("it does not begin as an array of NumPy")
    version, room = head[6:8], 2 if head[6] == 1 else 4
    if version not in (b"\1\0", b"\2\0", b"\3\0"):
        raise ValueError(f"version {head[6]}.{head[7]} is unknown")
    length, start = int.from_bytes(head[8 : 8 + room], "little"), 8 + room
    if length > MAX_HEADER or start + length > len(head):
        raise ValueError(f"it announces {length:,} bytes; {MAX_HEADER:,} are allowed")
    text = head[start : start + length].decode("utf-8" if head[6] == 3 else "latin1")
    found = ast.literal_eval(_LONG_OF_PYTHON_2.sub("", text).strip())
    if not isinstance(found, dict) or found.keys() != _KEYS or not isinstance(found["fortran_order"], bool):
        raise ValueError("it has not the keys descr, fortran_order and shape")
    dtype = npy.descr_to_dtype(found["descr"])
    return NpyHeader(found["shape"], found["fortran_order"], dtype, start + length)
