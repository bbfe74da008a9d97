"""Permutations of a spec: checked, applied, drawn at random."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._arrays import check_arrays, library_of
from rebasin_fast._arrays.derived import DerivedParams
from rebasin_fast._arrays.index_arrays import as_index, check_index_mapping
from rebasin_fast.errors import PermutationError, SpecError
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.specs.axis import Entry, merge_joined
from rebasin_fast.specs.layout import Block, Placed, blocks_of, identity_index, merged_shape, source_index
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Array, Index, Params, Permutation


@_arguments.checked()
@refuses_changed_files
def apply_permutation(spec: PermutationSpec, permutation: Permutation, params: Params) -> dict[str, Array]:
    """Reorder the units of ``params``: slot i of permutation p is filled by unit ``permutation[p][i]``.

    Parameters
    ----------
    spec : PermutationSpec
    permutation : Mapping[str, array of int64]
        One index array a permutation of the spec, of shape (n,), or (..., n) within its parents.
    params : Mapping[str, array]
        NumPy, torch, JAX or CuPy arrays. Not changed.

    Returns
    -------
    dict[str, array]
        In the order, dtypes and devices of ``params``. Arrays that nothing moves, and those that the spec
        does not name, are the same objects, not copies.

    Raises
    ------
    PermutationError
        An index array is missing, no permutation, or of the wrong size; or a name is unknown to the spec.
    TypeError
        ``permutation`` or ``params`` is no mapping.
    SpecError
        The spec does not fit the shapes of ``params``, or names none of them.

    Notes
    -----
    O(size of the parameters), one copy of each moved array at a time. The convention is git-re-basin's:
    ``take(w, perm[p], axis)``.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> spec = rf.PermutationSpec({"w": ("P", None)})
    >>> rf.apply_permutation(spec, {"P": [1, 2, 0]}, {"w": np.arange(3.0)[:, None]})["w"].ravel()
    array([1., 2., 0.])
    """
    return dict(permuted_params(spec, permutation, params))


@_arguments.checked()
def permuted_params(spec: PermutationSpec, permutation: Permutation, params: Params) -> DerivedParams:
    """The parameters of :func:`apply_permutation`, each array moved on access.

    Takes the same arguments and raises the same errors, at once.

    Returns
    -------
    Mapping[str, array]
        Read-only; every access computes the array again, so that no second model is held in memory.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.permutation import permuted_params
    >>> spec = rf.PermutationSpec({"w": ("P", None)})
    >>> permuted_params(spec, {"P": [1, 2, 0]}, {"w": np.arange(3.0)[:, None]})["w"].ravel()
    array([1., 2., 0.])
    """
    if not isinstance(spec, PermutationSpec):
        raise TypeError(f"spec is a PermutationSpec, got {type(spec).__qualname__}")
    check_arrays(params, "the parameters")
    check_names_known(spec, params)
    sizes = spec.sizes(params)
    lookup = _placed(spec, check_permutation(spec, permutation, sizes))
    axes = spec.axes_to_perm
    laid_out: dict[Entry, tuple[Block, ...]] = {}

    def moved(name: str) -> Array:
        array = params[name]
        library = library_of(array)
        is_moved = False
        merged = merge_joined(axes.get(name, ()))
        if len(merged) < len(axes.get(name, ())):
            array = array.reshape(merged_shape(array.shape, merged))
        for axis, (entry, _) in enumerate(merged):
            if entry not in laid_out:
                laid_out[entry] = blocks_of(entry, sizes)
            blocks = laid_out[entry]
            if not blocks:
                continue
            source = source_index(blocks, array.shape[axis], lookup)
            if not np.array_equal(source, np.arange(len(source))):
                array = library.take(array, source, axis)
                is_moved = True
        return array.reshape(params[name].shape) if is_moved else params[name]

    return DerivedParams(params, moved)


@_arguments.checked()
def identity_permutation(spec: PermutationSpec, sizes: Mapping[str, int]) -> dict[str, Index]:
    """The permutation of ``spec`` that moves nothing.

    Parameters
    ----------
    spec : PermutationSpec
    sizes : Mapping[str, int]
        Units of each permutation, as from ``spec.sizes(params)``; names without a size are left out.

    Returns
    -------
    dict[str, array of int64]
        Of shape (n,), or (..., n) within parents.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> from rebasin_fast.permutation import identity_permutation
    >>> identity_permutation(rf.PermutationSpec({"w": ("P", None)}), {"P": 3})
    {'P': array([0, 1, 2])}
    """
    return {
        name: identity_index(sizes[name], _parent_sizes(spec, name, sizes))
        for name in spec.permutations
        if name in sizes
    }


@_arguments.checked()
def random_permutation(
    spec: PermutationSpec, sizes: Mapping[str, int], rng: np.random.Generator
) -> dict[str, Index]:
    """A permutation drawn uniformly, independently for each name and each unit that a name stands within.

    Parameters
    ----------
    spec : PermutationSpec
    sizes : Mapping[str, int]
        Units of each permutation, as from ``spec.sizes(params)``; names without a size are left out.
    rng : numpy.random.Generator

    Returns
    -------
    dict[str, array of int64]
        Of shape (n,), or (..., n) within parents.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.permutation import random_permutation
    >>> drawn = random_permutation(rf.PermutationSpec({"w": ("P", None)}), {"P": 3}, np.random.default_rng(0))
    >>> sorted(drawn["P"].tolist())
    [0, 1, 2]
    """
    identity = identity_permutation(spec, sizes)
    return {name: rng.permuted(index, axis=-1) for name, index in identity.items()}


@_arguments.checked()
def check_permutation(
    spec: PermutationSpec, permutation: Permutation, sizes: Mapping[str, int]
) -> dict[str, Index]:
    """``permutation`` as contiguous int64 arrays in the spec's order.

    Parameters
    ----------
    spec : PermutationSpec
    permutation : Mapping[str, array of int]
        One index array a permutation of the spec; lists too.
    sizes : Mapping[str, int]
        Units of each permutation, as from ``spec.sizes(params)``; names without a size are left out.

    Returns
    -------
    dict[str, array of int64]
        Copies where the arrays are of another dtype or layout.

    Raises
    ------
    PermutationError
        An index array is missing, no permutation, or of the wrong shape; or a name is unknown to the spec.
    TypeError
        ``permutation`` is no mapping.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> from rebasin_fast.permutation import check_permutation
    >>> check_permutation(rf.PermutationSpec({"w": ("P", None)}), {"P": [2, 0, 1]}, {"P": 3})
    {'P': array([2, 0, 1])}
    """
    check_index_mapping(permutation)
    unknown = [name for name in permutation if name not in spec.parents]
    if unknown:
        raise PermutationError(
            f"permutation {unknown[0]!r} is unknown to the spec, which has {spec.permutations}"
        )
    checked = {}
    for name in spec.permutations:
        if name not in sizes:
            continue
        if name not in permutation:
            raise PermutationError(f"permutation {name!r} is missing; the spec has {spec.permutations}")
        index = as_index(name, permutation[name])
        expected = (*_parent_sizes(spec, name, sizes), sizes[name])
        if index.shape != expected:
            raise PermutationError(f"permutation {name!r} has shape {index.shape}; expected {expected}")
        checked[name] = index
    return checked


def check_names_known(spec: PermutationSpec, params: Params) -> None:
    """Parameters under other names, such as a wrapper's ``module.``, would be returned unmoved and without an error."""
    if params and spec.permutations and not any(name in params for name in spec.axes_to_perm):
        raise SpecError(
            f"the spec names none of the {len(params)} parameters: the first is {next(iter(params))!r}, and the "
            f"spec's first {next(iter(spec.axes_to_perm))!r}; rename the parameters, or use their own spec"
        )


def _parent_sizes(spec: PermutationSpec, name: str, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(sizes[parent] for parent in spec.parents[name])


def _placed(spec: PermutationSpec, permutation: Mapping[str, Index]) -> dict[str, Placed]:
    return {name: Placed(index, spec.parents[name]) for name, index in permutation.items()}
