"""Where a symmetry acts: positions and exponents of the copies of its units along each axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.errors import SpecError
from rebasin_fast.specs.axis import Entry, Joined, merge_joined
from rebasin_fast.specs.layout import Block, blocks_of
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.symmetry import Symmetry
from rebasin_fast.typing import Index


@dataclass(frozen=True)
class Place:
    """Copies of the units of one permutation along one axis of one parameter.

    Attributes
    ----------
    parameter : str
    axis : int
        Of the array whose joined axes are merged (see ``axis.merge_joined``).
    positions : (parents, copies, units) array of int64
        Positions along the axis; the units of all parents, row-major, on the first axis.
    exponents : (copies,) array of int64
    """

    parameter: str
    axis: int
    positions: Index
    exponents: Index


def places_of(spec: PermutationSpec, symmetry: Symmetry, sizes: Mapping[str, int]) -> list[Place]:
    """Every place of the units of ``symmetry``, those of exponent 0 included.

    Gains and biases of its norms need no role: theirs is 0. SpecError for another axis without one, and for roles with
    another number of exponents than there are copies.
    """
    name = symmetry.permutation
    roles = {(role.parameter, role.axis): role.exponents for role in symmetry.roles}
    of_norms = {vector for norm in symmetry.norms for vector in (norm.gain, norm.bias)}
    found: list[Place] = []
    for parameter, axis in spec.perm_to_axes[name]:
        exponents = roles.get((parameter, axis), (0,) if parameter in of_norms else None)
        if exponents is None:
            raise SpecError(
                f"the {symmetry.group!r} symmetry of {name!r} has no role for axis {axis} of {parameter!r}, where its "
                "units stand; give exponents for every axis"
            )
        found += _places_on(spec, name, parameter, axis, exponents, sizes)
    return found


def merged_axis(entries: tuple[Entry, ...], axis: int) -> int:
    """The number of ``axis`` once joined axes are merged with those before them."""
    return axis - sum(isinstance(entry, Joined) for entry in entries[: axis + 1])


def _places_on(
    spec: PermutationSpec,
    name: str,
    parameter: str,
    axis: int,
    exponents: tuple[int, ...],
    sizes: Mapping[str, int],
) -> list[Place]:
    entries = spec.axes_to_perm[parameter]
    number = merged_axis(entries, axis)
    entry = merge_joined(entries)[number][0]
    blocks = [block for block in blocks_of(entry, sizes) if name in block.dims]
    counts = [prod(_copies(block, name)) for block in blocks]
    if len(exponents) == 1:
        exponents *= sum(counts)
    if len(exponents) != sum(counts):
        raise SpecError(
            f"the role of {name!r} on axis {axis} of {parameter!r} has {len(exponents)} exponents; its units stand "
            f"there {sum(counts)} times: give one exponent, or one for each"
        )
    places = []
    for block, count in zip(blocks, counts, strict=True):
        own, exponents = exponents[:count], exponents[count:]
        places.append(_place(block, name, spec.parents[name], parameter, number, own))
    return places


def _copies(block: Block, name: str) -> tuple[int, ...]:
    """Lengths of the dimensions that number copies: those before the permutation's that stay."""
    before = block.dims[: block.dims.index(name)]
    return tuple(block.positions.shape[i] for i, dim in enumerate(before) if dim is None)


def _place(
    block: Block,
    name: str,
    parents: tuple[str, ...],
    parameter: str,
    axis: int,
    exponents: tuple[int, ...],
) -> Place:
    own = block.dims.index(name)
    outer = [block.dims.index(parent) for parent in parents]
    others = [i for i in range(len(block.dims)) if i != own and i not in outer]
    shape = block.positions.shape
    positions = block.positions.transpose([*outer, *others, own])
    numbered = [shape[i] if block.dims[i] is None and i < own else 1 for i in others]
    spread = np.broadcast_to(
        np.array(exponents, dtype=np.int64).reshape(numbered), [shape[i] for i in others]
    )
    groups = prod(shape[i] for i in outer)
    return Place(
        parameter, axis, np.ascontiguousarray(positions.reshape(groups, -1, shape[own])), spread.ravel()
    )


def with_exponent(place: Place, exponent: int) -> Index:
    """(parents, copies, units): the positions of the copies that have this exponent."""
    chosen: NDArray[np.int64] = place.positions[:, place.exponents == exponent, :]
    return chosen
