"""Coordinates of the groups of a spec about where a model stands: the slope of a loss along them, and steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from rebasin_fast._arrays import wide_on_host
from rebasin_fast.permutation.transforms.apply import units_at
from rebasin_fast.permutation.transforms.places import Place, places_of, with_exponent
from rebasin_fast.specs.axis import merge_joined
from rebasin_fast.specs.layout import merged_shape

if TYPE_CHECKING:
    from rebasin_fast.permutation.transform import Transform
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.specs.symmetry import Symmetry
    from rebasin_fast.typing import Floats, Params

Kind = Literal["scales", "matrices"]


@dataclass(frozen=True)
class Moving:
    """The continuous group of one permutation, and where it acts; ``shape`` is that of its part of a transform."""

    symmetry: Symmetry
    places: list[Place]
    shape: tuple[int, ...]

    @property
    def kind(self) -> Kind:
        """The part of a transform that moves."""
        return "scales" if self.symmetry.group == "scales" else "matrices"

    @property
    def identity(self) -> Floats:
        """The part of a transform that moves nothing."""
        return (
            np.ones(self.shape)
            if self.kind == "scales"
            else np.tile(np.eye(self.shape[-1]), (*self.shape[:-2], 1, 1))
        )

    def tangent(self, coordinates: Floats) -> Floats:
        """The nearest coordinates within the group: skew ones of a rotation, which leave the vector of ones there."""
        if self.symmetry.group != "orthogonal":
            return coordinates
        skew: Floats = (coordinates - coordinates.swapaxes(-1, -2)) * 0.5
        if any(norm.kind == "layer" for norm in self.symmetry.norms):
            skew = skew - skew.mean(-1, keepdims=True)
            skew = skew - skew.mean(-2, keepdims=True)
        return skew

    def stepped(self, part: Floats, coordinates: Floats) -> Floats:
        """exp(coordinates) times the part; rotations stay so to rounding, however many steps there were."""
        tangent = self.tangent(coordinates)
        if self.kind == "scales":
            return part * np.exp(tangent)
        moved: Floats = expm(tangent) @ part
        if self.symmetry.group == "orthogonal":
            identity = np.eye(self.shape[-1])
            moved = moved @ (1.5 * identity - 0.5 * moved.swapaxes(-1, -2) @ moved)
        return moved


class LieSteps:
    """Of every permutation that has matrices or scales; orders, signs and rotations of pairs stay."""

    def __init__(
        self, spec: PermutationSpec, symmetries: Sequence[Symmetry], sizes: Mapping[str, int]
    ) -> None:
        self._spec = spec
        self.moving: dict[str, Moving] = {}
        for group in ("linear", "orthogonal", "scales"):
            for symmetry in symmetries:
                name = symmetry.permutation
                if symmetry.group != group or name not in sizes or name in self.moving:
                    continue
                shape = (*(sizes[parent] for parent in spec.parents[name]), sizes[name])
                shape = shape if group == "scales" else (*shape, sizes[name])
                places = [place for place in places_of(spec, symmetry, sizes) if place.exponents.any()]
                self.moving[name] = Moving(symmetry, places, shape)

    def slopes(self, params: Params, gradients: Mapping[str, Any]) -> dict[str, Floats]:
        """Derivatives by coordinates at 0, from ``gradients`` of the loss by ``params``; None counts as 0."""
        wide = {
            name: (self._merged(name, params[name]), self._merged(name, gradient))
            for name, gradient in gradients.items()
            if gradient is not None and name in self._spec.axes_to_perm
        }
        found = {}
        for name, moving in self.moving.items():
            slope = np.zeros(moving.shape)
            for place in moving.places:
                if place.parameter in wide:
                    values, gradient = wide[place.parameter]
                    slope += _slope_at(place, values, gradient, moving.kind).reshape(moving.shape)
            found[name] = moving.tangent(slope)
        return found

    def stepped(self, transform: Transform, coordinates: Mapping[str, Floats]) -> Transform:
        """``transform``, and then the element of the groups at ``coordinates``."""
        parts: dict[Kind, dict[str, Floats]] = {
            "scales": dict(transform.scales),
            "matrices": dict(transform.matrices),
        }
        for name, moving in self.moving.items():
            own = parts[moving.kind]
            own[name] = moving.stepped(own.get(name, moving.identity), coordinates[name])
        return replace(transform, scales=parts["scales"], matrices=parts["matrices"])

    def _merged(self, name: str, array: Any) -> NDArray[Any]:
        merged = merge_joined(self._spec.axes_to_perm[name])
        return wide_on_host(array).reshape(merged_shape(tuple(array.shape), merged))


def _slope_at(place: Place, values: NDArray[Any], gradient: NDArray[Any], kind: Kind) -> Floats:
    """By W → exp(X) W where units are written, exp(-X)ᵀ W where they are read: G Wᵀ and -W Gᵀ; scales: diagonals."""
    total: Any = 0.0
    for exponent in (1, -1):
        positions = with_exponent(place, exponent)
        if not positions.size:
            continue
        w, g = (units_at(np.moveaxis(array, place.axis, 0), positions) for array in (values, gradient))
        if kind == "scales":
            total = total + exponent * (g.conj() * w).real.sum(-1)
        else:
            first, second = (g.conj(), w) if exponent == 1 else (w, g.conj())
            total = total + exponent * np.matmul(first, second.swapaxes(-1, -2)).real
    found: Floats = total
    return found
