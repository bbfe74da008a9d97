"""Transforms of a spec by explicit matrices on every axis, one entry at a time."""

from itertools import product
from typing import Any

import numpy as np

from rebasin_fast.permutation import Transform
from rebasin_fast.specs.axis import Joined, merge_joined
from rebasin_fast.specs.layout import Block, blocks_of
from rebasin_fast.specs.spec import PermutationSpec


def number_of_copies(spec: PermutationSpec, sizes: Any, name: str, parameter: str, axis: int) -> int:
    """How many exponents a role of ``name`` there has, if it gives one a copy."""
    blocks = blocks_of(_entry(spec, parameter, axis)[1], sizes)
    return sum(len(_copy_numbers(block, name)) for block in blocks if name in block.dims)


def transformed(spec: PermutationSpec, transform: Transform, params: Any) -> dict[str, Any]:
    """``params`` in float64, each merged axis multiplied by its dense matrix."""
    sizes = spec.sizes(params)
    results = {}
    for parameter, array in params.items():
        entries = spec.axes_to_perm.get(parameter, ())
        values = np.asarray(array, dtype=np.float64)
        lengths = iter(values.shape)
        shape = [int(np.prod([next(lengths) for _ in range(axes)])) for _, axes in merge_joined(entries)]
        merged = values.reshape(shape) if entries else values
        for number, (entry, _) in enumerate(merge_joined(entries)):
            dense = _dense(spec, transform, parameter, number, entry, merged.shape[number], sizes)
            merged = np.moveaxis(np.tensordot(dense, merged, axes=(1, number)), 0, number)
        results[parameter] = merged.reshape(values.shape)
    return results


def _entry(spec: PermutationSpec, parameter: str, axis: int) -> tuple[int, Any]:
    entries = spec.axes_to_perm[parameter]
    number = sum(not isinstance(entry, Joined) for entry in entries[: axis + 1]) - 1
    return number, merge_joined(entries)[number][0]


def _copy_numbers(block: Block, name: str) -> dict[tuple[int, ...], int]:
    before = block.dims[: block.dims.index(name)]
    lengths = [block.positions.shape[i] for i, dim in enumerate(before) if dim is None]
    return {copy: number for number, copy in enumerate(product(*map(range, lengths)))}


def _dense(
    spec: PermutationSpec,
    transform: Transform,
    parameter: str,
    number: int,
    entry: Any,
    length: int,
    sizes: Any,
) -> Any:
    order, factors, mixing = np.eye(length), np.eye(length), np.eye(length)
    seen: dict[str, int] = {}
    for block in blocks_of(entry, sizes):
        for slot in np.ndindex(*block.positions.shape):
            at = block.positions[slot]
            order[at] = 0.0
            order[at, block.positions[_source(spec, transform, block, slot)]] = 1.0
            for axis, name in enumerate(block.dims):
                if name is None:
                    continue
                where = tuple(slot[block.dims.index(parent)] for parent in spec.parents[name])
                copy = tuple(slot[i] for i, dim in enumerate(block.dims[:axis]) if dim is None)
                copy_number = seen.get(name, 0) + _copy_numbers(block, name)[copy]
                for kind in ("signs", "scales"):
                    exponent = _exponent(spec, name, (kind,), parameter, number, copy_number)
                    if name in getattr(transform, kind):
                        factors[at, at] *= np.asarray(getattr(transform, kind)[name])[where][
                            slot[axis]
                        ] ** float(exponent)
                exponent = _exponent(spec, name, ("linear", "orthogonal"), parameter, number, copy_number)
                if name in transform.matrices and exponent:
                    matrix = np.asarray(transform.matrices[name])[where]
                    matrix = matrix if exponent == 1 else np.linalg.inv(matrix).T
                    for unit in range(sizes[name]):
                        mixing[at, block.positions[(*slot[:axis], unit, *slot[axis + 1 :])]] = matrix[
                            slot[axis], unit
                        ]
        for name in block.permutations:
            seen[name] = seen.get(name, 0) + len(_copy_numbers(block, name))
    return mixing @ factors @ order


def _source(
    spec: PermutationSpec, transform: Transform, block: Block, slot: tuple[int, ...]
) -> tuple[int, ...]:
    source = list(slot)
    for axis, name in enumerate(block.dims):
        if name is not None:
            where = tuple(slot[block.dims.index(parent)] for parent in spec.parents[name])
            source[axis] = int(np.asarray(transform.permutation[name])[where][slot[axis]])
    return tuple(source)


def _exponent(
    spec: PermutationSpec, name: str, groups: tuple[str, ...], parameter: str, number: int, copy: int
) -> int:
    for group in groups:
        for symmetry in spec.symmetries:
            if symmetry.permutation == name and symmetry.group == group:
                for role in symmetry.roles:
                    if role.parameter == parameter and _entry(spec, parameter, role.axis)[0] == number:
                        return role.exponents[0] if len(role.exponents) == 1 else role.exponents[copy]
                return 0
    return 0
