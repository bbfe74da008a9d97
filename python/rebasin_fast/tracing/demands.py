"""Blocks that must stay blocks: what a group norm asks of its channels, settled after everything is tied.

A demand says that blocks of ``b`` consecutive units of an axis may move as wholes, and units within a block. Where the
axis is one variable that becomes a product. Where concatenations cut across the blocks, or two demands do not nest,
the axis is cut at all blocks: what moves then are the intersections of all partitions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from rebasin_fast.tracing.selection import take
from rebasin_fast.tracing.values import Space
from rebasin_fast.tracing.variables import Nested, Reason, Var

Demand = tuple[Var, int, Reason]


def settle(space: Space, demands: list[Demand]) -> None:
    """Cut axes until every demand can be met, then meet them."""
    pending = list({(space.algebra.find(x), b): (x, b, reason) for x, b, reason in demands}.values())
    cut: set[tuple[Var, int]] = set()
    while True:
        clashing = [demand for demand in pending if _clashes(space, demand, pending)]
        if not clashing:
            break
        for x, block, _ in clashing:
            if (x, block) not in cut:
                cut.add((x, block))
                _cut_at_blocks(space, x, block)
        pending = [demand for demand in pending if (demand[0], demand[1]) not in cut]
    for x, block, reason in sorted(pending, key=lambda demand: -demand[1]):
        _nest(space, x, block, reason)


def _clashes(space: Space, demand: Demand, others: list[Demand]) -> bool:
    """Whether a piece of the axis does not begin and end with a block, or another demand on it does not nest."""
    x, block, _ = demand
    offset = 0
    for part in space.algebra.parts(x):
        size = space.algebra.size(part)
        if space.algebra.reason(part) is None and (offset % block or size % block):
            return True
        offset += size
    wanted = _blocks_on_parts(space, others)
    return any(
        large % small
        for part in space.algebra.parts(x)
        for large, small in _pairs(sorted(wanted.get(space.algebra.find(part), ()), reverse=True))
    )


def _blocks_on_parts(space: Space, demands: list[Demand]) -> dict[Var, set[int]]:
    wanted: dict[Var, set[int]] = defaultdict(set)
    for x, block, _ in demands:
        for part in space.algebra.parts(x):
            wanted[space.algebra.find(part)].add(block)
    return wanted


def _pairs(blocks: list[int]) -> Iterator[tuple[int, int]]:
    for i, large in enumerate(blocks):
        for small in blocks[i + 1 :]:
            yield large, small


def _cut_at_blocks(space: Space, x: Var, block: int) -> None:
    """Every block is an axis of its own from now on."""
    size = space.algebra.size(x)
    space.algebra.split(x, range(0, size, block))
    for start in range(0, size, block):
        space.saw(take(space.algebra, x, np.arange(start, start + block)))


def _nest(space: Space, x: Var, block: int, reason: Reason) -> None:
    algebra = space.algebra
    for part in algebra.parts(x):
        if algebra.reason(part) is not None or algebra.size(part) == block:
            if algebra.size(part) == block:
                space.saw(part)
            continue
        form = algebra.form(part)
        if isinstance(form, Nested) and algebra.size(form.inner) % block == 0:
            _nest(space, form.inner, block, reason)
            continue
        nested = algebra.product(algebra.leaf(algebra.size(part) // block), algebra.leaf(block))
        algebra.unify(part, nested, reason)
