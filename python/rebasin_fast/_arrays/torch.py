"""torch tensors, on any device; torch itself is reached through the tensors' own methods."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rebasin_fast.typing import Array


class TorchArrays:
    """Tensors and parameters; results are detached from the autograd graph."""

    def owns(self, array: object) -> bool:
        """Whether ``array`` is a tensor of the torch that is imported already."""
        torch = sys.modules.get("torch")
        return torch is not None and isinstance(array, torch.Tensor)

    def take(self, array: Array, index: NDArray[np.int64], axis: int) -> Array:
        """See :class:`ArrayLibrary`."""
        torch = sys.modules["torch"]
        array, places = array.detach(), torch.from_numpy(index).to(array.device)
        if not _is_eight_bits(array.dtype):
            return array.index_select(axis, places)
        return array.view(torch.uint8).index_select(axis, places).view(array.dtype)

    def to_host(self, array: Array) -> NDArray[Any]:
        """See :class:`ArrayLibrary`; bfloat16 comes as its bits in uint16, float8 as float32."""
        torch = sys.modules["torch"]
        host = array.detach().resolve_conj().resolve_neg().cpu()
        if host.dtype == torch.bfloat16:
            bits: NDArray[Any] = host.view(torch.int16).numpy().view(np.uint16)
            return bits
        if _is_eight_bits(host.dtype):
            host = host.float()
        numpy_array: NDArray[Any] = host.numpy()
        return numpy_array

    def adopt(self, host: NDArray[Any]) -> Array:
        """See :class:`ArrayLibrary`."""
        return sys.modules["torch"].from_numpy(host)

    def dtype_name(self, array: Array) -> str:
        """See :class:`ArrayLibrary`."""
        return str(array.dtype).removeprefix("torch.")

    def widen(self, array: Array) -> Array:
        """See :class:`ArrayLibrary`."""
        torch = sys.modules["torch"]
        array = array.detach()
        return array.to(torch.complex128 if array.is_complex() else torch.float64)

    def blend(self, arrays: Sequence[Array], weights: Sequence[float]) -> Array:
        """See :class:`ArrayLibrary`."""
        torch = sys.modules["torch"]
        first = arrays[0].detach()
        # torch.promote_types knows no float8.
        wide = (
            torch.float32 if _is_eight_bits(first.dtype) else torch.promote_types(first.dtype, torch.float32)
        )
        total = None
        for array, weight in zip(arrays, weights, strict=True):
            if weight != 0.0:
                term = array.detach().to(device=first.device, dtype=wide) * weight
                total = term if total is None else total.add_(term)
        return (torch.zeros_like(first, dtype=wide) if total is None else total).to(first.dtype)

    def is_finite(self, array: Array) -> bool:
        """See :class:`ArrayLibrary`."""
        torch = sys.modules["torch"]
        return bool(torch.isfinite(array.float() if _is_eight_bits(array.dtype) else array).all())

    def replaced(self, array: Array, other: Array, where: NDArray[np.bool_]) -> Array:
        """See :class:`ArrayLibrary`."""
        torch = sys.modules["torch"]
        places = torch.from_numpy(np.ascontiguousarray(where)).to(array.device)
        other = other.detach().to(array)
        if not _is_eight_bits(array.dtype):
            return torch.where(places, other, array)
        return torch.where(places, other.view(torch.uint8), array.view(torch.uint8)).view(array.dtype)

    def dot(self, a: Array, b: Array) -> float:
        """See :class:`ArrayLibrary`."""
        wide_a, wide_b = self.widen(a), self.widen(b.detach().to(a.device))
        return float((wide_a.conj() * wide_b).sum().real)


def _is_eight_bits(dtype: Any) -> bool:
    """Whether it is one of torch's float8 types, for which few of its operations exist."""
    return bool(dtype.is_floating_point) and "float8" in str(dtype)
