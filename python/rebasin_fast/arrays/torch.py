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
        return array.detach().double()

    def blend(self, arrays: Sequence[Array], weights: Sequence[float]) -> Array:
        """See :class:`ArrayLibrary`."""
        torch = sys.modules["torch"]
        first = arrays[0].detach()
        # torch.promote_types knows no float8.
        wide = (
            torch.float32 if _is_eight_bits(first.dtype) else torch.promote_types(first.dtype, torch.float32)
        )
        total = first.to(wide) * weights[0]
        for array, weight in zip(arrays[1:], weights[1:], strict=True):
            total += array.detach().to(device=first.device, dtype=wide) * weight
        return total.to(first.dtype)

    def dot(self, a: Array, b: Array) -> float:
        """See :class:`ArrayLibrary`."""
        b = b.detach().to(a.device)
        return float((a.detach().double() * b.double()).sum())


def _is_eight_bits(dtype: Any) -> bool:
    """Whether it is one of torch's float8 types, for which few of its operations exist."""
    return bool(dtype.is_floating_point) and "float8" in str(dtype)
