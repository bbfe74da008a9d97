"""JAX arrays, which are never changed in place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays.interface import ArrayLibrary

if TYPE_CHECKING:
    from rebasin_fast.typing import Array


class JaxArrays(ArrayLibrary):
    """See :class:`ArrayLibrary`; without ``jax_enable_x64``, 64-bit results have 32 bits."""

    def put(self, like: Array, values: NDArray[Any]) -> Array:
        return sys.modules["jax"].device_put(values, next(iter(like.devices())))

    def cast(self, array: Array, dtype: str) -> Array:
        return array.astype(dtype)

    def widen(self, array: Array) -> Array:
        """On the host: without ``jax_enable_x64`` JAX has no float64."""
        return super().widen(self.numbers(array))

    def replaced(self, array: Array, other: Array, where: NDArray[np.bool_]) -> Array:
        return array.at[where].set(other[where].astype(array.dtype))
