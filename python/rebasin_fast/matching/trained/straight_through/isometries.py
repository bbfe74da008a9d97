"""Isometries of normal forms: where a run may start, checked, and as the arrays of a state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.errors import PermutationError
from rebasin_fast.permutation import check_permutation, check_transform
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.permutation.transforms.check import ORTHOGONAL_TO, deviation_from_orthogonal
from rebasin_fast.permutation.transforms.rotations import as_complex

if TYPE_CHECKING:
    from rebasin_fast.matching.result import Matching
    from rebasin_fast.matching.symmetric.problem import Family, SymmetricProblem
    from rebasin_fast.typing import Permutation

_KINDS = ("permutation", "signs", "matrices", "rotations")


def isometry_of(problem: SymmetricProblem, init: Permutation | Matching | Transform) -> Transform:
    """``init`` checked: a Transform, a permutation, or a matching's isometry or permutation.

    The order of units that move by a matrix becomes part of it.

    Raises
    ------
    PermutationError
        It does not fit the spec, or is no isometry of the normal forms.
    """
    given: Any = init
    if not isinstance(init, Transform):
        given = getattr(init, "isometry", getattr(init, "permutation", init))
    if not isinstance(given, Transform):
        given = Transform(check_permutation(problem.spec, given, problem.sizes))
    checked = check_transform(problem.spec, given, problem.sizes)
    _refuse_others(problem, checked)
    orders, matrices = dict(checked.permutation), {}
    for name, family in problem.families.items():
        if family.mixes:
            matrices[name] = _with_order(checked.matrices.get(name), orders[name])
            orders[name] = np.broadcast_to(np.arange(family.size), orders[name].shape).copy()
    return Transform(orders, checked.signs, matrices=matrices, rotations=checked.rotations)


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
    return {
        end: Transform(
            found["permutation"], found["signs"], matrices=found["matrices"], rotations=found["rotations"]
        )
        for end, found in parts.items()
    }


def _refuse_others(problem: SymmetricProblem, transform: Transform) -> None:
    """PermutationError for scales, and for signs, rotations and matrices that do not act on the normal forms."""
    for kind, acting in (
        ("scales", lambda _family: False),
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
    for name, rotations in transform.rotations.items():
        lengths = np.abs(as_complex(rotations))
        if (np.abs(lengths - 1.0) > ORTHOGONAL_TO).any():
            raise PermutationError(
                f"init has rotations of {name!r} that scale by {lengths.min():.2g} to {lengths.max():.2g}; start from "
                "an isometry between normal forms, as in matching.isometry"
            )
    for name, matrices in transform.matrices.items():
        off = _deviation(problem.families[name], matrices)
        if off > ORTHOGONAL_TO:
            raise PermutationError(
                f"init has matrices of {name!r} that are off the orthogonal ones by {off:.2g} (allowed "
                f"{ORTHOGONAL_TO:g}); start from an isometry between normal forms, as in matching.isometry"
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
