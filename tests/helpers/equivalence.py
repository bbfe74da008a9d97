"""Equality of two specs up to the names of their permutations."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from rebasin_fast import PermutationSpec
from rebasin_fast.axis import merge_joined
from rebasin_fast.specs.layout import blocks_of

Place = tuple[str, int, int]  # parameter, axis, position
Units = frozenset[frozenset[Place]]


def families(spec: PermutationSpec, params: Any) -> set[Units]:
    """For each permutation (each copy of one that stands within others) the sets of places that its units own.

    Two specs generate the same group in the same way exactly if these agree.
    """
    sizes = spec.sizes(params)
    owned: dict[tuple[str, tuple[int, ...]], dict[int, set[Place]]] = defaultdict(lambda: defaultdict(set))
    for parameter, entries in spec.axes_to_perm.items():
        axis = 0
        for entry, spanned in merge_joined(entries):
            for block in blocks_of(entry, sizes):
                for index in np.ndindex(*block.positions.shape):
                    place = (parameter, axis, int(block.positions[index]))
                    for dim, name in enumerate(block.dims):
                        if name is not None:
                            parents = tuple(index[block.dims.index(p)] for p in spec.parents[name])
                            owned[name, parents][index[dim]].add(place)
            axis += spanned
    return {
        frozenset(frozenset(places) for places in units.values())
        for units in owned.values()
        if len(units) > 1
    }


def equivalent(first: PermutationSpec, second: PermutationSpec, params: Any) -> bool:
    """Whether the two specs differ in names alone."""
    return families(first, params) == families(second, params)
