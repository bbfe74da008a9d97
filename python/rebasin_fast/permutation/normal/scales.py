"""Scales balanced: incoming and outgoing norms of every unit equal, which makes the norm of all parameters least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rebasin_fast.permutation.normal.working import Working
from rebasin_fast.permutation.transforms.apply import Action
from rebasin_fast.permutation.transforms.places import Place, with_exponent
from rebasin_fast.specs.symmetry import Symmetry
from rebasin_fast.typing import Floats

_CONVERGED = 1e-12
_MOST_SWEEPS = 1000


@dataclass(frozen=True)
class Balance:
    """Factors by permutation, of shape (parents, units), the sweeps, and the last sweep's largest change of a log."""

    factors: dict[str, Floats]
    sweeps: int
    change: float


def balance_scales(working: Working, symmetries: Sequence[Symmetry]) -> Balance:
    """Multiply the units of ``symmetries`` by the scales that make the sum of squares of the parameters least.

    One permutation after the other, in closed form, until a sweep changes no scale by more than 1e-12. The sum of
    squares is convex in the logarithms of the scales, so that the end does not depend on the order. Units without
    incoming or without outgoing weights keep their scale.
    """
    places = {symmetry.permutation: working.places(symmetry) for symmetry in symmetries}
    energies = _Energies(working, places)
    logs = energies.logs
    sweeps, change = 0, np.inf if places else 0.0
    while change > _CONVERGED and sweeps < _MOST_SWEEPS:
        change, sweeps = 0.0, sweeps + 1
        for name in places:
            incoming, outgoing = energies.of(name)
            alive = (incoming > 0.0) & (outgoing > 0.0)
            ratios = np.divide(outgoing, incoming, out=np.ones_like(incoming), where=alive)
            # A permutation on two axes of one array: the step that majorises the sum of squares, of half the length.
            step = np.log(ratios) / (8.0 if name in energies.squares else 4.0)
            logs[name] += step
            change = max(change, float(np.abs(step).max(initial=0.0)))
    factors = {name: np.exp(values) for name, values in logs.items()}
    for name, own in places.items():
        by_exponent = {1: factors[name], -1: 1.0 / factors[name]}
        if (factors[name] != 1.0).any():
            working.act(Action(place, by_exponent) for place in own)
    return Balance(factors, sweeps, change)


class _Energies:
    """Squares of the entries by unit, under scales that change: ``logs``, by permutation (parents, units)."""

    def __init__(self, working: Working, places: dict[str, list[Place]]) -> None:
        self._places = {
            name: [place for place in own if place.exponents.any() and working.counts(place.parameter)]
            for name, own in places.items()
        }
        self.logs = {name: np.zeros(_shape(own)) for name, own in places.items()}
        self._on_axis: dict[str, dict[int, list[tuple[str, Place]]]] = {}
        for name, own in self._places.items():
            for place in own:
                self._on_axis.setdefault(place.parameter, {}).setdefault(place.axis, []).append((name, place))
        self.squares = {
            name
            for axes in self._on_axis.values()
            for name in places
            if sum(any(other == name for other, _ in found) for found in axes.values()) > 1
        }
        self._sums = {
            name: _summed(np.abs(working[name]) ** 2, sorted(axes)) for name, axes in self._on_axis.items()
        }

    def of(self, name: str) -> tuple[Floats, Floats]:
        """Sums of squares at the exponents 1 and -1 of each unit."""
        incoming, outgoing = np.zeros_like(self.logs[name]), np.zeros_like(self.logs[name])
        for place in self._places[name]:
            along = self._along(place.parameter, place.axis)
            for exponent, total in ((1, incoming), (-1, outgoing)):
                total += along[with_exponent(place, exponent)].sum(axis=1)
        return incoming, outgoing

    def _along(self, parameter: str, axis: int) -> Floats:
        """Sums of squares at each position of ``axis``."""
        sums, axes = self._sums[parameter], sorted(self._on_axis[parameter])
        for number in reversed(range(len(axes))):
            if axes[number] != axis:
                sums = np.tensordot(sums, self._factors(parameter, axes[number]), axes=(number, 0))
        along: Floats = sums * self._factors(parameter, axis)
        return along

    def _factors(self, parameter: str, axis: int) -> Floats:
        index = sorted(self._on_axis[parameter]).index(axis)
        logs = np.zeros(self._sums[parameter].shape[index])
        for name, place in self._on_axis[parameter][axis]:
            logs[place.positions] += 2.0 * self.logs[name][:, None, :] * place.exponents[:, None]
        factors: Floats = np.exp(logs)
        return factors


def _shape(places: Sequence[Place]) -> tuple[int, int]:
    return places[0].positions.shape[0], places[0].positions.shape[2]


def _summed(squares: Floats, axes: Sequence[int]) -> Floats:
    others = tuple(axis for axis in range(squares.ndim) if axis not in axes)
    sums: Floats = squares.sum(axis=others)
    return sums
