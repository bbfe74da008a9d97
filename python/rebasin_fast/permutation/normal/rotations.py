"""Rotated pairs balanced: incoming and outgoing norms of every pair of a unit equal."""

from __future__ import annotations

import numpy as np

from rebasin_fast.permutation.normal.working import Working
from rebasin_fast.permutation.transforms.rotations import PairedPlace, Turn, paired_places
from rebasin_fast.specs.symmetry import Symmetry
from rebasin_fast.typing import Floats


def balance_rotations(working: Working, symmetry: Symmetry) -> Floats:
    """Multiply the pairs of ``symmetry`` by the scales of the least sum of squares; (units, rotations) of these.

    Pairs without incoming or without outgoing weights keep their scale. What remains are the angles.
    """
    found = [
        place for place in paired_places(working.spec, symmetry, working.sizes) if place.parameter in working
    ]
    units = len(found[0].first) if found else 0
    incoming, outgoing = np.zeros((2, units, symmetry.rotations))
    for place in found:
        if working.counts(place.parameter):
            total = incoming if place.exponent == 1 else outgoing
            squares = _squares(working, place)
            for number in range(symmetry.rotations):
                total[:, number] += squares[:, place.numbers == number].sum(axis=1)
    alive = (incoming > 0.0) & (outgoing > 0.0)
    scales: Floats = np.divide(outgoing, incoming, out=np.ones_like(incoming), where=alive) ** 0.25
    if (scales != 1.0).any():
        for place in found:
            working[place.parameter] = Turn(place, scales.astype(np.complex128)).on(working[place.parameter])
    return scales


def _squares(working: Working, place: PairedPlace) -> Floats:
    """(units, pairs): the sums of squares of the entries of each pair."""
    front = np.moveaxis(working[place.parameter], place.axis, 0)
    along = (np.abs(front) ** 2).sum(axis=tuple(range(1, front.ndim)))
    squares: Floats = along[place.first] + along[place.second]
    return squares
