"""The similarities of the units of two models, and the permutations that maximise their sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.assignment import solve_assignment
from rebasin_fast.errors import ParamsError
from rebasin_fast.matching.activation.stand_ins import StandIns
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
    stand_ins = StandIns(spec, similarities.items(), sizes)
    return weight_matching(stand_ins.spec, stand_ins.a, stand_ins.b, rng=0)


def sum_of_matched(similarities: Similarities, spec: PermutationSpec, permutation: Permutation) -> float:
    """The similarities of all units with those that fill their slots."""
    total = 0.0
    for chain, matrix in similarities.items():
        total += float(matrix[np.arange(len(matrix)), units_of_chain(spec, chain, permutation)].sum())
    return total
