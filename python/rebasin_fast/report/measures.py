"""The effect of a matching: distances by layer, and the agreement of matched units by permutation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from rebasin_fast.report.pairs import PairedParameter, Values

if TYPE_CHECKING:
    from rebasin_fast.specs.layout import Block
    from rebasin_fast.typing import Index


@dataclass
class LayerDistance:
    """Squared distances of one layer's parameters, or of a run of layers, before and after."""

    first: str
    last: str
    before: float = 0.0
    after: float = 0.0
    norms: float = 0.0
    layers: int = 1

    def relative(self) -> tuple[float, float]:
        """Distances over the root of |A|^2 + |B|^2: 0 where equal, 1 where orthogonal, 1.41 where opposite."""
        if not self.norms:
            return 0.0, 0.0
        return sqrt(self.before / self.norms), sqrt(self.after / self.norms)

    def absolute(self) -> tuple[float, float]:
        """Euclidean distances."""
        return sqrt(self.before), sqrt(self.after)


class Agreement:
    """Sums over all entries of each unit of a permutation, A's slots along the last axis.

    ``sums`` are the squared norms of A's unit, of B's unit of the same number, and of the unit of B that fills the
    slot, and the products of A's unit with these two: (5, n), or (5, ..., n) within parents.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.sums = np.zeros((5, *shape))

    def cosines_before(self) -> Values:
        """Cosine of A's unit and B's unit of the same number."""
        norm_a, norm_b, _, dot_b, _ = self.sums
        return _cosines(dot_b, norm_a, norm_b)

    def cosines_after(self) -> Values:
        """Cosine of A's unit and the unit of B that was matched to it."""
        norm_a, _, norm_moved, _, dot_moved = self.sums
        return _cosines(dot_moved, norm_a, norm_moved)

    def gain(self) -> float:
        """The rise of the products of these units' weights."""
        return float(self.sums[4].sum() - self.sums[3].sum())


@dataclass
class Measures:
    """The sums of one pass over the parameters."""

    layers: list[LayerDistance] = field(default_factory=list)
    agreements: dict[str, Agreement] = field(default_factory=dict)
    dot_before: float = 0.0
    dot_after: float = 0.0

    def distances(self) -> tuple[float, float]:
        """Euclidean distance of all matched parameters, before and after."""
        return sqrt(sum(x.before for x in self.layers)), sqrt(sum(x.after for x in self.layers))


def measure(
    parameters: Iterable[PairedParameter],
    shapes: Mapping[str, tuple[int, ...]],
    parents: Mapping[str, tuple[str, ...]],
) -> Measures:
    """One pass over the parameters, a slab at a time.

    Parameters
    ----------
    parameters : iterable of PairedParameter
    shapes : Mapping[str, tuple of int]
        Shape of each permutation's index array.
    parents : Mapping[str, tuple of str]
        The permutations that hold each.
    """
    result = Measures(agreements={name: Agreement(shape) for name, shape in shapes.items()})
    layers: dict[str, LayerDistance] = {}
    for parameter in parameters:
        layer = layer_of(parameter.name)
        _add(parameter, layers.setdefault(layer, LayerDistance(layer, layer)), result, parents)
    result.layers = list(layers.values())
    return result


def layer_of(parameter: str) -> str:
    """The layer that a parameter belongs to: its name up to the last dot or slash."""
    end = max(parameter.rfind("."), parameter.rfind("/"))
    return parameter[:end] if end > 0 else parameter


def shortened(layers: list[LayerDistance], most: int) -> list[LayerDistance]:
    """At most ``most`` rows: neighbouring layers in runs of equal length where there are more."""
    run = -(-len(layers) // most)
    if run <= 1:
        return layers
    return [_joined(layers[start : start + run]) for start in range(0, len(layers), run)]


def _joined(run: list[LayerDistance]) -> LayerDistance:
    sums = (sum(getattr(x, name) for x in run) for name in ("before", "after", "norms", "layers"))
    before, after, norms, layers = sums
    return LayerDistance(run[0].first, run[-1].last, before, after, norms, layers)


def _add(
    parameter: PairedParameter, layer: LayerDistance, result: Measures, parents: Mapping[str, tuple[str, ...]]
) -> None:
    lengths = parameter.a.shape
    sums = {axis: np.zeros((5, lengths[axis])) for axis, blocks in enumerate(parameter.blocks) if blocks}
    for slab in parameter.slabs():
        layer.before += _square(slab.a - slab.b)
        layer.after += _square(slab.a - slab.moved)
        layer.norms += _square(slab.a) + _square(slab.b)
        result.dot_before += _dot(slab.a, slab.b)
        result.dot_after += _dot(slab.a, slab.moved)
        products = ((slab.a,) * 2, (slab.b,) * 2, (slab.moved,) * 2, (slab.a, slab.b), (slab.a, slab.moved))
        for axis, total in sums.items():
            here = slice(slab.start, slab.stop) if axis == 0 else slice(None)
            for row, (left, right) in zip(total, products, strict=True):
                row[here] += _along(left, right, axis)
    for axis, total in sums.items():
        for block in parameter.blocks[axis]:
            for name in block.permutations:
                result.agreements[name].sums += _by_unit(total, block, (*parents[name], name))


def _by_unit(totals: Values, block: Block, keep: tuple[str, ...]) -> Values:
    """Rows of totals at the block's positions, summed over all of its dimensions but ``keep``, in that order."""
    positions = unit_positions(block, keep)
    sums: Values = totals[:, positions].sum(axis=tuple(range(1 + len(keep), 1 + positions.ndim)))
    return sums


def unit_positions(block: Block, keep: tuple[str, ...]) -> Index:
    """The block's positions with its dimensions in the order of ``keep``, all others behind."""
    axes = [block.dims.index(name) for name in keep]
    rest = [axis for axis in range(len(block.dims)) if axis not in axes]
    positions: Index = block.positions.transpose(*axes, *rest)
    return positions


def _along(left: Values, right: Values, axis: int) -> Values:
    """Sums of products over all axes but one, without an array of the products."""
    before = int(np.prod(left.shape[:axis], dtype=np.int64))
    shape = (before, left.shape[axis], -1)
    sums: Values = np.einsum("xay,xay->a", left.reshape(shape), right.reshape(shape))
    return sums


def _square(values: Values) -> float:
    return _dot(values, values)


def _dot(left: Values, right: Values) -> float:
    # Not a BLAS product: starting its threads costs more than they save on one slab.
    return float(np.einsum("i,i->", left.ravel(), right.ravel()))


def _cosines(dots: Values, first: Values, second: Values) -> Values:
    norms = np.sqrt(first * second)
    return np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0.0)
