"""Expected permutations as multisets: (size, sizes of those it stands within, outermost first) -> how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

Symmetries: TypeAlias = "Counter[tuple[int, tuple[int, ...]]]"


def units(size: int, *within: int, times: int = 1) -> Symmetries:
    """``times`` permutations of ``size`` units, each within others of the sizes ``within``.

    One unit has nothing to permute, so that it neither counts nor nests.
    """
    return Counter({(size, tuple(n for n in within if n > 1)): times} if size > 1 else {})


def attention(heads: int, value: int, query: int | None) -> Symmetries:
    """Heads, what queries and keys share within a head, and values with the output; None: positions fix queries."""
    inside = units(value, heads)
    if query is not None:
        inside += units(query, heads)
    return units(heads) + inside


def grouped_attention(queries: int, keys: int, value: int) -> Symmetries:
    """Rotary attention whose ``keys`` heads serve ``queries / keys`` queries each: groups, queries, values."""
    return units(keys) + units(queries // keys, keys) + units(value, keys)


def normed_groups(channels: int, groups: int) -> Symmetries:
    """Channels that only norms of ``groups`` groups see: groups as wholes, and channels within."""
    return units(groups) + units(channels // groups, groups)


def cut_by_norms(channels: int, norms: Sequence[tuple[int, int]]) -> Symmetries:
    """Channels that stand in several group norms, as (their offset in the norm's input, length of its groups).

    A norm over a concatenation may cut elsewhere than the others. Between cuts that all norms share, parts of one
    shape move as wholes; where norms cut across one another, free are the intersections of their groups.
    """
    return _cut({(-offset % length, length) for offset, length in norms}, 0, channels, ())


def _cut(grids: set[tuple[int, int]], start: int, stop: int, within: tuple[int, ...]) -> Symmetries:
    """What moves in ``start:stop`` under groups that begin at ``first + k length`` for each of the grids."""
    cuts = {grid: {c for c in range(grid[0], stop, grid[1]) if c > start} for grid in grids}
    cuts = {grid: found for grid, found in cuts.items() if found}
    if not cuts:
        return units(stop - start, *within)
    shared = set.intersection(*cuts.values())
    if not shared:
        while refined := [g for g, found in cuts.items() if all(found >= other for other in cuts.values())]:
            cuts = {grid: found for grid, found in cuts.items() if grid not in refined}
        borders = sorted({start, stop}.union(*cuts.values()))
        return sum((_cut(grids, a, b, within) for a, b in pairwise(borders)), Counter())
    found: Symmetries = Counter()
    alike: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    for a, b in pairwise(sorted({start, stop} | shared)):
        alike[all((a - first) % length == (b - first) % length == 0 for first, length in cuts)].append((a, b))
    for a, b in alike[False]:
        found += _cut(grids, a, b, within)
    if alike[True]:
        times = len(alike[True])
        found += units(times, *within) + _cut(grids, *alike[True][0], (*within, times))
    return found
