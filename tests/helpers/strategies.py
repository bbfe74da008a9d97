"""Hypothesis strategies: permutation specs with every kind of axis entry, nested at random."""

import itertools
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from rebasin_fast.axis import Concat, Fixed, Joined, Product, Slice
from rebasin_fast.specs.layout import length_of
from rebasin_fast.specs.spec import PermutationSpec

TOP = ("P", "Q", "R")
# Stands within its parent wherever it stands, so that each unit of the parent has a copy of its own.
CHILDREN = {"P": "p", "Q": "q"}
LONGEST_AXIS = 40


@dataclass(frozen=True)
class SpecCase:
    """A spec, the sizes of its permutations, and parameter shapes that fit."""

    spec: PermutationSpec
    sizes: dict[str, int]
    shapes: dict[str, tuple[int, ...]]

    def params(self, seed=0, dtype=np.float64):
        """Random parameters of these shapes; no two entries are equal."""
        rng = np.random.default_rng(seed)
        return {name: rng.standard_normal(shape).astype(dtype) for name, shape in self.shapes.items()}


@st.composite
def spec_cases(draw, *, nested=True, largest=4, parameters=(1, 5)):
    """Specs of all kinds of entries; without ``nested`` no permutation stands within another."""
    sizes = {name: draw(st.integers(1, largest)) for name in TOP}
    if nested:
        sizes |= {child: draw(st.integers(1, largest - 1)) for child in CHILDREN.values()}
    count = draw(st.integers(*parameters))
    axes = {f"w{i}": _parameter(draw, sizes, nested) for i in range(count)}
    used = {p for entries in axes.values() for entry in entries for p in _names(entry)}
    used |= {parent for parent, child in CHILDREN.items() if child in used}
    anchors, declared = {}, {}
    for name in sorted(used):
        _make_solvable(draw, name, sizes, anchors, declared)
    items = draw(st.permutations([*axes.items(), *anchors.items()]))
    unmatched = [name for name in axes if draw(st.integers(0, 4)) == 0]
    spec = PermutationSpec(dict(items), unmatched, sizes={p: n for p, n in declared.items() if p in used})
    shapes = {
        name: tuple(draw(st.integers(1, 3)) if e is None else length_of(e, sizes) for e in entries)
        for name, entries in items
    }
    return SpecCase(spec, {name: sizes[name] for name in spec.permutations}, shapes)


def _parameter(draw, sizes, nested):
    entries = []
    for _ in range(draw(st.integers(0, 3))):
        if nested and entries and entries[-1] is not None and draw(st.integers(0, 3)) == 0:
            entries.append(_joined(draw, sizes, entries))
        else:
            entries.append(draw(axis_entries(sizes, nested=nested)))
    return tuple(entries)


def _joined(draw, sizes, entries):
    """An axis within the one before it, and so without the permutations there."""
    start = max(number for number, entry in enumerate(entries) if not isinstance(entry, Joined))
    outside = {name for entry in entries[start:] for name in _names(entry)}
    allowed = frozenset(TOP) - outside
    if outside == {entries[start]} and entries[start] in CHILDREN:
        allowed |= {CHILDREN[entries[start]]}
    return Joined(_entry(draw, sizes, allowed, True, depth=1))


@st.composite
def axis_entries(draw, sizes, *, nested=True):
    """An entry for a whole axis of at most ``LONGEST_AXIS`` positions."""
    if draw(st.integers(0, 5)) == 0:
        return None
    entry = _entry(draw, sizes, frozenset(TOP), nested, depth=3)
    if isinstance(entry, Slice) or length_of(entry, sizes) > LONGEST_AXIS:
        return draw(st.sampled_from(TOP))
    return entry


def _entry(draw, sizes, allowed, nested, depth):
    kinds = ["name", "name", "fixed"]
    if depth:
        kinds += ["product", "product", "concat", "slices"]
    kind = draw(st.sampled_from(kinds))
    if kind == "fixed" or not allowed:
        return Fixed(draw(st.integers(1, 3)))
    if kind == "name":
        return draw(st.sampled_from(sorted(allowed)))
    if kind == "product":
        return _product(draw, sizes, allowed, nested, depth)
    pieces = [_entry(draw, sizes, allowed, nested, depth - 1) for _ in range(draw(st.integers(1, 3)))]
    if kind == "slices":
        pieces += _slices(draw, draw(st.sampled_from(sorted(allowed))), sizes)
        pieces = draw(st.permutations(pieces))
    return Concat(*pieces)


def _product(draw, sizes, allowed, nested, depth):
    """Only one side moves, unless nesting is allowed; then no permutation stands within itself."""
    outer = _entry(draw, sizes, allowed, nested, depth - 1)
    outside = set(_names(outer))
    if not nested:
        inner_allowed = frozenset() if outside else allowed
    else:
        inner_allowed = allowed - outside
        if isinstance(outer, str) and outer in CHILDREN:
            inner_allowed |= {CHILDREN[outer]}
    return Product(outer, _entry(draw, sizes, inner_allowed, nested, depth - 1))


def _slices(draw, name, sizes):
    cuts = sorted(draw(st.sets(st.integers(1, sizes[name]), max_size=3)) | {0, sizes[name]})
    return [Slice(name, start, stop) for start, stop in itertools.pairwise(cuts)]


def _make_solvable(draw, name, sizes, anchors, declared):
    """Give ``name`` a parameter that fixes its size, or declare it."""
    parents = {child: parent for parent, child in CHILDREN.items()}
    how = draw(st.sampled_from(["alone", "declared", "slices", "blocks"]))
    whole = Concat(*_slices(draw, name, sizes), Fixed(2)) if how == "slices" else name
    if how == "declared":
        declared[name] = sizes[name]
    if name in parents:
        whole = Product(parents[name], whole)
    elif how == "blocks":
        whole = Product(whole, Fixed(2))
    anchors[f"anchor.{name}"] = (whole,)


def _names(entry):
    if isinstance(entry, str):
        return {entry}
    if isinstance(entry, Slice):
        return {entry.permutation}
    if isinstance(entry, Product):
        return _names(entry.outer) | _names(entry.inner)
    if isinstance(entry, Joined):
        return _names(entry.inner)
    if isinstance(entry, Concat):
        return {name for piece in entry.pieces for name in _names(piece)}
    return set()
