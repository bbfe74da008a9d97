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

    A norm over a concatenation may cut elsewhere than the others. Free are the intersections of all groups; those
    that are whole groups of every norm also move as wholes.
    """
    cuts = [_cuts(channels, offset, length) for offset, length in norms]
    borders = sorted({0, channels}.union(*cuts))
    whole: Counter[int] = Counter()
    found: Symmetries = Counter()
    for start, stop in pairwise(borders):
        if all(_is_group(start, stop, offset, length) for offset, length in norms):
            whole[stop - start] += 1
        else:
            found += units(stop - start)
    for length, times in whole.items():
        found += units(times) + units(length, times)
    return found


def _cuts(channels: int, offset: int, length: int) -> set[int]:
    first = -offset % length
    return {0, channels, *range(first, channels, length)}


def _is_group(start: int, stop: int, offset: int, length: int) -> bool:
    return (start + offset) % length == 0 and stop - start == length
