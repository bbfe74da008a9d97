"""Where the units of each permutation lie along an axis: entries resolved to index tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod

import numpy as np

from rebasin_fast.errors import SpecError
from rebasin_fast.specs.axis import Concat, Entry, Fixed, Joined, Product, Slice, shown
from rebasin_fast.typing import Index


@dataclass(frozen=True)
class Block:
    """A family of positions that moves as one: ``positions[i, j, ...]`` for unit i of ``dims[0]``, and so on.

    ``dims`` names the permutation that moves each dimension of ``positions``; None is a dimension that stays.
    """

    dims: tuple[str | None, ...]
    positions: Index

    @property
    def permutations(self) -> tuple[str, ...]:
        """Names of the permutations that move the block, outermost first."""
        return tuple(dim for dim in self.dims if dim is not None)


def length_of(entry: Entry, sizes: Mapping[str, int]) -> int:
    """Number of positions of ``entry``; KeyError names a permutation whose size is unknown."""
    if isinstance(entry, str):
        return sizes[entry]
    if isinstance(entry, Fixed):
        return entry.length
    if isinstance(entry, Slice):
        return entry.stop - entry.start
    if isinstance(entry, Product):
        return length_of(entry.outer, sizes) * length_of(entry.inner, sizes)
    if isinstance(entry, Concat):
        return sum(length_of(piece, sizes) for piece in entry.pieces)
    if isinstance(entry, Joined):
        return length_of(entry.inner, sizes)
    raise TypeError("None fits any length")


def blocks_of(entry: Entry, sizes: Mapping[str, int]) -> tuple[Block, ...]:
    """The blocks of ``entry`` that some permutation moves; positions in no block stay where they are."""
    return tuple(block for block in _blocks(entry, sizes) if block.permutations)


def owned_positions(entry: Entry, name: str, parents: Sequence[str], sizes: Mapping[str, int]) -> Index:
    """(units, each): of every unit of ``name``, those of its parents one after the other, its positions, ascending."""
    parts = []
    for block in blocks_of(entry, sizes):
        if name not in block.dims:
            continue
        front = [*(block.dims.index(parent) for parent in parents), block.dims.index(name)]
        rest = [axis for axis in range(len(block.dims)) if axis not in front]
        count = prod(block.positions.shape[axis] for axis in front)
        parts.append(block.positions.transpose([*front, *rest]).reshape(count, -1))
    owned: Index = np.sort(np.concatenate(parts, axis=1), axis=1)
    return owned


def merged_shape(shape: Sequence[int], merged: Sequence[tuple[Entry, int]]) -> list[int]:
    """The shape of an array whose axes are merged by ``axis.merge_joined``."""
    lengths = iter(shape)
    return [prod(next(lengths) for _ in range(axes)) for _, axes in merged]


def source_index(blocks: tuple[Block, ...], length: int, lookup: Mapping[str, Placed]) -> Index:
    """``index`` such that ``take(w, index, axis)`` moves an axis of ``length`` positions."""
    index = np.arange(length, dtype=np.int64)
    for block in blocks:
        index[block.positions] = block.positions[_unit_indices(block, lookup)]
    return index


@dataclass(frozen=True)
class Placed:
    """A permutation's index array, and the permutations it stands within: axes of ``index`` but the last."""

    index: Index
    parents: tuple[str, ...] = ()


def _unit_indices(block: Block, lookup: Mapping[str, Placed]) -> tuple[Index, ...]:
    """For each dimension, which unit fills each slot, shaped to broadcast to the block's shape."""
    rank = len(block.dims)
    indices: list[Index] = []
    for axis, dim in enumerate(block.dims):
        shape = [1] * rank
        if dim is None:
            shape[axis] = block.positions.shape[axis]
            indices.append(np.arange(shape[axis], dtype=np.int64).reshape(shape))
            continue
        placed = lookup[dim]
        own_axes = [*(block.dims.index(parent) for parent in placed.parents), axis]
        for own_axis, extent in zip(own_axes, placed.index.shape, strict=True):
            shape[own_axis] = extent
        order = np.argsort(own_axes)
        indices.append(placed.index.transpose(order).reshape(shape))
    return tuple(indices)


def _blocks(entry: Entry, sizes: Mapping[str, int]) -> list[Block]:
    if isinstance(entry, str):
        return [Block((entry,), np.arange(sizes[entry], dtype=np.int64))]
    if isinstance(entry, Fixed):
        return [Block((None,), np.arange(entry.length, dtype=np.int64))]
    if isinstance(entry, Product):
        return _product_blocks(entry, sizes)
    if isinstance(entry, Concat):
        return _concat_blocks(entry, sizes)
    if isinstance(entry, Joined):
        return _blocks(entry.inner, sizes)
    return []


def _product_blocks(entry: Product, sizes: Mapping[str, int]) -> list[Block]:
    inner_blocks = _blocks(entry.inner, sizes)
    inner_length = length_of(entry.inner, sizes)
    products = []
    for outer in _blocks(entry.outer, sizes):
        for inner in inner_blocks:
            positions = np.add.outer(outer.positions * inner_length, inner.positions)
            products.append(Block(outer.dims + inner.dims, positions))
    return products


def _concat_blocks(entry: Concat, sizes: Mapping[str, int]) -> list[Block]:
    result: list[Block] = []
    sliced: dict[str, Index] = {}
    _check_cover(entry, sizes)
    offset = 0
    for piece in entry.pieces:
        if isinstance(piece, Slice):
            whole = sliced.setdefault(
                piece.permutation, np.full(sizes[piece.permutation], -1, dtype=np.int64)
            )
            _place_slice(whole, piece, offset)
        else:
            result += [Block(block.dims, block.positions + offset) for block in _blocks(piece, sizes)]
        offset += length_of(piece, sizes)
    for name, positions in sliced.items():
        result.append(Block((name,), positions))
    return result


def _check_cover(entry: Concat, sizes: Mapping[str, int]) -> None:
    """SpecError where slices leave out units, before a table of the announced size is made."""
    reached: dict[str, int] = {}
    pieces = [piece for piece in entry.pieces if isinstance(piece, Slice)]
    for piece in sorted(pieces, key=lambda piece: piece.start):
        if piece.start <= reached.setdefault(piece.permutation, 0):
            reached[piece.permutation] = max(reached[piece.permutation], piece.stop)
    for name, unit in reached.items():
        if unit < sizes[name]:
            raise SpecError(
                f"the slices of {name!r} in {shown(entry)} leave out unit {unit} of {sizes[name]}; "
                "together they must cover every unit once"
            )


def _place_slice(positions: Index, piece: Slice, offset: int) -> None:
    if piece.stop > positions.size:
        raise SpecError(f"{piece!r} ends after the {positions.size} units of {piece.permutation!r}")
    window = positions[piece.start : piece.stop]
    if (window >= 0).any():
        raise SpecError(f"{piece!r} overlaps another slice of {piece.permutation!r} on the same axis")
    window[:] = np.arange(offset, offset + piece.stop - piece.start)


def identity_index(size: int, parent_sizes: tuple[int, ...]) -> Index:
    """The identity of a permutation of ``size`` units within parents of ``parent_sizes`` units."""
    return np.tile(np.arange(size, dtype=np.int64), (*parent_sizes, 1)).reshape(*parent_sizes, size)


def common_parents(occurrences: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The permutations that stand outside at every occurrence, outermost first."""
    shared = reduce(lambda kept, seen: kept & set(seen), occurrences, set(occurrences[0]))
    return tuple(name for name in occurrences[0] if name in shared)


def count_copies(parents: tuple[str, ...], sizes: Mapping[str, int]) -> int:
    """How many independent copies a permutation within ``parents`` has."""
    return prod(sizes[parent] for parent in parents)
