"""Units matched by their weights and their activations at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from rebasin_fast._arrays import wide_on_host
from rebasin_fast.matching.activation.stand_ins import stand_ins_of
from rebasin_fast.matching.result import Matching, MatchingStats
from rebasin_fast.matching.weight.method import weight_matching
from rebasin_fast.permutation import identity_permutation
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
    from rebasin_fast.matching.activation.similarities import Similarities
    from rebasin_fast.matching.pair import CheckedPair
    from rebasin_fast.typing import Params


def by_both(
    pair: CheckedPair,
    similarities: Similarities,
    bounds: Mapping[tuple[str, ...], float],
    activation_weight: float,
    report: Mapping[str, str],
    stats: MatchingStats,
) -> Matching:
    """The matching by the weighted mean of two similarities, each divided by its bound, for every permutation.

    With all others in place the mean of one permutation is maximal where (1 - w) S_weights + w c S_activations is, c
    being the quotient of the two bounds. The sum of these over all is weight matching with a stand-in a similarity.
    """
    spec = pair.spec
    a = {name: wide_on_host(array) for name, array, _ in pair.matched}
    b = {name: wide_on_host(array) for name, _, array in pair.matched}
    of_weights = _bounds_of_weights(spec, a, b)
    share = 1.0 - activation_weight
    scaled = {
        chain: matrix * (activation_weight / share * (of_weights[chain[-1]] or 1.0) / (bounds[chain] or 1.0))
        for chain, matrix in similarities.items()
    }
    axes, stand_a, stand_b = stand_ins_of(spec, scaled.items(), pair.sizes)
    plain = PermutationSpec({**{name: spec.axes_to_perm[name] for name in a}, **axes})
    joint = PermutationSpec(plain.axes_to_perm, sizes={name: pair.sizes[name] for name in plain.permutations})
    found = weight_matching(joint, {**a, **stand_a}, {**b, **stand_b}, rng=0)
    return replace(
        found,
        permutation={**identity_permutation(spec, pair.sizes), **found.permutation},
        objective=share * found.objective,
        first_objective=share * found.first_objective,
        history=[share * value for value in found.history],
        stats=_sum(found.stats, stats),
        report=dict(report),
    )


def _bounds_of_weights(spec: PermutationSpec, a: Params, b: Params) -> dict[str, float]:
    """Permutation -> |A| |B| over the parameters that it moves, above which their product cannot rise."""
    squares = {
        name: [float(np.vdot(one, one).real) for one in (a[name], b[name])] for name in a
    }  # complex numbers too
    bounds: dict[str, float] = {}
    for permutation, places in spec.perm_to_axes.items():
        moved = {name for name, _ in places if name in squares}
        bounds[permutation] = sqrt(sum(squares[n][0] for n in moved) * sum(squares[n][1] for n in moved))
    return bounds


def _sum(first: MatchingStats, second: MatchingStats) -> MatchingStats:
    names = [one.name for one in fields(MatchingStats)]
    return MatchingStats(**{name: getattr(first, name) + getattr(second, name) for name in names})
