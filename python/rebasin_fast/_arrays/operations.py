"""The array operations of the resident matching engine, for NumPy, CuPy and torch."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays.cupy import CupyArrays
from rebasin_fast._arrays.interface import ArrayLibrary
from rebasin_fast._arrays.numpy import NumpyArrays
from rebasin_fast._arrays.torch import TorchArrays
from rebasin_fast.typing import Index

PRODUCTS = ("float32", "tf32", "bfloat16")
_MOST_INDICES = 1024


class Operations:
    """Arrays stay where they lie; indices come from the host.

    Parameters
    ----------
    library : ArrayLibrary
    module : the library's module, whose functions have NumPy's names
    """

    def __init__(self, library: ArrayLibrary, module: Any) -> None:
        self._library = library
        self._xp = module

    def place(self, array: Any) -> Any:
        """The array on the engine's device, float16, bfloat16, float32 or float64; no copy if it is there already.

        Complex numbers as pairs of real ones on a last axis.
        """
        placed = self._xp.asarray(array)
        if placed.dtype.kind == "c":
            pairs = self._xp.ascontiguousarray(placed).view(f"f{placed.dtype.itemsize // 2}")
            return pairs.reshape(*placed.shape, 2)
        return placed if placed.dtype.kind == "f" else placed.astype(np.float32)

    def dtype(self, array: Any) -> str:
        """NumPy's name of the dtype."""
        return self._library.dtype_name(array)

    def take(self, array: Any, index: Index, axis: int) -> Any:
        """A copy with position i of ``axis`` from ``index[i]``; ``index`` must not change later."""
        return array.take(self._placed(index), axis=axis)

    def widen(self, array: Any, dtype: str) -> Any:
        """The array in ``dtype``."""
        return self._library.cast(array, dtype)

    def unfold(self, array: Any, axis: int, rows: int) -> Any:
        """(rows, -1), ``axis`` first."""
        return self._xp.moveaxis(array, axis, 0).reshape(rows, -1)

    def pairs_of_blocks(self, array: Any, outer: int, inner: int) -> Any:
        """(outer * outer, inner, inner): the blocks of an (outer * inner) square, rows of blocks first."""
        return array.reshape(outer, inner, outer, inner).swapaxes(1, 2).reshape(-1, inner, inner)

    def multiply(self, a: Any, b: Any) -> Any:
        """``a @ b.T`` in the dtype of ``a``; inputs rounded where products are tf32 or bfloat16."""
        return a @ b.T

    def dots(self, pairs: Sequence[tuple[Any, Any]]) -> list[float]:
        """Sum of products of each pair, in float64; one wait for the device in all."""
        sums = [(self.widen(a, "float64") * self.widen(b, "float64")).sum() for a, b in pairs]
        return [float(one) for one in self._xp.stack(sums).tolist()] if sums else []

    def averaged(self, array: Any, axis: int, positions: Index) -> Any:
        """A copy in which the entries at each column of ``positions`` (units, copies) on ``axis`` are their mean."""
        means = self._copy(array)
        front, index = self._xp.moveaxis(means, axis, 0), self._placed(positions)
        front[index] = front[index].mean(0, keepdims=True)
        return means

    def is_finite(self, array: Any) -> bool:
        """Whether no entry is NaN or infinite."""
        return bool(self._xp.isfinite(array).all())

    def to_host(self, array: Any) -> NDArray[Any]:
        """A host copy, or the array itself where it lies there."""
        return self._library.to_host(array)

    def running(self) -> AbstractContextManager[None]:
        """A context in which products run in the requested precision."""
        return nullcontext()

    def _placed(self, index: Index) -> Any:
        return self._xp.asarray(index)

    def _copy(self, array: Any) -> Any:
        return array.copy()


class NumpyOperations(Operations):
    """NumPy arrays, and CuPy's where ``module`` is cupy."""

    def __init__(self, products: str = "float32", module: Any = np) -> None:
        super().__init__(NumpyArrays() if module is np else CupyArrays(), module)
        if module is not np and products != "float32":
            raise ValueError(f"products={products!r} needs torch tensors; CuPy's run in float32")


class TorchOperations(Operations):
    """torch tensors on ``device``."""

    def __init__(self, device: str, products: str = "float32") -> None:
        super().__init__(TorchArrays(), sys.modules["torch"])
        self._device = self._xp.device(device)
        self._products = products
        self._indices: dict[int, tuple[Index, Any]] = {}

    def place(self, array: Any) -> Any:
        torch = self._xp
        if not isinstance(array, torch.Tensor):
            array = torch.from_numpy(np.ascontiguousarray(array))
        array = array.detach().to(self._device)
        if array.is_complex():
            return torch.view_as_real(array.resolve_conj())
        return array if array.is_floating_point() else array.float()

    def take(self, array: Any, index: Index, axis: int) -> Any:
        return array.index_select(axis, self._placed(index))

    def multiply(self, a: Any, b: Any) -> Any:
        torch = self._xp
        if self._products == "bfloat16" and a.dtype == torch.float32:
            a, b = a.bfloat16(), b.bfloat16()
            if a.is_cuda:
                return torch.mm(a, b.T, out_dtype=torch.float32)
            return a.float() @ b.float().T
        return a @ b.T

    @contextmanager
    def running(self) -> Iterator[None]:
        """See :class:`Operations`; sets torch's process-wide precision and puts it back."""
        torch = self._xp
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

    def _placed(self, index: Index) -> Any:
        """The index on the device; the same array of the host, never changed, travels once."""
        if id(index) not in self._indices:
            if len(self._indices) >= _MOST_INDICES:
                self._indices.clear()
            placed = self._xp.from_numpy(np.ascontiguousarray(index)).to(self._device)
            self._indices[id(index)] = index, placed
        return self._indices[id(index)][1]

    def _copy(self, array: Any) -> Any:
        return array.clone()
