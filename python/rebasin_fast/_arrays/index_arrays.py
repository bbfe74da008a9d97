"""Arrays of indices, checked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rebasin_fast._untrusted import brief
from rebasin_fast.errors import PermutationError
from rebasin_fast.typing import Index


def check_index_mapping(permutation: object, argument: str = "permutation") -> None:
    """TypeError, naming the argument, unless it maps names to index arrays; a ``Matching`` is the usual mistake."""
    if not isinstance(permutation, Mapping):
        hint = "; pass matching.permutation" if hasattr(permutation, "permutation") else ""
        raise TypeError(
            f"{argument}: a permutation is a mapping of names to index arrays, got "
            f"{type(permutation).__qualname__}{hint}"
        )


def as_index(name: str, values: object) -> Index:
    """``values`` as contiguous int64; PermutationError unless every row holds each of its units once."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise PermutationError(f"permutation {name!r} must be an array of integers: {error}") from None
    if array.ndim == 0 or 0 in array.shape[:-1] or not np.issubdtype(array.dtype, np.integer):
        raise PermutationError(
            f"permutation {name!r} must be an array of integers, got {array.dtype} of shape {array.shape}"
        )
    index = np.ascontiguousarray(array, dtype=np.int64)
    if not np.array_equal(np.sort(index, axis=-1), np.broadcast_to(np.arange(index.shape[-1]), index.shape)):
        raise PermutationError(
            f"permutation {name!r} is not one: it must hold each of 0 … {index.shape[-1] - 1} once, got "
            f"{brief(index.ravel()[:20].tolist())}"
        )
    return index
