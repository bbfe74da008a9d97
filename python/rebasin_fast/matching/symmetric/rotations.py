"""Pairs within units that rotate: compared as complex numbers, of which the best rotation is the direction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.permutation.transforms.rotations import PairedPlace, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rebasin_fast.matching.symmetric.places import Place

Numbers = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class TurnedPlace:
    """The pairs of all units along one axis of an array."""

    array: int
    pairs: PairedPlace

    @property
    def axis(self) -> int:
        """Of the array."""
        return self.pairs.axis

    def numbers(self, values: NDArray[Any]) -> Numbers:
        """(units, pairs, rest): x + i y for the entries x and y of each pair."""
        front = np.moveaxis(values, self.pairs.axis, 0)
        shape = (*self.pairs.first.shape, -1)
        found: Numbers = front[self.pairs.first].reshape(shape) + 1j * front[self.pairs.second].reshape(shape)
        return found

    def turn(self, values: NDArray[Any], numbers: Numbers) -> None:
        """Multiply the pairs by numbers of length 1, (units, rotations); these act alike at every exponent."""
        values[...] = Turn(self.pairs, numbers).on(values)


def similarity_of_pairs(a: Numbers, b: Numbers, place: TurnedPlace, total: Numbers) -> None:
    """Add to (copies, n, n, rotations) the sums of a times b, conjugated, for each pair of units and each rotation."""
    copies, units, *_ = total.shape
    a, b = (part.reshape(copies, units, *part.shape[1:]).transpose(0, 2, 1, 3) for part in (a, b))
    products = np.matmul(a, b.conj().swapaxes(-1, -2))  # (copies, pairs, n, n)
    for pair, number in enumerate(place.pairs.numbers):
        total[..., number] += products[:, pair]


def directions(similarities: Numbers) -> Numbers:
    """The numbers of length 1 that maximise the objective; 1 where nothing is known."""
    length = np.abs(similarities)
    found: Numbers = np.divide(similarities, length, out=np.ones_like(similarities), where=length > 0.0)
    return found


def without_pairs(place: Place, turned: Sequence[TurnedPlace]) -> Place | None:
    """The positions of a place that no rotation mixes; None for none."""
    paired = [
        positions
        for other in turned
        if (other.array, other.axis) == (place.array, place.axis)
        for positions in (other.pairs.first, other.pairs.second)
    ]
    if not paired:
        return place
    taken = np.isin(place.positions, np.concatenate([positions.ravel() for positions in paired]))
    kept = ~taken[0, 0]
    if not kept.any():
        return None
    return replace(place, positions=np.ascontiguousarray(place.positions[:, :, kept]), whole=False)
