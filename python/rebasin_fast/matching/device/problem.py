"""A matching problem whose parameters stay on the device; its index tables live on the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._arrays.operations import Operations
from rebasin_fast.errors import ParamsError
from rebasin_fast.matching.matched import (
    matched_parameters,
    real_entries,
    refuse_complex_beside_real,
    refuse_integers_alone,
)
from rebasin_fast.specs.axis import Entry, merge_joined
from rebasin_fast.specs.layout import Block, blocks_of, merged_shape

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index, Params

_WIDTHS = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class Move:
    """``positions[i, j, ..., r]``: copy r of unit i of ``permutations[0]``, j of ``permutations[1]``, … on ``axis``."""

    permutations: tuple[str, ...]
    axis: int
    positions: Index


@dataclass(frozen=True)
class Tensor:
    """One parameter of A and of B on the device, and what moves each of its axes."""

    a: Any
    b: Any
    blocks: tuple[tuple[Block, ...], ...]
    moves: tuple[Move, ...]


@dataclass(frozen=True)
class ResidentProblem:
    """All tensors of the objective; ``parents`` outermost first, ``wide`` where products are float64."""

    permutations: tuple[str, ...]
    sizes: dict[str, int]
    parents: dict[str, tuple[str, ...]]
    tensors: tuple[Tensor, ...]
    wide: bool


def make_resident(
    spec: PermutationSpec, params_a: Params, params_b: Params, sizes: Mapping[str, int], ops: Operations
) -> ResidentProblem:
    """Bring the parameters that are matched to the device, one at a time, and check that they are finite."""
    names = tuple(name for name in spec.permutations if name in sizes)
    tensors, kinds = [], set()
    laid_out: dict[Entry, tuple[Block, ...]] = {}
    for parameter in matched_parameters(spec, (params_a, params_b)):
        refuse_complex_beside_real(parameter, params_a[parameter], params_b[parameter])
        a, b = ops.place(params_a[parameter]), ops.place(params_b[parameter])
        kind = max((ops.dtype(a), ops.dtype(b)), key=_WIDTHS.index)
        if ops.dtype(a) != ops.dtype(b):
            kind = "float64" if kind == "float64" else "float32"
            a, b = ops.widen(a, kind), ops.widen(b, kind)
        kinds.add(kind)
        for model, array in (("A", a), ("B", b)):
            if not ops.is_finite(array):
                raise ParamsError(
                    f"parameter {parameter!r} of model {model} holds entries that are NaN or infinite; "
                    "a model that diverged cannot be matched"
                )
        merged = merge_joined(real_entries(spec.axes_to_perm[parameter], params_a[parameter]))
        shape = merged_shape(tuple(int(n) for n in a.shape), merged)
        for entry, _ in merged:
            if entry not in laid_out:
                laid_out[entry] = blocks_of(entry, sizes)
        blocks = tuple(laid_out[entry] for entry, _ in merged)
        tensors.append(Tensor(a.reshape(shape), b.reshape(shape), blocks, tuple(_moves(blocks))))
    refuse_integers_alone(spec, kinds, (params_a, params_b))
    return ResidentProblem(
        names, {name: sizes[name] for name in names}, {name: tuple(spec.parents[name]) for name in names},
        tuple(tensors), "float64" in kinds,
    )  # fmt: skip


def _moves(blocks: tuple[tuple[Block, ...], ...]) -> list[Move]:
    return [_move(axis, block) for axis, of_axis in enumerate(blocks) for block in of_axis]


def _move(axis: int, block: Block) -> Move:
    moving = [d for d, dim in enumerate(block.dims) if dim is not None]
    positions = np.moveaxis(block.positions, moving, range(len(moving)))
    extents = positions.shape[: len(moving)]
    copies = positions.size // prod(extents) if prod(extents) else 0
    return Move(block.permutations, axis, np.ascontiguousarray(positions).reshape(*extents, copies))
