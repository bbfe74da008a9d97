"""Permutations of a spec: applied, combined, and proven on a model."""

from rebasin_fast.permutation.algebra import compose_permutations, invert_permutation
from rebasin_fast.permutation.apply import (
    apply_permutation,
    check_permutation,
    identity_permutation,
    permuted_params,
    random_permutation,
)
from rebasin_fast.permutation.normal import Normalised, normalise
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.permutation.transforms import (
    apply_transform,
    check_transform,
    compose_transforms,
    identity_transform,
    invert_transform,
    load_transform,
    random_transform,
    save_transform,
    transformed_params,
)

__all__ = [
    "Normalised",
    "Transform",
    "apply_permutation",
    "apply_transform",
    "check_permutation",
    "check_transform",
    "compose_permutations",
    "compose_transforms",
    "identity_permutation",
    "identity_transform",
    "invert_permutation",
    "invert_transform",
    "load_transform",
    "normalise",
    "permuted_params",
    "random_permutation",
    "random_transform",
    "save_transform",
    "transformed_params",
]
