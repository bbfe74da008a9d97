"""The order of a first pass: permutations whose similarity is anchored first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.matching.symmetric.problem import inner_product

if TYPE_CHECKING:
    from rebasin_fast.matching.symmetric.places import Place
    from rebasin_fast.matching.symmetric.problem import Family, SymmetricProblem


def settling_order(problem: SymmetricProblem) -> list[tuple[str, frozenset[int]]]:
    """All permutations but those that move with the step of their parents, each with the arrays to match it on.

    The next is that with the largest share of its similarity's variance on arrays whose other permutations are matched
    by then, or fixed. A permutation without any such array is matched on all.
    """
    families = problem.families
    within = {inner for family in families.values() for inner in family.inner}
    left = [name for name in families if name not in within]
    variances = {name: _variances(problem, families[name]) for name in left}
    settled: set[str] = set()
    order = []
    while left:
        known = {name: _settled_arrays(families[name], settled) for name in left}
        share = {
            name: sum(variances[name][array] for array in known[name])
            / (sum(variances[name].values()) or 1.0)
            for name in left
        }
        name = max(left, key=share.__getitem__)
        left.remove(name)
        order.append((name, known[name] if share[name] > 0.0 else frozenset(families[name].arrays)))
        settled |= {name, *families[name].inner}
    return order


def visits_in_order(problem: SymmetricProblem) -> list[str]:
    """All permutations in the order of a first pass, each followed by those that move with its step."""
    return [visit for name, _ in settling_order(problem) for visit in (name, *problem.families[name].inner)]


def _settled_arrays(family: Family, settled: set[str]) -> frozenset[int]:
    known = settled | {family.name, *family.inner}
    return frozenset(array for array, beside in family.arrays.items() if beside <= known)


def _variances(problem: SymmetricProblem, family: Family) -> dict[int, float]:
    """For each array the variance of similarities of units that have nothing in common, up to a factor.

    Units are centred: what is the same for all (gains of a norm) says nothing about their order.
    """
    found = dict.fromkeys(family.arrays, 0.0)
    for place in family.moved:
        of_a, of_b = (_centred_square(place, part[place.array]) for part in (problem.a, problem.given_b))
        found[place.array] += of_a * of_b
    return found


def _centred_square(place: Place, values: NDArray[Any]) -> float:
    """The squared norm of the rows less their mean over units."""
    rows = place.rows(values)
    means = rows.mean(axis=1, dtype=np.float64)
    entries = values if place.whole else rows
    of_means = place.positions.shape[1] * float(np.vdot(means, means))
    return float(max(0.0, inner_product(entries, entries) - of_means))
