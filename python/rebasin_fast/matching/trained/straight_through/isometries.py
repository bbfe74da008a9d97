"""Transforms between normal forms: where a run may start, checked, and as the arrays of a state."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.errors import PermutationError
from rebasin_fast.permutation import (
    check_permutation,
    check_transform,
    compose_transforms,
    invert_transform,
)
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.permutation.transforms.check import ORTHOGONAL_TO, deviation_from_orthogonal
from rebasin_fast.permutation.transforms.rotations import as_complex

if TYPE_CHECKING:
    from rebasin_fast.matching.result import Matching
    from rebasin_fast.matching.symmetric.problem import Family, SymmetricProblem
    from rebasin_fast.specs.symmetry import Symmetry
    from rebasin_fast.typing import Permutation

_KINDS = ("permutation", "signs", "scales", "matrices", "rotations")


def isometry_of(problem: SymmetricProblem, init: Permutation | Matching | Transform) -> Transform:
    """``init`` checked: a Transform, a permutation, or a matching's isometry or permutation.

    The order of units that move by a matrix becomes part of it.

    Raises
    ------
    PermutationError
        It does not fit the spec, or is no isometry of the normal forms.
    """
    checked = _checked(problem, init)
    _refuse_others(problem, checked)
    _refuse_unless_turning(checked)
    for name, matrices in checked.matrices.items():
        _refuse_unless_orthogonal(problem.families[name], matrices)
    return _with_orders_in_matrices(problem, checked)


def element_of(
    problem: SymmetricProblem, symmetries: Sequence[Symmetry], init: Permutation | Matching | Transform
) -> Transform:
    """As :func:`isometry_of`, with any scales and invertible matrices that ``symmetries``, which act on both, allow."""
    checked = _checked(problem, init)
    groups = {(symmetry.permutation, symmetry.group) for symmetry in symmetries}
    _refuse_others(problem, checked, scaled={name for name, group in groups if group == "scales"})
    _refuse_unless_turning(checked)
    for name, matrices in checked.matrices.items():
        if (name, "linear") not in groups:
            _refuse_unless_orthogonal(problem.families[name], matrices)
    return _with_orders_in_matrices(problem, checked)


def packed(isometries: Mapping[str, Transform]) -> dict[str, NDArray[Any]]:
    """The arrays of each end's isometry, under names from which :func:`unpacked` gives them back."""
    return {
        f"{end}/{kind}/{name}": array
        for end, isometry in isometries.items()
        for kind in _KINDS
        for name, array in getattr(isometry, kind).items()
    }


def unpacked(arrays: Mapping[str, NDArray[Any]], ends: Iterable[str]) -> dict[str, Transform]:
    """The isometries of the ends; an array of another name is a ValueError."""
    parts: dict[str, dict[str, dict[str, Any]]] = {end: {kind: {} for kind in _KINDS} for end in ends}
    for key, array in arrays.items():
        end, kind, name = key.split("/", 2)
        if end not in parts or kind not in _KINDS:
            raise ValueError(f"{key!r} is no array of an isometry")
        parts[end][kind][name] = array
    return {end: Transform(*(found[kind] for kind in _KINDS)) for end, found in parts.items()}


def _checked(problem: SymmetricProblem, init: Permutation | Matching | Transform) -> Transform:
    given: Any = init
    if not isinstance(init, Transform):
        given = getattr(init, "isometry", getattr(init, "permutation", init))
        if hasattr(init, "isometry_a"):  # the line depends on what moves B relative to A alone
            back = invert_transform(init.isometry_a, problem.spec)
            given = compose_transforms(given, back, problem.spec)
    if not isinstance(given, Transform):
        given = Transform(check_permutation(problem.spec, given, problem.sizes))
    return check_transform(problem.spec, given, problem.sizes)


def _with_orders_in_matrices(problem: SymmetricProblem, checked: Transform) -> Transform:
    orders, matrices = dict(checked.permutation), {}
    for name, family in problem.families.items():
        if family.mixes:
            matrices[name] = _with_order(checked.matrices.get(name), orders[name])
            orders[name] = np.broadcast_to(np.arange(family.size), orders[name].shape).copy()
    return Transform(orders, checked.signs, checked.scales, matrices, checked.rotations)


def _refuse_others(
    problem: SymmetricProblem, transform: Transform, scaled: Collection[str] = frozenset()
) -> None:
    """PermutationError for scales but of ``scaled``, and what else does not act on the normal forms."""
    for kind, acting in (
        ("scales", lambda family: family.name in scaled),
        ("signs", lambda family: family.isometry == "signs"),
        ("matrices", lambda family: family.mixes),
        ("rotations", lambda family: bool(family.turned)),
    ):
        for name in getattr(transform, kind):
            if not acting(problem.families[name]):
                raise PermutationError(
                    f"init has {kind} of {name!r}, which do not act on models in normal form; start from an isometry "
                    "between these, as in matching.isometry"
                )


def _refuse_unless_turning(transform: Transform) -> None:
    for name, rotations in transform.rotations.items():
        lengths = np.abs(as_complex(rotations))
        if (np.abs(lengths - 1.0) > ORTHOGONAL_TO).any():
            raise PermutationError(
                f"init has rotations of {name!r} that scale by {lengths.min():.2g} to {lengths.max():.2g}; start from "
                "an isometry between normal forms, as in matching.isometry"
            )


def _refuse_unless_orthogonal(family: Family, matrices: NDArray[Any]) -> None:
    off = _deviation(family, matrices)
    if off > ORTHOGONAL_TO:
        raise PermutationError(
            f"init has matrices of {family.name!r} that are off the orthogonal ones by {off:.2g} (allowed "
            f"{ORTHOGONAL_TO:g}); start from an isometry between normal forms, as in matching.isometry, or train the "
            "matrices themselves: gradient='group'"
        )


def _deviation(family: Family, matrices: NDArray[Any]) -> float:
    off = deviation_from_orthogonal(matrices)
    if family.isometry == "centred":
        off = max(off, float(np.abs(matrices.sum(-1) - 1.0).max()))
    return off


def _with_order(matrices: NDArray[Any] | None, order: NDArray[Any]) -> NDArray[Any]:
    """The matrices that act as the order and then ``matrices`` (None: the identity)."""
    size = order.shape[-1]
    if matrices is None:
        matrices = np.broadcast_to(np.eye(size), (*order.shape, size))
    columns = np.argsort(order, axis=-1)[..., None, :]
    return np.take_along_axis(matrices, np.broadcast_to(columns, matrices.shape), axis=-1)
