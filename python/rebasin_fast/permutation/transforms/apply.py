"""Transforms applied to parameters, array by array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast._arrays import library_of, wide_on_host
from rebasin_fast._arrays.derived import DerivedParams
from rebasin_fast._arrays.interface import is_floating
from rebasin_fast.errors import ParamsError
from rebasin_fast.permutation.apply import permuted_params
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.permutation.transforms.check import (
    ORTHOGONAL_TO,
    check_is_transform,
    check_transform,
    deviation_from_orthogonal,
    symmetry_of,
)
from rebasin_fast.permutation.transforms.places import Place, places_of, with_exponent
from rebasin_fast.permutation.transforms.rotations import Turn, as_complex, paired_places
from rebasin_fast.specs.axis import merge_joined
from rebasin_fast.specs.layout import merged_shape
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.symmetry import Symmetry
from rebasin_fast.typing import Array, Floats, Params


@_arguments.checked()
def apply_transform(spec: PermutationSpec, transform: Transform, params: Params) -> dict[str, Array]:
    """Reorder, scale, rotate and mix the units of ``params`` as ``transform`` says; see :class:`Transform`.

    Parameters
    ----------
    spec : PermutationSpec
        With the symmetries whose signs, scales, rotations and matrices the transform holds.
    transform : Transform
    params : Mapping[str, array]
        NumPy, torch, JAX or CuPy arrays. Not changed. Matrices under norms preserve the function of parameters in
        normal form only: see :func:`rebasin_fast.normalise`.

    Returns
    -------
    dict[str, array]
        In the order, dtypes and devices of ``params``; products are computed in float64. Without signs, scales and
        matrices the result equals that of ``apply_permutation`` bit by bit. Arrays that nothing moves are the same
        objects.

    Raises
    ------
    PermutationError
        The transform does not fit the spec.
    SpecError
        The spec does not fit the parameters, or a symmetry has no role for an axis where its units stand.
    ParamsError
        An array that is scaled or mixed is not of floating-point numbers.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.specs.symmetry import Role, Symmetry
    >>> scales = Symmetry("P", "scales", (Role("up", 0, (1,)), Role("down", 1, (-1,))))
    >>> spec = rf.PermutationSpec({"up": ("P", None), "down": (None, "P")}, symmetries=[scales])
    >>> twice = rf.Transform({"P": [1, 0]}, scales={"P": [2.0, 2.0]})
    >>> rf.apply_transform(spec, twice, {"up": np.array([[1.0], [3.0]]), "down": np.ones((1, 2))})
    {'up': array([[6.],
           [2.]]), 'down': array([[0.5, 0.5]])}
    """
    return dict(transformed_params(spec, transform, params))


@_arguments.checked()
def transformed_params(spec: PermutationSpec, transform: Transform, params: Params) -> DerivedParams:
    """The parameters of :func:`apply_transform`, each array computed on access.

    Takes the same arguments and raises the same errors, at once.

    Returns
    -------
    Mapping[str, array]
        Read-only; every access computes the array again, so that no second model is held in memory.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.permutation.transforms import transformed_params
    >>> spec = rf.PermutationSpec({"w": ("P", None)})
    >>> transformed_params(spec, rf.Transform({"P": [1, 2, 0]}), {"w": np.arange(3.0)[:, None]})["w"].ravel()
    array([1., 2., 0.])
    """
    if not isinstance(spec, PermutationSpec):
        raise TypeError(f"spec is a PermutationSpec, got {type(spec).__qualname__}")
    check_is_transform("transform", transform)
    moved = permuted_params(spec, transform.permutation, params)
    sizes = spec.sizes(params)
    actions = actions_of(spec, check_transform(spec, transform, sizes), sizes)
    for name in params:
        if name in actions and not is_floating(library_of(params[name]).dtype_name(params[name])):
            raise ParamsError(
                f"parameter {name!r} is of {library_of(params[name]).dtype_name(params[name])}; signs, scales, "
                "rotations and matrices act on floating-point numbers"
            )
    axes = spec.axes_to_perm

    def transformed(name: str) -> Array:
        array = moved[name]
        if name not in actions:
            return array
        merged = merged_shape(array.shape, merge_joined(axes[name]))
        values = wide_on_host(array).reshape(merged)
        for action in actions[name]:
            values = action.on(values)
        return narrowed(values.reshape(tuple(array.shape)), array)

    return DerivedParams(params, transformed)


@dataclass(frozen=True)
class Action:
    """Factors and a matrix of the units at one place, for each exponent; None where there is none."""

    place: Place
    factors: Mapping[int, Floats] | None = None
    matrices: Mapping[int, Floats] | None = None

    def on(self, values: NDArray[Any]) -> NDArray[Any]:
        """``values``, with joined axes merged, scaled and mixed along the axis of the place: a new array."""
        if self.factors is None and self.matrices is not None and self._is_whole(values):
            return _mixed(values, self.place.axis, self.matrices[int(self.place.exponents[0])][0])
        front = np.moveaxis(values, self.place.axis, 0).copy()
        for exponent in (1, -1):
            positions = with_exponent(self.place, exponent)
            if not positions.size:
                continue
            if self.factors is not None:
                factors = self.factors[exponent].reshape(len(positions), 1, -1)
                shape = positions.shape + (1,) * (front.ndim - 1)
                front[positions] *= np.broadcast_to(factors, positions.shape).reshape(shape)
            if self.matrices is not None:
                put_units(front, positions, self.matrices[exponent] @ units_at(front, positions))
        return np.moveaxis(front, 0, self.place.axis)

    def _is_whole(self, values: NDArray[Any]) -> bool:
        """Whether the axis holds one copy of the units, in order, and nothing else: as of a residual stream."""
        positions = self.place.positions
        return (
            positions.shape == (1, 1, values.shape[self.place.axis])
            and self.place.exponents[0] != 0
            and np.array_equal(positions[0, 0], np.arange(positions.shape[2]))
        )


def _mixed(values: NDArray[Any], axis: int, matrix: Floats) -> NDArray[Any]:
    """``matrix`` times ``values`` along ``axis``, without a copy in another order."""
    shape = values.shape
    if axis == values.ndim - 1:
        mixed: NDArray[Any] = values.reshape(-1, shape[axis]) @ matrix.T
    else:
        mixed = matrix @ values.reshape(prod(shape[:axis]), shape[axis], -1)
    return mixed.reshape(shape)


def units_at(front: NDArray[Any], positions: NDArray[np.int64]) -> NDArray[Any]:
    """(parents, units, rest): the entries at (parents, copies, units) positions of the first axis."""
    parents, _, units = positions.shape
    found: NDArray[Any] = front[positions.swapaxes(1, 2)].reshape(parents, units, -1)
    return found


def put_units(front: NDArray[Any], positions: NDArray[np.int64], values: NDArray[Any]) -> None:
    """The inverse of :func:`units_at`, in place."""
    places = positions.swapaxes(1, 2)
    front[places] = values.reshape(places.shape + front.shape[1:])


def actions_of(
    spec: PermutationSpec, transform: Transform, sizes: Mapping[str, int]
) -> dict[str, list[Action | Turn]]:
    """What a checked transform does to each parameter after the orders: factors and rotations first, then matrices."""
    actions: dict[str, list[Action | Turn]] = {}
    for name, rotations in transform.rotations.items():
        turning = symmetry_of(spec, name, "rotations")
        assert turning is not None
        for paired in paired_places(spec, turning, sizes):
            actions.setdefault(paired.parameter, []).append(Turn(paired, as_complex(rotations)))
    for kind in ("signs", "scales", "matrices"):
        for name, values in getattr(transform, kind).items():
            symmetry = symmetry_of(spec, name, kind)
            assert symmetry is not None
            if _is_identity(kind, values):
                continue
            by_exponent = _by_exponent(kind, values, symmetry)
            for place in places_of(spec, symmetry, sizes):
                if not place.exponents.any():
                    continue
                argument = {"matrices" if kind == "matrices" else "factors": by_exponent}
                actions.setdefault(place.parameter, []).append(Action(place, **argument))
    return actions


def narrowed(values: NDArray[Any], like: Array) -> Array:
    """``values`` as an array of the library, dtype and device of ``like``."""
    if isinstance(like, np.ndarray | np.generic):
        return values.astype(like.dtype, order="C")
    library = library_of(like)
    return library.cast(library.put(like, values), library.dtype_name(like))


def _is_identity(kind: str, values: Floats) -> bool:
    return bool((values == (np.eye(values.shape[-1]) if kind == "matrices" else 1.0)).all())


def _by_exponent(kind: str, values: Floats, symmetry: Symmetry) -> dict[int, Floats]:
    """Of shape (parents, n) or (parents, n, n): the values, and their inverses, transposed."""
    if kind != "matrices":
        flat = values.reshape(-1, values.shape[-1])
        return {1: flat, -1: 1.0 / flat}
    flat = values.reshape(-1, *values.shape[-2:])
    if symmetry.group == "orthogonal" and deviation_from_orthogonal(flat) <= ORTHOGONAL_TO:
        return {1: flat, -1: flat}  # bit by bit: a tied array may read at one place and write at another
    return {1: flat, -1: np.linalg.inv(flat).swapaxes(-1, -2)}
