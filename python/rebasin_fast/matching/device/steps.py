"""The best step of a permutation together with all that stand within it, everything else held where it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from rebasin_fast._arrays.operations import Operations
from rebasin_fast.matching.device.assigners import Assigned, Assigner
from rebasin_fast.matching.device.graph import Graph
from rebasin_fast.matching.device.problem import Move, ResidentProblem
from rebasin_fast.matching.device.similarity import Occurrence, Similarity
from rebasin_fast.matching.device.tables import Tables
from rebasin_fast.typing import Index

Permutations = dict[str, Index]

# Rounding gathers slowly; the matrix is formed anew now and then all the same.
_CHANGES_BEFORE_REBUILD = 100


@dataclass
class Kept:
    """A permutation's similarity as of its last visit, and its last assignment."""

    matrix: Any = None
    before: list[Tables] = field(default_factory=list)
    assigned: Assigned | None = None
    changes: int = 0


@dataclass
class _Path:
    """By permutation, along the way from the root: A's slot, B's unit, and the slot that holds B's unit now."""

    slot: dict[str, int] = field(default_factory=dict)
    unit: dict[str, int] = field(default_factory=dict)
    holder: dict[str, int] = field(default_factory=dict)

    def within(self, name: str, slot: int, unit: int, holder: int) -> _Path:
        return _Path(self.slot | {name: slot}, self.unit | {name: unit}, self.holder | {name: holder})


class Steps:
    """Proposals for one permutation at a time, from similarities that stay on the device."""

    def __init__(
        self,
        problem: ResidentProblem,
        graph: Graph,
        similarity: Similarity,
        ops: Operations,
        assigner: Assigner,
        bytes_to_keep: float,
    ) -> None:
        self._problem = problem
        self._graph = graph
        self._similarity = similarity
        self._ops = ops
        self._assigner = assigner
        self._kept: dict[str, Kept] = {}
        self._alone: dict[str, list[Occurrence]] = {}
        itemsize = 8 if problem.wide else 4
        for name in problem.permutations:
            bytes_needed = problem.sizes[name] ** 2 * itemsize
            if name in graph.alone and bytes_needed <= bytes_to_keep:
                self._kept[name] = Kept()
                bytes_to_keep -= bytes_needed
        self.assignments = 0

    def refreshed(self, name: str, tables: list[Tables]) -> Any:
        """The similarity of a permutation that stands alone, on the device."""
        n = self._problem.sizes[name]
        occurrences = self._occurrences_alone(name)
        kept = self._kept.get(name)
        if kept is None:
            return self._similarity.compute(n, occurrences, tables)
        if kept.matrix is None or kept.changes >= _CHANGES_BEFORE_REBUILD:
            kept.matrix = self._similarity.compute(n, occurrences, tables)
            kept.changes = 0
        else:
            kept.matrix = self._similarity.add_changes(kept.matrix, n, occurrences, tables, kept.before)
            kept.changes += 1
        kept.before = [list(tables[occurrence.tensor]) for occurrence in occurrences]
        return kept.matrix

    def assign_alone(self, names: list[str], matrices: list[Any]) -> list[Index]:
        """The best units of permutations that stand alone and do not see each other, from their last duals."""
        starts = [self._kept[name].assigned if name in self._kept else None for name in names]
        self.assignments += len(names)
        found = self._assigner.assign(matrices, starts)
        for name, assigned in zip(names, found, strict=True):
            if name in self._kept:
                self._kept[name].assigned = assigned
        return [assigned.columns for assigned in found]

    def propose(self, root: str, current: Permutations, tables: list[Tables]) -> Permutations:
        """The step of ``root``'s family: new index arrays of its members."""
        if root in self._graph.alone:
            return {root: self.assign_alone([root], [self.refreshed(root, tables)])[0]}
        if root in self._graph.chains:
            return self._propose_chain(root, current, tables)
        proposal = {name: current[name].copy() for name in self._graph.family[root]}
        parents = self._problem.parents[root]
        for slots in product(*(range(self._problem.sizes[parent]) for parent in parents)):
            path = _Path()
            for depth, (parent, slot) in enumerate(zip(parents, slots, strict=True)):
                unit = int(current[parent][slots[: depth + 1]])
                path = path.within(parent, slot, unit, slot)
            self._solve(root, root, path, current, tables, proposal)
        return proposal

    def _propose_chain(self, root: str, current: Permutations, tables: list[Tables]) -> Permutations:
        """Heads and what stands within them: all pairs of heads at once, as one product and one batch."""
        outer = self._problem.sizes[root]
        occurrences = self._occurrences(root, root, _Path(), current)
        values = self._ops.to_host(self._similarity.compute(outer, occurrences, tables)).copy()
        within: dict[str, Index] = {}
        for child in self._graph.children[root]:
            inner = self._problem.sizes[child]
            pairs = [self._whole(t, m, outer * inner) for t, m in self._graph.moves_of(root, child)]
            matrix = self._similarity.compute(outer * inner, pairs, tables)
            columns, objectives = self._assigner.assign_batch(self._ops.pairs_of_blocks(matrix, outer, inner))
            self.assignments += outer * outer
            within[child] = columns.reshape(outer, outer, inner)
            values += objectives.reshape(outer, outer).astype(values.dtype)
        self.assignments += 1
        units = self._assigner.assign_host(values).columns
        slots = np.arange(outer)
        return {root: units} | {child: columns[slots, units] for child, columns in within.items()}

    def _whole(self, tensor: int, number: int, units: int) -> Occurrence:
        """A move of two permutations as one of all their pairs of units."""
        move = self._problem.tensors[tensor].moves[number]
        positions = move.positions.reshape(units, -1)
        return Occurrence(tensor, move.axis, positions, positions)

    def _solve(
        self,
        root: str,
        name: str,
        path: _Path,
        current: Permutations,
        tables: list[Tables],
        proposal: Permutations | None,
    ) -> float:
        """Value of the best assignment of ``name`` on this path; written into ``proposal`` if there is one."""
        n = self._problem.sizes[name]
        occurrences = self._occurrences(root, name, path, current)
        matrix = self._ops.to_host(self._similarity.compute(n, occurrences, tables)).copy()
        slots = tuple(path.holder[parent] for parent in self._problem.parents[name])
        holders = np.argsort(current[name][slots])
        children = self._graph.children[name]
        for i, j in product(range(n), range(n)) if children else ():
            for child in children:
                inner = path.within(name, i, j, int(holders[j]))
                matrix[i, j] += matrix.dtype.type(self._solve(root, child, inner, current, tables, None))
        self.assignments += 1
        found = self._assigner.assign_host(matrix)
        if proposal is not None:
            proposal[name][tuple(path.slot[parent] for parent in self._problem.parents[name])] = found.columns
            for i, j in enumerate(found.columns.tolist()):
                for child in children:
                    inner = path.within(name, i, j, int(holders[j]))
                    self._solve(root, child, inner, current, tables, proposal)
        return found.objective

    def _occurrences_alone(self, name: str) -> list[Occurrence]:
        """The occurrences of a permutation that stands alone: the same at every visit."""
        if name not in self._alone:
            self._alone[name] = self._occurrences(name, name, _Path(), {})
        return self._alone[name]

    def _occurrences(self, root: str, name: str, path: _Path, current: Permutations) -> list[Occurrence]:
        found = []
        for t, m in self._graph.moves_of(root, name):
            move = self._problem.tensors[t].moves[m]
            found.append(Occurrence(t, move.axis, *self._positions(name, move, path, current)))
        return found

    def _positions(self, name: str, move: Move, path: _Path, current: Permutations) -> tuple[Index, Index]:
        """Positions (n, copies) of each unit of ``name`` in A and in B, permutations not on the path held."""
        parents = self._problem.parents[name]
        held = [other for other in move.permutations if other != name and other not in parents]
        axes = [name, *held]
        extents = [self._problem.sizes[axis] for axis in axes]
        ranges = {
            axis: np.arange(n).reshape([-1 if k == depth else 1 for k in range(len(axes))])
            for depth, (axis, n) in enumerate(zip(axes, extents, strict=True))
        }
        a_units, b_units = [], []
        for other in move.permutations:
            if other == name:
                a, b = ranges[name], ranges[name]
            elif other in parents:
                a, b = np.asarray(path.slot[other]), np.asarray(path.unit[other])
            else:
                around = tuple(
                    ranges[parent] if parent in held else np.asarray(path.holder[parent])
                    for parent in self._problem.parents[other]
                )
                within = (*around, ranges[other])
                a, b = ranges[other], current[other][within]
            a_units.append(np.broadcast_to(a, extents))
            b_units.append(np.broadcast_to(b, extents))
        n = self._problem.sizes[name]
        a_positions, b_positions = (
            move.positions[tuple(units)].reshape(n, -1) for units in (a_units, b_units)
        )
        return a_positions, b_positions
