"""Pictures of matrices as PNG data URIs whose zero is transparent, so that they suit light and dark pages."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

# Blue above zero and orange below: told apart by every kind of colour vision, legible on white and on black.
POSITIVE = (30, 120, 220)
NEGATIVE = (230, 110, 20)
_STEPS = 24  # shades on either side of zero: more cost bytes and are not told apart


def heat_map(values: NDArray[np.float64], limit: float) -> str:
    """``values`` as an indexed PNG, one pixel an entry; ``limit`` and beyond is opaque.

    Parameters
    ----------
    values : (rows, columns) float64 array
    limit : float
        The magnitude of full colour; 0 makes everything transparent.

    Returns
    -------
    str
        ``data:image/png;base64,…``
    """
    scaled = values / limit if limit > 0.0 else np.zeros_like(values)
    indices = (np.clip(np.rint(scaled * _STEPS), -_STEPS, _STEPS) + _STEPS).astype(np.uint8)
    encoded = base64.b64encode(_encoded(indices)).decode("ascii")
    return f"data:image/png;base64,{encoded}"


def _encoded(indices: NDArray[np.uint8]) -> bytes:
    rows, columns = indices.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    shades = range(-_STEPS, _STEPS + 1)
    palette = b"".join(bytes(POSITIVE if shade > 0 else NEGATIVE) for shade in shades)
    alpha = bytes(round(255 * abs(shade) / _STEPS) for shade in shades)
    # Every row begins with its filter; 0 is none.
    lines = np.pad(indices, ((0, 0), (1, 0))).tobytes()
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"tRNS", alpha), (b"IDAT", zlib.compress(lines, 9)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
