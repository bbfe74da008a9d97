"""Sums of squares of parameters under scales of their units, with their derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from rebasin_fast.permutation.normal.working import Working
from rebasin_fast.permutation.transforms.places import Place
from rebasin_fast.typing import Floats, Index


@dataclass(frozen=True)
class Terms:
    """Of one axis: scale number ``scales[i]`` acts on position ``positions[i]`` by exponent ``exponents[i]``."""

    axis: int
    positions: Index
    scales: Index
    exponents: Floats


class Energies:
    """The sum of squares of all parameters as a function of the logarithms of the scales, which is convex.

    Parameters
    ----------
    places : dict[str, list[Place]]
        Of each permutation; its scales are numbered ``slices[name]``, row-major.
    """

    def __init__(self, working: Working, places: dict[str, list[Place]]) -> None:
        self.slices: dict[str, slice] = {}
        self.count = 0
        on_axis: dict[str, dict[int, list[Terms]]] = {}
        for name, own in places.items():
            parents, _, units = own[0].positions.shape
            numbers = np.arange(self.count, self.count + parents * units).reshape(parents, 1, units)
            self.slices[name] = slice(self.count, self.count + parents * units)
            self.count += parents * units
            for place in own:
                if place.exponents.any() and working.counts(place.parameter):
                    by_axis = on_axis.setdefault(place.parameter, {})
                    by_axis.setdefault(place.axis, []).append(_terms(place, numbers))
        self._arrays = [
            _Array(np.abs(working[name]) ** 2, [_joined(terms) for terms in axes.values()], self.count)
            for name, axes in on_axis.items()
        ]

    def at(self, logs: Floats) -> tuple[float, Floats, Floats]:
        """The sum of squares, and its parts by scale at the exponents 1 and -1; at these scales from here on."""
        total, incoming, outgoing = 0.0, np.zeros(self.count), np.zeros(self.count)
        for array in self._arrays:
            total += array.at(logs, incoming, outgoing)
        return total, incoming, outgoing

    def curvature(self, direction: Floats) -> Floats:
        """A quarter of the second derivatives times ``direction``, at the scales of the last call of :meth:`at`."""
        product = np.zeros(self.count)
        for array in self._arrays:
            array.add_curvature(direction, product)
        return product


class _Array:
    """One parameter, summed over the axes that no scale acts on."""

    def __init__(self, squares: Floats, terms: Sequence[Terms], count: int) -> None:
        self._terms = sorted(terms, key=lambda own: own.axis)
        axes = [own.axis for own in self._terms]
        self._sums: Floats = squares.sum(axis=tuple(axis for axis in range(squares.ndim) if axis not in axes))
        self._count = count
        self._factors: list[Floats] = []
        self._along: list[Floats] = []

    def at(self, logs: Floats, incoming: Floats, outgoing: Floats) -> float:
        self._factors = [np.exp(2.0 * self._field(number, logs)) for number in range(self._sums.ndim)]
        self._along = [self._contracted(number, self._factors) for number in range(self._sums.ndim)]
        for own, along in zip(self._terms, self._along, strict=True):
            for total, exponent in ((incoming, 1.0), (outgoing, -1.0)):
                chosen = own.exponents == exponent
                total += self._by_scale(own.scales[chosen], along[own.positions[chosen]])
        return float(self._along[0].sum())

    def add_curvature(self, direction: Floats, product: Floats) -> None:
        fields = [self._field(number, direction) for number in range(self._sums.ndim)]
        for number, own in enumerate(self._terms):
            along = self._along[number] * fields[number]
            for other, field in enumerate(fields):
                if other != number:
                    factors = list(self._factors)
                    factors[other] = factors[other] * field
                    along = along + self._contracted(number, factors)
            product += self._by_scale(own.scales, own.exponents * along[own.positions])

    def _field(self, number: int, values: Floats) -> Floats:
        """At each position of an axis, the sum of exponents times values of the scales that act there."""
        own, length = self._terms[number], self._sums.shape[number]
        field: Floats = np.bincount(own.positions, own.exponents * values[own.scales], length).astype(
            np.float64
        )
        return field

    def _contracted(self, number: int, factors: Sequence[Floats]) -> Floats:
        """The sums along an axis, multiplied by the factors there and contracted with those of the others."""
        sums = self._sums
        for other in reversed(range(sums.ndim)):
            if other != number:
                sums = np.tensordot(sums, factors[other], axes=(other, 0))
        along: Floats = sums * factors[number]
        return along

    def _by_scale(self, scales: Index, weights: Floats) -> Floats:
        sums: Floats = np.bincount(scales, weights, self._count).astype(np.float64)
        return sums


def _terms(place: Place, numbers: Index) -> Terms:
    shape = place.positions.shape
    exponents = np.broadcast_to(place.exponents[:, None].astype(np.float64), shape).ravel()
    acting = exponents != 0.0
    scales = np.broadcast_to(numbers, shape).ravel()
    return Terms(place.axis, place.positions.ravel()[acting], scales[acting], exponents[acting])


def _joined(terms: Sequence[Terms]) -> Terms:
    def join(first: Terms, second: Terms) -> Terms:
        return Terms(
            first.axis,
            np.concatenate([first.positions, second.positions]),
            np.concatenate([first.scales, second.scales]),
            np.concatenate([first.exponents, second.exponents]),
        )

    return reduce(join, terms)
