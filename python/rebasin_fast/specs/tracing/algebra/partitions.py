"""Several partitions of one range of units into blocks, and the permutations that keep the blocks of all.

Every norm over groups of channels partitions the channels that it reads. Where partitions nest, blocks move within
blocks; where they cut across one another, the units of their intersections move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TypeAlias

# The borders of a partition's blocks. 0, or the end of the range, is among them unless a block crosses it.
Borders: TypeAlias = frozenset[int]


@dataclass(frozen=True)
class Repeated:
    """``times`` equal parts, one after the other, that may be permuted."""

    times: int
    part: Tree


@dataclass(frozen=True)
class Pieces:
    """Parts one after the other, each for itself."""

    parts: tuple[Tree, ...]


Tree: TypeAlias = "int | Repeated | Pieces"


def borders_of(offset: int, size: int, block: int) -> Borders:
    """Where blocks of ``block`` units begin or end in a range that begins ``offset`` units after a border."""
    return frozenset(range(-offset % block, size + 1, block))


def movable(partitions: Sequence[Borders], start: int, stop: int) -> Tree:
    """The free permutations of ``start:stop``: a number of interchangeable units, or a tree of such numbers."""
    cutting = [borders for borders in partitions if any(start < border < stop for border in borders)]
    if not cutting:
        return stop - start
    common = frozenset.intersection(*cutting)
    inside = sorted(border for border in common if start < border < stop)
    if inside:
        return _in_a_row(cutting, [start, *inside, stop])
    across = frozenset().union(*_clashing(cutting, start, stop))
    bounds = [start, *sorted(border for border in across if start < border < stop), stop]
    return Pieces(tuple(movable(cutting, a, b) for a, b in pairwise(bounds)))


def _in_a_row(partitions: Sequence[Borders], bounds: Sequence[int]) -> Tree:
    """The parts between borders of all partitions; neighbours of one inner shape change places."""

    def shape(part: tuple[int, int]) -> object:
        start, stop = part
        if any(start not in borders or stop not in borders for borders in partitions):
            return part  # a part of a block that crosses the end
        return tuple(frozenset(b - start for b in borders if start <= b <= stop) for borders in partitions)

    pieces: list[Tree] = []
    for _, run in groupby(pairwise(bounds), key=shape):
        alike = list(run)
        part = movable(partitions, *alike[0])
        pieces.append(Repeated(len(alike), part) if len(alike) > 1 else part)
    return pieces[0] if len(pieces) == 1 else Pieces(tuple(pieces))


def _clashing(partitions: Sequence[Borders], start: int, stop: int) -> list[Borders]:
    """The partitions left after those that cut all blocks of the others are dropped, one at a time."""
    rest = [frozenset(b for b in borders if start < b < stop) for borders in partitions]
    while True:
        finest = [borders for borders in rest if all(borders >= other for other in rest)]
        if not finest:
            return rest
        rest = [borders for borders in rest if borders not in finest]
