"""Axis entries of a permutation spec: which permutation moves an axis of a parameter, and how.

An entry is one of

======================================  =====================================================================
``None``                                the axis never moves (classes, input channels, kernel taps)
``"P"``                                 the axis is permuted by P, one position a unit
:class:`Fixed`                          positions that never move, as a piece of something larger
:class:`Product`                        every position of ``outer`` owns a copy of ``inner``
:class:`Concat`                         pieces, one after the other
:class:`Slice`                          units ``start:stop`` of one permutation, as a piece of a :class:`Concat`
:class:`Joined`                         the axis nests in the axis before it, as if the two were one
======================================  =====================================================================

They nest:

>>> from rebasin_fast.axis import Concat, Fixed, Joined, Product, Slice, blocks, tiled
>>> blocks("P", 49)  # a 512 x 7 x 7 feature map, flattened: each unit owns 49 consecutive positions
Product(outer='P', inner=Fixed(length=49))
>>> tiled("P", 4)  # the four gates of an LSTM: P repeats four times
Product(outer=Fixed(length=4), inner='P')
>>> padded = Concat(Slice("Q", 0, 8), "P", Slice("Q", 8, 16))  # zero-padded shortcut: Q around P
>>> attention = Product("heads", "dims")  # heads move, and within each head its own dims
>>> grouped = (Product("groups", "out"), Joined("in"), None, None)  # each group's own input channels
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple, TypeAlias

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._untrusted import brief
from rebasin_fast.errors import SpecError

__all__ = ["Concat", "Entry", "Fixed", "Joined", "Product", "Slice", "blocks", "permutations_of", "tiled"]

_LONGEST_SHOWN = 400
MAX_NESTING = 32  # entries of real models nest four deep
MAX_CHAINS = 1000  # two pieces within two, 25 levels deep, nest their permutations in 2^25 ways
MAX_FACTORS = 32  # each is a dimension of an index table, and NumPy has no more
MOST_POSITIONS = 2**62
MAX_PARTS = 100_000  # counted as often as they stand there: an object that stands twice in another doubles


class Extent(NamedTuple):
    """The levels and parts of an entry, the chains of nested permutations in it, and the most factors of a product."""

    levels: int
    parts: int
    chains: int
    factors: int


@dataclass(frozen=True, slots=True)
class Fixed:
    """``length`` positions that never move, inside a :class:`Product` or a :class:`Concat`."""

    length: int

    def __post_init__(self) -> None:
        if not _are_whole(self.length) or self.length < 1:
            raise SpecError(f"Fixed takes a positive number of positions, got {brief(self.length)}")
        object.__setattr__(self, "length", int(self.length))


@dataclass(frozen=True, slots=True)
class Slice:
    """Units ``start:stop`` of ``permutation``; the slices in one :class:`Concat` cover all its units once."""

    permutation: str
    start: int
    stop: int

    def __post_init__(self) -> None:
        _check_name(self.permutation)
        if not _are_whole(self.start, self.stop) or not 0 <= self.start < self.stop:
            raise SpecError(
                f"Slice of {self.permutation!r} takes integers 0 <= start < stop, got {brief(self.start)}:"
                f"{brief(self.stop)}"
            )
        object.__setattr__(self, "start", int(self.start))
        object.__setattr__(self, "stop", int(self.stop))

    def continues_in(self, other: Slice) -> bool:
        """Whether ``other`` begins where this slice of the same permutation ends."""
        return (self.permutation, self.stop) == (other.permutation, other.start)


@dataclass(frozen=True, slots=True)
class Product:
    """Every position of ``outer`` owns one copy of ``inner``; position = outer * len(inner) + inner.

    A permutation inside a permutation is a permutation of its own for each unit of the outer one, unless
    it also stands somewhere outside it, in which case all units share it.
    """

    outer: Entry
    inner: Entry
    _extent: Extent = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for part in (self.outer, self.inner):
            _check_part(part, "Product")
            if isinstance(part, Slice):
                raise SpecError(f"{part} stands in a Product; a Slice is a direct piece of a Concat")
        object.__setattr__(self, "_extent", _extent_of_product(self.outer, self.inner))


@dataclass(frozen=True, slots=True, init=False)
class Concat:
    """Pieces one after the other; slices of one permutation among them form one copy of it."""

    pieces: tuple[Entry, ...]
    _extent: Extent = field(init=False, repr=False, compare=False)

    def __init__(self, *pieces: Entry) -> None:
        if not pieces:
            raise SpecError("Concat takes at least one piece")
        for piece in pieces:
            _check_part(piece, "Concat")
        object.__setattr__(self, "pieces", pieces)
        object.__setattr__(self, "_extent", _extent_of(*pieces))

    def __repr__(self) -> str:
        return f"Concat({', '.join(map(repr, self.pieces))})"


@dataclass(frozen=True, slots=True)
class Joined:
    """An axis that nests in the axis before it: the two move as ``Product(entry before, inner)`` would.

    The weight of a grouped convolution is ``(Product("groups", "out"), Joined("in"), …)``: its second axis
    holds the input channels of the first axis's group.
    """

    inner: Entry
    _extent: Extent = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_part(self.inner, "Joined")
        if isinstance(self.inner, Slice):
            raise SpecError(f"{self.inner} stands for a whole axis; a Slice is a direct piece of a Concat")
        object.__setattr__(self, "_extent", _extent_of(self.inner))


Entry: TypeAlias = None | str | Fixed | Slice | Product | Concat | Joined


def shown(entry: object) -> str:
    """An entry in a message: one of a stranger may have a hundred thousand parts."""
    text = repr(entry)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


@_arguments.checked()
def merge_joined(entries: Sequence[Entry]) -> list[tuple[Entry, int]]:
    """The entries with every joined axis merged into the one before it, and how many axes each spans."""
    merged: list[tuple[Entry, int]] = []
    for entry in entries:
        if isinstance(entry, Joined):
            if not merged or merged[-1][0] is None:
                raise SpecError(f"{shown(entry)} needs an axis before it that has an entry other than None")
            outer, axes = merged.pop()
            merged.append((Product(outer, entry.inner), axes + 1))
        else:
            merged.append((entry, 1))
    return merged


@_arguments.checked()
def blocks(entry: Entry, length: int) -> Product:
    """Each unit of ``entry`` owns ``length`` consecutive positions (a flatten before a linear layer)."""
    return Product(entry, Fixed(length))


@_arguments.checked(times=1)
def tiled(entry: Entry, times: int) -> Product:
    """``entry`` repeats ``times`` times along the axis (the gates of an LSTM)."""
    return Product(Fixed(times), entry)


def leaves_of(entry: Entry) -> Iterator[str | Slice | Fixed]:
    """The names, slices and fixed positions that ``entry`` is made of, from left to right."""
    if isinstance(entry, Product):
        yield from leaves_of(entry.outer)
        yield from leaves_of(entry.inner)
    elif isinstance(entry, Concat):
        for piece in entry.pieces:
            yield from leaves_of(piece)
    elif isinstance(entry, Joined):
        yield from leaves_of(entry.inner)
    elif entry is not None:
        yield entry


@_arguments.checked()
def permutations_of(entry: Entry) -> Iterator[str]:
    """Names of the permutations in ``entry``, from left to right, repeated as often as they stand there."""
    for leaf in leaves_of(entry):
        if not isinstance(leaf, Fixed):
            yield leaf if isinstance(leaf, str) else leaf.permutation


def chains_of(entry: Entry) -> list[tuple[str, ...]]:
    """The chains of nested permutations in ``entry``, outermost first: one per kind of position."""
    if isinstance(entry, Product):
        return [outer + inner for outer in chains_of(entry.outer) for inner in chains_of(entry.inner)]
    if isinstance(entry, Concat):
        return list(dict.fromkeys(chain for piece in entry.pieces for chain in chains_of(piece)))
    if isinstance(entry, Joined):
        return chains_of(entry.inner)
    return [tuple(permutations_of(entry))]


def product_of(outer: Entry, inner: Entry) -> Entry:
    """``Product(outer, inner)``; Fixed where neither moves."""
    if isinstance(outer, Fixed) and isinstance(inner, Fixed):
        return Fixed(outer.length * inner.length)
    return Product(outer, inner)


def merged_pieces(pieces: Iterable[Entry]) -> list[Entry]:
    """``pieces`` with neighbours that continue one another as one: fixed positions, slices of one permutation."""
    merged: list[Entry] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if isinstance(piece, Fixed) and isinstance(last, Fixed):
            merged[-1] = Fixed(last.length + piece.length)
        elif isinstance(piece, Slice) and isinstance(last, Slice) and last.continues_in(piece):
            merged[-1] = Slice(last.permutation, last.start, piece.stop)
        else:
            merged.append(piece)
    return merged


def concat_of(pieces: Sequence[Entry]) -> Entry:
    """``Concat(*pieces)``; a single piece, unless it is a slice, by itself."""
    return pieces[0] if len(pieces) == 1 and not isinstance(pieces[0], Slice) else Concat(*pieces)


def check_entry(entry: object) -> Entry:
    """``entry`` itself when it may stand for a whole axis; SpecError otherwise."""
    if entry is None or isinstance(entry, Fixed | Product | Concat | Joined):
        return entry
    if isinstance(entry, Slice):
        raise SpecError(f"{entry} stands for a whole axis; a Slice is a direct piece of a Concat")
    return _check_name(entry)


def _check_part(part: object, where: str) -> None:
    if part is None:
        raise SpecError(f"None inside a {where} has no length; write Fixed(length)")
    if isinstance(part, Joined):
        raise SpecError(f"{shown(part)} stands inside a {where}; Joined stands for a whole axis")
    if not isinstance(part, Fixed | Slice | Product | Concat):
        _check_name(part)


def _extent_of(*parts: Entry) -> Extent:
    """The extent of an entry made of these; SpecError beyond that of any model's."""
    extents = _extents(*parts)
    extent = Extent(
        1 + max(part.levels for part in extents),
        sum(part.parts for part in extents),
        sum(part.chains for part in extents),
        max(part.factors for part in extents),
    )
    if extent.levels > MAX_NESTING or extent.parts > MAX_PARTS:
        raise SpecError(
            f"an axis entry nests {extent.levels} levels deep with {extent.parts:,} parts; at most {MAX_NESTING} "
            f"levels and {MAX_PARTS:,} parts are allowed"
        )
    return extent


def _extent_of_product(outer: Entry, inner: Entry) -> Extent:
    extents = _extents(outer, inner)
    factors = sum(part.factors for part in extents)
    if factors > MAX_FACTORS:
        raise SpecError(
            f"an axis entry is a product of {factors:,} factors; at most {MAX_FACTORS} are allowed"
        )
    chains = prod(part.chains for part in extents)
    if chains > MAX_CHAINS:  # pieces of one permutation, or of none, count once
        chains = len(chains_of(outer)) * len(chains_of(inner))
    if chains > MAX_CHAINS:
        raise SpecError(
            f"an axis entry nests its permutations in {chains:,} ways; at most {MAX_CHAINS:,} are allowed"
        )
    return _extent_of(outer, inner)._replace(chains=chains, factors=factors)


def _extents(*parts: Entry) -> list[Extent]:
    return [
        part._extent if isinstance(part, Product | Concat | Joined) else Extent(0, 1, 1, 1) for part in parts
    ]


def _are_whole(*numbers: object) -> bool:
    """Whether all are lengths: integers, no bool, of at most 2^62."""
    return all(
        isinstance(n, int | np.integer) and not isinstance(n, bool) and abs(int(n)) <= MOST_POSITIONS
        for n in numbers
    )


def _check_name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise SpecError(
            f"an axis entry is None, the name of a permutation, Fixed, Product or Concat; got {name!r}"
        )
    return name
