"""The positions of parameters that do not move, and the operations that froze them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rebasin_fast.specs.tracing.algebra.forms import Nested, Reason, Var
from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.report import FrozenAxis
from rebasin_fast.specs.tracing.structure import Structure

_UNUSED = "not used by the traced program"
_ALONE = Reason("no other unit is like it")
_UNWRITABLE = Reason("its symmetries cannot be written as axis entries")


def frozen_axes(
    structure: Structure,
    names: Mapping[int, str],
    used: Mapping[str, Value],
    unused: Mapping[str, tuple[int, ...]],
) -> Iterator[FrozenAxis]:
    """For every axis of a parameter, how many positions each operation froze."""
    for parameter, value in used.items():
        for group in value.groups:
            (axis,) = group.axes
            lengths: dict[Reason, int] = {}
            for reason, length in _reasons(structure, names, group.base):
                lengths[reason] = lengths.get(reason, 0) + length
            for reason, length in lengths.items():
                yield FrozenAxis(parameter, axis, length, reason.operation, reason.source)
    for parameter, shape in unused.items():
        for axis, length in enumerate(shape):
            yield FrozenAxis(parameter, axis, length, _UNUSED, "")


def _reasons(structure: Structure, names: Mapping[int, str], x: Var) -> Iterator[tuple[Reason, int]]:
    algebra = structure.algebra
    for part in algebra.parts(x):
        reason, form, size = algebra.reason(part), algebra.form(part), algebra.size(part)
        piece = structure.piece.get(algebra.find(part))
        if reason is not None:
            yield reason, size
        elif isinstance(form, Nested):
            yield from _reasons(structure, names, form.outer)
            yield from _reasons(structure, names, form.inner)
        elif piece is not None and piece.permutation not in names:
            yield (_ALONE if structure.size(piece.permutation) == 1 else _UNWRITABLE), size
