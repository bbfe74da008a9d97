"""Layers in the names of parameters, and the numbers in their names."""

from __future__ import annotations

import re
from collections.abc import Iterable


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts ``fc10`` after ``fc9``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def layer_of(name: str) -> str:
    """``layer1.0.conv1`` for ``layer1.0.conv1.weight``, and so with slashes."""
    return name.rpartition("/" if "/" in name else ".")[0]


def count_numbered(names: Iterable[str], stem: str) -> int:
    """One more than the largest number right after ``stem`` in the names that begin with it; 0 for none."""
    found = (re.match(re.escape(stem) + r"(\d+)\.", name) for name in names)
    return 1 + max((int(place[1]) for place in found if place), default=-1)


def last_of_each(names: Iterable[str], pattern: str) -> list[int] | None:
    """For each first number of ``pattern``, 1, 2, …, the largest second one; None where a first one is missing."""
    last: dict[int, int] = {}
    for name in names:
        if place := re.match(pattern, name):
            first, second = int(place[1]), int(place[2])
            last[first] = max(last.get(first, 0), second)
    return [last[n] for n in sorted(last)] if last and sorted(last) == list(range(1, len(last) + 1)) else None
