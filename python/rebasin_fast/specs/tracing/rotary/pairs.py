"""Pairs of sources that products of queries and keys read as complex numbers, and the rotations that act on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rebasin_fast.specs.tracing.algebra.forms import Reason
from rebasin_fast.specs.tracing.rotary.entries import NOTHING, Entries
from rebasin_fast.specs.tracing.rotary.following import Site

Terms = dict[int, int]  # source -> factor
_Dims = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SourcePair:
    """Two outputs of projections, x and y of the number x + i y; ``exponent``: 1 for queries, -1 for keys."""

    first: int
    second: int
    exponent: int


class Rotations:
    """Pairs that rotate together, united site by site; ``lost`` takes sources that no rotation may act on."""

    def __init__(self, sites: Iterable[Site], lost: dict[int, Reason]) -> None:
        self._lost = lost
        self._parent: dict[SourcePair, SourcePair] = {}
        for site in sites:
            self._add(site)

    def together(self) -> list[list[SourcePair]]:
        """The pairs of each rotation, for those of which nothing is lost."""
        by_root: dict[SourcePair, list[SourcePair]] = defaultdict(list)
        for pair in self._parent:
            by_root[self._find(pair)].append(pair)
        owners: dict[int, set[SourcePair]] = defaultdict(set)
        for pair in self._parent:
            for source in (pair.first, pair.second):
                owners[source].add(pair)
        return [
            pairs
            for pairs in by_root.values()
            if all(
                source not in self._lost and len(owners[source]) == 1
                for pair in pairs
                for source in (pair.first, pair.second)
            )
        ]

    def _add(self, site: Site) -> None:
        for head in range(site.queries.sources.shape[1]):
            queries, keys = (_terms(own, head) for own in (site.queries, site.keys))
            of_queries, of_keys = (_complex_pairs(own) for own in (queries, keys))
            both = of_queries.keys() & of_keys.keys()
            for dims in both:
                self._unite(SourcePair(*of_queries[dims], 1), SourcePair(*of_keys[dims], -1))
            paired = {dim for dims in both for dim in dims}
            for terms in (queries, keys):
                for dim, own in enumerate(terms):
                    if dim not in paired:
                        for source in own:
                            self._lost.setdefault(source, site.reason)

    def _unite(self, a: SourcePair, b: SourcePair) -> None:
        for pair in (a, b):
            self._parent.setdefault(pair, pair)
        self._parent[self._find(a)] = self._find(b)

    def _find(self, pair: SourcePair) -> SourcePair:
        while (parent := self._parent[pair]) != pair:
            self._parent[pair] = pair = self._parent[parent]
        return pair


def _terms(entries: Entries, head: int) -> list[Terms]:
    """Of each dimension; a source that occurs twice is one that nothing is known of, under NOTHING."""
    found: list[Terms] = []
    for sources, factors in zip(
        entries.sources[:, head].T.tolist(), entries.factors[:, head].T.tolist(), strict=True
    ):
        own: Terms = {}
        for source, factor in zip(sources, factors, strict=True):
            if source != NOTHING:
                own[source] = 0 if source in own else factor
        found.append(own)
    return found


def _complex_pairs(terms: list[Terms]) -> Mapping[_Dims, tuple[int, int]]:
    """Dimensions (i, j) that hold (a x + b y, a y - b x), with the sources (x, y), which no other dimension holds."""
    by_sources: dict[frozenset[int], list[int]] = defaultdict(list)
    occurrences: dict[int, int] = defaultdict(int)
    for dim, own in enumerate(terms):
        by_sources[frozenset(own)].append(dim)
        for source in own:
            occurrences[source] += 1
    found = {}
    for sources, dims in by_sources.items():
        if len(sources) != 2 or len(dims) != 2 or any(occurrences[source] != 2 for source in sources):
            continue
        i, j = dims
        for x, y in (tuple(sources), tuple(sources)[::-1]):
            a, b = terms[i][x], terms[i][y]
            if a and b and terms[j][y] == a and terms[j][x] == -b:
                found[i, j] = (x, y)
    return found
