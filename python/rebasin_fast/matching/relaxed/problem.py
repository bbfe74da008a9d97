"""Weight matching with permutations relaxed to averages of permutations: objective, gradient, hard values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of, wide_on_host
from rebasin_fast.matching.matched import matched_parameters, real_entries, real_view
from rebasin_fast.matching.relaxed.chains import Chain, Part, chain_sizes, held_permutations, part_of
from rebasin_fast.specs.axis import Entry, merge_joined
from rebasin_fast.specs.layout import Block, Placed, blocks_of, merged_shape, source_index

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Array, Index, Params

# For each chain a doubly stochastic matrix: [i, j] is the share of slot i of A that unit j of B fills.
Soft: TypeAlias = dict[Chain, NDArray[Any]]


@dataclass(frozen=True)
class _Axis:
    number: int
    blocks: tuple[Block, ...]  # for hard permutations, the held ones included
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class _Tensor:
    a: NDArray[Any]
    b: NDArray[Any]
    axes: tuple[_Axis, ...]

    @property
    def degree(self) -> int:
        """Of its share of the objective, as a polynomial in all matrices at once."""
        return sum(max(len(part.chains) for part in axis.parts) for axis in self.axes)


class RelaxedProblem:
    """vec(A) . vec(soft B): multilinear in the matrices of all chains, and equal to the objective at permutations.

    ``a`` and ``b`` are read in place where they are arrays of ``dtype`` in host memory. Products are BLAS products of
    ``dtype``.
    """

    def __init__(
        self, spec: PermutationSpec, params_a: Params, params_b: Params, sizes: Mapping[str, int], dtype: Any
    ) -> None:
        self._spec = spec
        self.dtype = np.dtype(dtype)
        self.sizes = dict(sizes)
        self.product_flop = 0.0
        matched = matched_parameters(spec, (params_a, params_b))
        entries = {
            name: merge_joined(real_entries(spec.axes_to_perm[name], params_a[name])) for name in matched
        }
        laid_out: dict[Entry, tuple[Block, ...]] = {
            entry: blocks_of(entry, sizes)
            for name in matched
            for entry, _ in entries[name]
            if entry is not None
        }
        self.held = held_permutations(spec, (block for blocks in laid_out.values() for block in blocks))
        self._tensors = [
            self._tensor(params_a[name], params_b[name], entries[name], laid_out) for name in matched
        ]
        self._tensors = [tensor for tensor in self._tensors if tensor.axes]
        parts = (part for tensor in self._tensors for axis in tensor.axes for part in axis.parts)
        self.chains = chain_sizes((chain for part in parts for chain in part.chains), sizes)
        self.degree = max((tensor.degree for tensor in self._tensors), default=0)

    def _tensor(
        self,
        a: Array,
        b: Array,
        entries: list[tuple[Entry, int]],
        laid_out: Mapping[Entry, tuple[Block, ...]],
    ) -> _Tensor:
        axes = []
        a, b = _host(a, self.dtype), _host(b, self.dtype)
        shape = merged_shape(a.shape, entries)
        for number, (entry, _) in enumerate(entries):
            blocks = laid_out[entry] if entry is not None else ()
            parts = [part_of(self._spec, block, self.held, shape[number]) for block in blocks]
            moving = tuple(part for part in parts if part is not None)
            if moving:
                axes.append(_Axis(number, blocks, moving))
        return _Tensor(a.reshape(shape), b.reshape(shape), tuple(axes))

    def hard(self, permutation: Mapping[str, Index]) -> dict[Chain, Index]:
        """For each chain the unit that fills each slot, all copies counted through."""
        lookup = self._placed(permutation)
        found = {}
        for chain, units in self.chains.items():
            shape = tuple(self.sizes[name] for name in chain)
            block = Block(chain, np.arange(units, dtype=np.int64).reshape(shape))
            found[chain] = source_index((block,), units, lookup)
        return found

    def hard_value(self, permutation: Mapping[str, Index]) -> float:
        """The objective at a permutation, over the tensors that a chain moves; gathers only, sums in float64."""
        lookup = self._placed(permutation)
        total = 0.0
        for tensor in self._tensors:
            moved = tensor.b
            for axis in tensor.axes:
                index = source_index(axis.blocks, moved.shape[axis.number], lookup)
                moved = moved.take(index, axis=axis.number)
            total += _dot(tensor.a, moved)
        return total

    def value(self, soft: Soft, *, above_degree: int = 0) -> float:
        """The relaxed objective over the tensors of a higher degree than ``above_degree``."""
        total = 0.0
        for tensor in self._tensors:
            if tensor.degree > above_degree:
                moved = tensor.b
                for axis in tensor.axes:
                    moved = self._spread(moved, axis, soft)
                total += _dot(tensor.a, moved)
        return total

    def gradient(self, soft: Soft) -> Soft:
        """The similarity of every chain's units, all other matrices held: (units, units), of ``dtype``."""
        total = {chain: np.zeros((units, units), self.dtype) for chain, units in self.chains.items()}
        for tensor in self._tensors:
            for axis in tensor.axes:
                others = (other for other in tensor.axes if other is not axis)
                moved = reduce(lambda array, other: self._spread(array, other, soft), others, tensor.b)
                self._add_similarity(total, axis, tensor.a, moved, soft)
        return total

    def _spread(self, array: NDArray[Any], axis: _Axis, soft: Soft) -> NDArray[Any]:
        """``array`` with its units on ``axis`` averaged as the matrices say."""
        front = np.moveaxis(array, axis.number, 0)
        result = front if axis.parts[0].whole else front.copy()
        for part in axis.parts:
            units = _gathered(front, part)
            for number, chain in enumerate(part.chains):
                units = self._mixed(units, soft[chain], number)
            if part.whole:
                result = units.reshape(front.shape)
            else:
                result[part.positions.ravel()] = units.reshape(part.positions.size, *front.shape[1:])
        return np.moveaxis(result, 0, axis.number)

    def _add_similarity(self, total: Soft, axis: _Axis, a: NDArray[Any], b: NDArray[Any], soft: Soft) -> None:
        fronts = [np.moveaxis(array, axis.number, 0) for array in (a, b)]
        for part in axis.parts:
            ours, theirs = (_gathered(front, part) for front in fronts)
            for number, chain in enumerate(part.chains):
                mixed = theirs
                for other, held in enumerate(part.chains):
                    if other != number:
                        mixed = self._mixed(mixed, soft[held], other)
                rows = [
                    np.moveaxis(array, number, 0).reshape(array.shape[number], -1) for array in (ours, mixed)
                ]
                self.product_flop += 2.0 * rows[0].shape[0] * rows[0].size
                total[chain] += rows[0] @ rows[1].T

    def _mixed(self, units: NDArray[Any], matrix: NDArray[Any], axis: int) -> NDArray[Any]:
        """``matrix`` applied to one axis of gathered units."""
        front = np.moveaxis(units, axis, 0)
        self.product_flop += 2.0 * len(matrix) * front.size
        mixed = matrix @ front.reshape(len(matrix), -1)
        return np.moveaxis(mixed.reshape(front.shape), 0, axis)

    def _placed(self, permutation: Mapping[str, Index]) -> dict[str, Placed]:
        return {name: Placed(index, self._spec.parents[name]) for name, index in permutation.items()}


def _gathered(front: NDArray[Any], part: Part) -> NDArray[Any]:
    """The units of ``part`` on the first axis: (units of each chain, ..., the rest)."""
    taken = front if part.whole else front[part.positions.ravel()]
    return taken.reshape(*part.positions.shape[:-1], -1)


def _host(array: Array, dtype: np.dtype[Any]) -> NDArray[Any]:
    library = library_of(array)
    readable = library.dtype_name(array) in ("float32", "float64")
    host = real_view(library.to_host(array) if readable else wide_on_host(array))
    return host.astype(dtype, copy=False)


def _dot(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Sum of products in float64, a slab at a time."""
    return sum(
        float(np.vdot(x.astype(np.float64), y.astype(np.float64)))
        for x, y in zip(_slabs(a), _slabs(b), strict=True)
    )


def _slabs(array: NDArray[Any]) -> list[NDArray[Any]]:
    count = max(1, min(array.shape[0] if array.ndim else 1, array.size >> 20))
    return np.array_split(array, count) if count > 1 else [array]
