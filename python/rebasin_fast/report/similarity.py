"""Cosines between all units of A and all units of B, as small pictures: means over blocks where there are many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.report.measures import Agreement, unit_positions
from rebasin_fast.report.pairs import PairedParameter, Values

if TYPE_CHECKING:
    from rebasin_fast.specs.layout import Block
    from rebasin_fast.typing import Index

# Cells along one side of a picture. More units are averaged in blocks.
SIDE = 192
# Units of the largest permutation that is drawn.
LARGEST = 1 << 16
# Of cosines that are sums of float32 products.
_ROUNDING = 1e-6

Single = NDArray[np.float32]


@dataclass(frozen=True)
class UnitOrder:
    """One permutation together with those that hold it, as a single row of units.

    ``names`` are its parents and itself, outermost first; ``source[slot]`` is the unit of B that fills a slot.
    """

    names: tuple[str, ...]
    source: Index


@dataclass(frozen=True)
class SimilarityMap:
    """Cosines (or their means over blocks) of A's units, rows, and B's units, columns.

    In ``before`` B's units are in their own order, in ``after`` in that of the matching. All other
    permutations are applied in both.
    """

    before: Values
    after: Values
    units: int
    mean: float
    deviation: float | None

    def centred(self) -> tuple[Values, Values]:
        """``before`` and ``after`` less the means of their rows and columns.

        Where one parameter outweighs the others in all units alike (norms about 1), all cosines are close to 1, and
        only the rest distinguishes matched pairs from others.
        """
        return _about_means(self.before), _about_means(self.after)

    def limit(self) -> float:
        """The largest magnitude in :meth:`centred`."""
        return float(max(np.abs(values).max() for values in self.centred()))

    def mean_of_others(self) -> float:
        """The mean cosine of units that are not matched; of all pairs where cells are means over blocks."""
        if self.deviation is None:
            return self.mean
        return float((self.after.sum() - np.trace(self.after)) / (self.units * (self.units - 1)))

    @property
    def units_per_cell(self) -> float:
        """The number of units to a row of the picture."""
        return self.units / len(self.after)


def similarity_maps(
    parameters: Iterable[PairedParameter], orders: dict[str, UnitOrder], agreements: dict[str, Agreement]
) -> dict[str, SimilarityMap]:
    """One pass over the parameters for all permutations in ``orders``.

    The mean of the cosines of a block of pairs is the product of the means of the normalised units, so a picture
    of m cells a side takes m^2 multiply-adds for each feature, whatever the number of units.
    """
    sums = {name: _Sums(order, agreements[name]) for name, order in orders.items()}
    for parameter in parameters:
        for axis, blocks in enumerate(parameter.blocks):
            moving = [(sums[p], block) for block in blocks for p in block.permutations if p in sums]
            if not moving:
                continue
            for slab in parameter.slabs(parameter.longest_axis_but(axis)):
                for total, block in moving:
                    total.add(slab.a, slab.moved, axis, block)
    return {name: total.finish() for name, total in sums.items()}


class _Sums:
    """Running products of one permutation."""

    def __init__(self, order: UnitOrder, agreement: Agreement) -> None:
        self._names = order.names
        self._units = order.source.size
        self._own_order = np.argsort(order.source)
        self._edges = np.linspace(0, self._units, min(SIDE, self._units) + 1).astype(np.int64)
        self._scale_a, self._scale_moved = (
            _inverse_roots(norms).astype(np.float32).ravel() for norms in agreement.sums[[0, 2]]
        )
        side = len(self._edges) - 1
        self._before, self._after = np.zeros((2, side, side))

    def add(self, a: Values, moved: Values, axis: int, block: Block) -> None:
        rows_a = _unfolded(a, axis, block, self._names) * self._scale_a[:, None]
        rows_b = _unfolded(moved, axis, block, self._names) * self._scale_moved[:, None]
        pooled = self._pooled(rows_a)
        self._after += pooled @ self._pooled(rows_b).T
        self._before += pooled @ self._pooled(rows_b[self._own_order]).T

    def finish(self) -> SimilarityMap:
        counts = np.diff(self._edges).astype(np.float64)
        mean = float(counts @ self._after @ counts) / self._units**2
        others = self._after[~np.eye(self._units, dtype=bool)] if len(counts) == self._units else None
        deviation = float(others.std()) if others is not None and others.size else None
        return SimilarityMap(self._before, self._after, self._units, mean, deviation)

    def _pooled(self, rows: Single) -> Single:
        if len(self._edges) - 1 == self._units:
            return rows
        means: Single = np.add.reduceat(rows, self._edges[:-1], axis=0, dtype=np.float32)
        means /= np.diff(self._edges)[:, None].astype(np.float32)
        return means


def _about_means(values: Values) -> Values:
    rows, columns = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    centred: Values = values - rows - columns + values.mean()
    # Equal cosines leave rounding errors, which are not to be drawn.
    centred[np.abs(centred) < _ROUNDING] = 0.0
    return centred


def _unfolded(values: Values, axis: int, block: Block, keep: tuple[str, ...]) -> Single:
    """One row a unit, everything else that moves or does not along it."""
    positions = unit_positions(block, keep)
    units = int(np.prod(positions.shape[: len(keep)], dtype=np.int64))
    rows = np.moveaxis(values, axis, 0)[positions.ravel()]
    unfolded: Single = rows.reshape(units, -1).astype(np.float32)
    return unfolded


def _inverse_roots(squares: Values) -> Values:
    roots = np.sqrt(squares)
    return np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 0.0)
