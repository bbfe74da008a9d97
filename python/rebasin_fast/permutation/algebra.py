"""Permutations of a spec inverted and composed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._arrays.index_arrays import as_index, check_index_mapping
from rebasin_fast.errors import PermutationError
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Index, Permutation


@_arguments.checked()
def invert_permutation(permutation: Permutation, spec: PermutationSpec | None = None) -> dict[str, Index]:
    """The permutation that undoes ``permutation``: applied after it, it restores the parameters.

    Parameters
    ----------
    permutation : Mapping[str, array of int64]
    spec : PermutationSpec, optional
        Needed when permutations stand within others (the dims of a moved head move with it).

    Returns
    -------
    dict[str, array of int64]
        New arrays of the same names and shapes.

    Raises
    ------
    PermutationError
        An index array is no permutation, or is nested and ``spec`` was not given.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rf.invert_permutation({"P": [1, 2, 0]})
    {'P': array([2, 0, 1])}
    """
    _check_arguments(spec, permutation=permutation)
    arrays = {name: as_index(name, index) for name, index in permutation.items()}
    inverses = {}
    for name, index in arrays.items():
        inverses[name] = np.empty_like(index)
        inverses[name][sources_of_copies(name, arrays, spec)] = np.argsort(index, axis=-1)
    return inverses


@_arguments.checked()
def compose_permutations(
    first: Permutation, second: Permutation, spec: PermutationSpec | None = None
) -> dict[str, Index]:
    """The permutation whose application equals applying ``first``, and then ``second`` to the result.

    Parameters
    ----------
    first, second : Mapping[str, array of int64]
        Of the same names and shapes.
    spec : PermutationSpec, optional
        Needed when permutations stand within others.

    Returns
    -------
    dict[str, array of int64]
        New arrays of the same names and shapes.

    Raises
    ------
    PermutationError
        Names or shapes differ, an index array is no permutation, or is nested and ``spec`` was not given.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rf.compose_permutations({"P": [1, 2, 0]}, {"P": [2, 1, 0]})
    {'P': array([0, 2, 1])}
    """
    _check_arguments(spec, first=first, second=second)
    if set(first) != set(second):
        raise PermutationError(
            f"the permutations name {sorted(first)} and {sorted(second)}; names must agree"
        )
    before = {name: as_index(name, index) for name, index in first.items()}
    after = {name: as_index(name, index) for name, index in second.items()}
    composed = {}
    for name, index in before.items():
        if index.shape != after[name].shape:
            raise PermutationError(
                f"permutation {name!r} has shape {index.shape} in the first and {after[name].shape} in the second"
            )
        index = index[sources_of_copies(name, after, spec)]
        composed[name] = np.take_along_axis(index, after[name], axis=-1)
    return composed


def _check_arguments(spec: object, **permutations: object) -> None:
    for argument, permutation in permutations.items():
        check_index_mapping(permutation, argument)
    if spec is not None and not isinstance(spec, PermutationSpec):
        raise TypeError(f"spec is a PermutationSpec or None, got {type(spec).__qualname__}")


def sources_of_copies(
    name: str, permutation: Mapping[str, Index], spec: PermutationSpec | None
) -> tuple[Index, ...]:
    """Which unit of each parent the copies of ``name`` come from: an index over all axes but the last."""
    index = permutation[name]
    if spec is None:
        if index.ndim > 1:
            raise PermutationError(
                f"permutation {name!r} has shape {index.shape}: it stands within others; pass spec="
            )
        return ()
    if name not in spec.parents:
        raise PermutationError(f"permutation {name!r} is unknown to the spec, which has {spec.permutations}")
    parents = spec.parents[name]
    _check_parents(name, parents, permutation)
    sources: list[Index] = []
    for axis, parent in enumerate(parents):
        own_axes = [*(parents.index(outer) for outer in spec.parents[parent]), axis]
        shape = [1] * len(parents)
        for own_axis, extent in zip(own_axes, permutation[parent].shape, strict=True):
            shape[own_axis] = extent
        sources.append(permutation[parent].reshape(shape))
    return tuple(sources)


def _check_parents(name: str, parents: tuple[str, ...], permutation: Mapping[str, Index]) -> None:
    missing = [parent for parent in parents if parent not in permutation]
    if missing:
        raise PermutationError(f"permutation {name!r} stands within {missing[0]!r}, which is missing")
    expected = tuple(permutation[parent].shape[-1] for parent in parents)
    if permutation[name].shape[:-1] != expected:
        raise PermutationError(
            f"permutation {name!r} has shape {permutation[name].shape}; expected {expected} before its last axis, "
            f"one copy for each unit of {parents}"
        )
