"""Transforms of a spec inverted and composed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._arrays.index_arrays import as_index, check_index_mapping
from rebasin_fast.errors import PermutationError
from rebasin_fast.permutation.algebra import compose_permutations, invert_permutation, sources_of_copies
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.permutation.transforms.check import as_numbers, check_is_transform, check_kind
from rebasin_fast.permutation.transforms.rotations import as_complex, as_pairs
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Floats, Index


@_arguments.checked()
def invert_transform(transform: Transform, spec: PermutationSpec | None = None) -> Transform:
    """The transform that undoes ``transform``: applied after it, it restores the parameters.

    Parameters
    ----------
    transform : Transform
    spec : PermutationSpec, optional
        Needed when permutations stand within others (the dims of a moved head move with it).

    Returns
    -------
    Transform
        New arrays of the same names and shapes.

    Raises
    ------
    PermutationError
        An index array is no permutation, or is nested and ``spec`` was not given; a matrix is singular; arrays of one
        name do not fit one another.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> inverse = rf.invert_transform(rf.Transform({"P": [1, 2, 0]}, scales={"P": [1.0, 2.0, 4.0]}))
    >>> inverse.permutation["P"], inverse.scales["P"]
    (array([2, 0, 1]), array([0.25, 1.  , 0.5 ]))
    """
    given = _checked(transform, "transform")
    inverse = invert_permutation(given.permutation, spec)
    scales = {name: 1.0 / values for name, values in given.scales.items()}
    matrices = {}
    for name, values in given.matrices.items():
        factors = _factors(given, name)
        try:
            inverted = np.linalg.inv(values)
        except np.linalg.LinAlgError:
            raise PermutationError(f"matrices[{name!r}] is singular: it has no inverse") from None
        # (A D)⁻¹ = (D⁻¹ A⁻¹ D) D⁻¹
        matrices[name] = inverted / factors[..., :, None] * factors[..., None, :]
    rotations = {name: as_pairs(1.0 / as_complex(values)) for name, values in given.rotations.items()}
    undone = Transform(inverse, given.signs, scales, matrices, rotations)
    return _carried(undone, inverse, spec)


@_arguments.checked()
def compose_transforms(first: Transform, second: Transform, spec: PermutationSpec | None = None) -> Transform:
    """The transform whose application equals applying ``first``, and then ``second`` to the result.

    Parameters
    ----------
    first, second : Transform
        Of permutations of the same names and shapes; signs, scales, rotations and matrices may name some of them.
    spec : PermutationSpec, optional
        Needed when permutations stand within others.

    Returns
    -------
    Transform
        New arrays.

    Raises
    ------
    PermutationError
        Names or shapes differ, an index array is no permutation, or is nested and ``spec`` was not given.

    Notes
    -----
    Exact where the signs and scales of a permutation that also has matrices act with the same exponents as these, as
    they do in every group.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> swap = rf.Transform({"P": [1, 0]}, signs={"P": [1.0, -1.0]})
    >>> twice = rf.compose_transforms(swap, swap)
    >>> twice.permutation["P"], twice.signs["P"]
    (array([0, 1]), array([-1., -1.]))
    """
    before, after = _checked(first, "first"), _checked(second, "second")
    order = compose_permutations(before.permutation, after.permutation, spec)
    before = _carried(before, after.permutation, spec)
    signs = _multiplied(before.signs, after.signs)
    scales = _multiplied(before.scales, after.scales)
    matrices: dict[str, Floats] = {}
    for name in [*before.matrices, *(name for name in after.matrices if name not in before.matrices)]:
        identity = np.eye(order[name].shape[-1])
        factors = _factors(after, name)
        # A₂ D₂ A₁ D₁ = (A₂ D₂ A₁ D₂⁻¹) D₂ D₁
        conjugate = before.matrices.get(name, identity) * factors[..., :, None] / factors[..., None, :]
        matrices[name] = after.matrices.get(name, identity) @ conjugate
    return Transform(order, signs, scales, matrices, _turned(before.rotations, after.rotations))


def whole_matrices(transform: Transform, name: str) -> Floats:
    """(..., n, n): the matrix M by which the units of ``name`` are written, order, factors and matrix in one.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> from rebasin_fast.permutation.transforms.algebra import whole_matrices
    >>> whole_matrices(rf.Transform({"P": [1, 0]}, scales={"P": [1.0, 2.0]}), "P")
    array([[0., 1.],
           [2., 0.]])
    """
    given = _checked(transform, "transform")
    order = given.permutation[name]
    ordered = np.eye(order.shape[-1])[order] * _factors(given, name)[..., :, None]
    whole: Floats = given.matrices[name] @ ordered if name in given.matrices else ordered
    return whole


def _carried(transform: Transform, order: Mapping[str, Index], spec: PermutationSpec | None) -> Transform:
    """``transform`` with the factors and matrices of each unit in the slot to which ``order`` takes it."""

    def vectors(name: str, values: Floats) -> Floats:
        return np.take_along_axis(values[sources_of_copies(name, order, spec)], order[name], axis=-1)

    def matrices(name: str, values: Floats) -> Floats:
        rows = np.take_along_axis(
            values[sources_of_copies(name, order, spec)], order[name][..., :, None], axis=-2
        )
        return np.take_along_axis(rows, order[name][..., None, :], axis=-1)

    def rotations(name: str, values: Floats) -> Floats:
        own = values[sources_of_copies(name, order, spec)]
        return np.take_along_axis(own, order[name][..., None, None], axis=-3)

    return Transform(
        transform.permutation,
        {name: vectors(name, values) for name, values in transform.signs.items()},
        {name: vectors(name, values) for name, values in transform.scales.items()},
        {name: matrices(name, values) for name, values in transform.matrices.items()},
        {name: rotations(name, values) for name, values in transform.rotations.items()},
    )


def _multiplied(first: Mapping[str, Floats], second: Mapping[str, Floats]) -> dict[str, Floats]:
    names = [*first, *(name for name in second if name not in first)]
    return {name: np.multiply(first.get(name, 1.0), second.get(name, 1.0)) for name in names}


def _turned(first: Mapping[str, Floats], second: Mapping[str, Floats]) -> dict[str, Floats]:
    both = {
        name: as_pairs(as_complex(first[name]) * as_complex(second[name])) for name in first if name in second
    }
    return {**first, **second, **both}


def _factors(transform: Transform, name: str) -> Floats:
    factors: Floats = np.ones(transform.permutation[name].shape)
    return factors * transform.signs.get(name, 1.0) * transform.scales.get(name, 1.0)


def _checked(transform: Transform, argument: str) -> Transform:
    """With arrays of int64 and float64 whose shapes fit one another."""
    check_is_transform(argument, transform)
    check_index_mapping(transform.permutation, f"{argument}.permutation")
    permutation = {name: as_index(name, index) for name, index in transform.permutation.items()}
    kinds: dict[str, dict[str, Floats]] = {}
    for kind in ("signs", "scales", "matrices", "rotations"):
        kinds[kind] = {}
        check_kind(argument, kind, getattr(transform, kind))
        for name, values in getattr(transform, kind).items():
            if name not in permutation:
                raise PermutationError(f"{kind} name {name!r}, for which {argument} has no permutation")
            array = as_numbers(f"{kind}[{name!r}] of {argument}", values)
            shape = permutation[name].shape
            expected = (*shape, shape[-1]) if kind == "matrices" else shape
            if kind == "rotations" and array.ndim == len(shape) + 2:
                expected = (*shape, array.shape[-2], 2)
            if array.shape != expected:
                raise PermutationError(
                    f"{kind}[{name!r}] of {argument} has shape {array.shape}; expected {expected}"
                )
            kinds[kind][name] = array
    return Transform(permutation, **kinds)
