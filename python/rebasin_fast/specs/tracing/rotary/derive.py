"""Symmetries of heads whose queries and keys have rotary embeddings, from the operations of a program."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rebasin_fast.specs.axis import Entry
from rebasin_fast.specs.layout import blocks_of, length_of, owned_positions
from rebasin_fast.specs.symmetry import Pair, Role, Symmetry
from rebasin_fast.specs.tracing.algebra.forms import Reason
from rebasin_fast.specs.tracing.rotary.following import Following, Projection
from rebasin_fast.specs.tracing.rotary.pairs import Rotations, SourcePair
from rebasin_fast.typing import Index

if TYPE_CHECKING:
    from rebasin_fast.specs.tracing.interpret import Interpreter

# By the permutation, for every position along an axis: its unit, and its place within; -1 where there is none.
_Owned = dict[str, tuple[Index, Index]]
# A pair of one rotation: parameter, exponent, and its places within the unit.
_Place = tuple[str, int, int, int]


def rotations_of_heads(
    interpreter: Interpreter, entries: Mapping[str, Sequence[Entry]], sizes: Mapping[str, int]
) -> tuple[list[Symmetry], dict[str, Reason]]:
    """Rotations of pairs within heads, and of heads whose dimensions keep still, the operation that reads them."""
    still = {
        name: _still(row[0], sizes)
        for name, row in entries.items()
        if row and row[0] is not None and name in interpreter.parameters
    }
    parameters = {name: value for name, value in interpreter.parameters.items() if name in interpreter.used}
    following = Following(
        interpreter.executed, parameters, lambda name: bool(still.get(name)), interpreter.outputs
    )
    by_heads: dict[str, dict[int, list[frozenset[_Place]]]] = defaultdict(lambda: defaultdict(list))
    for pairs in Rotations(following.sites, following.lost).together():
        placed = [_placed(following.projections, still, pair) for pair in pairs]
        units = {(name, unit) for own in placed for name, unit, _ in own}
        if len(units) == 1 and all(placed):
            ((name, unit),) = units
            by_heads[name][unit].append(frozenset(place for own in placed for _, _, place in own))
    found, refused = [], {}
    for name, by_unit in by_heads.items():
        symmetry = _symmetry(name, by_unit, sizes[name])
        found += [] if symmetry is None else [symmetry]
        if symmetry is None:
            refused[name] = Reason("an operation that treats its heads differently")
    rotated = {symmetry.permutation for symmetry in found}
    for name, reason in _lost(following, still).items():
        if name not in rotated:
            refused.setdefault(name, reason)
    return found, refused


def _still(entry: Entry, sizes: Mapping[str, int]) -> _Owned:
    """Of permutations that none is outside of, and within whose units some positions keep their place."""
    names: dict[str, None] = {}
    for block in blocks_of(entry, sizes):
        if block.dims[-1] is None:
            names.setdefault(block.permutations[0])
    return {
        name: _inverted(owned_positions(entry, name, (), sizes), length_of(entry, sizes)) for name in names
    }


def _inverted(owned: Index, length: int) -> tuple[Index, Index]:
    units, places = (np.full(length, -1) for _ in range(2))
    units[owned] = np.arange(len(owned))[:, None]
    places[owned] = np.arange(owned.shape[1])
    return units, places


def _placed(
    projections: Sequence[Projection], still: Mapping[str, _Owned], pair: SourcePair
) -> list[tuple[str, int, _Place]]:
    """On the weight and the bias: permutation, unit, and the place within it; [] where these are not known."""
    projection = projections[bisect_right(projections, pair.first, key=lambda own: own.first) - 1]
    if not projection.first <= pair.second < projection.first + projection.length:
        return []
    found = []
    for parameter in (projection.weight, projection.bias):
        if parameter is None:
            continue
        where = _within(still.get(parameter, {}), pair, projection)
        if where is None:
            return []
        name, unit, first, second = where
        found.append((name, unit, (parameter, pair.exponent, first, second)))
    return found


def _within(owned: _Owned, pair: SourcePair, projection: Projection) -> tuple[str, int, int, int] | None:
    positions = [source - projection.first for source in (pair.first, pair.second)]
    for name, (units, places) in owned.items():
        unit, other = units[positions]
        if unit == other and unit >= 0:
            return name, int(unit), int(places[positions[0]]), int(places[positions[1]])
    return None


def _symmetry(name: str, by_unit: Mapping[int, list[frozenset[_Place]]], units: int) -> Symmetry | None:
    """One rotation for each set of places; None unless all units have the same."""
    rotations = sorted(by_unit[min(by_unit)], key=lambda places: sorted(places))
    if len(by_unit) != units or any(
        len(own) != len(rotations) or set(own) != set(rotations) for own in by_unit.values()
    ):
        return None
    pairs: dict[tuple[str, int], list[Pair]] = defaultdict(list)
    for number, places in enumerate(rotations):
        for parameter, exponent, first, second in sorted(places):
            pairs[parameter, exponent].append(Pair(number, first, second))
    roles = (Role(parameter, 0, (exponent,), tuple(own)) for (parameter, exponent), own in pairs.items())
    return Symmetry(name, "rotations", tuple(roles))


def _lost(following: Following, still: Mapping[str, _Owned]) -> dict[str, Reason]:
    """For permutations of heads, the first operation that reads still dimensions as they are."""
    found = {name: reason for weight, reason in following.refused.items() for name in still.get(weight, {})}
    for projection in following.projections:
        for source in range(projection.first, projection.first + projection.length):
            if source in following.lost:
                for name, (units, _) in still[projection.weight].items():
                    if name not in found and units[source - projection.first] >= 0:
                        found[name] = following.lost[source]
    return found
