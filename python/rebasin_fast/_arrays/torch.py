"""torch tensors and parameters, on any device; torch itself is reached through the modules that the user imported."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays.interface import DeviceLibrary
from rebasin_fast.errors import ParamsError

if TYPE_CHECKING:
    from rebasin_fast.typing import Array, Index


class TorchArrays(DeviceLibrary):
    """See :class:`DeviceLibrary`; results are detached from the autograd graph."""

    def dtype_name(self, array: Array) -> str:
        return str(array.dtype).removeprefix("torch.")

    def to_host(self, array: Array) -> NDArray[Any]:
        torch = sys.modules["torch"]
        host = resolved(array)
        if host.dtype == torch.bfloat16:
            bits: NDArray[Any] = host.view(torch.int16).numpy().view(np.uint16)
            return bits
        if _is_float8(host.dtype):
            host = host.float()
        elif host.dtype == torch.complex32:
            host = host.to(torch.complex64)
        numbers: NDArray[Any] = host.numpy()
        return numbers

    def put(self, like: Array, values: NDArray[Any]) -> Array:
        return sys.modules["torch"].from_numpy(np.asarray(values, order="C")).to(like.device)

    def cast(self, array: Array, dtype: str) -> Array:
        return array.detach().to(getattr(sys.modules["torch"], dtype))

    def take(self, array: Array, index: Index, axis: int) -> Array:
        torch = sys.modules["torch"]
        array, places = array.detach(), torch.from_numpy(index).to(array.device)
        if not _is_float8(array.dtype):
            return array.index_select(axis, places)
        return array.view(torch.uint8).index_select(axis, places).view(array.dtype)

    def blend(self, arrays: Sequence[Array], weights: Sequence[float]) -> Array:
        torch = sys.modules["torch"]
        first = arrays[0].detach()
        # torch.promote_types does not take float8.
        wide = torch.float32 if _is_float8(first.dtype) else torch.promote_types(first.dtype, torch.float32)
        total = None
        for array, weight in zip(arrays, weights, strict=True):
            if weight != 0.0:
                term = array.detach().to(device=first.device, dtype=wide) * weight
                total = term if total is None else total.add_(term)
        return (torch.zeros_like(first, dtype=wide) if total is None else total).to(first.dtype)

    def is_finite(self, array: Array) -> bool:
        torch = sys.modules["torch"]
        return bool(torch.isfinite(array.float() if _is_float8(array.dtype) else array).all())

    def replaced(self, array: Array, other: Array, where: NDArray[np.bool_]) -> Array:
        torch = sys.modules["torch"]
        places = torch.from_numpy(np.ascontiguousarray(where)).to(array.device)
        other = other.detach().to(array)
        if not _is_float8(array.dtype):
            return torch.where(places, other, array)
        return torch.where(places, other.view(torch.uint8), array.view(torch.uint8)).view(array.dtype)

    def dot(self, a: Array, b: Array) -> float:
        return super().dot(a, b.detach().to(a.device))

    def raw_bytes(self, array: Array) -> NDArray[np.uint8]:
        host = resolved(array).contiguous()
        # Not reshape(-1): axes of length 0 and 1 may have any stride, which view() would then refuse.
        flat = host.as_strided((host.numel(),), (1,), host.storage_offset())
        result: NDArray[np.uint8] = flat.view(sys.modules["torch"].uint8).numpy()
        return result

    def address(self, array: Array) -> int | None:
        plain = array.device.type == "cpu" and str(array.layout) == "torch.strided"
        try:
            return int(array.data_ptr()) if plain else None
        except RuntimeError:  # it has no storage yet
            return None

    def identity(self, array: Array) -> Hashable:
        if array.numel() == 0 or array.device.type == "meta":
            return id(array)
        memory = (str(array.device), array.data_ptr(), tuple(array.shape), array.stride())
        return (*memory, str(array.dtype), array.is_conj(), array.is_neg())

    def on_device(self, array: Array) -> bool:
        return bool(array.is_cuda)

    def device(self, array: Array) -> int:
        return int(array.device.index)

    def stream(self, array: Array) -> int:
        return int(sys.modules["torch"].cuda.current_stream(array.device).cuda_stream)

    def pointer(self, array: Array) -> int:
        if array.is_conj() or array.is_neg():
            raise ValueError(
                "the tensor has a pending conjugation or negation; pass t.resolve_conj().resolve_neg()"
            )
        return int(array.data_ptr())

    def strides(self, array: Array) -> tuple[int, ...]:
        return tuple(int(stride) for stride in array.stride())

    def empty(self, like: Array, shape: Sequence[int], dtype: str) -> Array:
        torch = sys.modules["torch"]
        return torch.empty(tuple(shape), dtype=getattr(torch, dtype), device=like.device)


def resolved(array: Array) -> Any:
    """The tensor in host memory, without a pending conjugation or negation; errors of :func:`check_numbers`."""
    check_numbers(array)
    return array.detach().resolve_conj().resolve_neg().cpu()


def check_numbers(array: Array) -> None:
    """ParamsError for a tensor on the meta device, which holds no numbers, and for a sparse one."""
    if array.device.type == "meta" and type(array).__module__.startswith(
        "torch"
    ):  # not a subclass with numbers
        raise ParamsError(
            f"a tensor of shape {tuple(array.shape)} lies on the meta device, which holds shapes and no numbers: "
            "load the numbers first (model.to_empty(device='cpu'), then load_state_dict)"
        )
    if str(array.layout) != "torch.strided":
        raise ParamsError(
            f"a tensor of shape {tuple(array.shape)} has the layout {array.layout}; make it dense first: t.to_dense()"
        )


def _is_float8(dtype: Any) -> bool:
    """Whether it is one of torch's float8 types, for which few of its operations exist."""
    return bool(dtype.is_floating_point) and "float8" in str(dtype)
