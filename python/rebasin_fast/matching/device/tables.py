"""For each axis of a tensor, the position of B that fills each position of A."""

from __future__ import annotations

from typing import Any

from rebasin_fast.matching.device.problem import ResidentProblem
from rebasin_fast.specs.layout import Block, Placed, source_index
from rebasin_fast.typing import Index

Tables = list[Index | None]

_MOST_KEPT = 4096


class TableMaker:
    """Makes tables, and the same table again, the same object, for the same permutations.

    Index arrays are told apart by identity: a permutation that moves must be a new array.
    """

    def __init__(self, problem: ResidentProblem) -> None:
        self._problem = problem
        self._kept: dict[tuple[int, ...], tuple[Index, list[Any]]] = {}

    def tables_of(self, tensor: int, permutations: dict[str, Index]) -> Tables:
        """One table an axis; None where nothing moves."""
        shape = self._problem.tensors[tensor].a.shape
        return [
            self._table(blocks, int(shape[axis]), permutations) if blocks else None
            for axis, blocks in enumerate(self._problem.tensors[tensor].blocks)
        ]

    def _table(self, blocks: tuple[Block, ...], length: int, permutations: dict[str, Index]) -> Index:
        names = dict.fromkeys(name for block in blocks for name in block.permutations)
        indices = [permutations[name] for name in names]
        key = (id(blocks), length, *map(id, indices))
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            placed = {name: Placed(permutations[name], self._problem.parents[name]) for name in names}
            # What the identities in the key belong to is kept alive beside the table.
            self._kept[key] = source_index(blocks, length, placed), [blocks, indices]
        return self._kept[key][0]
