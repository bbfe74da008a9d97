"""Chains of nested permutations: the units that a relaxed permutation can move as one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from rebasin_fast.matching.soft_axes import Chain
from rebasin_fast.specs.layout import Block, Placed, source_index

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index, Permutation


def held_permutations(spec: PermutationSpec, blocks: Iterable[Block]) -> frozenset[str]:
    """Permutations that no chain can hold: within two independent ones, or beside another within the same parent."""
    laid_out = list(blocks)
    held: set[str] = set()
    while True:
        found = {name for block in laid_out for name in _misfits(spec, block, held)}
        if found <= held:
            return frozenset(held)
        held |= found


def chains_in(spec: PermutationSpec, block: Block, held: Collection[str]) -> list[Chain]:
    """The chains that move ``block``, those in ``held`` left out: one for each outermost permutation."""
    chains: dict[str, Chain] = {}
    for name in block.permutations:
        if name not in held:
            root = (*spec.parents[name], name)[0]
            chains[root] = (*chains.get(root, ()), name)
    return list(chains.values())


def units_of_chain(spec: PermutationSpec, chain: Chain, permutation: Permutation) -> Index:
    """The unit that fills each slot of the chain, all copies counted through."""
    lookup = {name: Placed(permutation[name], spec.parents[name]) for name in chain}
    shape = tuple(permutation[name].shape[-1] for name in chain)
    block = Block(chain, np.arange(prod(shape), dtype=np.int64).reshape(shape))
    return source_index((block,), prod(shape), lookup)


def chain_sizes(chains: Iterable[Chain], sizes: Mapping[str, int]) -> dict[Chain, int]:
    """Number of units of each chain, all copies counted."""
    return {chain: prod(sizes[name] for name in chain) for chain in dict.fromkeys(chains)}


def _misfits(spec: PermutationSpec, block: Block, held: Collection[str]) -> list[str]:
    return [
        name
        for chain in chains_in(spec, block, held)
        for depth, name in enumerate(chain)
        if spec.parents[name] != chain[:depth]
    ]
