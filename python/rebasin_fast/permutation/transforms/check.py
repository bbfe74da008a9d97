"""Transforms checked against a spec: shapes, numbers, and groups that the spec has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._untrusted import brief
from rebasin_fast.errors import PermutationError
from rebasin_fast.permutation.apply import check_permutation
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.symmetry import Group, Symmetry
from rebasin_fast.typing import Floats

ORTHOGONAL_TO = 1e-6
_SINGULAR_BELOW = 1e-12  # smallest singular value by the largest
GROUPS_OF: dict[str, tuple[Group, ...]] = {
    "signs": ("signs",),
    "scales": ("scales",),
    "rotations": ("rotations",),
    "matrices": ("linear", "orthogonal"),
}


@_arguments.checked()
def check_transform(spec: PermutationSpec, transform: Transform, sizes: Mapping[str, int]) -> Transform:
    """``transform`` with contiguous int64 and float64 arrays, in the spec's order.

    Parameters
    ----------
    spec : PermutationSpec
    transform : Transform
    sizes : Mapping[str, int]
        Units of each permutation, as from ``spec.sizes(params)``; names without a size are left out.

    Returns
    -------
    Transform

    Raises
    ------
    PermutationError
        An array is of the wrong shape or not finite; signs other than 1 and -1, scales that are not positive, a
        rotation by 0, a matrix that is not invertible, or not of its group; a name without such a symmetry in the spec.
    TypeError
        ``transform`` is no Transform.

    Notes
    -----
    Orthogonal matrices to 1e-6, entry by entry of Q Qᵀ and, with norms of kind ``layer``, of Q 1. Where a permutation
    has scales and an orthogonal group at once, the two generate all invertible matrices, and only these are checked.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.permutation.transforms import check_transform
    >>> from rebasin_fast.specs.symmetry import Role, Symmetry
    >>> signs = Symmetry("P", "signs", (Role("w", 0, (1,)),))
    >>> spec = rf.PermutationSpec({"w": ("P", None)}, symmetries=[signs])
    >>> checked = check_transform(spec, rf.Transform({"P": [1, 0]}, signs={"P": [1, -1]}), {"P": 2})
    >>> checked.signs["P"]
    array([ 1., -1.])
    """
    check_is_transform("transform", transform)
    permutation = check_permutation(spec, transform.permutation, sizes)
    checked: dict[str, dict[str, Floats]] = {}
    for kind, groups in GROUPS_OF.items():
        given = getattr(transform, kind)
        check_kind("transform", kind, given)
        _check_names(kind, given, spec, groups)
        checked[kind] = {
            name: _checked(kind, name, given[name], permutation[name].shape, spec)
            for name in permutation
            if name in given
        }
    return Transform(permutation, **checked)


def check_is_transform(argument: str, transform: object) -> None:
    """TypeError unless it is a Transform; a ``Matching`` is the usual mistake."""
    if not isinstance(transform, Transform):
        hint = "; pass matching.transform" if hasattr(transform, "transform") else ""
        raise TypeError(f"{argument} is a Transform, got {type(transform).__qualname__}{hint}")


def check_kind(argument: str, kind: str, given: object) -> None:
    """TypeError unless the signs, scales, rotations or matrices of a transform are a mapping."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{argument}.{kind} maps names to arrays, got {type(given).__qualname__}")


def symmetry_of(spec: PermutationSpec, name: str, kind: str) -> Symmetry | None:
    """The symmetry by which ``kind`` ("signs", "scales", "rotations", "matrices") acts on the units of ``name``."""
    found = {symmetry.group: symmetry for symmetry in spec.symmetries if symmetry.permutation == name}
    return next((found[group] for group in GROUPS_OF[kind] if group in found), None)


def as_numbers(where: str, values: object) -> Floats:
    """``values`` as contiguous float64; PermutationError unless they are real numbers."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise PermutationError(f"{where} must be an array of real numbers: {error}") from None
    if array.dtype.kind not in "fiu":
        raise PermutationError(f"{where} must be an array of real numbers, got {array.dtype}")
    return np.ascontiguousarray(array, dtype=np.float64)


def deviation_from_orthogonal(matrices: Floats) -> float:
    """The largest entry of Q Qᵀ - I."""
    return float(np.abs(matrices @ matrices.swapaxes(-1, -2) - np.eye(matrices.shape[-1])).max(initial=0.0))


def _check_names(
    kind: str, given: Mapping[str, object], spec: PermutationSpec, groups: tuple[Group, ...]
) -> None:
    for name in given:
        if name not in spec.parents:
            raise PermutationError(
                f"{kind} name {brief(name)}, which is unknown to the spec; it has {spec.permutations}"
            )
        if symmetry_of(spec, name, kind) is None:
            raise PermutationError(
                f"permutation {name!r} has {kind} in the transform and no symmetry of group "
                f"{' or '.join(map(repr, groups))} in the spec; leave {kind}[{name!r}] out"
            )
        nested = [child for child, parents in spec.parents.items() if name in parents]
        if kind == "matrices" and nested:
            raise PermutationError(
                f"matrices of {name!r} would mix units within which {nested[0]!r} stands; such units are only reordered"
            )


def _checked(kind: str, name: str, values: object, shape: tuple[int, ...], spec: PermutationSpec) -> Floats:
    where = f"{kind}[{name!r}]"
    array = as_numbers(where, values)
    expected = _shape_of(kind, name, shape, spec)
    if array.shape != expected:
        raise PermutationError(f"{where} has shape {array.shape}; expected {expected}")
    if not np.isfinite(array).all():
        raise PermutationError(f"{where} holds NaN or infinity; finite numbers are expected")
    if kind == "signs" and not (np.abs(array) == 1.0).all():
        raise PermutationError(
            f"{where} holds {brief(float(array[np.abs(array) != 1.0][0]))}; signs are 1 or -1"
        )
    if kind == "scales" and not (array > 0.0).all():
        raise PermutationError(f"{where} holds {brief(float(array.min()))}; scales are positive")
    if kind == "rotations" and not array.any(axis=-1).all():
        raise PermutationError(f"{where} holds 0, which takes a pair to nothing; other numbers are expected")
    if kind == "matrices":
        _check_matrices(where, array, name, spec)
    return array


def _shape_of(kind: str, name: str, shape: tuple[int, ...], spec: PermutationSpec) -> tuple[int, ...]:
    if kind == "rotations":
        symmetry = symmetry_of(spec, name, kind)
        return (*shape, symmetry.rotations if symmetry is not None else 0, 2)
    return (*shape, shape[-1]) if kind == "matrices" else shape


def _check_matrices(where: str, matrices: Floats, name: str, spec: PermutationSpec) -> None:
    symmetry = symmetry_of(spec, name, "matrices")
    if symmetry is None or not matrices.size:
        return
    if symmetry.group == "linear" or symmetry_of(spec, name, "scales") is not None:
        values = np.linalg.svd(matrices, compute_uv=False)
        if not (values[..., -1] > _SINGULAR_BELOW * values[..., 0]).all():
            raise PermutationError(
                f"{where} is not invertible: its smallest singular value is {values[..., -1].min():.2g}"
            )
        return
    off = deviation_from_orthogonal(matrices)
    if off > ORTHOGONAL_TO:
        raise PermutationError(
            f"{where} is not orthogonal: Q Qᵀ is off the identity by {off:.2g} (allowed {ORTHOGONAL_TO:g})"
        )
    if any(norm.kind == "layer" for norm in symmetry.norms):
        off = float(np.abs(matrices.sum(-1) - 1.0).max())
        if off > ORTHOGONAL_TO:
            raise PermutationError(
                f"{where} moves the vector of ones by {off:.2g} (allowed {ORTHOGONAL_TO:g}); a LayerNorm subtracts "
                "the mean, so that Q·1 = 1 is expected"
            )
