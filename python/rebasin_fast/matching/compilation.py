"""A permutation spec and two sets of parameters, compiled to the core's matching problem."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _core
from rebasin_fast._arrays import library_of, numbers_on_host
from rebasin_fast._arrays.elements import widened
from rebasin_fast._arrays.interface import is_floating
from rebasin_fast.errors import ParamsError
from rebasin_fast.matching.matched import real_entries, real_view, refuse_integers_alone
from rebasin_fast.specs.axis import Entry, Joined, merge_joined
from rebasin_fast.specs.layout import Block, blocks_of, merged_shape

if TYPE_CHECKING:
    from rebasin_fast.matching.pair import CheckedPair
    from rebasin_fast.typing import Array

Layout = list[tuple[list[int], int, NDArray[np.int64]]]
Moves = list[tuple[list[int], int, int, NDArray[np.int64]]]


@dataclass(frozen=True)
class CompiledProblem:
    """The core's problem, the sizes of its permutations in their order, and whether products are float64."""

    native: _core.Problem
    sizes: dict[str, int]
    double_products: bool

    @property
    def permutations(self) -> tuple[str, ...]:
        """The names of the permutations, by their numbers."""
        return tuple(self.sizes)


# Dtypes that the core reads in place.
_READABLE = {np.dtype(kind): kind for kind in ("float16", "float32", "float64")}


class Compilation:
    """The core's problem under construction: the permutations, and the moves of axes by their numbers."""

    def __init__(self, pair: CheckedPair) -> None:
        refuse_integers_alone(pair.spec, pair.matched, pair.models)
        names = [name for name in pair.spec.permutations if name in pair.sizes]
        self.sizes = {name: pair.sizes[name] for name in names}
        self.native = _core.Problem()
        self._numbers = {name: number for number, name in enumerate(names)}
        # Of entries, most of which stand on many axes.
        self._layouts: dict[Entry, Layout] = {}
        for name in names:
            parents = [self._numbers[parent] for parent in pair.spec.parents[name]]
            self.native.add_permutation(self.sizes[name], parents)

    def moves(self, entries: list[Entry]) -> Moves:
        """The moves of every axis."""
        moves: Moves = []
        for axis, entry in enumerate(entries):
            if entry is None:
                continue
            if entry not in self._layouts:
                self._layouts[entry] = [self._layout(block) for block in blocks_of(entry, self.sizes)]
            moves += [(numbers, axis, copies, units) for numbers, copies, units in self._layouts[entry]]
        return moves

    def _layout(self, block: Block) -> tuple[list[int], int, NDArray[np.int64]]:
        """Permutations of a block, copies of each unit, and its positions with the fixed dimensions last."""
        moving = [axis for axis, dim in enumerate(block.dims) if dim is not None]
        positions = np.moveaxis(block.positions, moving, range(len(moving)))
        copies = positions.size // prod(self.sizes[name] for name in block.permutations)
        numbers = [self._numbers[name] for name in block.permutations]
        return numbers, copies, np.ascontiguousarray(positions).ravel()


def compile_problem(pair: CheckedPair, *, check_finite: bool = True) -> CompiledProblem:
    """Compile every parameter that is matched; arrays in host memory are referenced, complex ones as pairs.

    ``check_finite=False`` leaves the check for NaN and infinity to the core, which reads all entries anyway.

    Raises
    ------
    ParamsError
        A matched entry is NaN or infinite, or nothing that moves is of floating point.
    """
    compilation = Compilation(pair)
    kinds: set[str] = set()
    for name, array_a, array_b in pair.matched:
        a, b, kind = _paired_host_arrays(name, array_a, array_b)
        if check_finite:
            _refuse_nonfinite(name, a, b, kind)
        kinds.add(kind)
        entries = list(real_entries(pair.spec.axes_to_perm[name], array_a))
        if any(isinstance(entry, Joined) for entry in entries):
            joined = merge_joined(entries)
            a, b = (array.reshape(merged_shape(array.shape, joined)) for array in (a, b))
            entries = [entry for entry, _ in joined]
        a, b, kept = _merge_still_axes(a, b, entries)
        compilation.native.add_tensor(a, b, getattr(_core.DType, kind), compilation.moves(kept))
    return CompiledProblem(compilation.native, compilation.sizes, "float64" in kinds)


def refuse_nonfinite(pair: CheckedPair) -> None:
    """ParamsError, naming the parameter, if a matched entry is NaN or infinite."""
    for name, a, b in pair.matched:
        _refuse_nonfinite(name, *_paired_host_arrays(name, a, b))


def _paired_host_arrays(name: str, a: Array, b: Array) -> tuple[NDArray[Any], NDArray[Any], str]:
    """Both arrays in host memory and in one dtype that the core reads."""
    if type(a) is type(b) is np.ndarray and a.dtype == b.dtype:
        kind = _READABLE.get(a.dtype)
        if kind is not None and a.flags.carray and b.flags.carray:
            return a, b, kind
    for model, array in (("A", a), ("B", b)):
        _refuse_unreadable(name, model, array)
    host_a, kind_a = _readable(a)
    host_b, kind_b = _readable(b)
    if kind_a != kind_b:
        kind_a = "float64" if "float64" in (kind_a, kind_b) else "float32"
        host_a, host_b = (real_view(numbers_on_host(array)).astype(kind_a) for array in (a, b))
    return host_a, host_b, kind_a


def _refuse_unreadable(name: str, model: str, array: Array) -> None:
    kind = library_of(array).dtype_name(array)
    if not is_floating(kind) and not kind.startswith(("int", "uint", "bool")):
        raise ParamsError(
            f"parameter {name!r} of model {model} is of dtype {kind}; weights to match are numbers. "
            "Leave it out of both models and the spec"
        )


def _readable(array: Array) -> tuple[NDArray[Any], str]:
    library = library_of(array)
    kind = library.dtype_name(array)
    host = library.to_host(array)
    if host.dtype.kind == "c":
        host = real_view(host)
        kind = str(host.dtype)
    if kind not in ("bfloat16", "float16", "float32", "float64"):
        kind = "float64" if host.dtype.kind == "f" and host.itemsize > 8 else "float32"
        host = host.astype(kind)
    aligned = host.flags.aligned and all(stride % host.itemsize == 0 for stride in host.strides)
    return (host if aligned and host.dtype.isnative else host.astype(host.dtype.newbyteorder("="))), kind


def _refuse_nonfinite(name: str, a: NDArray[Any], b: NDArray[Any], kind: str) -> None:
    for model, host in (("A", a), ("B", b)):
        finite = np.isfinite(widened(host) if kind == "bfloat16" else host)
        if not finite.all():
            place = tuple(int(i) for i in np.argwhere(~finite)[0])
            raise ParamsError(
                f"parameter {name!r} of model {model} holds {finite.size - np.count_nonzero(finite)} entries that are "
                f"NaN or infinite, the first at {place}; a model that diverged cannot be matched"
            )


def _merge_still_axes(
    a: NDArray[Any], b: NDArray[Any], entries: list[Entry]
) -> tuple[NDArray[Any], NDArray[Any], list[Entry]]:
    """Neighbouring axes that no permutation moves (kernel taps) become one or none, where that is a view."""
    if not (a.flags.c_contiguous and b.flags.c_contiguous) or 0 in a.shape:
        return a, b, entries
    shape: list[int] = []
    kept: list[Entry] = []
    for length, entry in zip(a.shape, entries, strict=True):
        if entry is None and (length == 1 or (kept and kept[-1] is None)):
            if length > 1:
                shape[-1] *= length
        else:
            shape.append(length)
            kept.append(entry)
    return a.reshape(shape), b.reshape(shape), kept
