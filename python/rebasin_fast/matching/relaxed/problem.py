"""Weight matching with permutations relaxed to averages of permutations: the objective and its gradient."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import numbers_on_host
from rebasin_fast.matching.matched import matched_parameters, real_entries, real_view
from rebasin_fast.matching.relaxed.ascent import Soft
from rebasin_fast.matching.relaxed.chains import chain_sizes, chains_in, held_permutations, units_of_chain
from rebasin_fast.matching.soft_axes import Chain, Part, SoftAxis, SoftLayout, acted, gathered, soft_layout
from rebasin_fast.specs.axis import merge_joined
from rebasin_fast.specs.layout import blocks_of

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index, Params, Permutation

# By chain a doubly stochastic matrix, or in its place the unit that fills each slot.
Moves: TypeAlias = Mapping[Chain, NDArray[Any]]


class RelaxedParameters:
    """Matched parameters of models, moved by matrices; products are BLAS products of ``dtype``.

    Permutations in ``held`` stay where they are, and so do those that no chain can hold.
    """

    def __init__(
        self,
        spec: PermutationSpec,
        models: Sequence[Params],
        names: Sequence[str],
        sizes: Mapping[str, int],
        dtype: Any,
        held: Collection[str] = (),
    ) -> None:
        self._spec = spec
        self.dtype = np.dtype(dtype)
        self.sizes = dict(sizes)
        self.product_flop = 0.0
        entries = {name: real_entries(spec.axes_to_perm[name], models[0][name]) for name in names}
        placed = {entry for name in names for entry, _ in merge_joined(entries[name]) if entry is not None}
        self.held = frozenset(held) or held_permutations(
            spec, (block for entry in placed for block in blocks_of(entry, sizes))
        )
        # Arrays of ``dtype`` in host memory are read in place.
        self.tensors: list[tuple[SoftLayout, list[NDArray[Any]]]] = []
        for name in names:
            arrays = [
                real_view(numbers_on_host(model[name])).astype(self.dtype, copy=False) for model in models
            ]
            layout = soft_layout(
                entries[name], arrays[0].shape, sizes, lambda block: chains_in(spec, block, self.held)
            )
            if layout.axes:
                self.tensors.append((layout, [array.reshape(layout.shape) for array in arrays]))
        parts = (part for layout, _ in self.tensors for axis in layout.axes for part in axis.parts)
        self.chains = chain_sizes((chain for part in parts for chain in part.chains), sizes)

    @property
    def degree(self) -> int:
        """Of moved parameters, as polynomials in all matrices at once."""
        return max((layout.degree for layout, _ in self.tensors), default=0)

    def barycentre(self) -> Soft[Chain]:
        """The average of all permutations."""
        return {
            chain: np.full((units, units), 1.0 / units, self.dtype) for chain, units in self.chains.items()
        }

    def units(self, permutation: Permutation) -> dict[Chain, Index]:
        """For each chain the unit that fills each slot, all copies counted through."""
        return {chain: units_of_chain(self._spec, chain, permutation) for chain in self.chains}

    def moved(
        self, array: NDArray[Any], layout: SoftLayout, moves: Moves, but: SoftAxis | None = None
    ) -> NDArray[Any]:
        """``array`` moved along all its axes, or all but one."""
        for axis in layout.axes:
            if axis is not but:
                array = acted(
                    np, array, axis, lambda units, part: self._mixed(units, part, moves), copied=np.copy
                )
        return array

    def add_similarity(
        self, total: Soft[Chain], axis: SoftAxis, a: NDArray[Any], b: NDArray[Any], moves: Moves
    ) -> None:
        """Add the similarity of A's and B's units on ``axis``, for every chain there."""
        fronts = [np.moveaxis(array, axis.number, 0) for array in (a, b)]
        for part in axis.parts:
            ours, theirs = (gathered(front, part) for front in fronts)
            for number, chain in enumerate(part.chains):
                mixed = self._mixed(theirs, part, moves, but=number)
                rows = [
                    np.moveaxis(array, number, 0).reshape(array.shape[number], -1) for array in (ours, mixed)
                ]
                self.product_flop += 2.0 * rows[0].shape[0] * rows[0].size
                total[chain] += rows[0] @ rows[1].T

    def _mixed(self, units: NDArray[Any], part: Part, moves: Moves, but: int | None = None) -> NDArray[Any]:
        """Gathered units moved by one chain after the other, or all but one."""
        for axis, chain in enumerate(part.chains):
            if axis == but:
                continue
            move = moves[chain]
            if move.ndim == 1:
                units = units.take(move, axis=axis)
                continue
            front = np.moveaxis(units, axis, 0)
            self.product_flop += 2.0 * len(move) * front.size
            mixed = move @ front.reshape(len(move), -1)
            units = np.moveaxis(mixed.reshape(front.shape), 0, axis)
        return units


class RelaxedProblem(RelaxedParameters):
    """vec(A) . vec(soft B): multilinear in the matrices of all chains, and equal to the objective at permutations."""

    def __init__(
        self, spec: PermutationSpec, params_a: Params, params_b: Params, sizes: Mapping[str, int], dtype: Any
    ) -> None:
        models = (params_a, params_b)
        super().__init__(spec, models, matched_parameters(spec, models), sizes, dtype)

    def value(self, moves: Moves) -> float:
        """The relaxed objective over the tensors that a chain moves; sums in float64."""
        return sum(_dot(a, self.moved(b, layout, moves)) for layout, (a, b) in self.tensors)

    def gradient(self, soft: Moves) -> Soft[Chain]:
        """The similarity of every chain's units, all other matrices held: (units, units), of ``dtype``."""
        total = {chain: np.zeros((units, units), self.dtype) for chain, units in self.chains.items()}
        for layout, (a, b) in self.tensors:
            for axis in layout.axes:
                self.add_similarity(total, axis, a, self.moved(b, layout, soft, but=axis), soft)
        return total


def _dot(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Sum of products in float64, a slab at a time."""
    return sum(
        float(np.vdot(x.astype(np.float64), y.astype(np.float64)))
        for x, y in zip(_slabs(a), _slabs(b), strict=True)
    )


def _slabs(array: NDArray[Any]) -> list[NDArray[Any]]:
    count = max(1, min(array.shape[0] if array.ndim else 1, array.size >> 20))
    return np.array_split(array, count) if count > 1 else [array]
