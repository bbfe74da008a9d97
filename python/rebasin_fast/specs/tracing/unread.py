"""Units that no operation of the trace consumes: frozen, because other inputs may use them.

An entry is consumed where its axis ends: in a sum, a product, a norm of everything, or where it is selected alone.
Slices consume nothing, and an operation whose result has the axis passes its entries on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.specs.tracing.algebra.forms import Nested, Reason, Var
from rebasin_fast.specs.tracing.algebra.values import Group, Space
from rebasin_fast.specs.tracing.algebra.variables import Algebra

UNREAD = Reason("lack of use in the trace (other inputs may use these units)")

# Leaves read in more pieces than this stay as a whole.
_MOST_PIECES = 256

Mask = NDArray[Any]
Masks = dict[Var, Mask]


def freeze_unread(space: Space, axes: Iterable[Var]) -> None:
    """Freeze the units on ``axes`` that no operation consumed."""
    algebra = space.algebra
    waiting = {leaf: algebra.size(leaf) for x in axes for leaf in _leaves(algebra, x)}
    read: Masks = {}
    partly = []
    for taken, given in space.operations:
        passed_on = {leaf for group in given for leaf in _leaves(algebra, group.base)}
        for group in taken:
            open_leaves = _leaves(algebra, group.base) & waiting.keys() - passed_on
            if not open_leaves:
                continue
            if group.positions is None:
                for leaf in open_leaves:
                    del waiting[leaf]
            else:
                partly.append((group, passed_on))
    for group, passed_on in partly:
        if _leaves(algebra, group.base) & waiting.keys() - passed_on:
            _mark(algebra, group, passed_on, read)
            for leaf in [leaf for leaf in read if leaf in waiting and read[leaf].all()]:
                del waiting[leaf]
    for leaf in waiting:
        _freeze(algebra, leaf, read.get(leaf))


def _leaves(algebra: Algebra, x: Var) -> set[Var]:
    """The undefined variables that ``x`` is made of and that may move."""
    found: set[Var] = set()
    stack = [x]
    while stack:
        for part in algebra.parts(stack.pop()):
            if algebra.reason(part) is not None:
                continue
            form = algebra.form(part)
            if isinstance(form, Nested):
                stack += [form.outer, form.inner]
            else:
                found.add(algebra.find(part))
    return found


def _mark(algebra: Algebra, group: Group, passed_on: set[Var], read: Masks) -> None:
    whole: Mask = np.zeros(algebra.size(group.base), np.bool_)
    whole[group.positions] = True
    stack: list[tuple[Var, Mask]] = [(group.base, whole)]
    while stack:
        x, mask = stack.pop()
        for start, stop, part in algebra.spans(x):
            form, own = algebra.form(part), mask[start:stop]
            if algebra.reason(part) is not None or not own.any():
                continue
            if isinstance(form, Nested):
                table = own.reshape(-1, algebra.size(form.inner))
                stack += [(form.outer, np.asarray(table.any(1))), (form.inner, np.asarray(table.any(0)))]
            elif (leaf := algebra.find(part)) not in passed_on:
                read[leaf] = own | read[leaf] if leaf in read else own.copy()


def _freeze(algebra: Algebra, leaf: Var, mask: Mask | None) -> None:
    if mask is None or not mask.any():
        algebra.freeze(leaf, UNREAD)
        return
    bounds = (np.flatnonzero(np.diff(mask)) + 1).tolist()
    if len(bounds) > _MOST_PIECES:
        algebra.freeze(leaf, UNREAD)
        return
    starts = [0, *bounds]
    for start, piece in zip(starts, algebra.split(leaf, bounds), strict=True):
        if not mask[start]:
            algebra.freeze(piece, UNREAD)
