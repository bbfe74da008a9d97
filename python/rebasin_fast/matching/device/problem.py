"""A matching problem whose parameters stay on the device; its layout is compiled for the core as the CPU's is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._arrays.operations import Operations
from rebasin_fast.errors import ParamsError
from rebasin_fast.matching.compilation import Compilation, CompiledProblem, Moves
from rebasin_fast.matching.device.assigners import Assigner
from rebasin_fast.matching.matched import real_entries
from rebasin_fast.specs.axis import merge_joined
from rebasin_fast.specs.layout import merged_shape

if TYPE_CHECKING:
    from rebasin_fast.matching.pair import CheckedPair

_WIDTHS = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class ResidentTensor:
    """One parameter of A and of B on the device, its strides in C order, and the moves of its axes."""

    a: Any
    b: Any
    strides: tuple[int, ...]
    moves: Moves


@dataclass(frozen=True)
class ResidentProblem(CompiledProblem):
    """All tensors of the objective, the library that computes with them, and the solver of assignments."""

    tensors: tuple[ResidentTensor, ...]
    operations: Operations
    assigner: Assigner


def make_resident(pair: CheckedPair, ops: Operations, assigner: Assigner) -> ResidentProblem:
    """Bring the parameters that are matched to the device, one at a time, and check that they are finite."""
    compilation = Compilation(pair)
    tensors, kinds = [], set()
    for name, array_a, array_b in pair.matched:
        a, b, kind = _placed(name, array_a, array_b, ops)
        kinds.add(kind)
        merged = merge_joined(real_entries(pair.spec.axes_to_perm[name], array_a))
        shape = merged_shape(tuple(int(n) for n in a.shape), merged)
        moves = compilation.moves([entry for entry, _ in merged])
        compilation.native.add_remote_tensor(list(shape), moves)
        strides = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
        tensors.append(ResidentTensor(a.reshape(shape), b.reshape(shape), strides, moves))
    return ResidentProblem(
        compilation.native, compilation.sizes, "float64" in kinds, tuple(tensors), ops, assigner
    )


def _placed(parameter: str, a: Any, b: Any, ops: Operations) -> tuple[Any, Any, str]:
    """Both arrays on the device in one dtype, and its name."""
    a, b = ops.place(a), ops.place(b)
    kind = max((ops.dtype(a), ops.dtype(b)), key=_WIDTHS.index)
    if ops.dtype(a) != ops.dtype(b):
        kind = "float64" if kind == "float64" else "float32"
        a, b = ops.widen(a, kind), ops.widen(b, kind)
    for model, array in (("A", a), ("B", b)):
        if not ops.is_finite(array):
            raise ParamsError(
                f"parameter {parameter!r} of model {model} holds entries that are NaN or infinite; "
                "a model that diverged cannot be matched"
            )
    return a, b, kind
