"""From variables to the entries of a permutation spec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

from rebasin_fast.specs.axis import (
    Entry,
    Fixed,
    Joined,
    Slice,
    chains_of,
    concat_of,
    merged_pieces,
    permutations_of,
    product_of,
)
from rebasin_fast.specs.tracing.algebra.forms import Nested, Var
from rebasin_fast.specs.tracing.structure import Structure


class Emission:
    """Entries of axes, under names for the classes of ``structure``; classes without a name are Fixed."""

    def __init__(self, structure: Structure, names: Mapping[int, str]) -> None:
        self._structure = structure
        self._algebra = structure.algebra
        self._names = names
        self._sizes = {name: structure.size(number) for number, name in names.items()}
        self._cache: dict[Var, Entry] = {}

    def entry(self, x: Var | None) -> Entry:
        """The entry of axis ``x``; None where nothing moves."""
        if x is None:
            return None
        found = self.part(x)
        return None if isinstance(found, Fixed) else found

    def part(self, x: Var) -> Entry:
        """The same, as a part of something larger: Fixed where nothing moves."""
        x = self._algebra.find(x)
        if x not in self._cache:
            self._cache[x] = self._pieces(self._algebra.parts(x))
        return self._cache[x]

    def _pieces(self, parts: Sequence[Var]) -> Entry:
        times = _repetitions([self._algebra.find(part) for part in parts])
        if times > 1:
            return product_of(Fixed(times), self._pieces(parts[: len(parts) // times]))
        entries: list[Entry] = []
        for inner, members in groupby(parts, key=self._inner):
            if inner is None:
                entries += [self._leaf(part) for part in members]
            else:
                outer = [
                    form.outer for part in members if isinstance(form := self._algebra.form(part), Nested)
                ]
                pieces = [piece for x in outer for piece in self._algebra.parts(x)]
                times = _repetitions([self._algebra.find(piece) for piece in pieces])
                outer_entry = self._pieces(pieces[: len(pieces) // times])
                entries += [product_of(outer_entry, self.part(inner))] * times
        return self._joined(entries)

    def _inner(self, part: Var) -> Var | None:
        form = self._algebra.form(part)
        return self._algebra.find(form.inner) if isinstance(form, Nested) else None

    def _leaf(self, part: Var) -> Entry:
        size = self._algebra.size(part)
        piece = self._structure.piece.get(self._algebra.find(part))
        if self._algebra.reason(part) is not None or piece is None or piece.permutation not in self._names:
            return Fixed(size)
        return Slice(self._names[piece.permutation], piece.start, piece.start + size)

    def _joined(self, entries: list[Entry]) -> Entry:
        """The entries one after the other, whole permutations by their names."""
        named = [
            e.permutation
            if isinstance(e, Slice) and (e.start, e.stop) == (0, self._sizes[e.permutation])
            else e
            for e in merged_pieces(entries)
        ]
        times = _repetitions(named)
        if times > 1 and len(named) == times:
            return product_of(Fixed(times), named[0])
        return concat_of(named)


def uneven_classes(structure: Structure, axes: Sequence[Var]) -> set[int]:
    """Classes of several variables of which some concatenation has a part, or one more than once."""
    uneven: set[int] = set()
    seen: set[Var] = set()
    work = list(axes)
    algebra = structure.algebra
    while work:
        x = algebra.find(work.pop())
        if x in seen:
            continue
        seen.add(x)
        parts = algebra.parts(x)
        parts = parts[: len(parts) // _repetitions([algebra.find(part) for part in parts])]
        counts: Counter[Var] = Counter()
        runs: list[tuple[Var, list[Var]]] = []  # neighbours with one inner variable, by their outer ones
        for part in parts:
            form = algebra.form(part)
            if isinstance(form, Nested):
                work.append(form.inner)
                if not runs or runs[-1][0] != algebra.find(form.inner):
                    runs.append((algebra.find(form.inner), []))
                runs[-1][1].append(form.outer)
            else:
                runs.append((-1, []))
                if algebra.find(part) in structure.piece:
                    counts[algebra.find(part)] += 1
        uneven |= _uneven(structure, counts)
        for _, pieces in runs:
            nested: Counter[Var] = Counter()
            for outer in pieces:
                outer_parts = algebra.parts(outer)
                if len(outer_parts) == 1 and not isinstance(algebra.form(outer_parts[0]), Nested):
                    nested[algebra.find(outer_parts[0])] += 1
                else:
                    work.append(outer)
            uneven |= _uneven(structure, nested)
    return uneven


def _uneven(structure: Structure, counts: Counter[Var]) -> set[int]:
    uneven = set()
    for number in {structure.piece[leaf].permutation for leaf in counts if leaf in structure.piece}:
        leaves = structure.classes[number]
        if len(leaves) > 1 and any(counts[leaf] != 1 for leaf in leaves):
            uneven.add(number)
    return uneven


def joined_axes(
    entries: Sequence[Entry], shape: Sequence[int], outers: Mapping[str, set[str]]
) -> tuple[Entry, ...]:
    """Entries with ``Joined`` axes, where a permutation differs for each unit of an axis before."""
    result = list(entries)
    for axis, entry in enumerate(entries):
        if entry is None or isinstance(entry, Joined):
            continue
        wanted = {
            outer
            for chain in chains_of(entry)
            for depth, name in enumerate(chain)
            for outer in outers.get(name, set()) - set(chain[:depth])
        }
        before = [i for i in range(axis) if not wanted.isdisjoint(permutations_of(entries[i]))]
        standing = (
            [p for i in range(before[0], axis + 1) for p in set(permutations_of(entries[i]))]
            if before
            else []
        )
        if len(set(standing)) < len(standing):
            continue  # joined, a permutation would nest within itself
        for i in range(before[0] + 1, axis + 1) if before else ():
            inner = result[i]
            if not isinstance(inner, Joined):
                result[i] = Joined(Fixed(shape[i]) if inner is None else inner)
    return tuple(result)


def _repetitions(items: Sequence[object]) -> int:
    """How often the shortest period of ``items`` repeats."""
    n = len(items)
    for length in range(1, n // 2 + 1):
        if (
            n % length == 0
            and items[0] == items[length]
            and all(items[i] == items[i - length] for i in range(length, n))
        ):
            return n // length
    return 1
