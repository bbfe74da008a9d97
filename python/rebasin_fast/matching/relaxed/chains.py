"""Chains of nested permutations: the units that a relaxed permutation can move as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.specs.layout import Block

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec

# A permutation with those it stands within, outermost first: the units of ("heads", "dims") are all dims of all heads.
Chain: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Positions of an axis that chains move: ``positions[i, j, ..., r]``, unit i of ``chains[0]``, r a copy."""

    chains: tuple[Chain, ...]
    positions: NDArray[np.int64]
    whole: bool = False  # the positions are 0, 1, 2, ... up to the end of the axis


def held_permutations(spec: PermutationSpec, blocks: Iterable[Block]) -> frozenset[str]:
    """Permutations that no chain can hold: within two independent ones, or beside another within the same parent."""
    laid_out = list(blocks)
    held: set[str] = set()
    while True:
        found = {name for block in laid_out for name in _misfits(spec, block, held)}
        if found <= held:
            return frozenset(held)
        held |= found


def part_of(spec: PermutationSpec, block: Block, held: frozenset[str], length: int) -> Part | None:
    """The block, on an axis of ``length``, with its dimensions grouped by chain; None when all on it is held."""
    chains = tuple(_chains(spec, block, held).values())
    if not chains:
        return None
    moved = [block.dims.index(name) for chain in chains for name in chain]
    positions = np.moveaxis(block.positions, moved, range(len(moved)))
    extents = iter(positions.shape[: len(moved)])
    units = [prod(next(extents) for _ in chain) for chain in chains]
    positions = np.ascontiguousarray(positions).reshape(*units, -1)
    return Part(chains, positions, bool(np.array_equal(positions.ravel(), np.arange(length))))


def chain_sizes(chains: Iterable[Chain], sizes: Mapping[str, int]) -> dict[Chain, int]:
    """Number of units of each chain, all copies counted."""
    return {chain: prod(sizes[name] for name in chain) for chain in dict.fromkeys(chains)}


def _chains(spec: PermutationSpec, block: Block, held: Iterable[str]) -> dict[str, Chain]:
    """By the outermost permutation of each, the chains that move ``block``."""
    chains: dict[str, Chain] = {}
    for name in block.permutations:
        if name not in held:
            root = (*spec.parents[name], name)[0]
            chains[root] = (*chains.get(root, ()), name)
    return chains


def _misfits(spec: PermutationSpec, block: Block, held: set[str]) -> list[str]:
    return [
        name
        for chain in _chains(spec, block, held).values()
        for depth, name in enumerate(chain)
        if spec.parents[name] != chain[:depth]
    ]
