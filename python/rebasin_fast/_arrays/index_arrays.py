"""Arrays of indices, checked."""

from __future__ import annotations

import numpy as np

from rebasin_fast.errors import PermutationError
from rebasin_fast.typing import Index


def as_index(name: str, values: object) -> Index:
    """``values`` as contiguous int64; PermutationError unless every row holds each of its units once."""
    array = np.asarray(values)
    if array.ndim == 0 or not np.issubdtype(array.dtype, np.integer):
        raise PermutationError(
            f"permutation {name!r} must be an array of integers, got {array.dtype} of shape {array.shape}"
        )
    index = np.ascontiguousarray(array, dtype=np.int64)
    if not np.array_equal(np.sort(index, axis=-1), np.broadcast_to(np.arange(index.shape[-1]), index.shape)):
        raise PermutationError(
            f"permutation {name!r} is not one: it must hold each of 0 … {index.shape[-1] - 1} once, got {index!r:.120}"
        )
    return index
