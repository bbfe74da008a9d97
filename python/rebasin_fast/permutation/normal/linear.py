"""Linear groups balanced: of the units between two linear maps, both maps' Gram matrices equal and diagonal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rebasin_fast.permutation.normal.working import Working
from rebasin_fast.permutation.transforms.apply import Action, units_at
from rebasin_fast.permutation.transforms.places import Place, with_exponent
from rebasin_fast.specs.symmetry import Symmetry
from rebasin_fast.typing import Floats

_DEFICIENT = 1e-6  # smallest singular value by the largest
_BALANCED = 1e-12


@dataclass(frozen=True)
class LinearBalance:
    """The matrices, (parents, units, units), and how far M Mᵀ was from the identity; None where balanced already."""

    matrices: Floats | None
    change: float
    is_deficient: bool


def balance_linear(working: Working, symmetry: Symmetry) -> LinearBalance:
    """Mix the units of ``symmetry`` such that writers and readers have the same, diagonal Gram matrix, descending.

    With W the writers side by side and R the readers, W = L Qᵀ, R = P Kᵀ and Kᵀ L = U Σ Vᵀ, the matrix is
    M = Σ^{-1/2} Uᵀ Kᵀ: then M W Wᵀ Mᵀ = M⁻ᵀ Rᵀ R M⁻¹ = Σ, each map takes half of the singular values of the product,
    and the sum of squares is least. What remains is orthogonal, of units with equal singular values.
    """
    places = working.places(symmetry)
    writers, readers = (_side_by_side(working, places, exponent) for exponent in (1, -1))
    if writers is None or readers is None or not (writers.any() and readers.any()):
        return LinearBalance(None, 0.0, False)
    if _is_balanced(writers, readers):
        return LinearBalance(None, 0.0, False)
    factors_w, deficient_w = _factors(writers)
    factors_r, deficient_r = _factors(readers)
    u, singular, _ = np.linalg.svd(factors_r.swapaxes(1, 2) @ factors_w)
    matrices = (u.swapaxes(1, 2) @ factors_r.swapaxes(1, 2)) / np.sqrt(singular)[:, :, None]
    inverses = np.linalg.inv(matrices).swapaxes(1, 2)
    working.act(Action(place, matrices={1: matrices, -1: inverses}) for place in places)
    change = np.abs(matrices.swapaxes(1, 2) @ matrices - np.eye(matrices.shape[-1])).max()
    return LinearBalance(matrices, float(change), deficient_w or deficient_r)


def _side_by_side(working: Working, places: list[Place], exponent: int) -> Floats | None:
    """(parents, units, columns): all entries at the places of this exponent."""
    parts = [
        units_at(np.moveaxis(working[place.parameter], place.axis, 0), with_exponent(place, exponent))
        for place in places
        if working.counts(place.parameter) and (place.exponents == exponent).any()
    ]
    if not parts:
        return None
    columns = np.concatenate(parts, axis=2)
    return np.concatenate([columns.real, columns.imag], axis=2) if np.iscomplexobj(columns) else columns


def _factors(columns: Floats) -> tuple[Floats, bool]:
    """Square L with L Lᵀ = A Aᵀ, from A's QR decomposition; and whether a multiple of the identity was added.

    Parents without full rank would give singular matrices: there A Aᵀ + (1e-6 s)² takes its place, s the largest
    singular value.
    """
    parents, units, _ = columns.shape
    found, is_deficient = np.empty((parents, units, units)), False
    for number, own in enumerate(columns):
        factor = np.zeros((units, units))
        triangle = _triangle(own.T)
        factor[:, : len(triangle)] = triangle.T
        singular = np.linalg.svd(factor, compute_uv=False)
        if singular[-1] <= _DEFICIENT * singular[0]:
            is_deficient = True
            least = _DEFICIENT * (singular[0] or 1.0)
            factor = _triangle(np.hstack([factor, least * np.eye(units)]).T).T
        found[number] = factor
    return found, is_deficient


def _triangle(columns: Floats) -> Floats:
    triangle: Any = np.linalg.qr(columns, mode="r")
    found: Floats = triangle
    return found


def _is_balanced(writers: Floats, readers: Floats) -> bool:
    grams = [columns @ columns.swapaxes(1, 2) for columns in (writers, readers)]
    diagonals = np.diagonal(grams[0], axis1=1, axis2=2)
    diagonal = diagonals[:, :, None] * np.eye(diagonals.shape[1])
    largest = diagonals.max(axis=1)[:, None, None]
    ordered = (np.diff(diagonals, axis=1) <= _BALANCED * largest[:, 0]).all()
    return bool(ordered) and all((np.abs(gram - diagonal) <= _BALANCED * largest).all() for gram in grams)
