"""Permutations of a spec: applied, combined, and proven on a model."""

from rebasin_fast.permutation.algebra import compose_permutations, invert_permutation
from rebasin_fast.permutation.apply import (
    apply_permutation,
    check_permutation,
    identity_permutation,
    permuted_params,
    random_permutation,
)

__all__ = [
    "apply_permutation",
    "check_permutation",
    "compose_permutations",
    "identity_permutation",
    "invert_permutation",
    "permuted_params",
    "random_permutation",
]
