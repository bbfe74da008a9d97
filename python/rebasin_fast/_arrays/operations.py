"""The few array operations that the resident matching engine needs, for NumPy, torch and CuPy."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.typing import Index

PRODUCTS = ("float32", "tf32", "bfloat16")
_MOST_INDICES = 1024


class Operations(Protocol):
    """Arrays stay where they lie; indices come from the host."""

    def place(self, array: Any) -> Any:
        """The array on the engine's device, float16, bfloat16, float32 or float64; no copy if it is there already."""

    def dtype(self, array: Any) -> str:
        """The name of the dtype in NumPy's words."""

    def take(self, array: Any, index: Index, axis: int) -> Any:
        """A copy with position i of ``axis`` from ``index[i]``; ``index`` must not change later."""

    def widen(self, array: Any, dtype: str) -> Any:
        """The array in ``dtype``."""

    def unfold(self, array: Any, axis: int, rows: int) -> Any:
        """(rows, -1), ``axis`` first."""

    def pairs_of_blocks(self, array: Any, outer: int, inner: int) -> Any:
        """(outer * outer, inner, inner): the blocks of an (outer * inner) square, rows of blocks first."""

    def multiply(self, a: Any, b: Any) -> Any:
        """``a @ b.T`` in the dtype of ``a``; inputs rounded where tf32 or bfloat16 was asked for."""

    def dots(self, pairs: Sequence[tuple[Any, Any]]) -> list[float]:
        """Sum of products of each pair, in float64; one wait for the device in all."""

    def averaged(self, array: Any, axis: int, positions: Index) -> Any:
        """A copy in which the entries at each column of ``positions`` (units, copies) on ``axis`` are their mean."""

    def is_finite(self, array: Any) -> bool:
        """Whether no entry is NaN or infinite."""

    def to_host(self, array: Any) -> NDArray[Any]:
        """A host copy, or the array itself where it lies there."""

    def running(self) -> Any:
        """A context in which products run as asked for."""


class NumpyOperations:
    """NumPy arrays, and CuPy's where ``module`` is cupy."""

    def __init__(self, products: str = "float32", module: Any = np) -> None:
        self._xp = module
        self._products = products
        if module is not np and products != "float32":
            raise ValueError(f"products={products!r} needs torch tensors; CuPy's run in float32")

    def place(self, array: Any) -> Any:
        """See :class:`Operations`."""
        placed = self._xp.asarray(array)
        if placed.dtype.kind == "c":
            pairs = self._xp.ascontiguousarray(placed).view(f"f{placed.dtype.itemsize // 2}")
            return pairs.reshape(*placed.shape, 2)
        return placed if placed.dtype.kind == "f" else placed.astype(np.float32)

    def dtype(self, array: Any) -> str:
        """See :class:`Operations`."""
        return str(array.dtype.name)

    def take(self, array: Any, index: Index, axis: int) -> Any:
        """See :class:`Operations`."""
        return array.take(self._xp.asarray(index), axis=axis)

    def widen(self, array: Any, dtype: str) -> Any:
        """See :class:`Operations`."""
        return array.astype(dtype, copy=False)

    def unfold(self, array: Any, axis: int, rows: int) -> Any:
        """See :class:`Operations`."""
        return self._xp.moveaxis(array, axis, 0).reshape(rows, -1)

    def pairs_of_blocks(self, array: Any, outer: int, inner: int) -> Any:
        """See :class:`Operations`."""
        return array.reshape(outer, inner, outer, inner).swapaxes(1, 2).reshape(-1, inner, inner)

    def multiply(self, a: Any, b: Any) -> Any:
        """See :class:`Operations`."""
        return a @ b.T

    def dots(self, pairs: Sequence[tuple[Any, Any]]) -> list[float]:
        """See :class:`Operations`."""
        sums = [(a.astype(np.float64) * b.astype(np.float64)).sum() for a, b in pairs]
        return [float(one) for one in sums]

    def averaged(self, array: Any, axis: int, positions: Index) -> Any:
        """See :class:`Operations`."""
        front, index = self._xp.moveaxis(array, axis, 0).copy(), self._xp.asarray(positions)
        front[index] = front[index].mean(axis=0, keepdims=True)
        return self._xp.moveaxis(front, 0, axis)

    def is_finite(self, array: Any) -> bool:
        """See :class:`Operations`."""
        return bool(self._xp.isfinite(array).all())

    def to_host(self, array: Any) -> NDArray[Any]:
        """See :class:`Operations`."""
        return array if isinstance(array, np.ndarray) else array.get()

    @contextmanager
    def running(self) -> Iterator[None]:
        """See :class:`Operations`."""
        yield


class TorchOperations:
    """torch tensors on ``device``."""

    def __init__(self, device: str, products: str = "float32") -> None:
        self._torch = sys.modules["torch"]
        self._device = self._torch.device(device)
        self._products = products
        self._indices: dict[int, tuple[Index, Any]] = {}

    def place(self, array: Any) -> Any:
        """See :class:`Operations`."""
        torch = self._torch
        if not isinstance(array, torch.Tensor):
            array = torch.from_numpy(np.ascontiguousarray(array))
        array = array.detach().to(self._device)
        if array.is_complex():
            return torch.view_as_real(array.resolve_conj())
        return array if array.is_floating_point() else array.float()

    def dtype(self, array: Any) -> str:
        """See :class:`Operations`."""
        return str(array.dtype).removeprefix("torch.")

    def take(self, array: Any, index: Index, axis: int) -> Any:
        """See :class:`Operations`."""
        return array.index_select(axis, self._placed(index))

    def _placed(self, index: Index) -> Any:
        """The index on the device; the same array of the host, never changed, travels once."""
        if id(index) not in self._indices:
            if len(self._indices) >= _MOST_INDICES:
                self._indices.clear()
            placed = self._torch.from_numpy(np.ascontiguousarray(index)).to(self._device)
            self._indices[id(index)] = index, placed
        return self._indices[id(index)][1]

    def widen(self, array: Any, dtype: str) -> Any:
        """See :class:`Operations`."""
        return array.to(getattr(self._torch, dtype))

    def unfold(self, array: Any, axis: int, rows: int) -> Any:
        """See :class:`Operations`."""
        return array.movedim(axis, 0).reshape(rows, -1)

    def pairs_of_blocks(self, array: Any, outer: int, inner: int) -> Any:
        """See :class:`Operations`."""
        return array.reshape(outer, inner, outer, inner).transpose(1, 2).reshape(-1, inner, inner)

    def multiply(self, a: Any, b: Any) -> Any:
        """See :class:`Operations`."""
        torch = self._torch
        if self._products == "bfloat16" and a.dtype == torch.float32:
            a, b = a.bfloat16(), b.bfloat16()
            if a.is_cuda:
                return torch.mm(a, b.T, out_dtype=torch.float32)
            return a.float() @ b.float().T
        return a @ b.T

    def dots(self, pairs: Sequence[tuple[Any, Any]]) -> list[float]:
        """See :class:`Operations`."""
        if not pairs:
            return []
        sums = [(a.double() * b.double()).sum() for a, b in pairs]
        return [float(one) for one in self._torch.stack(sums).tolist()]

    def averaged(self, array: Any, axis: int, positions: Index) -> Any:
        """See :class:`Operations`."""
        front = array.movedim(axis, 0).clone()
        index = self._torch.from_numpy(np.ascontiguousarray(positions)).to(self._device)
        front[index] = front[index].mean(0, keepdim=True)
        return front.movedim(0, axis)

    def is_finite(self, array: Any) -> bool:
        """See :class:`Operations`."""
        return bool(self._torch.isfinite(array).all())

    def to_host(self, array: Any) -> NDArray[Any]:
        """See :class:`Operations`."""
        host: NDArray[Any] = array.cpu().numpy()
        return host

    @contextmanager
    def running(self) -> Iterator[None]:
        """See :class:`Operations`; sets torch's process-wide precision and puts it back."""
        torch = self._torch
        if self._device.type != "cuda":
            with torch.no_grad():
                yield
            return
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high" if self._products == "tf32" else "highest")
        try:
            with torch.no_grad(), torch.cuda.device(self._device):
                yield
        finally:
            torch.set_float32_matmul_precision(before)
