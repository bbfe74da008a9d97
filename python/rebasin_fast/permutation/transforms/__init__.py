"""Transforms of a spec: checked, drawn, applied, combined, saved."""

from rebasin_fast.permutation.transforms.algebra import compose_transforms, invert_transform
from rebasin_fast.permutation.transforms.apply import apply_transform, transformed_params
from rebasin_fast.permutation.transforms.check import check_transform
from rebasin_fast.permutation.transforms.draw import identity_transform, random_transform
from rebasin_fast.permutation.transforms.file import TransformFile, load_transform, save_transform

__all__ = [
    "TransformFile",
    "apply_transform",
    "check_transform",
    "compose_transforms",
    "identity_transform",
    "invert_transform",
    "load_transform",
    "random_transform",
    "save_transform",
    "transformed_params",
]
