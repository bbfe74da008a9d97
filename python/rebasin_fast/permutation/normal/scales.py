"""Scales balanced: incoming and outgoing norms of every unit equal, which makes the norm of all parameters least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.permutation.normal.energies import Energies
from rebasin_fast.permutation.normal.working import Working
from rebasin_fast.permutation.transforms.apply import Action
from rebasin_fast.specs.symmetry import Symmetry
from rebasin_fast.typing import Floats

_CONVERGED = 1e-12
_FIRST_SWEEPS = 10
_MOST_STEPS = 200
_MOST_PRODUCTS = 500  # within one step
_LARGEST_STEP = 2.0  # of a logarithm
_LARGEST = 40.0


@dataclass(frozen=True)
class Balance:
    """Factors by permutation, of shape (parents, units), and the number of steps."""

    factors: dict[str, Floats]
    steps: int


def balance_scales(working: Working, symmetries: Sequence[Symmetry]) -> Balance:
    """Multiply the units of ``symmetries`` by the scales that make the sum of squares of the parameters least.

    Newton's method on the logarithms of the scales, in which the sum of squares is convex: changes travel through all
    layers in one step, where balancing one layer after the other takes a number of sweeps that grows with the square
    of their number. Ends when incoming and outgoing norms of each unit agree to rounding. Units without incoming or
    without outgoing weights keep their scale.
    """
    places = {symmetry.permutation: working.places(symmetry) for symmetry in symmetries}
    if not places:
        return Balance({}, 0)
    energies = Energies(working, places)
    logs, steps = _least(energies)
    factors = {}
    for name, own in places.items():
        factors[name] = np.exp(logs[energies.slices[name]]).reshape(own[0].positions.shape[::2])
        if (factors[name] != 1.0).any():
            by_exponent = {1: factors[name], -1: 1.0 / factors[name]}
            working.act(Action(place, by_exponent) for place in own)
    return Balance(factors, steps)


def _least(energies: Energies) -> tuple[Floats, int]:
    """The logarithms of the scales of the least sum of squares, and the number of steps."""
    logs = np.zeros(energies.count)
    total, incoming, outgoing = energies.at(logs)
    alive = (incoming > 0.0) & (outgoing > 0.0)
    unbalance = _unbalance(incoming, outgoing, alive)
    for _ in range(_FIRST_SWEEPS if unbalance > 1.0 else 0):
        # Half the step that balances a unit by itself never overshoots, though all take it at once.
        ratios = np.divide(outgoing, incoming, out=np.ones_like(logs), where=alive)
        logs = logs + np.log(ratios) / 8.0
        total, incoming, outgoing = energies.at(logs)
    unbalance = _unbalance(incoming, outgoing, alive)
    steps = 0
    while unbalance > _CONVERGED and steps < _MOST_STEPS:
        steps += 1
        direction = _newton_direction(energies, incoming, outgoing, alive, min(0.01, unbalance))
        direction *= min(1.0, _LARGEST_STEP / max(float(np.abs(direction).max()), 1e-300))
        before = unbalance
        for _ in range(60):
            moved = np.clip(logs + direction, -_LARGEST, _LARGEST)
            found, incoming, outgoing = energies.at(moved)
            unbalance = _unbalance(incoming, outgoing, alive)
            if found < total or unbalance < before:
                break
            direction *= 0.5
        else:
            break
        logs, total = moved, found
        if before < 1e-8 and unbalance > before / 2:  # rounding is reached
            break
    return logs, steps


def _unbalance(incoming: Floats, outgoing: Floats, alive: NDArray[np.bool_]) -> float:
    return float(np.abs(np.log(incoming[alive] / outgoing[alive])).max(initial=0.0))


def _newton_direction(
    energies: Energies, incoming: Floats, outgoing: Floats, alive: NDArray[np.bool_], accuracy: float
) -> Floats:
    """Conjugate gradients on the second derivatives, preconditioned by their diagonal, to a relative accuracy."""
    diagonal = np.where(alive, incoming + outgoing, 1.0)
    residual = np.where(alive, outgoing - incoming, 0.0) / 2.0
    found = np.zeros_like(residual)
    scaled = residual / diagonal
    direction, product = scaled, float(residual @ scaled)
    enough = accuracy * product
    for _ in range(_MOST_PRODUCTS):
        if not product > enough:
            break
        image = np.where(alive, energies.curvature(direction), 0.0)
        curvature = float(direction @ image)
        if not curvature > 0.0:
            break
        length = product / curvature
        found, residual = found + length * direction, residual - length * image
        scaled = residual / diagonal
        product, last = float(residual @ scaled), product
        direction = scaled + (product / last) * direction
    return found
