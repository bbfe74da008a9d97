"""Rotations of pairs within units, as of queries and keys with rotary embeddings: complex numbers, place by place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.errors import SpecError
from rebasin_fast.permutation.transforms.places import merged_axis
from rebasin_fast.specs.axis import merge_joined
from rebasin_fast.specs.layout import owned_positions
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.symmetry import Symmetry
from rebasin_fast.typing import Floats, Index


@dataclass(frozen=True, eq=False)
class PairedPlace:
    """Pairs of the units of one permutation along one axis of one parameter.

    Attributes
    ----------
    parameter : str
    axis : int
        Of the array whose joined axes are merged.
    exponent : int
        1 or -1.
    numbers : (pairs,) array of int64
        Of the rotations.
    first, second : (units, pairs) array of int64
        Positions along the axis; the units of all parents, row-major.
    """

    parameter: str
    axis: int
    exponent: int
    numbers: Index
    first: Index
    second: Index


@dataclass(frozen=True, eq=False)
class Turn:
    """Numbers, one for each unit and rotation, at one place."""

    place: PairedPlace
    numbers: NDArray[np.complex128]

    def on(self, values: NDArray[Any]) -> NDArray[Any]:
        """``values``, with joined axes merged, whose pairs are multiplied: a new array."""
        place = self.place
        chosen = self.numbers.reshape(len(place.first), -1)[:, place.numbers]
        if place.exponent == -1:  # a matrix [[a, -b], [b, a]], inverted and transposed
            chosen = 1.0 / chosen.conj()
        front = np.moveaxis(values, place.axis, 0).copy()
        a, b = (part.reshape(*part.shape, *[1] * (front.ndim - 1)) for part in (chosen.real, chosen.imag))
        x, y = front[place.first], front[place.second]
        front[place.first], front[place.second] = a * x - b * y, b * x + a * y
        return np.moveaxis(front, 0, place.axis)


def paired_places(spec: PermutationSpec, symmetry: Symmetry, sizes: Mapping[str, int]) -> list[PairedPlace]:
    """Every place of the pairs of ``symmetry``; SpecError for pairs beyond the positions of a unit."""
    found = []
    for role in symmetry.roles:
        entries = spec.axes_to_perm[role.parameter]
        axis = merged_axis(entries, role.axis)
        entry, name = merge_joined(entries)[axis][0], symmetry.permutation
        owned = owned_positions(entry, name, spec.parents[name], sizes)
        pairs = np.array(role.pairs, dtype=np.int64)
        if pairs[:, 1:].max() >= owned.shape[1]:
            raise SpecError(
                f"a pair of {symmetry.permutation!r} names position {pairs[:, 1:].max()} along axis {role.axis} of "
                f"{role.parameter!r}, where a unit owns {owned.shape[1]}"
            )
        places = (owned[:, pairs[:, column]] for column in (1, 2))
        found.append(PairedPlace(role.parameter, axis, role.exponents[0], pairs[:, 0], *places))
    return found


def as_complex(rotations: Floats) -> NDArray[np.complex128]:
    """The numbers of an array whose last axis holds their real and imaginary parts."""
    numbers: NDArray[np.complex128] = np.ascontiguousarray(rotations, dtype=np.float64).view(np.complex128)[
        ..., 0
    ]
    return numbers


def as_pairs(numbers: NDArray[np.complex128]) -> Floats:
    """The inverse of :func:`as_complex`."""
    return np.stack([numbers.real, numbers.imag], axis=-1)
