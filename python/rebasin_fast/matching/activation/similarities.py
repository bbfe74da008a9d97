"""The similarities of the units of two models, and the permutations that maximise their sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.assignment import solve_assignment
from rebasin_fast.errors import ParamsError
from rebasin_fast.matching.activation.stand_ins import stand_ins_of
from rebasin_fast.matching.relaxed.chains import units_of_chain
from rebasin_fast.matching.weight.method import weight_matching
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
    from rebasin_fast.matching.activation.moments import CrossMoments
    from rebasin_fast.matching.activation.taps import Tap
    from rebasin_fast.matching.result import Matching
    from rebasin_fast.typing import Permutation

Similarity: TypeAlias = Literal["correlation", "inner_product"]
# By the chain of nested permutations whose units they are, all copies counted through.
Similarities: TypeAlias = dict[tuple[str, ...], NDArray[np.float64]]
Moments: TypeAlias = "dict[Tap, list[CrossMoments]]"


def similarities_of(moments: Moments, similarity: Similarity) -> Similarities:
    """The similarities of the units of every chain of permutations, summed over taps."""
    summed: Similarities = {}
    for tap, each in moments.items():
        for family, moment in zip(tap.families, each, strict=True):
            matrix = checked_similarity(tap, moment, similarity)
            summed[family.chain] = summed[family.chain] + matrix if family.chain in summed else matrix
    return summed


def checked_similarity(
    tap: Tap, moment: CrossMoments, kind: Similarity | Literal["relative_product"]
) -> NDArray[np.float64]:
    """The similarity of all units at a tap; ParamsError where it is not finite."""
    matrix: NDArray[np.float64] = getattr(moment, kind)()
    if not np.isfinite(matrix).all():
        raise ParamsError(
            f"the activations at module {tap.module!r} hold NaN or infinite values; such a model cannot be matched"
        )
    return matrix


def bounds_of(moments: Moments, similarity: Similarity) -> dict[tuple[str, ...], float]:
    """For every chain of permutations a bound of the sum of its units' similarities, summed over taps."""
    bounds: dict[tuple[str, ...], float] = {}
    for tap, each in moments.items():
        for family, moment in zip(tap.families, each, strict=True):
            bounds[family.chain] = bounds.get(family.chain, 0.0) + moment.bound(similarity)
    return bounds


def best_permutations(
    spec: PermutationSpec, similarities: Similarities, sizes: Mapping[str, int]
) -> tuple[dict[str, NDArray[np.int64]], int]:
    """The best permutation for each chain, and how many assignments it took."""
    nested = {name for chain in similarities if len(chain) > 1 for name in chain}
    nested |= {name for chain in similarities for name in chain if spec.parents[name]}
    permutation: dict[str, NDArray[np.int64]] = {}
    together: Similarities = {}
    for chain, matrix in similarities.items():
        if nested.isdisjoint(chain):
            permutation[chain[0]] = solve_assignment(matrix, maximize=True).columns
        else:
            together[chain] = matrix
    if not together:
        return permutation, len(permutation)
    matching = _solve_nested(spec, together, sizes)
    return permutation | matching.permutation, len(permutation) + matching.stats.assignments


def _solve_nested(spec: PermutationSpec, similarities: Similarities, sizes: Mapping[str, int]) -> Matching:
    """Weight matching of the stand-ins alone."""
    axes, a, b = stand_ins_of(spec, similarities.items(), sizes)
    names = {name for chain in similarities for name in chain}
    stand_in = PermutationSpec(axes, sizes={name: sizes[name] for name in names})
    return weight_matching(stand_in, a, b, rng=0)


def sum_of_matched(similarities: Similarities, spec: PermutationSpec, permutation: Permutation) -> float:
    """The similarities of all units with those that fill their slots."""
    total = 0.0
    for chain, matrix in similarities.items():
        total += float(matrix[np.arange(len(matrix)), units_of_chain(spec, chain, permutation)].sum())
    return total
