"""Soft permutations acting on the parameters of a model, through the layouts of their axes, differentiably."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._models.functional import Tensors
from rebasin_fast._models.inference import import_torch
from rebasin_fast.specs.axis import merge_joined
from rebasin_fast.specs.layout import Block, blocks_of, merged_shape

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params


@dataclass(frozen=True)
class _Part:
    dims: tuple[str | None, ...]
    shape: tuple[int, ...]
    positions: Any  # index tensor, or None when they are 0, 1, 2, ... up to the end


@dataclass(frozen=True)
class _Axis:
    number: int
    parts: tuple[_Part, ...]


class SoftApplication:
    """``take(w, perm[p], axis)`` with each index array replaced by a doubly stochastic matrix.

    A permutation of n units takes a matrix (n, n), one within parents of k, l, ... units (k, l, ..., n, n), by A's
    slots: row i says from which units slot i of A is filled. At permutation matrices the result is that of
    :func:`rebasin_fast.apply_permutation`.
    """

    def __init__(
        self, spec: PermutationSpec, params: Params, sizes: Mapping[str, int], device: Any = None
    ) -> None:
        self._torch = import_torch("sinkhorn")
        self._spec = spec
        self._shapes: dict[str, list[int]] = {}
        self._axes: dict[str, list[_Axis]] = {}
        for name, entries in spec.axes_to_perm.items():
            if name not in params:
                continue
            merged = merge_joined(entries)
            shape = merged_shape(params[name].shape, merged)
            axes = [
                _Axis(number, tuple(self._part(block, shape[number], device) for block in blocks))
                for number, (entry, _) in enumerate(merged)
                if (blocks := blocks_of(entry, sizes) if entry is not None else ())
            ]
            if axes:
                self._shapes[name], self._axes[name] = shape, axes

    @property
    def moved(self) -> list[str]:
        """Names of the parameters that some permutation moves."""
        return list(self._axes)

    def __call__(self, tensors: Tensors, soft: Mapping[str, Any]) -> Tensors:
        """``tensors`` with those that move averaged as ``soft`` says; the others are the same objects."""
        moved = dict(tensors)
        for name, axes in self._axes.items():
            if name in tensors:
                value = tensors[name].reshape(self._shapes[name])
                for axis in axes:
                    value = self._spread(value, axis, soft)
                moved[name] = value.reshape(tensors[name].shape)
        return moved

    def _part(self, block: Block, length: int, device: Any) -> _Part:
        flat = block.positions.ravel()
        whole = np.array_equal(flat, np.arange(length))
        positions = None if whole else self._torch.as_tensor(flat, device=device)
        return _Part(block.dims, block.positions.shape, positions)

    def _spread(self, value: Any, axis: _Axis, soft: Mapping[str, Any]) -> Any:
        shape = value.shape
        for part in axis.parts:
            taken = value if part.positions is None else value.index_select(axis.number, part.positions)
            before, after = prod(shape[: axis.number]), prod(shape[axis.number + 1 :])
            mixed = self._mix(taken.reshape(before, *part.shape, after), part.dims, soft)
            if part.positions is None:
                value = mixed.reshape(shape)
            else:
                value = value.index_copy(axis.number, part.positions, mixed.reshape(taken.shape))
        return value

    def _mix(self, value: Any, dims: tuple[str | None, ...], soft: Mapping[str, Any]) -> Any:
        """(before, units of each dim, after), mixed by one permutation after the other, outermost first."""
        for number, name in enumerate(dims):
            if name is None:
                continue
            parents = [dims.index(parent) for parent in self._spec.parents[name]]
            value = self._mix_one(value, soft[name], number + 1, [parent + 1 for parent in parents])
        return value

    def _mix_one(self, value: Any, matrix: Any, axis: int, parents: list[int]) -> Any:
        if not parents:
            units = value.reshape(prod(value.shape[:axis]), value.shape[axis], -1)
            if len(units) == 1:
                return (matrix @ units[0]).reshape(value.shape)
            # Units last, so that torch sees one product, not one for each leading entry.
            return (units.mT @ matrix.mT).mT.reshape(value.shape)
        letters = "abcdefghijklmnop"[: value.ndim]
        outer = "".join(letters[parent] for parent in parents)
        result = letters.replace(letters[axis], "z")
        return self._torch.einsum(f"{outer}z{letters[axis]},{letters}->{result}", matrix, value)
