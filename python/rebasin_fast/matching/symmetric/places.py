"""Where the units of one permutation lie in one array, as rows that a step compares, reorders and mixes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rebasin_fast.specs.layout import Block
    from rebasin_fast.typing import Floats, Index


@dataclass(frozen=True, eq=False)
class Place:
    """Positions along ``axis`` of an array: ``positions[g, i]`` are those of unit i within copy g of its parents.

    Attributes
    ----------
    array : int
        The number of the array.
    axis : int
    positions : (copies, n, each) int64 array
    whole : bool
        The positions are the whole axis, from left to right, so that rows are a view where strides allow it.
    """

    array: int
    axis: int
    positions: Index
    whole: bool

    def rows(self, values: NDArray[Any]) -> NDArray[Any]:
        """``values`` unfolded to (copies, n, entries of a unit)."""
        copies, units, each = self.positions.shape
        first = np.moveaxis(values, self.axis, 0)
        if self.whole:
            return first.reshape(copies, units, each * prod(first.shape[1:]))
        return first[self.positions].reshape(copies, units, each * prod(first.shape[1:]))

    def put(self, values: NDArray[Any], rows: NDArray[Any]) -> None:
        """Write rows in the shape of :meth:`rows` back into ``values``."""
        first = np.moveaxis(values, self.axis, 0)
        if self.whole:
            first[...] = rows.reshape(first.shape)
        else:
            first[self.positions] = rows.reshape(*self.positions.shape, *first.shape[1:])

    def reorder(self, values: NDArray[Any], order: Index) -> None:
        """Fill unit (g, i) by unit (g, ``order[g, i]``)."""
        copies, slots = np.nonzero(order != np.arange(order.shape[-1]))
        first = np.moveaxis(values, self.axis, 0)
        first[self.positions[copies, slots]] = first[self.positions[copies, order[copies, slots]]]

    def multiply(self, values: NDArray[Any], factors: Floats) -> None:
        """Multiply unit (g, i) by ``factors[g, i]``, 1 or -1."""
        changed = self.positions[factors < 0]
        np.moveaxis(values, self.axis, 0)[changed] *= -1

    def mix(self, values: NDArray[Any], matrices: Floats) -> None:
        """Replace the rows of copy g by ``matrices[g]`` times these rows."""
        self.put(values, np.matmul(matrices.astype(values.dtype, copy=False), self.rows(values)))


def place_of(
    array: int,
    axis: int,
    length: int,
    block: Block,
    permutation: str,
    parents: tuple[str, ...],
    chosen: NDArray[np.bool_] | None = None,
) -> Place | None:
    """The place of ``permutation`` in a block, of the positions ``chosen`` (in the block's shape); None for none.

    ``chosen`` leaves every unit the same number of positions.
    """
    dims = block.dims
    outer = [dims.index(parent) for parent in parents]
    own = dims.index(permutation)
    others = [dim for dim in range(len(dims)) if dim not in outer and dim != own]
    arranged = [*outer, own, *others]
    shape = block.positions.shape
    positions = block.positions.transpose(arranged).reshape(
        prod(shape[dim] for dim in outer), shape[own], prod(shape[dim] for dim in others)
    )
    if chosen is not None:
        kept = chosen.transpose(arranged).reshape(positions.shape)[0, 0]
        positions = positions[:, :, kept]
    if not positions.size:
        return None
    positions = np.ascontiguousarray(positions)
    return Place(array, axis, positions, np.array_equal(positions.ravel(), np.arange(length)))


def acted_positions(
    block: Block, permutation: str, exponents: tuple[int, ...], first_copy: int
) -> NDArray[np.bool_]:
    """In the block's shape, whether the group of ``permutation`` acts on a position: its copy's exponent is not 0.

    Copies are numbered by the dimensions before the permutation's that stay, from ``first_copy`` on.
    """
    own = block.dims.index(permutation)
    still = [dim for dim in range(own) if block.dims[dim] is None]
    shape = block.positions.shape
    copies = first_copy + np.arange(prod(shape[dim] for dim in still))
    acts = np.asarray(exponents)[copies % len(exponents)] != 0
    broadcast = [shape[dim] if dim in still else 1 for dim in range(len(shape))]
    return np.broadcast_to(acts.reshape(broadcast), shape)


def copies_in(block: Block, permutation: str) -> int:
    """How many copies of the units the exponents of a role count in the block."""
    own = block.dims.index(permutation)
    return prod(block.positions.shape[dim] for dim in range(own) if block.dims[dim] is None)
