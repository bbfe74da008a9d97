"""A choice among the permutations of a traced spec."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

from rebasin_fast.errors import SpecError
from rebasin_fast.specs.axis import (
    Concat,
    Entry,
    Fixed,
    Joined,
    Product,
    Slice,
    concat_of,
    merged_pieces,
    permutations_of,
    product_of,
)
from rebasin_fast.specs.symmetry import Symmetry
from rebasin_fast.specs.tracing.report import FrozenAxis, TracedSpec


def choose(
    spec: TracedSpec,
    *,
    residual: bool = True,
    freeze: Sequence[str] = (),
    select: Sequence[str] | None = None,
) -> TracedSpec:
    """``spec`` without residual permutations, without those frozen, or with those selected alone.

    Raises
    ------
    SpecError
        A name or pattern fits no permutation and no parameter.
    """
    fixed: dict[str, str] = {}
    if not residual:
        fixed |= dict.fromkeys(spec.residual, "residual=False")
    for pattern in freeze:
        fixed |= dict.fromkeys(_matching(spec, pattern, "freeze"), f"freeze={pattern!r}")
    if select is not None:
        chosen = {name for pattern in select for name in _matching(spec, pattern, "select")}
        fixed |= {name: "select" for name in spec.permutations if name not in chosen}
    return _without(spec, fixed) if fixed else spec


def _matching(spec: TracedSpec, pattern: str, argument: str) -> list[str]:
    """Permutations of that name, and those that stand on parameters of that name."""
    parameters = [name for name in spec.axes_to_perm if fnmatchcase(name, pattern)]
    named = [name for name in spec.permutations if fnmatchcase(name, pattern)]
    if not named and not parameters:
        raise SpecError(
            f"{argument} names {pattern!r}, which fits no permutation and no parameter. Permutations: "
            f"{', '.join(spec.permutations[:8])}{', ...' if len(spec.permutations) > 8 else ''}"
        )
    axes = spec.axes_to_perm
    standing = [p for name in parameters for entry in axes[name] for p in permutations_of(entry)]
    return list(dict.fromkeys([*named, *standing]))


def _without(spec: TracedSpec, fixed: Mapping[str, str]) -> TracedSpec:
    sizes = spec.permutation_sizes
    axes = {name: _with_fixed(entries, fixed, sizes) for name, entries in spec.axes_to_perm.items()}
    left = {p for entries in axes.values() for entry in entries for p in permutations_of(entry)}
    frozen = [
        FrozenAxis(parameter, axis, sizes[name], fixed[name], "")
        for name, places in spec.perm_to_axes.items()
        if name in fixed
        for parameter, axis in places
    ]
    return TracedSpec(
        axes,
        [name for name in spec.unmatched if any(p for e in axes[name] for p in permutations_of(e))],
        # Without those around it, a permutation in products needs its size declared.
        sizes={name: size for name, size in sizes.items() if name in left},
        residual=spec.residual & left,
        unused=spec.unused,
        frozen=(*spec.frozen, *frozen),
        shapes=spec.shapes,
        sources=spec.sources,
        ties=spec.ties,
        symmetries=_untouched(spec, axes, left),
        order_alone={name: reason for name, reason in spec.order_alone.items() if name in left},
        unrotated={name: reason for name, reason in spec.unrotated.items() if name in left},
    )


def _untouched(
    spec: TracedSpec, axes: Mapping[str, tuple[Entry, ...]], left: Collection[str]
) -> list[Symmetry]:
    """Symmetries of the permutations that are left; copies of units are counted along axes as they were."""
    before = spec.axes_to_perm
    return [
        symmetry
        for symmetry in spec.symmetries
        if symmetry.permutation in left
        and all(
            len(role.exponents) == 1 or axes[role.parameter][role.axis] == before[role.parameter][role.axis]
            for role in symmetry.roles
        )
    ]


def _with_fixed(
    entries: Sequence[Entry], fixed: Mapping[str, str], sizes: Mapping[str, int]
) -> tuple[Entry, ...]:
    """``entries`` with the permutations of ``fixed`` replaced by Fixed; axes joined to a fixed one stand alone."""
    result: list[Entry] = []
    for entry in entries:
        inner = entry.inner if isinstance(entry, Joined) else entry
        found = None if inner is None else _part(inner, fixed, sizes)
        nested = isinstance(entry, Joined) and result[-1] is not None
        if nested:
            result.append(Joined(found))
        else:
            result.append(None if isinstance(found, Fixed) else found)
    return tuple(result)


def _part(entry: Entry, fixed: Mapping[str, str], sizes: Mapping[str, int]) -> Entry:
    if isinstance(entry, str):
        return Fixed(sizes[entry]) if entry in fixed else entry
    if isinstance(entry, Slice):
        return Fixed(entry.stop - entry.start) if entry.permutation in fixed else entry
    if isinstance(entry, Product):
        return product_of(_part(entry.outer, fixed, sizes), _part(entry.inner, fixed, sizes))
    if isinstance(entry, Concat):
        return concat_of(merged_pieces(_part(piece, fixed, sizes) for piece in entry.pieces))
    return entry
