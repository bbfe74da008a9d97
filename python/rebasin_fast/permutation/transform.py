"""Transforms of a spec: permutations with signs, scales, rotations and matrices of the units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rebasin_fast.typing import Floats, Index


@dataclass(frozen=True, eq=False)
class Transform:
    """An element of the group of a spec: for each permutation an order, and factors or a matrix of its units.

    Units are reordered first, then multiplied by ``signs`` and ``scales``, then the pairs within each are rotated, then
    units are mixed by ``matrices``: along an axis
    of exponent 1, M w with M = matrix · diag(signs · scales) · order; of exponent -1, M's inverse, transposed; of
    exponent 0, the order alone. All arrays are of shape (..., n) or (..., n, n) within the parents of the permutation.

    Parameters
    ----------
    permutation : Mapping[str, array of int64]
        As of ``apply_permutation``: slot i is filled by unit ``permutation[p][i]``.
    signs : Mapping[str, array of float64]
        1 and -1, for slots; names that are left out have no signs.
    scales : Mapping[str, array of float64]
        Positive, for slots.
    matrices : Mapping[str, array of float64]
        Invertible; (..., slots out, slots in).
    rotations : Mapping[str, array of float64]
        (..., n, pairs, 2): numbers a + i b, by which each pair (x, y) of a slot is multiplied as the number x + i y.

    Notes
    -----
    Made freely; the functions that take one check it against a spec.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> rf.Transform({"P": np.arange(3)}, signs={"P": np.array([1.0, -1.0, 1.0])})
    Transform(1 permutation, signs of 1, scales of 0, matrices of 0)
    """

    permutation: Mapping[str, Index]
    signs: Mapping[str, Floats] = field(default_factory=dict)
    scales: Mapping[str, Floats] = field(default_factory=dict)
    matrices: Mapping[str, Floats] = field(default_factory=dict)
    rotations: Mapping[str, Floats] = field(default_factory=dict)

    def __repr__(self) -> str:
        count = len(self.permutation)
        rotations = f", rotations of {len(self.rotations)}" if self.rotations else ""
        return (
            f"Transform({count} permutation{'s' * (count != 1)}, signs of {len(self.signs)}, "
            f"scales of {len(self.scales)}, matrices of {len(self.matrices)}{rotations})"
        )
