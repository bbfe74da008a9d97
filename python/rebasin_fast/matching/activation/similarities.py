"""The similarities of the units of two models, and the permutations that maximise their sum."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.assignment import solve_assignment
from rebasin_fast.errors import ParamsError
from rebasin_fast.matching.relaxed.chains import units_of_chain
from rebasin_fast.matching.weight.method import weight_matching
from rebasin_fast.specs.axis import Entry, Product
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
            matrix = moment.correlation() if similarity == "correlation" else moment.inner_product()
            if not np.isfinite(matrix).all():
                raise ParamsError(
                    f"the activations at module {tap.module!r} hold NaN or infinite values; such a model "
                    "cannot be matched"
                )
            summed[family.chain] = summed[family.chain] + matrix if family.chain in summed else matrix
    return summed


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
    """Weight matching of stand-ins: the product of A = I and B = S^T, permuted, is the similarity matched.

    Zeros beside them keep every permutation within the parents that it has in the whole spec.
    """
    axes: dict[str, tuple[Entry, ...]] = {}
    a: dict[str, NDArray[np.float64]] = {}
    b: dict[str, NDArray[np.float64]] = {}
    for number, (chain, matrix) in enumerate(similarities.items()):
        name = f"similarity{number}"
        axes[name] = (_entry_of(chain), None)
        a[name], b[name] = np.eye(len(matrix)), np.ascontiguousarray(matrix.T)
    names = dict.fromkeys(name for chain in similarities for name in chain)
    for name in names:
        chain = (*spec.parents[name], name)
        axes[f"place of {name}"] = (_entry_of(chain),)
        zeros = np.zeros(prod(sizes[outer] for outer in chain))
        a[f"place of {name}"] = b[f"place of {name}"] = zeros
    stand_in = PermutationSpec(axes, sizes={name: sizes[name] for name in names})
    return weight_matching(stand_in, a, b, rng=0)


def _entry_of(chain: tuple[str, ...]) -> Entry:
    return chain[0] if len(chain) == 1 else Product(chain[0], _entry_of(chain[1:]))


def sum_of_matched(similarities: Similarities, spec: PermutationSpec, permutation: Permutation) -> float:
    """The similarities of all units with those that fill their slots."""
    total = 0.0
    for chain, matrix in similarities.items():
        total += float(matrix[np.arange(len(matrix)), units_of_chain(spec, chain, permutation)].sum())
    return total
