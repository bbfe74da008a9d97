"""Matrices, or indices, that act on the units of an axis: for NumPy arrays and torch tensors alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rebasin_fast.specs.axis import Entry, merge_joined
from rebasin_fast.specs.layout import Block, blocks_of, merged_shape

if TYPE_CHECKING:
    from rebasin_fast.typing import Array, Index

# A permutation with those it stands within, outermost first: the units of ("heads", "dims") are all dims of all heads.
Chain: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Positions of an axis that matrices move: ``positions[i, j, ..., r]``, unit i of ``chains[0]``, r a copy."""

    chains: tuple[Chain, ...]
    positions: Array
    whole: bool  # the positions are 0, 1, 2, ... up to the end of the axis


@dataclass(frozen=True)
class SoftAxis:
    """One axis of a parameter, and its parts that matrices move."""

    number: int
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class SoftLayout:
    """One parameter: its shape with joined axes merged, and the axes that matrices move."""

    shape: tuple[int, ...]
    axes: tuple[SoftAxis, ...]

    @property
    def degree(self) -> int:
        """Of the moved parameter, as a polynomial in all matrices at once."""
        return sum(max(len(part.chains) for part in axis.parts) for axis in self.axes)


def soft_layout(
    entries: Sequence[Entry],
    shape: Sequence[int],
    sizes: Mapping[str, int],
    chains_in: Callable[[Block], Sequence[Chain]],
    as_index: Callable[[Index], Array] = np.asarray,
) -> SoftLayout:
    """The layout of a parameter whose blocks are moved by ``chains_in(block)``, one matrix a chain.

    ``as_index`` gives positions in the form in which they index arrays.
    """
    merged = merge_joined(entries)
    lengths = tuple(merged_shape(shape, merged))
    axes = []
    for number, (entry, _) in enumerate(merged):
        blocks = () if entry is None else blocks_of(entry, sizes)
        parts = [_part(block, tuple(chains_in(block)), lengths[number], as_index) for block in blocks]
        if any(part.chains for part in parts):
            axes.append(SoftAxis(number, tuple(part for part in parts if part.chains)))
    return SoftLayout(lengths, tuple(axes))


def acted(
    xp: Any,
    array: Array,
    axis: SoftAxis,
    act: Callable[[Array, Part], Array],
    *,
    copied: Callable[[Array], Array],
) -> Array:
    """``array`` with the units of each part replaced by ``act(units, part)``; ``xp`` is its library.

    ``units`` is (units of each chain, ..., everything else).
    """
    front = xp.moveaxis(array, axis.number, 0)
    result = front if axis.parts[0].whole else copied(front)
    for part in axis.parts:
        moved = act(gathered(front, part), part)
        if part.whole:
            result = moved.reshape(front.shape)
        else:
            result[part.positions.ravel()] = moved.reshape(-1, *front.shape[1:])
    return xp.moveaxis(result, 0, axis.number)


def gathered(front: Array, part: Part) -> Array:
    """The units of ``part`` on the first axis: (units of each chain, ..., everything else)."""
    taken = front if part.whole else front[part.positions.ravel()]
    return taken.reshape(*part.positions.shape[:-1], -1)


def _part(block: Block, chains: tuple[Chain, ...], length: int, as_index: Callable[[Index], Array]) -> Part:
    moved = [block.dims.index(name) for chain in chains for name in chain]
    positions = np.moveaxis(block.positions, moved, range(len(moved)))
    extents = iter(positions.shape[: len(moved)])
    units = [prod(next(extents) for _ in chain) for chain in chains]
    positions = np.ascontiguousarray(positions).reshape(*units, -1)
    whole = np.array_equal(positions.ravel(), np.arange(length))
    return Part(chains, as_index(positions), bool(whole))
