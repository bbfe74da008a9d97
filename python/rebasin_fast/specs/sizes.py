"""The sizes of the permutations of a spec, solved from the shapes of parameters."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from rebasin_fast.errors import SpecError
from rebasin_fast.specs.axis import Entry, Slice, leaves_of, shown
from rebasin_fast.specs.layout import blocks_of, length_of
from rebasin_fast.typing import Params

Axes = Mapping[str, tuple[Entry, ...]]


def check_coverage(axes: Axes, params: Params) -> None:
    """SpecError unless ``axes`` and ``params`` name the same parameters; scalars, which cannot move, may differ."""
    for name in axes:
        if name not in params and axes[name]:
            raise SpecError(
                f"the spec names parameter {name!r}, which the parameters lack{_nearest(name, params)}"
            )
    for name in params:
        if name not in axes and params[name].shape:
            raise SpecError(
                f"parameter {name!r} is not in the spec{_nearest(name, axes)}; "
                "give it one entry per axis (None where nothing moves)"
            )


def check_ranks(axes: Axes, params: Params) -> None:
    """SpecError unless each parameter has as many axes as the spec has entries for it."""
    for name, entries in axes.items():
        if name in params and len(params[name].shape) != len(entries):
            raise SpecError(
                f"parameter {name!r} has {len(params[name].shape)} axes (shape {tuple(params[name].shape)}), "
                f"and the spec has {len(entries)} entries for it: {shown(entries)}"
            )


def resolve_sizes(axes: Axes, params: Params, declared: Mapping[str, int]) -> dict[str, int]:
    """The size of each permutation; every axis is checked against them. See ``PermutationSpec.sizes``."""
    sizes = _sizes_by_slices(axes) | dict(declared)
    origin = {p: "the sizes given to the spec" if p in declared else "its slices" for p in sizes}
    waiting = [
        (name, axis, entry, int(params[name].shape[axis]))
        for name, entries in axes.items()
        if name in params
        for axis, entry in enumerate(entries)
        if entry is not None
    ]
    fitting: set[tuple[Entry, int]] = set()  # most entries stand on many axes
    while waiting:
        postponed = []
        for name, axis, entry, length in waiting:
            if (entry, length) in fitting:
                continue
            unknown = [p for p in _measured(entry) if p not in sizes]
            if len(unknown) > 1:
                postponed.append((name, axis, entry, length))
                continue
            if unknown:
                sizes[unknown[0]] = _solve(name, axis, entry, length, unknown[0], sizes)
                origin[unknown[0]] = f"{name!r} axis {axis}"
            _check_length(name, axis, entry, length, sizes, origin)
            fitting.add((entry, length))
        if len(postponed) == len(waiting):
            _raise_ambiguous(postponed[0], sizes)
        waiting = postponed
    _check_slices(axes, params, sizes)
    return sizes


def _measured(entry: Entry) -> list[str]:
    """Permutations whose size bears on the length of ``entry``; a slice's length is its own."""
    return list(dict.fromkeys(leaf for leaf in leaves_of(entry) if isinstance(leaf, str)))


def _solve(name: str, axis: int, entry: Entry, length: int, unknown: str, sizes: Mapping[str, int]) -> int:
    """The size of ``unknown`` that gives ``entry`` its ``length``, which is linear in it."""
    at_zero, at_one = (length_of(entry, {**sizes, unknown: n}) for n in (0, 1))
    per_unit = at_one - at_zero
    size, rest = divmod(length - at_zero, per_unit)
    if rest or size < 1:
        fixed = f" after {at_zero} positions of other pieces" if at_zero else ""
        raise SpecError(
            f"parameter {name!r} axis {axis} has length {length}; expected a positive multiple of {per_unit}"
            f"{fixed}, by its entry {shown(entry)}"
        )
    return size


def _check_length(
    name: str, axis: int, entry: Entry, length: int, sizes: Mapping[str, int], origin: Mapping[str, str]
) -> None:
    expected = length_of(entry, sizes)
    if expected == length:
        return
    known = "; ".join(f"{p!r} has {sizes[p]} units by {origin[p]}" for p in _measured(entry) if p in origin)
    raise SpecError(
        f"parameter {name!r} axis {axis} has length {length}; expected {expected} by its entry {shown(entry)}"
        + (f" ({known})" if known else "")
    )


def _raise_ambiguous(place: tuple[str, int, Entry, int], sizes: Mapping[str, int]) -> None:
    name, axis, entry, length = place
    unknown = [p for p in _measured(entry) if p not in sizes]
    raise SpecError(
        f"the sizes of {shown(unknown)} cannot be determined from {name!r} axis {axis} of length {length} "
        f"({shown(entry)}); give the spec sizes={{{unknown[0]!r}: ...}}"
    )


def _sizes_by_slices(axes: Axes) -> dict[str, int]:
    """Slices of a permutation cover it, so it ends where the last of them does."""
    reach: dict[str, int] = {}
    for entries in axes.values():
        for entry in entries:
            if entry is None or type(entry) is str:
                continue
            for piece in _slices(entry):
                reach[piece.permutation] = max(reach.get(piece.permutation, 0), piece.stop)
    return reach


def _slices(entry: Entry) -> list[Slice]:
    return [leaf for leaf in leaves_of(entry) if isinstance(leaf, Slice)]


def _check_slices(axes: Axes, params: Params, sizes: Mapping[str, int]) -> None:
    """Slices that overlap or leave units out are found by laying each such entry out once."""
    places = {
        entry: (name, axis)
        for name in axes
        if name in params
        for axis, entry in enumerate(axes[name])
        if entry is not None and type(entry) is not str
    }
    for entry, (name, axis) in places.items():
        if _slices(entry):
            try:
                blocks_of(entry, sizes)
            except SpecError as error:
                raise SpecError(f"parameter {name!r} axis {axis}: {error}") from None


def _nearest(name: str, names: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f" (the nearest name is {close[0]!r})" if close else ""
