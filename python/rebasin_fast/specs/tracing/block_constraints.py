"""Block constraints of group norms, applied after all axes are tied.

A constraint (x, b): blocks of ``b`` consecutive units of ``x`` move as wholes, and units within their block.
"""

from __future__ import annotations

from collections import defaultdict

from rebasin_fast.specs.tracing.algebra.forms import Nested, Reason, Var
from rebasin_fast.specs.tracing.algebra.partitions import Borders, Repeated, Tree, borders_of, movable
from rebasin_fast.specs.tracing.algebra.values import Space

BlockConstraint = tuple[Var, int, Reason]


def apply_block_constraints(space: Space, constraints: list[BlockConstraint]) -> None:
    """Give every variable that constraints partition the structure that they allow."""
    algebra = space.algebra
    partitions: dict[Var, dict[Borders, Reason]] = defaultdict(dict)
    pending = list(constraints)
    while pending:
        x, block, reason = pending.pop()
        for offset, end, part in algebra.spans(x):
            form = algebra.form(part)
            if isinstance(form, Nested):
                pending += _within(space, part, form, offset, block, reason)
            elif algebra.reason(part) is None:
                space.as_axis(part)  # an axis: parts in other blocks have other permutations
                partitions[algebra.find(part)][borders_of(offset % block, end - offset, block)] = reason
    for part, borders in partitions.items():
        tree = movable(list(borders), 0, algebra.size(part))
        if not isinstance(tree, int):
            algebra.unify(part, _grown(space, tree), next(iter(borders.values())))


def _within(
    space: Space, part: Var, form: Nested, offset: int, block: int, reason: Reason
) -> list[BlockConstraint]:
    """The constraint on a product as one on its outer or inner variable; where it fits neither, nothing moves."""
    inner = space.algebra.size(form.inner)
    if offset % block == 0 and inner % block == 0:
        return [(form.inner, block, reason)]
    if offset % block == 0 and block % inner == 0 and space.algebra.size(part) % block == 0:
        return [(form.outer, block // inner, reason)]
    space.algebra.freeze(part, reason)
    return []


def _grown(space: Space, tree: Tree) -> Var:
    """Variables in the shape of ``tree``."""
    algebra = space.algebra
    if isinstance(tree, int):
        return algebra.leaf(tree)
    if isinstance(tree, Repeated):
        return algebra.product(algebra.leaf(tree.times), _grown(space, tree.part))
    return algebra.concat([space.as_axis(_grown(space, part)) for part in tree.parts])
