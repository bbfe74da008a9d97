"""Counting along a network of blocks: the units inside each block, and the stream that its output joins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .symmetries import Symmetries, attention, units


def total(*parts: Symmetries) -> Symmetries:
    """All permutations of the parts."""
    return sum(parts, Counter())


def repeated(times: int, part: Symmetries) -> Symmetries:
    """``part`` as often as a layer is repeated."""
    return Counter({kind: count * times for kind, count in part.items()})


def each(sizes: Iterable[int]) -> Symmetries:
    """One permutation for each of the sizes."""
    return total(*(units(size) for size in sizes))


def grouped(channels: int, groups: int, before: bool = True, after: int = 1) -> Symmetries:
    """Channels in ``groups``: the groups as wholes, and those before and after each convolution within a group."""
    return units(groups) + units(channels // groups, groups, times=before + after)


def encoder(width: int, heads: int, hidden: int) -> Symmetries:
    """Self-attention with a free head dimension, and the hidden units of the perceptron after it."""
    return attention(heads, width // heads, width // heads) + units(hidden)


def rounded(value: float, divisor: int = 8, limit: float = 0.9) -> int:
    """Channels as mobile networks round them: to multiples of ``divisor``, never far below ``value``."""
    near = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return near + divisor if near < limit * value else near


class Chain:
    """Blocks in order. A residual block writes into the stream that it reads; any other starts a new one."""

    def __init__(self, *stem: int) -> None:
        self.found = each(stem)
        self.channels = stem[-1]

    def block(self, channels: int, inner: Symmetries, *, residual: bool) -> None:
        """A block with ``inner`` permutations and ``channels`` outputs."""
        if residual and channels != self.channels:
            raise ValueError(f"a residual block cannot turn {self.channels} channels into {channels}")
        self.found = total(self.found, inner, Counter() if residual else units(channels))
        self.channels = channels
