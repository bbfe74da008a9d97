"""Parts of a variable chosen by position, and positions shaped by several axes taken apart."""

from __future__ import annotations

from functools import reduce

import numpy as np

from rebasin_fast.specs.tracing.algebra.forms import Nested, Reason, Var
from rebasin_fast.specs.tracing.algebra.variables import Algebra
from rebasin_fast.typing import Index


def take(algebra: Algebra, x: Var, positions: Index) -> Var:
    """The variable of the units of ``x`` at flat ``positions``, in that order."""
    x = algebra.find(x)
    size, count = algebra.size(x), positions.size
    if count == size and np.array_equal(positions, np.arange(size)):
        return x
    reason = algebra.reason(x)
    if reason:
        return algebra.frozen(count, reason)
    form = algebra.form(x)
    if isinstance(form, Nested):
        taken = _take_from_product(algebra, form, positions)
        if taken is not None:
            return taken
    breaks = np.flatnonzero(np.diff(positions) != 1) + 1
    starts = positions[np.concatenate([[0], breaks])]
    stops = positions[np.concatenate([breaks - 1, [count - 1]])] + 1
    bounds = np.unique(np.concatenate([[0], starts, stops, [size]]))
    pieces = algebra.split(x, bounds.tolist())
    firsts, lasts = np.searchsorted(bounds, starts), np.searchsorted(bounds, stops)
    chosen = [piece for first, last in zip(firsts, lasts, strict=True) for piece in pieces[first:last]]
    return algebra.concat(chosen)


def _take_from_product(algebra: Algebra, form: Nested, positions: Index) -> Var | None:
    """Positions that choose the same of every chosen outer unit; None for others."""
    inner = algebra.size(form.inner)
    units = positions // inner
    run = int(np.argmax(units != units[0])) or units.size
    if run == units.size and units.size > inner:
        return None
    if positions.size % run:
        return None
    units = units.reshape(-1, run)
    within = (positions % inner).reshape(-1, run)
    if (units != units[:, :1]).any() or (within != within[0]).any():
        return None
    if np.unique(units[:, 0]).size == 1:  # positions of one copy alone
        return None
    return algebra.product(
        take(algebra, form.outer, units[:, 0].copy()), take(algebra, form.inner, within[0].copy())
    )


def take_apart(algebra: Algebra, x: Var, positions: Index, reason: Reason) -> tuple[list[Var], list[Var]]:
    """One variable an axis of ``positions``, and those of which single entries were selected.

    Where the positions are a sum of one term an axis, the terms nest, and ``x`` is a product of the variables.
    Otherwise ``x`` is frozen, because of ``reason``.
    """
    known = algebra.reason(x)
    if known is None and positions.ndim > 1:
        chosen: list[Var] = []
        found = _nest(algebra, x, positions, reason, chosen)
        if found is not None:
            return found, chosen
        algebra.freeze(x, reason)
        known = reason
    if known is None:
        return [take(algebra, x, positions)], []
    return [algebra.frozen(size, known) for size in positions.shape], []


def _nest(algebra: Algebra, x: Var, positions: Index, reason: Reason, chosen: list[Var]) -> list[Var] | None:
    axes = [axis for axis, size in enumerate(positions.shape) if size > 1]
    if not axes:
        if algebra.size(x) > 1:
            chosen.append(take(algebra, x, positions.ravel()))
        return [algebra.leaf(1) for _ in positions.shape]
    if len(axes) == 1:
        taken = take(algebra, x, positions.ravel())
        return [taken if axis in axes else algebra.leaf(1) for axis in range(positions.ndim)]
    origin = (0,) * positions.ndim
    first = int(positions[origin])
    terms = [
        positions[tuple(slice(None) if a == axis else 0 for a in range(positions.ndim))] - first
        for axis in range(positions.ndim)
    ]
    if not np.array_equal(positions, reduce(np.add.outer, terms) + first):
        return None
    steps = {axis: _step(terms[axis]) for axis in axes}
    outermost = max(axes, key=lambda axis: steps[axis])
    block = steps[outermost]
    rest = positions.take(0, outermost)
    low = int(rest.min() + terms[outermost].min())
    span = int(rest.max() - rest.min())
    if block == 0 or span >= block:
        return None
    blocks = int(np.ptp(terms[outermost])) // block + 1
    start = _start(low, span, block, blocks, algebra.size(x))
    if start is None:
        return None
    end = start + block * blocks
    region = take(algebra, x, np.arange(start, end))
    outer, inner = algebra.leaf(blocks), algebra.leaf(block)
    algebra.unify(region, algebra.product(outer, inner), reason)
    units = (terms[outermost] - terms[outermost].min()) // block
    within = rest + int(terms[outermost].min()) - start
    found = _nest(algebra, inner, within, reason, chosen)
    if found is None:
        return None
    found.insert(outermost, take(algebra, outer, units))
    return found


def _step(term: Index) -> int:
    return int(np.gcd.reduce(np.abs(np.diff(term))))


def _start(low: int, span: int, block: int, blocks: int, size: int) -> int | None:
    """Where the first block begins: on the grid of blocks where that holds the positions, else at the lowest."""
    on_grid = low - low % block
    for start in (on_grid, low):
        if low + span < start + block and start + block * blocks <= size:
            return start
    return None
