"""The permutations that maximise a linear function of relaxed permutations: one assignment per copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.assignment import Assignment, solve_assignment
from rebasin_fast.matching.soft_axes import Chain

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index


class LinearMinimizer:
    """Maximises sum_c <table_c, matrix of chain c> over permutations, exactly.

    The value of filling a slot of an outer permutation with a unit includes the best arrangement of the permutations
    within, for that slot and that unit. Keeps the duals of its last call, from which the next starts.
    """

    def __init__(self, spec: PermutationSpec, chains: Mapping[Chain, int], sizes: Mapping[str, int]) -> None:
        self._spec = spec
        self._sizes = dict(sizes)
        self._starts: dict[str, Assignment] = {}
        self.assignments = 0
        self._moved = [
            name for name in spec.permutations if name in {member for chain in chains for member in chain}
        ]

    def best(self, tables: Mapping[Chain, NDArray[Any]]) -> dict[str, Index]:
        """Index arrays of every permutation of a chain, in the shapes of :func:`rebasin_fast.apply_permutation`."""
        found: dict[str, Index] = {}
        for name in self._moved:
            if not self._spec.parents[name]:
                units: dict[str, Index] = {}
                self._solve(name, tables, units)
                found |= self._unfold(name, units)
        return {name: found[name] for name in self._moved}

    def _solve(
        self, name: str, tables: Mapping[Chain, NDArray[Any]], units: dict[str, Index]
    ) -> NDArray[np.float64]:
        """Values of the best arrangements, one for each pair of outer slots and units; fills ``units``."""
        table = self._by_pairs((*self._spec.parents[name], name), tables)
        for child in self._children(name):
            table = table + self._solve(child, tables, units).reshape(table.shape)
        solved = solve_assignment(table, maximize=True, warm_start=self._starts.get(name))
        assert isinstance(solved, Assignment)
        self._starts[name] = solved
        self.assignments += len(table)
        units[name] = solved.columns
        return np.asarray(solved.objective)

    def _by_pairs(self, chain: Chain, tables: Mapping[Chain, NDArray[Any]]) -> NDArray[Any]:
        """(pairs of outer slots and units, n, n): the chain's table regrouped."""
        shape = [self._sizes[name] for name in chain]
        pairs = int(np.prod([n * n for n in shape[:-1]], dtype=np.int64))
        if chain not in tables:
            return np.zeros((pairs, shape[-1], shape[-1]))
        depth = len(chain)
        order = [axis for level in range(depth) for axis in (level, depth + level)]
        regrouped = tables[chain].reshape(*shape, *shape).transpose(order)
        return np.ascontiguousarray(regrouped).reshape(pairs, shape[-1], shape[-1])

    def _children(self, name: str) -> list[str]:
        chain = (*self._spec.parents[name], name)
        return [other for other in self._moved if self._spec.parents[other] == chain]

    def _unfold(self, root: str, units: dict[str, Index]) -> dict[str, Index]:
        """The arrangements that were chosen, out of those of all pairs."""
        found = {root: units[root][0]}
        pending = [(root, np.zeros(1, np.int64))]
        while pending:
            name, chosen = pending.pop()
            n = self._sizes[name]
            columns = units[name][chosen]
            pairs = (chosen[:, None] * n + np.arange(n)) * n + columns
            outer = tuple(self._sizes[parent] for parent in self._spec.parents[name])
            found[name] = columns.reshape(*outer, n)
            pending += [(child, pairs.ravel()) for child in self._children(name)]
        return found
